"""How a process or a sweep was started."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from ddrsa.errors import UsageError
from ddrsa.started import (
    absolute_config_path,
    command_line,
    config_options,
    subcommand,
    sweep_options,
    sweep_program,
    sweep_starter,
    typed,
)


def manifest(directory: Path, command: list[str], started_in: Path | None = None) -> None:
    content = {"schema_version": 1, "command": command, "working_dir": str(started_in or Path.cwd())}
    (directory / "experiment_manifest.json").write_text(json.dumps(content))


def test_the_installed_command_and_a_script(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["ddrsa train", "-m", "x=1"])
    assert command_line() == ["ddrsa", "train", "-m", "x=1"]
    assert typed(command_line()) == ["ddrsa", "train", "-m", "x=1"]
    assert subcommand("best") == "ddrsa best"
    monkeypatch.setattr(sys, "argv", ["my folder/train.py", "x=1"])
    assert typed(command_line()) == ["python", "my folder/train.py", "x=1"]
    assert subcommand("best") == "python -m ddrsa.sweep best"


@pytest.mark.parametrize("words", [["--config-dir", "a b"], ["--config-dir=a b"], ["-cd", "a b"], ["-cd=a b"]])
def test_the_options_that_say_where_the_config_is(words: list[str]) -> None:
    assert config_options(["-m", "x=1,2", *words, "-c", "job", "-cn", "other", "y=3"]) == {
        "--config-name": "other",
        "--config-dir": "a b",
    }
    assert config_options(["-m", "config-dir=a"]) == {}


def test_a_config_path_is_one_of_the_working_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["ddrsa train", "--config-path", "mine", "-cp=/other", "--config-path=pkg://it"])
    absolute_config_path()
    assert sys.argv[1:] == ["--config-path", f"{tmp_path}/mine", "-cp=/other", "--config-path=pkg://it"]


def test_a_sweep_tells_how_it_was_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    manifest(tmp_path, ["ddrsa", "train", "-cd", "conf_of_mine", "-m", "x=1"])
    assert sweep_starter(tmp_path) == ["ddrsa", "train", "--config-dir", "conf_of_mine"]
    manifest(tmp_path, ["train.py", "--config-name=other", "-m", "x=1"])
    assert sweep_starter(tmp_path) == ["python", "train.py", "--config-name", "other"]
    manifest(tmp_path, ["train.py", "--config-dir", "mine"], started_in=Path("/elsewhere"))
    assert sweep_options(tmp_path) == {"--config-dir": "/elsewhere/mine"}
    (tmp_path / "experiment_manifest.json").write_text("{")
    with pytest.raises(UsageError, match="not valid JSON"):
        sweep_starter(tmp_path)
    (tmp_path / "experiment_manifest.json").unlink()
    monkeypatch.setattr(sys, "argv", ["ddrsa analyze"])
    assert (sweep_program(tmp_path), sweep_options(tmp_path)) == (["ddrsa", "train"], {})
