"""TensorBoard's event files, read back by TensorBoard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tracked import TrackedSweep, tell

from ddrsa.rundir.states import State
from ddrsa.tracking.tensorboard import TensorBoardTracker

accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")


def scalars(folder: Path, tag: str) -> list[tuple[int, float]]:
    events = accumulator.EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(tag)]


def test_scalars_hyperparameters_and_the_state_of_a_run(tmp_path: Path) -> None:
    sweep = TrackedSweep(tmp_path)
    run = sweep.begin(0, epochs=2)
    tell(TensorBoardTracker(tmp_path), tmp_path)
    sweep.complete(run)
    tell(TensorBoardTracker(tmp_path), tmp_path, ended=True)
    # A ledger that was lost, as where the process was killed.
    (tmp_path / ".tracking" / "tensorboard.json").unlink()
    failed = sweep.begin(1, epochs=1)
    failed.end(State.FAILED, "no")
    tell(TensorBoardTracker(tmp_path), tmp_path, ended=True)

    (folder,) = (tmp_path / "tensorboard").glob("seed=0_*")
    losses = scalars(folder, "epoch/train_loss")
    assert [step for step, _ in losses] == [1, 2, 3]
    assert losses[2][1] == pytest.approx(1 / 3)
    assert scalars(folder, "test/rul_mae") == [(3, 10.5)]
    (other,) = (tmp_path / "tensorboard").glob("seed=1_*")
    assert [status_of(folder), status_of(other)] == ["STATUS_SUCCESS", "STATUS_FAILURE"]
    assert hyperparameters(other)["seed"] == 1


def test_the_plots_of_a_run_are_pictures(tmp_path: Path) -> None:
    from matplotlib.figure import Figure

    sweep = TrackedSweep(tmp_path)
    run = sweep.begin(0)
    (run.path / "plots").mkdir()
    Figure(figsize=(2, 1), dpi=50).savefig(run.path / "plots" / "rul.png")
    sweep.complete(run)
    tell(TensorBoardTracker(tmp_path), tmp_path, ended=True)
    (folder,) = (tmp_path / "tensorboard").glob("seed=0_*")
    events = accumulator.EventAccumulator(str(folder))
    events.Reload()
    (picture,) = events.Images("plots/rul")
    assert (picture.width, picture.height) == (100, 50)
    assert picture.encoded_image_string == (run.path / "plots" / "rul.png").read_bytes()


def hyperparameters(folder: Path) -> dict[str, object]:
    start = session(folder, "_hparams_/session_start_info").session_start_info
    return {key: getattr(value, str(value.WhichOneof("kind"))) for key, value in start.hparams.items()}


def status_of(folder: Path) -> str:
    from tensorboard.plugins.hparams import api_pb2

    return str(api_pb2.Status.Name(session(folder, "_hparams_/session_end_info").session_end_info.status))


def session(folder: Path, tag: str) -> Any:
    from tensorboard.plugins.hparams import plugin_data_pb2

    events = accumulator.EventAccumulator(str(folder))
    events.Reload()
    content = events.SummaryMetadata(tag).plugin_data.content
    return plugin_data_pb2.HParamsPluginData.FromString(content)
