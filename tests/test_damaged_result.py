"""A completed run whose files were damaged: evaluated again by the same command, and no good result is lost by it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from trainings import metrics_of, only_run, train


def flip_digit(path: Path) -> None:
    """Change one digit of a number, so that the file is JSON as before."""
    text = path.read_text()
    value = json.loads(text)["rul_mae"]
    path.write_text(text.replace(repr(value), repr(value + 1), 1))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


@pytest.mark.parametrize(
    ("flags", "damage"),
    [
        (("-m",), flip_digit),
        ((), Path.unlink),
        pytest.param(("-m",), Path.unlink, marks=pytest.mark.slow),
        pytest.param((), cut, marks=pytest.mark.slow),
    ],
)
def test_a_damaged_result_is_made_again_from_the_checkpoint(
    tmp_path: Path, environment: dict[str, str], flags: tuple[str, ...], damage: Callable[[Path], None]
) -> None:
    assert train(tmp_path, environment, *flags).returncode == 0
    run = only_run(tmp_path / "sweep")
    metrics, log, checkpoint = metrics_of(run), run.training_log.read_bytes(), run.checkpoint_best.read_bytes()
    damage(run.test_metrics)
    again = train(tmp_path, environment, *flags)
    assert again.returncode == 0, again.stderr
    assert "test_metrics.json" in "".join((again.stdout + again.stderr).split())  # the display breaks lines
    assert run.status_or_empty()["state"] == "completed"
    assert metrics_of(run) == metrics
    assert run.training_log.read_bytes() == log  # nothing was trained
    assert run.checkpoint_best.read_bytes() == checkpoint


@pytest.mark.parametrize("flags", [("-m",), ()])
def test_a_good_result_outlives_the_rest_of_its_run(
    tmp_path: Path, environment: dict[str, str], flags: tuple[str, ...]
) -> None:
    assert train(tmp_path, environment, *flags).returncode == 0
    run = only_run(tmp_path / "sweep")
    result = run.test_metrics.read_bytes()
    run.status.write_text("{")
    for path in (run.checkpoint_best, run.checkpoint_last):
        path.write_bytes(b"no checkpoint")
    again = train(tmp_path, environment, *flags)
    assert again.returncode == 0, again.stderr
    assert run.test_metrics.read_bytes() == result
    assert run.status_or_empty()["state"] == "completed"
