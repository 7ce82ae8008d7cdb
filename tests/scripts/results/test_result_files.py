from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from ddrsa.scripts.options import DEFAULT_METRICS
from ddrsa.scripts.results.collect import collect_metrics
from ddrsa.scripts.results.log_lines import read_log_numbers


def write(directory: Path, files: dict[str, Any]) -> Path:
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return directory


def test_numbers_are_collected_by_name(tmp_path: Path) -> None:
    metrics = {"accuracy": 0.9, "test": {"loss": 1, "by class": {"a": 2}}, "name": "x", "done": True, "curve": [1, 2]}
    write(tmp_path, {"metrics.json": metrics})
    assert collect_metrics(tmp_path, ["*.json"]).results == {"accuracy": 0.9, "test.loss": 1, "test.by class.a": 2}


def test_two_files_with_one_name(tmp_path: Path) -> None:
    write(tmp_path, {"a.json": {"loss": 1, "x": 3}, "sub/b.json": {"loss": 2}})
    assert collect_metrics(tmp_path, ["*.json"]).results == {"a.loss": 1, "sub.b.loss": 2, "x": 3}


def test_what_is_no_result_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = {"config.json": {"lr": 1}, "model_config.json": {"lr": 1}, "args.json": {"lr": 1}, "list.json": [1]}
    write(tmp_path, {**files, "broken.json": '{"a": ', ".hidden/m.json": {"a": 1}, "big.json": " " * 5_000_000})
    assert collect_metrics(tmp_path, ["*.json"]).results == {}
    assert "broken.json" in caplog.text
    assert "big.json is larger than 4 MiB" in caplog.text


def test_patterns(tmp_path: Path) -> None:
    write(tmp_path, {"metrics.json": {"a": 1}, "other.json": {"b": 2}, "sub/metrics.json": {"c": 3}})
    assert collect_metrics(tmp_path, ["metrics.json"]).results == {"a": 1, "c": 3}
    assert collect_metrics(tmp_path, ["sub/*"]).results == {"c": 3}


def test_numbers_that_are_not_finite(tmp_path: Path) -> None:
    write(tmp_path, {"m.json": '{"a": NaN, "b": Infinity, "c": ' + "9" * 400 + "}"})
    found = collect_metrics(tmp_path, ["*.json"]).results
    assert sorted(found) == ["a", "b", "c"]
    assert all(math.isnan(value) for value in found.values())


def test_no_directory_has_no_metrics(tmp_path: Path) -> None:
    assert collect_metrics(tmp_path / "no", ["*.json"]).results == {}


def test_what_a_script_was_told_stands_apart(tmp_path: Path) -> None:
    told = {"accuracy": 0.5, "config": {"lr": 0.1, "model": {"layers": 2}}, "params": 1234, "test": {"args": {"k": 3}}}
    write(tmp_path, {"results.json": told})
    found = collect_metrics(tmp_path, ["*.json"])
    assert found.results == {"accuracy": 0.5, "params": 1234}
    assert found.configuration == {"config.lr": 0.1, "config.model.layers": 2, "test.args.k": 3}


def test_a_csv_file_gives_the_last_number_of_each_column(tmp_path: Path) -> None:
    rows = "\ufeffepoch,train_loss,val_loss,note\r\n1,0.9,,a\r\n2,0.5,0.7,b\r\n3,0.4,,c\r\n"
    write(tmp_path, {"metrics.csv": rows, "predictions.csv": "id,score\n1,0.3\n"})
    found = collect_metrics(tmp_path, DEFAULT_METRICS)
    assert found.results == {"epoch": 3, "train_loss": 0.4, "val_loss": 0.7}
    assert collect_metrics(tmp_path, ["*.csv"]).results["score"] == 0.3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("epoch;loss\n1;0,5\n2;0,25\n", {"epoch": 2, "loss": 0.25}),
        ("epoch;loss\n1;0.5\n", {"epoch": 1, "loss": 0.5}),
        ("epoch\tloss\n1\t0.5\n", {"epoch": 1, "loss": 0.5}),
        ('"","loss"\n"1",0.5\n"2",NA\n', {"loss": 0.5}),
        ("epoch,loss\n1,nan\n2,0.5\n", {"epoch": 2, "loss": 0.5}),
        ("loss,note\n0.5,a,b\n", {"loss": 0.5}),
    ],
)
def test_forms_of_csv(tmp_path: Path, text: str, expected: dict[str, float]) -> None:
    write(tmp_path, {"results.csv": text})
    assert collect_metrics(tmp_path, DEFAULT_METRICS).results == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('loss,epoch\n999.5,1\n"1,234.5",2\n', "the column loss ends in '1,234.5'"),
        ("loss,epoch\n0.5,1\ndiverged,2\n", "the column loss ends in 'diverged'"),
        ("0.5,0.25\n0.4,0.2\n", "its first line has numbers"),
        ("loss,loss\n1,2\n", "two of its columns are called loss"),
    ],
)
def test_a_column_without_a_number_at_its_end_has_not_an_earlier_one(
    tmp_path: Path, text: str, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, {"results.csv": text})
    assert "loss" not in collect_metrics(tmp_path, DEFAULT_METRICS).results
    assert told in caplog.text


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_json_in_the_encodings_that_windows_writes(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "metrics.json").write_text('{"loss": 0.5}', encoding=encoding)
    assert collect_metrics(tmp_path, ["*.json"]).results == {"loss": 0.5}


