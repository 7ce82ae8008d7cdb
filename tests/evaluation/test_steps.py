"""Forecasts of steps of several lengths, measured at the same moments and in one length."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hydra import compose, initialize_config_dir
from rich.console import Console

import ddrsa
from ddrsa.analysis.collect import collect
from ddrsa.analysis.criterion import Choice
from ddrsa.analysis.decide import answers
from ddrsa.analysis.sentences import sentences
from ddrsa.compat_hydra import VERSION_BASE
from ddrsa.config import check_config, comparison
from ddrsa.data.load import read_parts
from ddrsa.data.options import TableOptions
from ddrsa.data.sequences import Sequences
from ddrsa.errors import ConfigError, UsageError
from ddrsa.evaluation.steps import EvaluationSteps
from ddrsa.rundir.states import State
from ddrsa.survival.hazard import log_event_probability, survival
from ddrsa.sweep.presentation import Presentation
from ddrsa.sweep.search.comparability import Comparability
from ddrsa.sweep.show.run_view import RunView
from ddrsa.sweep.show.summary import print_summary
from ddrsa.time_units import SECONDS
from ddrsa.trained import load_trained
from ddrsa.visualize import measured_in

ROOT = Path(__file__).parents[2]
STEPS = {"1h": 6, "2h": 3, "6h": 1}
HORIZON = 4
MEASURED = ["dataset.evaluation_step=6h", f"evaluation_horizon={HORIZON}"]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hourly rows of 24 pumps, every fourth still alive; some begin without a value, and failures lie between rows."""
    rng = np.random.default_rng(0)
    parts, failures = [], []
    for unit in range(24):
        hours = int(rng.integers(60, 140))
        begin = pd.Timestamp("2025-03-01 05:00") + pd.Timedelta(hours=int(rng.integers(0, 48)))
        heat = np.arange(hours) / hours + rng.normal(0, 0.1, hours)
        heat[: (unit % 5) * 3] = np.nan
        times = begin + pd.to_timedelta(np.arange(hours), unit="h")
        parts.append(pd.DataFrame({"unit": f"p{unit}", "time": times, "heat": heat}))
        if unit % 4:
            failures.append({"unit": f"p{unit}", "time": times[-1] + pd.Timedelta(minutes=20)})
    folder = tmp_path_factory.mktemp("pumps")
    pd.concat(parts).to_csv(folder / "pumps.csv", index=False)
    pd.DataFrame(failures).to_csv(folder / "failures.csv", index=False)
    return folder / "pumps.csv"


def options(file: Path, **keys: Any) -> dict[str, Any]:
    return {"path": str(file), "events_path": str(file.with_name("failures.csv")), **keys}


def read(file: Path, step: str) -> Sequences:
    parts = read_parts(TableOptions(**options(file, step=step)), data_dir=file.parent, cache_dir=file.parent / "cache")
    # Again, as it lies in the cache.
    parts = read_parts(TableOptions(**options(file, step=step)), data_dir=file.parent, cache_dir=file.parent / "cache")
    return parts["run_to_failure"]


