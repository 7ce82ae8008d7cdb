from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from ddrsa.scripts.metrics import collect_metrics


def write(directory: Path, files: dict[str, Any]) -> Path:
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return directory


def test_numbers_are_collected_by_name(tmp_path: Path) -> None:
    metrics = {"accuracy": 0.9, "test": {"loss": 1, "by class": {"a": 2}}, "name": "x", "done": True, "curve": [1, 2]}
    write(tmp_path, {"metrics.json": metrics})
    assert collect_metrics(tmp_path, ["*.json"]) == {"accuracy": 0.9, "test.loss": 1, "test.by class.a": 2}


def test_two_files_with_one_name(tmp_path: Path) -> None:
    write(tmp_path, {"a.json": {"loss": 1, "x": 3}, "sub/b.json": {"loss": 2}})
    assert collect_metrics(tmp_path, ["*.json"]) == {"a.loss": 1, "sub.b.loss": 2, "x": 3}


def test_what_is_no_result_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = {"config.json": {"lr": 1}, "model_config.json": {"lr": 1}, "args.json": {"lr": 1}, "list.json": [1]}
    write(tmp_path, {**files, "broken.json": '{"a": ', ".hidden/m.json": {"a": 1}, "big.json": " " * 5_000_000})
    assert collect_metrics(tmp_path, ["*.json"]) == {}
    assert "broken.json" in caplog.text
    assert "big.json is larger than 4 MiB" in caplog.text


def test_patterns(tmp_path: Path) -> None:
    write(tmp_path, {"metrics.json": {"a": 1}, "other.json": {"b": 2}, "sub/metrics.json": {"c": 3}})
    assert collect_metrics(tmp_path, ["metrics.json"]) == {"a": 1, "c": 3}
    assert collect_metrics(tmp_path, ["sub/*"]) == {"c": 3}


def test_numbers_that_are_not_finite(tmp_path: Path) -> None:
    write(tmp_path, {"m.json": '{"a": NaN, "b": Infinity, "c": ' + "9" * 400 + "}"})
    found = collect_metrics(tmp_path, ["*.json"])
    assert sorted(found) == ["a", "b", "c"]
    assert all(math.isnan(value) for value in found.values())


def test_no_directory_has_no_metrics(tmp_path: Path) -> None:
    assert collect_metrics(tmp_path / "no", ["*.json"]) == {}
