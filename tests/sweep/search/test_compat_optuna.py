"""The private parts of Optuna behave as the search needs them; where one of these fails, Optuna has changed."""

from __future__ import annotations

import re
from pathlib import Path

import optuna
import pytest
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from ddrsa.sweep.search import compat_optuna

ROOM = Path(compat_optuna.__file__).parent


@pytest.fixture(params=["journal", "sqlite", "memory"])
def study(request: pytest.FixtureRequest, tmp_path: Path) -> optuna.Study:
    storage = {
        "journal": lambda: optuna.storages.JournalStorage(JournalFileBackend(str(tmp_path / "journal"))),
        "sqlite": lambda: optuna.storages.RDBStorage(f"sqlite:///{tmp_path / 'study.db'}"),
        "memory": optuna.storages.InMemoryStorage,
    }[request.param]()
    return optuna.create_study(storage=storage, sampler=optuna.samplers.RandomSampler(seed=0))


def test_a_requeued_trial_is_asked_for_again_with_its_values(study: optuna.Study) -> None:
    trial = study.ask()
    value = trial.suggest_float("x", 0, 1)
    assert compat_optuna.requeue(study, trial)
    assert [each.state for each in study.trials] == [TrialState.WAITING]
    again = study.ask()
    assert (again.number, again.suggest_float("x", 0, 1)) == (trial.number, value)
    assert compat_optuna.requeue(study, study.trials[0])
    assert study.trials[0].state == TrialState.WAITING


def test_a_trial_that_has_ended_is_not_requeued(study: optuna.Study) -> None:
    trial = study.ask()
    study.tell(trial, 1.0)
    assert not compat_optuna.requeue(study, trial)
    assert study.trials[0].state == TrialState.COMPLETE


def test_values_of_a_trial_of_another_process(study: optuna.Study) -> None:
    study.ask()
    trial = study.ask()
    compat_optuna.set_intermediate_value(study, compat_optuna.trial_of(study, trial.number), 3, 0.5)
    assert compat_optuna.trial_of(study, trial.number).intermediate_values == {3: 0.5}
    assert compat_optuna.trial_of(study, trial.number).last_step == 3
    assert compat_optuna.trial_of(study, 0).intermediate_values == {}
    with pytest.raises(KeyError):
        compat_optuna.trial_of(study, 2)


def test_constraints_are_set_by_name_and_the_last_value_counts(study: optuna.Study) -> None:
    study.ask()
    for name, value in (("a", 1.0), ("b", -1.0), ("a", 0.0)):
        compat_optuna.set_constraint(study, compat_optuna.trial_of(study, 0), name, value)
    study.tell(0, 5.0)
    found = compat_optuna.constraints_of(compat_optuna.trial_of(study, 0))
    assert list(found.values()) == [0.0, -1.0]
    assert study.best_trial.number == 0


def test_a_waiting_trial_is_dropped_and_one_that_runs_is_not(study: optuna.Study) -> None:
    study.enqueue_trial({"x": 1})
    (waiting,) = study.get_trials()
    assert compat_optuna.drop(study, waiting, {"why": "old"})
    (dropped,) = study.get_trials()
    assert (dropped.state, dropped.user_attrs) == (optuna.trial.TrialState.FAIL, {"why": "old"})
    assert not compat_optuna.drop(study, waiting, {})


def test_the_storage_of_a_study_holds_it(study: optuna.Study) -> None:
    assert study.study_name in optuna.get_all_study_names(compat_optuna.storage_of(study))


def test_a_grid_that_is_done_is_seen_and_its_last_trial_told() -> None:
    study = optuna.create_study(sampler=optuna.samplers.GridSampler({"x": [1, 2]}))
    done = []
    for _ in range(2):
        trial = study.ask()
        done.append(compat_optuna.tell(study, trial, TrialState.COMPLETE, [trial.suggest_int("x", 1, 2)]))
    assert done == [False, True]
    assert sorted(trial.value or 0 for trial in study.trials) == [1, 2]


def test_other_errors_in_telling_are_raised() -> None:
    class Broken(optuna.samplers.RandomSampler):
        def after_trial(self, *_: object) -> None:
            raise RuntimeError("broken")

    study = optuna.create_study(sampler=Broken())
    with pytest.raises(RuntimeError, match="broken"):
        compat_optuna.tell(study, study.ask(), TrialState.COMPLETE, [1.0])


def test_numbers_of_a_distribution() -> None:
    assert compat_optuna.contains(IntDistribution(2, 8, step=3), 5)
    assert not compat_optuna.contains(IntDistribution(2, 8, step=3), 6)
    assert not compat_optuna.contains(IntDistribution(2, 8), 9)
    assert compat_optuna.contains(FloatDistribution(0, 1), 1)
    assert compat_optuna.contains(FloatDistribution(0, 1, step=0.1), 0.3)
    assert not compat_optuna.contains(FloatDistribution(0, 1, step=0.1), 0.35)
    assert not compat_optuna.contains(FloatDistribution(0, 1), float("nan"))


def test_a_journal_takes_a_lock_of_another_kind(tmp_path: Path) -> None:
    class Lock(compat_optuna.BaseJournalFileLock):
        calls: list[str] = []  # noqa: RUF012

        def acquire(self) -> bool:
            self.calls.append("acquire")
            return True

        def release(self) -> None:
            self.calls.append("release")

    backend = JournalFileBackend(str(tmp_path / "journal"), lock_obj=Lock())
    backend.append_logs([{"a": 1}])
    assert list(backend.read_logs(0)) == [{"a": 1}]
    assert Lock.calls == ["acquire", "release"]


def test_no_other_module_uses_them() -> None:
    private = re.compile(r"optuna.*\._[a-z]|\._(storage|trial_id|study_id|contains)\b")
    found = [path.name for path in ROOM.glob("*.py") if private.search(path.read_text())]
    assert found == ["compat_optuna.py"]
