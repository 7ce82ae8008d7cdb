from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import joblib
import pytest
from hydra import compose, initialize
from hydra.conf import HydraConf
from hydra.core.hydra_config import HydraConfig
from hypothesis import given
from hypothesis import strategies as st
from supervised import ROOT

from ddrsa.compat_hydra import VERSION_BASE
from ddrsa.errors import ConfigError
from ddrsa.sweep.process.cores import concurrent_runs, threads_per_run


@given(n_jobs=st.integers(-70, 70).filter(bool) | st.none(), cores=st.integers(1, 64))
def test_concurrent_runs_use_no_more_threads_than_cores(n_jobs: int | None, cores: int) -> None:
    threads = threads_per_run(n_jobs, cores)
    runs = 1 if n_jobs is None else n_jobs if n_jobs > 0 else max(cores + 1 + n_jobs, 1)
    assert threads >= 1
    assert threads * runs <= max(cores, runs)
    assert (threads + 1) * runs > cores  # and leave no core idle that a thread more would use


@pytest.mark.parametrize("n_jobs", [-1, -2, -100, 1, 3, None])
def test_n_jobs_is_read_as_joblib_reads_it(n_jobs: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "64")
    cores = joblib.cpu_count()
    assert threads_per_run(n_jobs, cores) == max(cores // joblib.effective_n_jobs(n_jobs), 1)


def test_cores_are_those_that_this_process_may_use() -> None:
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert threads_per_run(None) == 1
    finally:
        os.sched_setaffinity(0, allowed)
    assert threads_per_run(None) == joblib.cpu_count()


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["hydra.mode=RUN", "hydra/launcher=joblib", "hydra.launcher.n_jobs=3"], 1),
        (["hydra.mode=MULTIRUN", "hydra/launcher=joblib", "hydra.launcher.n_jobs=3"], 3),
        (["hydra.mode=MULTIRUN", "hydra/launcher=joblib", "hydra.launcher.n_jobs=-1"], joblib.cpu_count()),
        (["hydra.mode=MULTIRUN", "hydra/launcher=basic"], 1),
    ],
)
def test_concurrent_runs(overrides: list[str], expected: int) -> None:
    assert concurrent_runs(hydra_config(overrides)) == expected


def test_n_jobs_0_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"hydra.launcher.n_jobs is 0"):
        threads_per_run(0)
    with pytest.raises(ConfigError, match=r"hydra.launcher.n_jobs is 0"):
        concurrent_runs(hydra_config(["hydra.mode=MULTIRUN", "hydra/launcher=joblib", "hydra.launcher.n_jobs=0"]))


def hydra_config(overrides: list[str]) -> HydraConf:
    with initialize(**VERSION_BASE, config_path=None):
        HydraConfig.instance().set_config(compose(overrides=overrides, return_hydra_config=True))
        return HydraConfig.get()


@pytest.mark.parametrize(
    ("given", "sweep"),
    [
        pytest.param(None, [], id="one run", marks=pytest.mark.slow),
        pytest.param("77", [], id="one run, given"),
        pytest.param(None, ["-m"], id="sweep"),
        pytest.param("77", ["-m"], id="sweep, given", marks=pytest.mark.slow),
    ],
)
def test_openmp_is_told_to_wait_briefly_before_it_starts(tmp_path: Path, given: str | None, sweep: list[str]) -> None:
    environ = {**os.environ, "OMP_DISPLAY_ENV": "VERBOSE", **({} if given is None else {"GOMP_SPINCOUNT": given})}
    # The runs of a sweep end as they look for the data. A single run does so before torch is imported, so it is done.
    tiny = ["dataset.num_units=10", "lookback=2", "horizon=10", "num_epochs=1", "batch_size=256", "model.hidden_size=2"]
    given_to = ["dataset=turbofan", "data_dir=nowhere"] if sweep else tiny
    overrides = [*given_to, "device=cpu", "hydra.sweep.dir=sweep"]
    ended = subprocess.run(
        [sys.executable, str(ROOT / "train.py"), *sweep, *overrides],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert "nowhere" in ended.stderr if sweep else ended.returncode == 0, ended.stderr
    assert f"GOMP_SPINCOUNT = '{given or 1000}'" in ended.stderr
