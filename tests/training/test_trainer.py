from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import pytest
import torch
from torch import nn

from ddrsa.data.sequences import Sequences
from ddrsa.data.windows import Windows
from ddrsa.models.build import build_model
from ddrsa.models.options import ModelOptions, RecurrentOptions, TemporalConvolutionOptions, TransformerOptions
from ddrsa.rundir.training import TrainingDirectory
from ddrsa.training.checkpoint import load_checkpoint
from ddrsa.training.epoch_log import EpochRecord
from ddrsa.training.options import TrainingOptions
from ddrsa.training.progress import Progress
from ddrsa.training.schedule import Schedule
from ddrsa.training.trainer import TrainingDivergedError, train, train_epoch

OPTIONS = TrainingOptions(
    batch_size=16,
    learning_rate=0.01,
    lambda_param=0.75,
    nasa_weight=0.1,
    num_epochs=6,
    patience=0,
    weight_decay=0.001,
    grad_clip=1.0,
    schedule="cosine",
    warmup_epochs=1.5,
    seed=3,
)
LSTM = RecurrentOptions("lstm", hidden_size=8, num_layers=2)
TRANSFORMER = TransformerOptions("transformer", 16, 2, 1, 1, 16, rows_per_token=2, activation="relu")
SEGMENTS = TemporalConvolutionOptions("tcn", channels=8, kernel_size=3, windows_per_segment=3, segment_stride=2)


class Killed(BaseException):
    """Stands for the end of the process."""


