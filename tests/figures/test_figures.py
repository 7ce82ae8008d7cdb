"""The pictures of a small run: that they are drawn, what they show, and that nothing is trained for them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.image import imread
from programs import TRAINING, run_program

from ddrsa.data.sequences import Sequences
from ddrsa.figures import calibration, hazards, policy, rul, training
from ddrsa.figures.lives import Life, sample_lives
from ddrsa.rundir.files import write_json
from ddrsa.rundir.training import TrainingDirectory
from ddrsa.survival.policy import intervene
from ddrsa.visualize import main, shown_cost

NAMES = {
    "training_curves",
    "hazard_progression",
    "policy_along_life",
    "policy_trade_off",
    "predicted_rul",
    "reliability",
}
HORIZON = 24


def forecasts(sequences: Sequences) -> torch.Tensor:
    """Forecasts that know the failure to some cycles."""
    steps = torch.arange(HORIZON)
    return (steps - torch.from_numpy(np.array(sequences.time_to_event))[:, None]) / 2 - 1


@pytest.fixture
def lives(fleet: Sequences) -> list[Life]:
    return sample_lives(fleet, forecasts(fleet))


def check_labels(figure: Figure, num_panels: int) -> None:
    panels = [ax for ax in figure.axes if ax.get_label() != "<colorbar>"]
    assert len(panels) == num_panels
    shared = any(ax.get_ylabel() for ax in panels)
    for ax in panels:
        assert ax.get_title(loc="left") or ax.get_xlabel()
        assert ax.get_ylabel() or shared


def test_a_run_with_visualize_has_all_plots(trained_run: TrainingDirectory) -> None:
    plots = trained_run.path / "plots"
    assert {path.name for path in plots.iterdir()} == {f"{name}.{kind}" for name in NAMES for kind in ("png", "svg")}
    for name in NAMES:
        pixels = imread(plots / f"{name}.png")
        assert pixels.shape[1] >= 900
        colours = (pixels[..., :3] * 255).astype(np.int64) @ [1, 256, 65536]
        assert len(np.unique(colours)) > 50  # something is drawn
    log = trained_run.log.read_text()
    assert "plots in" in log
    assert "visualize" not in torch.load(trained_run.checkpoint_best, weights_only=True)["config"]


def test_drawn_again_without_training(
    trained_run: TrainingDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DDRSA_CACHE_DIR", str(tmp_path / "cache"))
    copy = TrainingDirectory(shutil.copytree(trained_run.path, tmp_path / "run"))
    shutil.rmtree(copy.path / "plots")
    before = copy.checkpoint_last.stat().st_mtime_ns
    assert main([str(copy.path)]) == 0
    assert copy.checkpoint_last.stat().st_mtime_ns == before
    for name in NAMES:
        first, second = (path / "plots" / f"{name}.svg" for path in (trained_run.path, copy.path))
        assert first.read_text() == second.read_text()
    metrics = copy.read_test_metrics() or {}
    write_json(copy.test_metrics, {key: value for key, value in metrics.items() if key != "policies"})
    assert main([str(copy.path)]) == 2
    assert "comes from an earlier version" in capsys.readouterr().err
    copy.test_metrics.unlink()
    assert main([str(copy.path)]) == 2
    assert "only a completed run can be drawn" in capsys.readouterr().err


@pytest.mark.slow
def test_result_stands_where_the_plots_cannot_be_written(trained_run: TrainingDirectory, tmp_path: Path) -> None:
    copy = TrainingDirectory(shutil.copytree(trained_run.path, tmp_path / "run"))
    shutil.rmtree(copy.path / "plots")
    (copy.path / "plots").write_text("in the way")
    overrides = (copy.path / ".hydra" / "overrides.yaml").read_text().replace("- ", "").split()
    train = Path(__file__).parents[2] / "train.py"
    done = run_program(train, *overrides, f"hydra.run.dir={copy.path}", imports=TRAINING, cwd=tmp_path)
    assert done.returncode == 0
    assert "is complete already" in done.stdout
    assert "plots could not be drawn: FileExistsError" in done.stdout
    assert "Traceback" in copy.log.read_text()


def test_sample_units_are_a_short_a_usual_and_a_long_life(fleet: Sequences, lives: list[Life]) -> None:
    lifetimes = np.sort(fleet.lifetimes[fleet.unit_event_observed])
    assert [life.failure for life in lives] == [lifetimes[1], lifetimes[round(4.5)], lifetimes[8]]
    for life in lives:
        assert fleet.event_observed[fleet.unit == life.unit].all()
        assert life.time_to_event[-1] == 0
    assert sample_lives(fleet.select_units([3, 8]), forecasts(fleet.select_units([3, 8]))) == []
    assert len(sample_lives(fleet.select_units([1]), forecasts(fleet.select_units([1])))) == 1


def test_hazards_are_drawn_from_the_cycle_at_which_they_were_forecast(lives: list[Life]) -> None:
    figure = hazards.hazard_progression(lives)
    check_labels(figure, len(lives))
    for ax, life in zip(figure.axes, lives, strict=False):
        *curves, failure = ax.lines
        assert np.asarray(failure.get_xdata())[0] == life.failure
        last = curves[-1]
        assert np.asarray(last.get_xdata())[0] == life.failure
        np.testing.assert_allclose(np.asarray(last.get_ydata()), life.logits[-1].sigmoid().numpy().clip(1e-4))


def test_intervention_is_drawn_where_the_policy_intervenes(lives: list[Life]) -> None:
    cost = 6.0
    figure = policy.policy_along_lives(lives, cost)
    check_labels(figure, len(lives))
    for ax, life in zip(figure.axes, lives, strict=True):
        stop, go_on, intervention, failure = ax.lines
        first = int(intervene(life.logits, cost).numpy().argmax())
        assert np.asarray(intervention.get_xdata())[0] == first + 1
        assert f"{life.time_to_event[first]:.0f} cycles early" in ax.get_title(loc="left")
        assert np.asarray(failure.get_xdata())[0] == life.failure
        assert (np.asarray(stop.get_ydata())[:first] > np.asarray(go_on.get_ydata())[:first]).all()
    missed = policy.policy_along_lives(lives, 1e-9)
    assert all("missed" in ax.get_title(loc="left") for ax in missed.axes)


def test_other_figures_have_labels(fleet: Sequences, lives: list[Life], trained_run: TrainingDirectory) -> None:
    metrics = trained_run.read_test_metrics()
    assert metrics is not None
    arguments = forecasts(fleet), fleet.time_to_event, fleet.event_observed
    check_labels(rul.predicted_rul(*arguments, lives), 1 + len(lives))
    check_labels(rul.predicted_rul(*arguments, []), 1)
    check_labels(calibration.reliability(metrics["calibration"]), 2)
    check_labels(policy.policy_trade_off(metrics["policies"]), 1)
    check_labels(training.training_curves(pd.read_csv(trained_run.training_log)), 2)


def test_cost_that_is_drawn() -> None:
    def metrics(five: float | None, ten: float | None) -> dict[str, object]:
        tuned = {"5%": five and {"threshold": five}, "10%": ten and {"threshold": ten}}
        return {"policies": {"oti": {"tuned": tuned}}, "oti": [{"cost": 8}, {"cost": 256}]}

    assert shown_cost(metrics(3.0, 2.0)) == 3
    assert shown_cost(metrics(None, 2.0)) == 2
    assert shown_cost(metrics(None, None)) == 256