def test_an_event_file_gives_the_last_value_of_each_tag(tmp_path: Path) -> None:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter(str(tmp_path / "runs"))
    for step, loss in enumerate((0.9, 0.5, 0.25)):
        summary = Summary(value=[Summary.Value(tag="test/loss", simple_value=loss)])
        writer.add_event(Event(step=step, wall_time=step, summary=summary))
    writer.close()
    assert collect_metrics(tmp_path, DEFAULT_METRICS).results == {"test/loss": 0.25}


def test_a_damaged_event_file_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "events.out.tfevents.1.host").write_bytes(b"\x07garbage" * 9)
    assert collect_metrics(tmp_path, DEFAULT_METRICS).results == {}
    assert "events.out.tfevents.1.host" in caplog.text


@pytest.mark.parametrize(
    ("text", "patterns", "expected"),
    [
        ("epoch 1 val_loss=0.5\nepoch 2 val_loss=0.25\n", ["val_*"], {"val_loss": 0.25}),
        ("Test set: Average loss: 0.31, Accuracy: 98/100 (98%)", ["average loss", "acc*"], {"Average loss": 0.31}),
        ("step 10: train loss 4.1, val loss 4.2", ["*loss*"], {"train loss": 4.1, "val loss": 4.2}),
        ("iter 3: loss 4.18, time 76.35ms, mfu -100.00%", ["loss", "time"], {"loss": 4.18}),
        ("best: 1e-4\nname: bob\nversion: 1.2.3", ["*"], {"best": 1e-4}),
        ("{'eval_loss': 0.5, 'eval_acc': 1, 'epoch': 3.0}", ["eval_*"], {"eval_loss": 0.5, "eval_acc": 1}),
        ('{"val": {"loss": 0.5}}', ["loss"], {"loss": 0.5}),
        ("\x1b[1mval/acc\x1b[0m: \x1b[32m0.75\x1b[0m", ["val/acc"], {"val/acc": 0.75}),
        ("auc = -inf", ["auc"], None),
        ("loss: 1,234.5 acc: 97.3%", ["loss", "acc"], {"loss": 1234.5, "acc": 97.3}),
        ("steps: 1,234,567", ["steps"], {"steps": 1234567}),
        # Whether these are below 1, above 1000 or two numbers, nobody knows.
        ("loss: 0.5\nloss: 1,234", ["loss"], {}),
        ("loss: 0,25", ["loss"], {}),
        ("loss: 0.25,0.5", ["loss"], {}),
        ("loss: 1\u202f234.5", ["loss"], {}),
        ("loss: 0.5\nloss: 1,234\nloss: 999.5", ["loss"], {"loss": 999.5}),
        ("epoch: 1,loss: 0.5,acc=1", ["loss", "epoch", "acc"], {"epoch": 1, "loss": 0.5, "acc": 1}),
        ("\x1b[?25lloss: 0.9\rloss: 0.5", ["*loss"], {"loss": 0.5}),
        ("Epoch 3/10 - loss: 0.2 - val_loss: 0.3", ["*loss"], {"loss": 0.2, "val_loss": 0.3}),
        ("final loss: 0.5.", ["*loss"], {"final loss": 0.5}),
        ("loss: tensor(0.5000, device='cuda:0') auc: np.float64(0.75)", ["loss", "auc"], {"loss": 0.5, "auc": 0.75}),
        ("2026-11-29 12:30:45,123 loss: 0.5", ["*"], {"loss": 0.5}),
        ("\u00c9cart moyen: 1e-3", ["*"], {"\u00c9cart moyen": 0.001}),
    ],
)
def test_lines_of_the_log(text: str, patterns: list[str], expected: dict[str, float] | None) -> None:
    found = read_log_numbers(text, patterns)
    assert found == expected if expected is not None else math.isnan(found["auc"])


def test_a_long_line_without_a_number_takes_no_time() -> None:
    assert read_log_numbers("a" * 2**20 + "\nloss: 0.5", ["loss"]) == {"loss": 0.5}
