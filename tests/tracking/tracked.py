"""What the tests of the trackers share: a sweep whose runs go on as told, and a tracker that remembers it all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from omegaconf import OmegaConf

from ddrsa.follow.look import SweepLook
from ddrsa.rundir.states import State
from ddrsa.rundir.training import TrainingDirectory
from ddrsa.tracking.base import Described, Point, Tracker
from ddrsa.tracking.ledger import opened
from ddrsa.tracking.mirror import Mirror, MirrorOptions

COLUMNS = "epoch,train_loss,validation_loss,validation_nll,best_validation_loss,learning_rate,seconds"
METRICS = {"rul_mae": 10.5, "nasa_score": None, "validation": {"nll": 1.25}}


class TrackedSweep:
    """A sweep directory, written as its runs would."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def begin(self, seed: int, epochs: int = 0) -> TrainingDirectory:
        """A run starts, or goes on, and has done so many epochs."""
        run = TrainingDirectory(self.directory / "logs" / f"s{seed}")
        run.config.parent.mkdir(parents=True, exist_ok=True)
        values = {"seed": seed, "lookback": 8, "horizon": 16, "lambda_param": 0.5, "model": {"name": "lstm"}}
        OmegaConf.save(values, run.config)
        OmegaConf.save([f"seed={seed}", "device=cpu"], run.overrides)
        run.begin(f"id{seed}", num_epochs=3)
        self.train(run, epochs)
        return run

    def train(self, run: TrainingDirectory, epochs: int, loss: float = 1.0) -> None:
        """Its log has so many rows now."""
        rows = [f"{epoch},{loss / epoch},{loss},{loss},{loss},0.01,2.5" for epoch in range(1, epochs + 1)]
        run.training_log.write_text("\n".join([COLUMNS, *rows, ""]))

    def complete(self, run: TrainingDirectory, epochs: int = 3) -> None:
        """It ends well."""
        self.train(run, epochs)
        run.write_test_metrics(METRICS)
        run.end(State.COMPLETED)


class Remembering:
    """A tracker in memory. `away`: it raises, as one whose server cannot be reached."""

    name = "remembering"
    place = "memory"
    durable = True

    def __init__(self) -> None:
        self.away = False
        self.entries: dict[str, Described] = {}
        self.told: Counter[tuple[str, str, int]] = Counter()
        self.values: dict[tuple[str, str, int], float] = {}
        self.times: dict[tuple[str, int], set[int]] = {}
        self.results: dict[str, dict[str, float]] = {}
        self.states: dict[str, list[State]] = {}
        self.kept: dict[str, list[str]] = {}

    def open(self, described: Described, known: str | None) -> str:  # noqa: ARG002
        self._reach()
        found = next((name for name, each in self.entries.items() if each.key == described.key), None)
        name = found or f"{described.name}#{len(self.entries)}"
        self.entries.setdefault(name, described)
        return name

    def points(self, entry: str, points: Sequence[Point]) -> None:
        self._reach()
        for each in points:
            self.told[entry, each.name, each.step] += 1
            self.values[entry, each.name, each.step] = each.value
            self.times.setdefault((entry, each.step), set()).add(each.milliseconds)

    def summary(self, entry: str, metrics: Mapping[str, float], tags: Mapping[str, str], step: int) -> None:  # noqa: ARG002
        self._reach()
        self.results[entry] = dict(metrics)

    def files(self, entry: str, files: Sequence[tuple[Path, str]]) -> list[str]:
        self._reach()
        self.kept.setdefault(entry, []).extend(f"{folder}/{path.name}".lstrip("/") for path, folder in files)
        return []

    def state(self, entry: str, state: State, reason: str | None, ended: int | None) -> None:  # noqa: ARG002
        self._reach()
        self.states.setdefault(entry, []).append(state)

    def close(self) -> None:
        pass

    def _reach(self) -> None:
        if self.away:
            raise ConnectionError("the server is away")

    def entry(self, name: str) -> str:
        """The only entry that is called so."""
        (found,) = [entry for entry, described in self.entries.items() if described.name == name]
        return found


def tell(tracker: Tracker, directory: Path, *, ended: bool = False, options: MirrorOptions | None = None) -> list[str]:
    """As a process that follows the sweep does it, a new one each time; returns what it says."""
    said: list[str] = []
    look = SweepLook(directory)
    with opened(directory, tracker.name, tracker.place) as ledger:
        Mirror(tracker, ledger, options or MirrorOptions(), said.append).tell(look, look.look(ended=ended), ended=ended)
    tracker.close()
    return said
