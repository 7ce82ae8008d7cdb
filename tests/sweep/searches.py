"""Searches of search_app.py in processes of their own."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Sequence
from typing import Any

import optuna
from optuna.storages.journal import JournalFileBackend
from programs import SEARCHING
from supervised import Sweeps

from ddrsa.sweep.search.journal_lock import JournalLock
from ddrsa.sweep.verify.bench import SECONDS_OF_A_SWEEP

# As it was written for hydra-optuna-sweeper, but for the launcher.
CONFIG = """
defaults: [{override hydra/launcher: supervised}, {override hydra/sweeper: optuna}, _self_]
x: 0
kind: a
count: 4
seconds: 0.02
objectives: 1
starts: 0
limit: null
hydra:
  sweep: {dir: sweep, subdir: "x${x}"}
  sweeper:
    sampler: {seed: 1}
    direction: minimize
    storage: null
    study_name: null
    n_trials: 6
"""


class Searches(Sweeps):
    """Starts searches, and looks at their studies."""

    app = "search_app"
    config = CONFIG
    imports = SEARCHING

    def start(self, *overrides: str, multirun: bool = True, on: Sequence[str] = ()) -> subprocess.Popen[str]:
        two = [] if "hydra/launcher=basic" in overrides else ["hydra.launcher.n_jobs=2"]
        return super().start(*overrides, *two, multirun=multirun, on=on)

    def study(self, storage: Any = None, name: str = "study") -> optuna.Study:
        if storage is None:
            file = self.directory / "sweep" / "study.journal"
            backend = JournalFileBackend(str(file), lock_obj=JournalLock(file))
            storage = optuna.storages.JournalStorage(backend)
        return optuna.load_study(study_name=name, storage=storage)

    def trials(self, **of: Any) -> list[optuna.trial.FrozenTrial]:
        return self.study(**of).get_trials()

    def counts(self, **of: Any) -> dict[str, int]:
        return dict(Counter(trial.state.name for trial in self.trials(**of)))

    def require_that_no_trial_waits(self, *overrides: str, patience: float = SECONDS_OF_A_SWEEP) -> str:
        """Do a search of five trials, two at once, the first of which ends when the others have begun beside it.

        In batches of two it would never end. Returns what was printed.
        """
        self.do({0: "wait for all"})
        values = "hydra.sweeper.enqueue=[{x: 0},{x: 1},{x: 2},{x: 3},{x: 4}]"
        search = self.start("x=choice(0,1,2,3,4)", values, "starts=5", "hydra.sweeper.n_trials=5", *overrides)
        exit_code, output = self.finish(search, patience)
        assert exit_code == 0, output
        assert [trial.params["x"] for trial in self.trials()] == [0, 1, 2, 3, 4]
        assert self.counts() == {"COMPLETE": 5}
        first, *others = self.trials()
        assert first.datetime_complete is not None
        for other in others:
            assert other.datetime_start is not None
            assert other.datetime_start < first.datetime_complete
        return output