def run(
    fleet: Sequences,
    path: Path,
    options: TrainingOptions = OPTIONS,
    model_options: ModelOptions = LSTM,
    kill_after: int | None = None,
    poison: bool = False,
) -> tuple[nn.Module, Progress]:
    path.mkdir(exist_ok=True)
    torch.manual_seed(options.seed)
    model = build_model(model_options, num_features=2, lookback=6, horizon=10, dropout=0.3)

    def on_epoch(record: EpochRecord) -> bool:
        if record.epoch == kill_after:
            raise Killed
        return False

    training = Windows(fleet.select_units(range(1, 9)), 6)
    if poison:
        training._rows[len(training._rows) // 2] = torch.nan
    validation = Windows(fleet.select_units(range(9, 13)), 6)
    progress = train(model, training, validation, options, TrainingDirectory(path), {"note": "kept"}, on_epoch)
    return model, progress


def log_rows(path: Path) -> list[dict[str, str]]:
    with (path / "training_log.csv").open(newline="") as stream:
        return [{k: v for k, v in row.items() if k not in ("seconds", "checksum")} for row in csv.DictReader(stream)]


@pytest.mark.parametrize("model_options", [LSTM, TRANSFORMER, SEGMENTS], ids=["lstm", "transformer", "segments"])
@pytest.mark.parametrize("schedule", ["cosine", "plateau", "constant"])
def test_interrupted_training_ends_with_the_same_bits(
    fleet: Sequences, tmp_path: Path, schedule: str, model_options: ModelOptions
) -> None:
    options = dataclasses.replace(OPTIONS, schedule=schedule)
    whole, _ = run(fleet, tmp_path / "whole", options, model_options)
    for epoch in (1, 4):
        with pytest.raises(Killed):
            run(fleet, tmp_path / "parts", options, model_options, kill_after=epoch)
    # A process that died while it wrote the next epoch's row.
    with (tmp_path / "parts" / "training_log.csv").open("a") as stream:
        stream.write("5,0.3,0.")
    parts, _ = run(fleet, tmp_path / "parts", options, model_options)

    for name, value in whole.state_dict().items():
        assert torch.equal(value, parts.state_dict()[name]), name
    assert log_rows(tmp_path / "parts") == log_rows(tmp_path / "whole")
    assert len(log_rows(tmp_path / "whole")) == OPTIONS.num_epochs


def flip(path: Path) -> None:
    """Change one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damaged", "said"),
    [
        (["checkpoint_last.pt"], "goes on from checkpoint_previous.pt"),
        (["checkpoint_last.pt", "checkpoint_previous.pt"], "the training begins anew"),
        (["checkpoint_best.pt"], "it is written again"),
        (["checkpoint_last.pt", "checkpoint_best.pt"], "goes on from checkpoint_previous.pt"),
        (["checkpoint_last.pt", "checkpoint_previous.pt", "checkpoint_best.pt"], "the training begins anew"),
    ],
)
def test_a_training_with_damaged_checkpoints_ends_with_the_same_bits(
    fleet: Sequences, tmp_path: Path, caplog: pytest.LogCaptureFixture, damaged: list[str], said: str
) -> None:
    whole, _ = run(fleet, tmp_path / "whole")
    with pytest.raises(Killed):
        run(fleet, tmp_path / "parts", kill_after=4)
    for name in damaged:
        flip(tmp_path / "parts" / name)
    parts, _ = run(fleet, tmp_path / "parts")
    for name, value in whole.state_dict().items():
        assert torch.equal(value, parts.state_dict()[name]), name
    assert log_rows(tmp_path / "parts") == log_rows(tmp_path / "whole")
    assert said in caplog.text
    assert f"{damaged[0]} is damaged" in caplog.text


def test_the_weights_of_the_best_epoch_are_trained_again_where_their_file_is_damaged(
    fleet: Sequences, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = dataclasses.replace(OPTIONS, learning_rate=1.0, schedule="constant")
    whole, progress = run(fleet, tmp_path / "whole", options)
    assert progress.best_epoch < options.num_epochs - 1
    run(fleet, tmp_path / "parts", options)
    flip(tmp_path / "parts" / "checkpoint_best.pt")
    parts, _ = run(fleet, tmp_path / "parts", options)
    assert "the training begins anew" in caplog.text
    assert all(torch.equal(value, parts.state_dict()[name]) for name, value in whole.state_dict().items())


@pytest.mark.parametrize("damage", ["2,0.3,x,0.1,0.1,0.01,0.1", "2,nan,1,0.1,0.1,0.01,0.1", "9", "\0" * 40, "\xff"])
def test_a_damaged_row_of_the_log_is_said(
    fleet: Sequences, tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    with pytest.raises(Killed):
        run(fleet, tmp_path, kill_after=4)
    lines = (tmp_path / "training_log.csv").read_text().splitlines()
    lines[2] = damage
    (tmp_path / "training_log.csv").write_text("\n".join(lines) + "\n", encoding="latin-1")
    run(fleet, tmp_path)
    assert [row["epoch"] for row in log_rows(tmp_path)] == ["1", "3", "4", "5", "6"]
    assert "training_log.csv: the row of epoch 2 is damaged or missing" in caplog.text


def test_training_learns(fleet: Sequences, tmp_path: Path) -> None:
    run(fleet, tmp_path, dataclasses.replace(OPTIONS, num_epochs=25))
    losses = [float(row["validation_loss"]) for row in log_rows(tmp_path)]
    assert min(losses) < 0.7 * losses[0]


def test_model_ends_with_its_best_weights(fleet: Sequences, tmp_path: Path) -> None:
    # A rate this high overshoots: the last epoch is not the best.
    model, progress = run(fleet, tmp_path, dataclasses.replace(OPTIONS, learning_rate=1.0, schedule="constant"))
    losses = [float(row["validation_loss"]) for row in log_rows(tmp_path)]
    assert progress.best_validation_loss == min(losses)
    assert losses[progress.best_epoch - 1] == min(losses) < losses[-1]
    best = load_checkpoint(tmp_path / "checkpoint_best.pt")
    assert best["progress"]["epoch"] == progress.best_epoch
    assert best["note"] == "kept"
    assert all(torch.equal(value, best["model"][name]) for name, value in model.state_dict().items())


def test_patience_ends_training(fleet: Sequences, tmp_path: Path) -> None:
    options = dataclasses.replace(OPTIONS, learning_rate=0.5, schedule="constant", patience=2, num_epochs=100)
    _, progress = run(fleet, tmp_path, options)
    assert progress.epoch == progress.best_epoch + 2 < 100
    # Started again, it has nothing left to do.
    _, again = run(fleet, tmp_path, options)
    assert again == progress


def test_loss_that_is_not_finite_names_the_place_and_keeps_the_checkpoint(fleet: Sequences, tmp_path: Path) -> None:
    with pytest.raises(Killed):
        run(fleet, tmp_path, kill_after=2)
    good = (tmp_path / "checkpoint_last.pt").read_bytes()
    with pytest.raises(TrainingDivergedError, match=r"epoch 3, step \d+ of \d+ .*batch_size=16.*learning_rate=0.01"):
        run(fleet, tmp_path, poison=True)
    assert (tmp_path / "checkpoint_last.pt").read_bytes() == good


def test_learning_rate_warms_up_and_decays(fleet: Sequences, tmp_path: Path) -> None:
    run(fleet, tmp_path, dataclasses.replace(OPTIONS, warmup_epochs=2.0))
    rates = [float(row["learning_rate"]) for row in log_rows(tmp_path)]
    assert rates[0] < rates[1]
    assert max(rates) == pytest.approx(0.01, rel=0.01)
    assert rates[1:] == sorted(rates[1:], reverse=True)
    assert rates[-1] == pytest.approx(0.0001, rel=0.01)


def test_batch_done_in_parts_gives_the_same_training(
    fleet: Sequences, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = dataclasses.replace(OPTIONS, num_epochs=2)
    ends: dict[str, dict[str, torch.Tensor]] = {}
    for name, steps_at_once in (("whole", 1_000_000), ("parts", 5 * 16)):
        path = tmp_path / name
        path.mkdir()
        torch.manual_seed(0)
        model = build_model(LSTM, num_features=2, lookback=6, horizon=10, dropout=0.0)
        monkeypatch.setattr(model, "steps_at_once", steps_at_once)
        train(
            model,
            Windows(fleet, 6),
            Windows(fleet, 6),
            options,
            TrainingDirectory(path),
            {},
            lambda _: False,
        )
        ends[name] = model.state_dict()
    for name, value in ends["whole"].items():
        torch.testing.assert_close(ends["parts"][name], value, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("steps_at_once", [1_000_000, 16], ids=["whole", "parts"])
def test_segments_have_the_loss_of_the_same_windows(
    fleet: Sequences, monkeypatch: pytest.MonkeyPatch, steps_at_once: int
) -> None:
    # Weights that stay as they are: an epoch has the mean loss of all windows, in whatever order.
    options = dataclasses.replace(OPTIONS, learning_rate=1e-12, nasa_weight=0.0)
    windows = Windows(fleet, 6)
    losses = []
    for model_options in (SEGMENTS, dataclasses.replace(SEGMENTS, windows_per_segment=None)):
        torch.manual_seed(0)
        model = build_model(model_options, num_features=2, lookback=6, horizon=10, dropout=0.0)
        monkeypatch.setattr(model, "steps_at_once", steps_at_once)
        optimizer = torch.optim.AdamW(model.parameters(), lr=options.learning_rate)
        schedule = Schedule(optimizer, "constant", 1, 100, 0)
        calls: list[int] = []
        in_segments = model.in_segments
        monkeypatch.setattr(model, "in_segments", lambda *args, of=in_segments, to=calls: (to.append(1), of(*args))[1])
        losses.append(train_epoch(model, windows, options, optimizer, schedule, 1))
        assert bool(calls) == (model_options is SEGMENTS)
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_a_lookback_whose_windows_share_nothing_is_said_and_trained_as_without_segments(
    fleet: Sequences, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = dataclasses.replace(OPTIONS, num_epochs=2)
    segments = dataclasses.replace(SEGMENTS, kernel_size=2)  # K = 6 is 1.5 times 4
    found, _ = run(fleet, tmp_path / "segments", options, segments)
    assert "model.windows_per_segment=3: windows of lookback=6 share no work in this model" in caplog.text
    expected, _ = run(fleet, tmp_path / "alone", options, dataclasses.replace(segments, windows_per_segment=None))
    for name, value in expected.state_dict().items():
        assert torch.equal(value, found.state_dict()[name]), name
