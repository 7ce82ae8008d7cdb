"""A study that goes on with another space."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf
from optuna.trial import TrialState

from ddrsa.errors import ConfigError
from ddrsa.sweep.search import migrate
from ddrsa.sweep.search.migrate import adapt, keep_order
from ddrsa.sweep.search.space import SearchSpace, parse_search_space
from ddrsa.sweep.search.study import StudyAddress, open_study
from ddrsa.sweep.search.trials import Trials

NOTHING = OmegaConf.create()
FIRST = ("kind=a,b", "x=interval(0,4)")


def space_of(*overrides: str, **options: Any) -> SearchSpace:
    return parse_search_space(list(overrides), OverridesParser.create(), **options)


def address(tmp_path: Path, storage: str | None = None) -> StudyAddress:
    return StudyAddress(storage, "study", tmp_path, tmp_path)


def open_in(tmp_path: Path, storage: str | None = None) -> optuna.Study:
    return open_study(
        address(tmp_path, storage), ["minimize"], optuna.samplers.RandomSampler(seed=0), optuna.pruners.NopPruner()
    )


@pytest.fixture(params=[None, "sqlite:///study.db"])
def study(request: pytest.FixtureRequest, tmp_path: Path) -> optuna.Study:
    """Three complete trials, one pruned, one that waits after it was cut off, one that was enqueued."""
    study = open_in(tmp_path, request.param)
    space = space_of(*FIRST)
    for number, kind in enumerate(["a", "b", "a"]):
        study.enqueue_trial({"kind": kind, "x": float(number)})
        trial = study.ask()
        space.suggest(trial, NOTHING)
        trial.report(9.0 + number, 1)
        trial.set_user_attr("job", {"run": f"run {number}"})
        study.tell(trial, 10.0 + number)
    pruned = study.ask()
    space.suggest(pruned, NOTHING)
    pruned.report(5.0, 3)
    study.tell(pruned, state=TrialState.PRUNED)
    cut_off = Trials(study, 9, tmp_path)
    study.enqueue_trial({"kind": "b", "x": 3.5})
    waiting = cut_off.ask()
    assert waiting is not None
    space.suggest(waiting, NOTHING)
    cut_off.close()
    study.enqueue_trial({"x": 0.5})
    return study


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["kind=a,b,c"],
            r"kind is searched as one of a, b, c, and the study study in .* has it as one of a, b",
        ),
        (["kind=a"], None),  # one value is no choice: it is fixed
        (["kind=choice(a)"], "kind is searched as one of a, and"),
        (["x=1,2"], "x is searched as one of 1, 2, and .* has it as 0.0 to 4.0"),
        (["x=int(interval(0,4))"], "x is searched as whole numbers 0 to 4, and"),
        (["x=tag(log,interval(1,4))"], "x is searched as 1.0 to 4.0, logarithmic, and .* has it as 0.0 to 4.0"),
        (["kind=b,a", "x=interval(-1,9)", "y=interval(0,1)"], None),
    ],
)
def test_another_space_is_named_with_the_ways_out(
    study: optuna.Study, tmp_path: Path, overrides: list[str], message: str | None
) -> None:
    before = [trial.state for trial in study.get_trials(deepcopy=False)]
    space = space_of(*overrides)
    keep_order(space, study)
    if message is None:
        adapt(space, study, address(tmp_path), None)
        return
    with pytest.raises(ConfigError, match=message):
        adapt(space, study, address(tmp_path), None)
    with pytest.raises(ConfigError, match=r"hydra.sweeper.migrate=true: host-7 is at the study study"):
        adapt(space, study, address(tmp_path), ["host-7"])
    assert [trial.state for trial in study.get_trials(deepcopy=False)] == before


def test_choices_in_another_order_are_the_same(study: optuna.Study) -> None:
    space = space_of("kind=b,a", "x=interval(0,4)")
    keep_order(space, study)
    trial = study.ask()
    assert set(space.suggest(trial, NOTHING)) == {"kind", "x"}
    assert space.distributions == space_of(*FIRST).distributions


def test_trials_that_fit_go_on_and_the_whole_study_is_kept(study: optuna.Study, tmp_path: Path) -> None:
    space = space_of("kind=a,b,c", "x=interval(0.5,3)")
    made = adapt(space, study, address(tmp_path), [])
    complete = made.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    assert [(trial.params, trial.value) for trial in complete] == [
        ({"kind": "b", "x": 1.0}, 11.0),
        ({"kind": "a", "x": 2.0}, 12.0),
    ]
    assert complete[0].user_attrs["job"] == {"run": "run 1"}
    assert complete[0].intermediate_values == {1: 10.0}
    for _ in range(4):
        trial = made.ask()
        assert space.suggest(trial, NOTHING).keys() == {"kind", "x"}
        made.tell(trial, 0.0)
    (kept,) = {name for name in optuna.get_all_study_names(made._storage) if name != "study"}
    old = optuna.load_study(study_name=kept, storage=made._storage)
    assert len(old.get_trials(states=[TrialState.COMPLETE])) == 3
    # The same command again finds a study that it can go on with.
    assert adapt(space, made, address(tmp_path), [])._study_id == made._study_id


def test_a_migration_that_was_cut_off_is_done_again(
    study: optuna.Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = space_of("kind=a,b,c", "x=interval(0,4)")

    def cut_off(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(migrate, "_moved", cut_off)
        with pytest.raises(KeyboardInterrupt):
            adapt(space, study, address(tmp_path), [])
    storage = study._storage
    empty = optuna.load_study(study_name="study", storage=storage)
    assert empty.get_trials() == []
    made = adapt(space, empty, address(tmp_path), None)
    assert sorted(trial.params["x"] for trial in made.get_trials(states=[TrialState.COMPLETE])) == [0.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("overrides", "left"),
    [
        (["kind=a,b", "x=interval(0,4)"], 2),
        (["kind=a,b", "x=interval(0,3)"], 1),  # 3.5 waited
        (["kind=a,b", "x=interval(1,4)"], 1),  # 0.5 was enqueued
        (["kind=a", "x=interval(0,4)"], 1),  # b waited, and is not what is fixed
        (["x=interval(0,4)"], 1),  # the kind that waited is not searched any more
    ],
)
def test_trials_that_wait_outside_of_the_space_are_dropped_and_do_not_count(
    study: optuna.Study, tmp_path: Path, overrides: list[str], left: int
) -> None:
    before = Trials(study, 9, tmp_path).left
    adapt(space_of(*overrides), study, address(tmp_path), None)
    assert len(study.get_trials(states=[TrialState.WAITING])) == left
    assert Trials(study, 9, tmp_path).left == before


def test_a_function_may_search_what_the_space_does_not_name(study: optuna.Study, tmp_path: Path) -> None:
    space = SearchSpace(extend=lambda config, trial: None)  # noqa: ARG005
    adapt(space, study, address(tmp_path), None)
    assert len(study.get_trials(states=[TrialState.WAITING])) == 2


def raising(config: DictConfig, trial: optuna.Trial) -> None:  # noqa: ARG001
    raise ZeroDivisionError("of mine")


def test_what_a_function_raises_costs_its_trial_and_it_sees_what_is_fixed() -> None:
    study = optuna.create_study()
    space = space_of("z=5", "y=interval(0,1)", "name='a b'", "list=[1,'x']", "~gone")
    space.extend = raising
    trial = study.ask()
    with pytest.raises(ConfigError, match=r"^hydra.sweeper.custom_search_space raised ZeroDivisionError: of mine$"):
        space.suggest(trial, NOTHING)
    assert trial.user_attrs == {"z": 5, "name": "a b", "list": [1, "x"]}

    def skip(config: DictConfig, trial: optuna.Trial) -> None:  # noqa: ARG001
        raise optuna.TrialPruned

    space.extend = skip
    with pytest.raises(optuna.TrialPruned):
        space.suggest(study.ask(), NOTHING)
