"""python -m ddrsa.predict interval=conformal on a small run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from ddrsa.predict.__main__ import main
from ddrsa.rundir.training import TrainingDirectory


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DDRSA_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "predict_cache"))


def predicted(run: TrainingDirectory, tmp_path: Path, *arguments: str) -> pd.DataFrame:
    output = tmp_path / "out.csv"
    assert main([f"checkpoint={run.path}", f"output={output}", "part=test", "rows=all", *arguments]) == 0
    return pd.read_csv(output)


def test_conformal_interval_is_the_models_at_the_conformal_level(
    trained_run: TrainingDirectory,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    metrics = trained_run.read_test_metrics()
    assert metrics is not None
    assert metrics["conformal"]["units"] == "validation"
    level = metrics["conformal"]["levels"][49]
    conformal = predicted(trained_run, tmp_path, "interval=conformal", "level=0.5")
    assert "interval: conformal, 50%" in capsys.readouterr().out
    # These units have chosen the epoch and the calibration: it is said, to whom asks for the interval and in the run.
    caveat = "have also chosen the epoch (and a fitted calibration), so that their coverage is only nearly"
    assert caveat in caplog.text
    assert caveat in (trained_run.path / "run.log").read_text()
    caplog.clear()
    same = predicted(trained_run, tmp_path, f"level={level}")
    assert caveat not in caplog.text
    ends = ["rul_lower", "rul_upper"]
    pd.testing.assert_frame_equal(conformal[ends], same[ends])
    assert "unit_coverage" in metrics["intervals"]["50%"]


def test_too_few_units_and_a_checkpoint_alone_are_told(
    trained_run: TrainingDirectory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [f"checkpoint={trained_run.path}", "interval=conformal"]
    assert main([*arguments, "level=0.95"]) == 2
    assert "too few for level=0.95" in capsys.readouterr().err
    shutil.copy(trained_run.checkpoint_best, tmp_path / "model.pt")
    assert main([f"checkpoint={tmp_path / 'model.pt'}", "cost=30", "interval=conformal"]) == 2
    assert "test_metrics.json does not exist; interval=model needs none" in capsys.readouterr().err
    assert main([f"checkpoint={trained_run.path}", "interval=wide"]) == 2
    assert "interval=wide: allowed is model, conformal" in capsys.readouterr().err
