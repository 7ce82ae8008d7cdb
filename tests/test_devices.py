"""Devices that a run asks for, on machines that have them and on others."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize
from omegaconf import DictConfig

import ddrsa.task  # noqa: F401  (registers resolvers, schema and plugins)
from ddrsa.compat_hydra import VERSION_BASE, shown_by_hydra_config
from ddrsa.config import check_config
from ddrsa.errors import ConfigError
from ddrsa.rundir.locked_files import read_held
from ddrsa.sweep.gpu.lease import APPLE, release_current


def config(*overrides: str) -> DictConfig:
    with initialize(config_path="../conf", **VERSION_BASE):
        return compose("config", list(overrides), return_hydra_config=True)


@pytest.mark.parametrize(
    ("override", "allowed"),
    [
        ("gpus=[0]", "auto, as a Mac has one GPU"),
        ("runs_per_gpu=auto", "1 or more, as a Mac does not tell a GPU's memory"),
    ],
)
def test_what_a_mac_has_not(monkeypatch: pytest.MonkeyPatch, override: str, allowed: str) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    check_config(config("device=mps", "runs_per_gpu=2"))
    with pytest.raises(ConfigError, match=f"allowed is {allowed}"):
        check_config(config("device=mps", override))


@pytest.mark.skipif(sys.platform == "darwin", reason="a Mac has it")
@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_gpu_that_is_not_here_is_asked_for_where_the_runs_are_done(
    monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    for launcher, refused in (("supervised", True), ("joblib", True), ("slurm", False), ("ray", False)):
        whole = config(f"device={device}", f"hydra/launcher={launcher}", "hydra.mode=MULTIRUN")
        with shown_by_hydra_config(whole):
            if refused:
                with pytest.raises(ConfigError, match=f"device={device}: "):
                    check_config(whole)
            else:
                check_config(whole)
    check_config(config(f"device={device}", "dry_run=true"))  # of a sweep that is planned here, and done elsewhere


def test_runs_on_apples_gpu_take_turns(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DDRSA_LEASE_DIR", str(tmp_path))
    monkeypatch.delenv("DDRSA_GIVEN_GPU", raising=False)
    try:
        assert config("device=mps").gpu_index == 0
        (lease,) = [path for path in tmp_path.iterdir() if APPLE in path.name]
        assert read_held(lease) is not None
    finally:
        release_current()