def test_the_measured_moments_are_those_of_the_times(file: Path) -> None:
    rows = pd.read_csv(file, parse_dates=["time"])
    failed = pd.read_csv(file.with_name("failures.csv"), parse_dates=["time"]).set_index("unit")["time"]
    expected = []
    # A row is there from the moment at which every feature had a value.
    known = rows.dropna().groupby("unit")["time"].min()
    for unit, times in rows.groupby("unit")["time"]:
        begin, last = times.min(), times.max()
        complete = int((last - begin) / pd.Timedelta("6h"))
        for number in range(complete):
            left = complete - 2 - number
            if unit in failed:
                left = int((failed[unit] - begin) / pd.Timedelta("6h")) - number - 1
            if left >= 0 and begin + (number + 1) * pd.Timedelta("6h") > known[unit]:
                expected.append((str(unit), (number + 1) * 6, left, unit in failed))
    for step, m in STEPS.items():
        sequences = read(file, step)
        at = EvaluationSteps(sequences, m, HORIZON)
        names = dict(zip(sequences.unit_ids.tolist(), sequences.unit_names, strict=True))
        hours = (sequences.positions[at.rows] + 1) * (6 // m)
        units = at.units
        found = list(
            zip(
                [names[unit] for unit in units.unit.tolist()],
                hours.tolist(),
                units.time_to_event.astype(int).tolist(),
                units.event_observed.tolist(),
                strict=True,
            )
        )
        assert sorted(found) == sorted(expected)


def test_measured_hazards_are_those_of_the_law() -> None:
    fleet = Sequences(
        np.zeros((40, 1), np.float32), np.zeros(40, np.int64), np.arange(39, -1, -1, dtype=np.float32),
        np.ones(40, bool), ("x",),
    )  # fmt: skip
    torch.manual_seed(0)
    for m in STEPS.values():
        at = EvaluationSteps(fleet, m, HORIZON)
        logits = torch.randn(40, m * HORIZON + 3, dtype=torch.float64) - 2
        law = log_event_probability(logits)[at.rows].exp()
        alive = 1 - law[:, 0]
        by_step = law[:, 1 : 1 + m * HORIZON].reshape(-1, HORIZON, m).sum(-1) / alive[:, None]
        torch.testing.assert_close(log_event_probability(at.measured(logits)).exp(), by_step)
        known = at.units.time_to_event.astype(int)
        probability = [row[t] if t < HORIZON else 1 - row.sum() for row, t in zip(by_step.numpy(), known, strict=True)]
        assert at.likelihood(logits) == pytest.approx(-np.log(probability).mean())
        # A constant hazard is that of its own step, whatever the step of the run.
        per_hour = np.log1p(-0.02) * (6 // m)
        constant = torch.full((40, m * HORIZON + 1), float(np.log(np.expm1(-per_hour))), dtype=torch.float64)
        found = survival(at.measured(constant))
        torch.testing.assert_close(found, (0.98 ** (6 * torch.arange(1, HORIZON + 1).double())).expand_as(found))
    # A sure forecast stays finite.
    assert EvaluationSteps(fleet, 2, HORIZON).measured(torch.full((40, 9), -200.0)).exp().sum() < 1e-60


@pytest.fixture(scope="module")
def runs(file: Path) -> dict[str, ddrsa.TrainedModel]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(file.parent)
        patch.setenv("DDRSA_LEASE_DIR", str(file.parent / "leases"))
        patch.setenv("DDRSA_CACHE_DIR", str(file.parent / "cache"))
        return {step: ddrsa.train([*small(file, step), *MEASURED, "hydra.sweep.dir=common"]) for step in STEPS}


def small(file: Path, step: str) -> list[str]:
    return [
        "dataset=table", *(f"dataset.{key}={value}" for key, value in options(file, step=step).items()),
        "lookback=6", "num_epochs=2", "horizon=30", "batch_size=256", "model.hidden_size=4", "device=cpu",
    ]  # fmt: skip


def test_runs_of_several_steps_are_measured_alike_and_ranked(
    runs: dict[str, ddrsa.TrainedModel], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *others = (run.metrics for run in runs.values())
    for other in others:
        for mine, its in ((first, other), (first["validation"], other["validation"])):
            for key in ("num_windows", "num_event_windows", "num_units"):
                assert mine[key] == its[key] > 0
        assert other["comparison"] == first["comparison"]
        assert other["time_step"] == first["time_step"] == {"length": 6 * 3600.0, "unit": "seconds of dates"}
    for run in runs.values():
        # What a search prunes by is measured in the same way.
        rows = list(csv.DictReader((run.path / "training_log.csv").open()))
        best = rows[run.metrics["best_epoch"] - 1]
        assert float(best["validation_nll"]) == pytest.approx(run.metrics["validation"]["nll"], rel=1e-5)
        assert 0 <= run.metrics["restricted_rmse"] <= HORIZON
        # The windows in the figure of reliability are told as they were measured.
        told = measured_in(load_trained(run.path))
        assert told.length * SECONDS[told.unit] == 6 * 3600
    stream = io.StringIO()
    views = [RunView(f"step {name}", run.path, state=State.COMPLETED) for name, run in runs.items()]
    shown = Presentation(rank_by={"validation.nll": "validation NLL"}, comparable_by="comparison")
    print_summary(Console(file=stream, width=200), views, shown=shown)
    assert "best 3 of 3 runs" in stream.getvalue()
    monkeypatch.chdir(file.parent)
    sweep = collect(runs["1h"].path.parents[3])
    (answer,) = answers(sweep, Choice().for_runs(sweep))
    assert (answer.dataset, answer.configurations) == ("table", 3)
    # Policies decide in the run's own steps; in the tables their times are told in one unit.
    for step, m in STEPS.items():
        (told,) = sweep.runs.loc[sweep.runs["dataset.step"] == step, "oti_at_10_percent"]
        own = runs[step].metrics["oti_at_miss_rate"]["10%"]
        if own is not None:
            assert told == pytest.approx(own * 6 / m)
            interval = runs[step].metrics["confidence_intervals"]["oti_at_miss_rate"]["10%"]
            if interval is not None:
                (name,) = sweep.runs.loc[sweep.runs["dataset.step"] == step, "directory"]
                assert sweep.intervals[name]["oti_at_10_percent"] == pytest.approx([e / m for e in interval])


def test_without_a_common_step_they_are_not_ranked_and_the_way_out_is_named(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    monkeypatch.setenv("DDRSA_LEASE_DIR", str(file.parent / "leases"))
    monkeypatch.setenv("DDRSA_CACHE_DIR", str(file.parent / "cache"))
    found = [ddrsa.train([*small(file, step), "hydra.sweep.dir=own"]) for step in ("2h", "6h")]
    sweep = collect(found[0].path.parents[3])
    said = answers(sweep, Choice().for_runs(sweep))
    assert len(said) == 2
    for answer in said:
        told = " ".join(sentences(answer))
        assert "dataset.evaluation_step, a whole number of each step, and evaluation_horizon, counted in it" in told


def composed(file: Path, step: str, *overrides: str) -> Any:
    with initialize_config_dir(str(ROOT / "conf"), **VERSION_BASE):
        return compose("config", overrides=[*small(file, step), *overrides])


def test_a_search_over_the_step_needs_a_common_one(file: Path) -> None:
    search = Comparability(comparison)
    search.check(composed(file, "1h"))
    with pytest.raises(ConfigError, match=r"dataset\.evaluation_step=1h and 2h: .* set dataset\.evaluation_step"):
        search.check(composed(file, "2h"))
    search = Comparability(comparison)
    for step in STEPS:
        search.check(composed(file, step, *MEASURED))


@pytest.mark.parametrize(
    ("step", "overrides", "message"),
    [
        ("4h", MEASURED, r"dataset.evaluation_step=6h: it is 1.5 times dataset.step=4h; allowed is a whole number"),
        ("1h", ["dataset.evaluation_step=6h"], "evaluation_horizon is null: dataset.evaluation_step=6h needs it"),
        ("1h", [*MEASURED, "horizon=24"], "horizon=24: .* so a horizon of at least 25 is needed"),
        ("1h", ["dataset.evaluation_step=6", "evaluation_horizon=2"], "so a duration such as 24h is expected"),
        ("null", MEASURED, "dataset.step is null: how long are the steps of this run?"),
        ("1h", ["dataset.evaluation_step=-6h", "evaluation_horizon=2"], "allowed is a duration above 0"),
    ],
)
def test_what_cannot_be_measured_so_is_said(file: Path, step: str, overrides: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_config(composed(file, step, *overrides))


def test_units_that_are_too_short_to_be_measured_are_said() -> None:
    short = Sequences(np.zeros((3, 1), np.float32), np.zeros(3, np.int64), np.arange(2, -1, -1, dtype=np.float32),
                      np.ones(3, bool), ("x",))  # fmt: skip
    with pytest.raises(ConfigError, match="of 1 unit none is seen for two such steps, 12 rows"):
        EvaluationSteps(short, 6, HORIZON)
