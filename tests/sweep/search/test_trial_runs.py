"""Trials as runs: their repeats, their constraints, and what goes wrong in planning them. No process is started."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import optuna
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf
from optuna.pruners import BasePruner, MedianPruner, NopPruner, WilcoxonPruner
from optuna.trial import TrialState

from ddrsa.errors import ConfigError
from ddrsa.rundir.files import write_json
from ddrsa.rundir.states import State
from ddrsa.sweep.plan.planned_run import PlannedRun
from ddrsa.sweep.search.compat_optuna import constraints_of
from ddrsa.sweep.search.config import OptunaSweeperConf
from ddrsa.sweep.search.repeats import Repeats, mean_of, pruner_of_repeats, warn_of_searched_repeats
from ddrsa.sweep.search.space import parse_search_space
from ddrsa.sweep.search.summary import SearchSummary, best_trials, shown_infeasible
from ddrsa.sweep.search.trial_runs import TrialRuns
from ddrsa.sweep.search.trials import Trials, job_of
from ddrsa.sweep.supervise.events import Outcome

CONFIG = OmegaConf.create({"seed": 7, "x": 0, "name": "a"})


class Search:
    """A search without a launcher: `do` plays the runs."""

    def __init__(
        self, directory: Path, *overrides: str, repeats: int = 1, pruner: BasePruner | None = None, **options: Any
    ) -> None:
        space = parse_search_space(overrides, OverridesParser.create())
        space.extend = options.pop("extend", None)
        sampler = optuna.samplers.RandomSampler(seed=0)
        self.study = optuna.create_study(sampler=sampler, pruner=pruner or NopPruner())
        self.directory = directory
        self.trials = Trials(self.study, 20, directory)
        values = OptunaSweeperConf(n_trials=20, repeats=repeats, **options)
        self.repeats = Repeats.of(repeats, "seed", space, CONFIG)
        self.runs = TrialRuns(self.trials, space, CONFIG, values, self._planned, self.repeats)

    def _planned(self, overrides: Sequence[str], number: int) -> PlannedRun:
        identity = " ".join(text for text in overrides if "env_set" not in text)
        return PlannedRun(number, tuple(overrides), self.directory / str(number), identity, {})

    def do(self, value: Callable[[PlannedRun], float], *, constraint: float | None = None) -> list[PlannedRun]:
        """Do one trial; the runs that it took."""
        trial = self.trials.ask()
        assert trial is not None
        run = self.runs.plan(trial)
        done = []
        while run is not None:
            done.append(run)
            run.directory.mkdir(exist_ok=True)
            status: dict[str, Any] = {"run_id": run.identity, "state": "completed"}
            if constraint is not None:
                status["constraints"] = {"memory": constraint}
            write_json(run.directory / "status.json", status)
            run = self.runs.tell([trial], run, Outcome(State.COMPLETED, value=value(run)))
        return done

    @property
    def last(self) -> optuna.trial.FrozenTrial:
        return self.study.get_trials(deepcopy=False)[-1]


def of_seed(*values: float) -> Callable[[PlannedRun], float]:
    return lambda run: values[int(dict(text.split("=", 1) for text in run.overrides)["seed"]) - 7]


def test_a_trial_is_the_mean_over_its_repeats_one_after_another(tmp_path: Path) -> None:
    search = Search(tmp_path, "x=interval(0,1)", repeats=3)
    done = search.do(of_seed(1.0, 2.0, 6.0))
    assert [[text for text in run.overrides if text.startswith("seed")] for run in done] == [
        ["seed=7"],
        ["seed=8"],
        ["seed=9"],
    ]
    assert [run.number for run in done] == [0, 1, 2]
    assert search.last.value == 3.0
    assert search.last.intermediate_values == {0: 1.0, 1: 2.0, 2: 6.0}
    assert job_of(search.last)["repeats"] == {"seed": [7, 8, 9]}


def test_the_same_values_again_have_the_result_of_the_repeats(tmp_path: Path) -> None:
    search = Search(tmp_path, "x=choice(1)", repeats=3)
    search.do(of_seed(1.0, 2.0, 6.0), constraint=4.0)
    assert search.do(of_seed()) == []
    assert (search.last.number, search.last.value) == (1, 3.0)
    assert constraints_of(search.last) == {f"memory (repeat {number})": 4.0 for number in range(3)}


def test_a_repeat_that_fails_fails_the_trial(tmp_path: Path) -> None:
    search = Search(tmp_path, "x=interval(0,1)", repeats=3)
    search.do(lambda run: float("nan") if run.number == 1 else 1.0)
    assert search.last.state == TrialState.FAIL
    assert [str(failure.error) for failure in search.runs.failures] == ["the returned value is NaN"]


def test_a_trial_that_cannot_be_among_the_best_stops_early(tmp_path: Path) -> None:
    pruner = pruner_of_repeats(MedianPruner(), 5)
    search = Search(tmp_path, "x=interval(0,1)", repeats=5, pruner=pruner)
    assert len(search.do(of_seed(1.0, 2.0, 3.0, 4.0, 5.0))) == 5
    assert len(search.do(of_seed(2.0, 3.0, 4.0, 5.0, 6.0))) == 4  # p = 1/16 after four that are all worse
    assert search.last.state == TrialState.PRUNED
    assert len(search.do(of_seed(2.0, 1.0, 4.0, 3.0, 4.0))) == 5  # no worse than by luck
    assert [trial.number for trial in best_trials(search.study)] == [2, 0]


@pytest.mark.parametrize(("count", "worse"), [(3, 2), (4, 3), (5, 4), (8, 4)])
def test_few_repeats_are_enough_to_stop_a_trial(tmp_path: Path, count: int, worse: int) -> None:
    search = Search(tmp_path, "x=interval(0,1)", repeats=count, pruner=pruner_of_repeats(MedianPruner(), count))
    search.do(of_seed(*[1.0] * count))
    assert len(search.do(of_seed(*[2.0 + 0.1 * number for number in range(count)]))) == worse


def test_the_pruner_of_repeats() -> None:
    chosen = WilcoxonPruner(p_threshold=0.5)
    assert pruner_of_repeats(chosen, 3, 0.5) is chosen
    assert isinstance(pruner_of_repeats(WilcoxonPruner(), 3), WilcoxonPruner)
    never = NopPruner()
    assert pruner_of_repeats(never, 3) is never


@pytest.mark.parametrize(
    ("overrides", "key", "message"),
    [
        (["seed=1,2"], "seed", "hydra.sweeper.repeats=3: seed is searched"),
        ([], "name", "the config has name=a, a whole number is expected"),
        ([], "fold", "the config has fold=None, a whole number is expected.* hydra.sweeper.repeat_key names"),
        (["seed=true"], "seed", "the config has seed=True"),
    ],
)
def test_a_key_that_cannot_count_repeats(overrides: list[str], key: str, message: str) -> None:
    space = parse_search_space(overrides, OverridesParser.create())
    with pytest.raises(ConfigError, match=message):
        Repeats.of(3, key, space, CONFIG)
    assert Repeats.of(1, key, space, CONFIG).overrides(["seed=1"], 0) == ["seed=1"]


def test_repeats_count_from_the_value_that_is_given() -> None:
    space = parse_search_space(["seed=20"], OverridesParser.create())
    repeats = Repeats.of(2, "seed", space, CONFIG)
    own = "++hydra.job.env_set.DDRSA_REPEAT=1"
    assert repeats.overrides(space.overrides({"x": 1}), 1) == ["x=1", "seed=21", own]
    assert mean_of([[1.0, 4.0], [3.0, 0.0]]) == [2.0, 2.0]


def test_a_seed_that_is_searched_is_spoken_of(caplog: pytest.LogCaptureFixture) -> None:
    warn_of_searched_repeats(["model.name", "data.seed"])
    assert [record.message.partition(" is")[0] for record in caplog.records] == ["data.seed"]
    assert "hydra.sweeper.repeats=3" in caplog.text


def test_the_best_keeps_its_constraints(tmp_path: Path) -> None:
    search = Search(tmp_path, "x=interval(0,1)")
    search.do(lambda _: 1.0, constraint=0.5)
    summary = SearchSummary(search.study, tmp_path, None)
    summary.write()
    assert best_trials(search.study) == []
    assert not (tmp_path / "optimization_results.yaml").exists()
    search.do(lambda _: 3.0, constraint=-1.0)
    search.do(lambda _: 2.0, constraint=0.0)
    assert [trial.number for trial in best_trials(search.study)] == [2, 1]
    assert best_trials(search.study)[0].number == search.study.best_trial.number
    assert shown_infeasible(search.study) == (
        "1 of 3 completed trials violate a constraint (memory): none of them is the best"
    )
    summary.write()
    assert "best_trial: 2" in (tmp_path / "optimization_results.yaml").read_text()


def test_what_a_function_raises_costs_one_trial(tmp_path: Path) -> None:
    def extend(_: DictConfig, trial: optuna.Trial) -> None:
        if trial.number == 0:
            raise optuna.TrialPruned("not this one")
        if trial.number == 1:
            raise ZeroDivisionError("of mine")

    search = Search(tmp_path, "x=interval(0,1)", extend=extend)
    counts = [len(search.do(lambda _: 1.0)) for _ in range(3)]
    assert counts == [0, 0, 1]
    states = [trial.state.name for trial in search.study.get_trials()]
    assert states == ["PRUNED", "FAIL", "COMPLETE"]
    assert search.study.trials[1].user_attrs["reason"] == (
        "hydra.sweeper.custom_search_space raised ZeroDivisionError: of mine"
    )
    assert search.trials.left == 17


def test_a_key_that_is_added_is_added_in_each_repeat() -> None:
    repeats = Repeats(3, "seed", 4)
    assert repeats.overrides(["+seed=4", "x=1"], 1)[:2] == ["x=1", "+seed=5"]
    assert repeats.overrides(["++seed=4", "x=1"], 2)[:2] == ["x=1", "++seed=6"]
    assert repeats.overrides(["x=1"], 2)[:2] == ["x=1", "seed=6"]
