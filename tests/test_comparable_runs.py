"""Runs that forecast different things are not ranked against each other, in a sweep, an analysis or a search."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from rich.console import Console

import ddrsa
from ddrsa.analysis.collect import collect, collect_all
from ddrsa.analysis.criterion import Choice
from ddrsa.analysis.decide import answers
from ddrsa.analysis.sentences import sentences
from ddrsa.compat_hydra import VERSION_BASE
from ddrsa.config import check_config, comparison
from ddrsa.data.load import data_hash
from ddrsa.data.options import SimulatedOptions, TableOptions
from ddrsa.errors import ConfigError
from ddrsa.rundir.states import State
from ddrsa.sweep.presentation import Presentation
from ddrsa.sweep.search.comparability import Comparability
from ddrsa.sweep.show.run_view import RunView
from ddrsa.sweep.show.summary import print_summary

ROOT = Path(__file__).parent.parent
SMALL = ["dataset.num_units=12", "lookback=6", "num_epochs=1", "batch_size=256", "model.hidden_size=4", "device=cpu"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ddrsa.TrainedModel]:
    folder = tmp_path_factory.mktemp("comparable")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("DDRSA_LEASE_DIR", str(folder / "leases"))
        patch.setenv("DDRSA_CACHE_DIR", str(folder / "cache"))
        return {
            "8": ddrsa.train([*SMALL, "horizon=8", "hydra.sweep.dir=own"]),
            "16": ddrsa.train([*SMALL, "horizon=16", "hydra.sweep.dir=own"]),
            "16 to 8": ddrsa.train([*SMALL, "horizon=16", "evaluation_horizon=8", "hydra.sweep.dir=common"]),
        }


def sweep_of(run: ddrsa.TrainedModel) -> Path:
    return run.path.parents[3]


def test_runs_of_several_horizons_are_not_ranked(runs: dict[str, ddrsa.TrainedModel]) -> None:
    sweep = collect(sweep_of(runs["8"]))
    found = answers(sweep, Choice().for_runs(sweep))
    assert [answer.dataset for answer in found] == ["simulated (horizon 16)", "simulated (horizon 8)"]
    for answer in found:
        said = " ".join(sentences(answer))
        assert "the one configuration is" in said
        assert "evaluation_horizon=N, with N no more than the smallest, measures all alike" in said
        assert answer.edges == []


def test_an_evaluation_horizon_measures_all_on_the_same_windows(runs: dict[str, ddrsa.TrainedModel]) -> None:
    short, cut = runs["8"].metrics, runs["16 to 8"].metrics
    for metrics in (short, cut):
        assert metrics["comparison"]["horizon"] == 8
    counted = ("num_windows", "num_event_windows", "num_units")
    assert [short[key] for key in counted] == [cut[key] for key in counted]
    assert [short["validation"][key] for key in counted] == [cut["validation"][key] for key in counted]
    assert runs["16"].metrics["num_event_windows"] > short["num_event_windows"]
    sweep = collect_all({"a": runs["8"].path, "b": runs["16 to 8"].path}, sweep_of(runs["8"]))
    (only,) = answers(sweep, Choice().for_runs(sweep))
    assert (only.dataset, only.configurations, only.metric) == ("simulated", 2, "nll")
    # What a search prunes by, epoch by epoch, is measured in the same way.
    rows = list(csv.DictReader((runs["16 to 8"].path / "training_log.csv").open()))
    best = rows[runs["16 to 8"].metrics["best_epoch"] - 1]
    assert float(best["validation_nll"]) == pytest.approx(cut["validation"]["nll"], rel=1e-5)
    # The policy decides by the whole forecast.
    assert cut["policies"]["failure_probability"]["window"] in (1, 2, 4, 8, 16)


def test_the_end_of_a_sweep_ranks_alike_with_alike(runs: dict[str, ddrsa.TrainedModel]) -> None:
    stream = io.StringIO()
    views = [RunView(f"run {name}", run.path, state=State.COMPLETED) for name, run in runs.items()]
    shown = Presentation(rank_by={"validation.nll": "validation NLL"}, comparable_by="comparison")
    print_summary(Console(file=stream, width=200), views, shown=shown)
    lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    assert "the runs measure 2 different things, and are ranked among those alike alone:" in lines
    first, second = (lines.index(f"best {text}") for text in ("2 of 2 runs: horizon 8", "of 1 run: horizon 16"))
    assert {line.split()[-1] for line in lines[first + 2 : first + 4]} == {"8"}
    assert lines[second + 2].endswith("run 16")


def composed(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(ROOT / "conf"), **VERSION_BASE):
        return compose("config", overrides=[*SMALL, *overrides])


def test_a_search_over_what_is_forecast_is_refused() -> None:
    search = Comparability(comparison)
    search.check(composed("horizon=8"))
    for alike in ("horizon=8", "lookback=9", "dataset.scaling=standard", "dataset.simulation_seed=4", "seed=3"):
        search.check(composed("horizon=8", alike))
    with pytest.raises(ConfigError, match="evaluation_horizon=8 and 64: their objectives measure different things"):
        search.check(composed("horizon=64"))
    search.check(composed("horizon=64", "evaluation_horizon=8"))
    with pytest.raises(ConfigError, match=r"dataset\.noise=1\.0 and 2\.0"):
        search.check(composed("horizon=8", "dataset.noise=2"))
    with pytest.raises(ConfigError, match="horizon=4 forecasts no further than its own steps"):
        check_config(composed("horizon=4", "evaluation_horizon=8"))


def test_the_hash_of_the_data_is_of_what_is_forecast(tmp_path: Path) -> None:
    file = tmp_path / "pumps.csv"
    file.write_text("unit,time,failed,heat,load\n1,0,0,1,2\n1,1,1,3,4\n")

    def table(**keys: object) -> str:
        options = TableOptions(path=str(file), event_column="failed", **keys)  # type: ignore[arg-type]
        return data_hash(options, data_dir=tmp_path)

    before = table()
    assert table(feature_columns=["heat"]) == table(scaling="standard", split_seed=5) == before
    assert table(step=2) != before
    moved = file.rename(tmp_path / "other.csv")
    assert data_hash(TableOptions(path=str(moved), event_column="failed"), data_dir=tmp_path) == before
    file.write_text("unit,time,failed,heat,load\n1,0,0,1,2\n1,1,1,3,5\n")
    assert table() != before

    def fleet(**keys: object) -> str:
        return data_hash(SimulatedOptions(**keys), data_dir=tmp_path)  # type: ignore[arg-type]

    assert fleet(simulation_seed=3) == fleet() != fleet(noise=2.0)
