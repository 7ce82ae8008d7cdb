"""Sweeps of a small Hydra app, in processes of their own, with the stock launchers."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Protocol

import pytest
import yaml
from hydra.core.utils import JobReturn, JobStatus
from programs import LAUNCHING, run_program

from ddrsa.sweep.supervise.failures import SweepFailed, failed_runs

CONFIG = """
defaults:
  - override hydra/sweeper: checked
  - _self_
batch_size: 1
number: ${hydra:job.num}
hydra:
  sweeper:
    check: checks.check
  sweep:
    dir: sweep
    subdir: ${batch_size}
"""

CHECKS = """
from pathlib import Path
from ddrsa.errors import ConfigError

def check(config):
    with Path("checked.txt").open("a") as stream:
        print(config.number, config.batch_size, "hydra" in config, file=stream)
    if config.batch_size < 1:
        raise ConfigError(f"batch_size is {config.batch_size}: it must be at least 1")
"""

APP = """
import os, sys
from pathlib import Path
import hydra
from hydra.core.hydra_config import HydraConfig
from ddrsa.compat_hydra import VERSION_BASE
from ddrsa.errors import ConfigError, DataError
from ddrsa.sweep.supervise.failures import SweepFailed

@hydra.main(config_path=".", config_name="config", **VERSION_BASE)
def main(config):
    if config.batch_size == 3:
        raise ValueError("three is too many\\nsecond line")
    if config.batch_size == 5:
        raise DataError("no data for five")
    Path(HydraConfig.get().runtime.output_dir, "done").write_text(str(config.batch_size))

os.environ["HYDRA_FULL_ERROR"] = "1"
try:
    main()
except ConfigError as error:
    sys.exit(f"REFUSED {error}")
except SweepFailed as failed:
    print("FAILED", failed)
    print("TYPES", *(type(error).__name__ for error in failed.errors))
    sys.exit(7)
"""


class RunApp(Protocol):
    """Runs the app with these overrides."""

    def __call__(self, *overrides: str) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture
def app(tmp_path: Path) -> RunApp:
    """Run the app with these overrides; returns the completed process."""
    for name, text in {"config.yaml": CONFIG, "checks.py": CHECKS, "app.py": APP}.items():
        (tmp_path / name).write_text(text)
    environ = {key: value for key, value in os.environ.items() if key != "HYDRA_FULL_ERROR"}

    def run(*overrides: str) -> subprocess.CompletedProcess[str]:
        return run_program(Path("app.py"), "-m", *overrides, imports=LAUNCHING, cwd=tmp_path, env=environ)

    return run


JOBLIB, BASIC = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"], ["hydra/launcher=basic"]
LAUNCHERS = pytest.mark.parametrize(
    "launcher", [pytest.param(JOBLIB, id="joblib", marks=pytest.mark.slow), pytest.param(BASIC, id="basic")]
)


@LAUNCHERS
def test_a_bad_value_is_found_before_anything_is_written(app: RunApp, tmp_path: Path, launcher: list[str]) -> None:
    result = app("batch_size=32,0", *launcher)
    assert result.stderr == "REFUSED batch_size is 0: it must be at least 1\n"
    assert result.stdout == ""
    assert not (tmp_path / "sweep").exists()


@LAUNCHERS
def test_each_job_is_checked_once_with_the_config_of_its_task(app: RunApp, tmp_path: Path, launcher: list[str]) -> None:
    result = app("batch_size=32,64", *launcher)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "checked.txt").read_text().splitlines() == ["0 32 False", "1 64 False"]
    assert [(tmp_path / "sweep" / size / "done").read_text() for size in ("32", "64")] == ["32", "64"]
    saved = yaml.safe_load((tmp_path / "sweep" / "multirun.yaml").read_text())
    assert saved["hydra"]["overrides"]["task"] == ["batch_size=32,64"]


@pytest.mark.parametrize(
    ("launcher", "batches"),
    [
        pytest.param(JOBLIB, [], id="joblib, one batch"),
        pytest.param(BASIC, ["hydra.sweeper.max_batch_size=1"], id="basic, batches of one"),
    ],
)
def test_all_failures_are_named_and_the_other_results_stand(
    app: RunApp, tmp_path: Path, launcher: list[str], batches: list[str]
) -> None:
    result = app("batch_size=3,1,5,2", *launcher, *batches)
    assert result.returncode == 7, result.stderr
    sweep = tmp_path / "sweep"
    printed = result.stdout[result.stdout.index("FAILED") :].splitlines()
    assert printed == [
        "FAILED 2 of 4 runs failed:",
        f"  {sweep / '3'} (batch_size=3): ValueError: three is too many",
        f"  {sweep / '5'} (batch_size=5): DataError: no data for five",
        "TYPES ValueError DataError",
    ]
    assert sorted(path.parent.name for path in sweep.glob("*/done")) == ["1", "2"]


def test_the_config_of_the_sweeper_can_name_parameters(app: RunApp, tmp_path: Path) -> None:
    result = app("+hydra.sweeper.params.batch_size='8,9'", "hydra.sweeper.check=null")
    assert result.returncode == 0, result.stderr
    assert sorted(path.parent.name for path in tmp_path.glob("sweep/*/done")) == ["8", "9"]
    assert not (tmp_path / "checked.txt").exists()


def test_the_command_line_takes_the_place_of_a_parameter(app: RunApp, tmp_path: Path) -> None:
    result = app("+hydra.sweeper.params.batch_size='8,9'", "batch_size=4,6", "hydra.sweeper.check=null")
    assert result.returncode == 0, result.stderr
    assert sorted(path.parent.name for path in tmp_path.glob("sweep/*/done")) == ["4", "6"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("hydra.sweeper.check=checks.missing", "hydra.sweeper.check=checks.missing: it cannot be imported"),
        ("hydra.sweeper.max_batch_size=0", "hydra.sweeper.max_batch_size=0: allowed is 1 or more, or null"),
    ],
)
def test_a_bad_config_of_the_sweeper(app: RunApp, tmp_path: Path, override: str, message: str) -> None:
    result = app("batch_size=1,2", override)
    assert f"REFUSED {message}" in result.stderr
    assert not (tmp_path / "sweep").exists()


def test_a_job_that_cannot_be_composed_is_found_before_anything_is_written(app: RunApp, tmp_path: Path) -> None:
    result = app("batch_size=1,2", "nonsense=1,2")
    assert result.returncode == 1
    assert "nonsense" in result.stderr
    assert not (tmp_path / "sweep").exists()


def test_a_run_without_a_result_has_failed() -> None:
    done = JobReturn(status=JobStatus.COMPLETED)
    (failure,) = failed_runs([done, JobReturn(overrides=["a=1"])])
    assert str(SweepFailed([failure], 2)) == (
        "1 of 2 runs failed:\n  unknown directory (a=1): RuntimeError: the run ended without a result"
    )
