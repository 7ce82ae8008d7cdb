"""TensorBoard: a folder of event files for each run, in the folder `tensorboard` of the sweep."""

from __future__ import annotations

import hashlib
import logging
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddrsa.rundir.files import make_directory
from ddrsa.rundir.states import State
from ddrsa.tracking.base import Described, Point

FOLDER = "tensorboard"
_START, _END = "_hparams_/session_start_info", "_hparams_/session_end_info"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TensorBoardOptions:
    """There are none of its own."""


class TensorBoardTracker:
    """See `ddrsa.tracking.base.Tracker`. An entry is the name of a folder; the sweep has none."""

    name = "tensorboard"
    durable = True

    def __init__(self, directory: Path) -> None:
        """directory: of the sweep."""
        from tensorboard.compat.proto import event_pb2, summary_pb2
        from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self._event, self._summary, self._api, self._data = event_pb2, summary_pb2, api_pb2, plugin_data_pb2
        self._writer_class = EventFileWriter
        self._directory = directory
        self._writers: dict[str, Any] = {}
        self._began: dict[str, int] = {}
        self._told: dict[str, dict[str, int]] = {}  # by entry and name, the last step in its files
        self.place = FOLDER

    def open(self, described: Described, known: str | None) -> str:
        if described.is_sweep:
            return "sweep"
        entry = known or _folder_name(described)
        folder = self._directory / FOLDER / entry
        make_directory(folder, self._directory)
        self._began[entry] = described.began
        # Its files are the truth: the ledger may be of a moment before.
        self._told[entry] = _last_steps(folder)
        if _START not in self._told[entry]:
            start = self._data.SessionStartInfo(group_name=described.name, start_time_secs=described.began / 1000)
            for key, value in described.params.items():
                _set(start.hparams[key], value)
            self._write(entry, self._session(_START, session_start_info=start), described.began)
        return entry

    def points(self, entry: str, points: Sequence[Point]) -> None:
        told = self._told[entry]
        for each in points:
            if each.step > told.get(each.name, -1):
                value = self._summary.Summary.Value(tag=each.name, simple_value=each.value)
                self._write(entry, self._summary.Summary(value=[value]), each.milliseconds, each.step)
                told[each.name] = each.step
        self._flush(entry)

    def summary(self, entry: str, metrics: Mapping[str, float], tags: Mapping[str, str], step: int) -> None:
        del tags  # it has no place for them
        self.points(entry, [Point(name, value, step, self._began[entry]) for name, value in metrics.items()])

    def files(self, entry: str, files: Sequence[tuple[Path, str]]) -> list[str]:
        """Pictures are shown; for other files there is no place, and they lie beside it."""
        if entry == "sweep":
            return ["the files of the sweep, which lie in its directory"]
        for path, folder in files:
            if path.suffix == ".png":
                content = path.read_bytes()
                width, height = struct.unpack(">II", content[16:24])
                image = self._summary.Summary.Image(
                    height=height, width=width, colorspace=4, encoded_image_string=content
                )
                name = f"{folder}/{path.stem}" if folder else path.stem
                value = self._summary.Summary.Value(tag=name, image=image)
                self._write(entry, self._summary.Summary(value=[value]), self._began[entry])
        self._flush(entry)
        kinds = {path.suffix or path.name for path, _ in files} - {".png"}
        return [f"{kind} files, which lie in the directories of the runs" for kind in sorted(kinds)]

    def state(self, entry: str, state: State, reason: str | None, ended: int | None) -> None:
        del reason
        if entry == "sweep" or not state.has_ended:
            return
        of = {State.COMPLETED: "STATUS_SUCCESS", State.PRUNED: "STATUS_SUCCESS"}
        status = self._api.Status.Value(of.get(state, "STATUS_FAILURE"))
        at = ended or self._began[entry]
        end = self._data.SessionEndInfo(status=status, end_time_secs=at / 1000)
        self._write(entry, self._session(_END, session_end_info=end), at)
        writer = self._writers.pop(entry, None)
        if writer is not None:
            writer.close()

    def close(self) -> None:
        """Close the files."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()

    def _session(self, tag: str, **content: Any) -> Any:
        """What the dashboard of hyperparameters reads."""
        data = self._data.HParamsPluginData(version=0, **content).SerializeToString()
        plugin = self._summary.SummaryMetadata.PluginData(plugin_name="hparams", content=data)
        metadata = self._summary.SummaryMetadata(plugin_data=plugin)
        return self._summary.Summary(value=[self._summary.Summary.Value(tag=tag, metadata=metadata)])

    def _write(self, entry: str, summary: Any, milliseconds: int, step: int = 0) -> None:
        if entry not in self._writers:
            self._writers[entry] = self._writer_class(str(self._directory / FOLDER / entry))
        event = self._event.Event(wall_time=milliseconds / 1000, step=step, summary=summary)
        self._writers[entry].add_event(event)

    def _flush(self, entry: str) -> None:
        if entry in self._writers:
            self._writers[entry].flush()


def _folder_name(described: Described) -> str:
    """A name for people, and enough of the run's own key that no two are the same."""
    words = "".join(each if each.isalnum() or each in "=._-" else "_" for each in described.name)[:100]
    return f"{words}_{hashlib.sha256(described.key.partition('/')[2].encode()).hexdigest()[:8]}"


def _last_steps(folder: Path) -> dict[str, int]:
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    steps: dict[str, int] = {}
    for path in sorted(folder.glob("events.out.tfevents.*")):
        try:
            for event in EventFileLoader(str(path)).Load():
                for value in event.summary.value:
                    steps[value.tag] = max(event.step, steps.get(value.tag, -1))
        except Exception as error:  # the end of a file whose process was killed
            log.debug("%s: %s", path, error)
    return steps


def _set(field: Any, value: Any) -> None:
    """Set a protobuf value."""
    if isinstance(value, bool):
        field.bool_value = value
    elif isinstance(value, int | float):
        field.number_value = value
    else:
        field.string_value = str(value)
