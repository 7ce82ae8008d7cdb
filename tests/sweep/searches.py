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
