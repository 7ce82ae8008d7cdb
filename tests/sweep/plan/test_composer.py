"""The composer against Hydra's own composition of each job."""

from __future__ import annotations

import re
from collections.abc import Iterator
from unittest.mock import patch

import pytest
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import JobRuntime
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from supervised import ROOT

import ddrsa.task  # noqa: F401 - registers the configs
from ddrsa.compat_hydra import VERSION_BASE
from ddrsa.sweep.gpu.lease import without_leases
from ddrsa.sweep.plan.composer import Composer

JOBS = [
    [],
    ["seed=3", "batch_size=64"],
    ["model=gru", "batch_size=64"],
    ["batch_size=64", "model=transformer", "model.num_heads=2"],
    ["model.hidden_size=8", "model=gru"],
    ["dataset=turbofan", "dataset.subset=FD002", "model=lstm"],
    ["experiment=quick", "num_epochs=7"],
    ["hparams=paper", "learning_rate=0.5", "learning_rate=0.25"],
    ["+note=x", "note=y"],
    ["++note=x", "++seed=4"],
    ["~dropout"],
    ["~dropout=0.1", "+dropout=0.2"],
    ["~model", "seed=1"],
    ["+model.extra={a: [1, 2], b: null}"],
    ["model={name: lstm}"],
    ["gpus=[0,1]", "+home=${oc.env:HOME}"],
    ["hydra.job.chdir=true", "seed=2"],
    ["+note='a b=c,d'", "+both=${seed}-${hydra.job.name}"],
]
WRONG = [
    ["no_such_key=1"],
    ["model=no_such_model"],
    ["model.no_such_key=1", "model=gru"],
    ["seed=1", "+seed=2"],
    ["~no_such_key"],
    ["model@other=gru"],
    ["nothing@other=gru"],
    ["seed=1,2"],
    ["seed=[1"],
    ["seed='a b=c,d'"],
    ["'seed=1'"],
    ["hydra.sweep=3"],
    ["++model=gru"],
    ["model=3"],
]


@pytest.fixture(scope="module")
def loader() -> Iterator[ConfigLoader]:
    with initialize_config_dir(str(ROOT / "conf"), **VERSION_BASE):
        JobRuntime.instance().set("name", "train")
        yield GlobalHydra.instance().config_loader()


@pytest.fixture(scope="module")
def sweep(loader: ConfigLoader) -> DictConfig:
    overrides = [
        "hydra/launcher=basic",
        "hydra.sweep.dir=sweep",
        "hydra.sweep.subdir=${hydra.job.num}",
        "hydra.job.config.override_dirname.kv_sep=-",
    ]
    return loader.load_configuration("config", overrides, RunMode.MULTIRUN)


@pytest.fixture(scope="module")
def composer(loader: ConfigLoader, sweep: DictConfig) -> Composer:
    return Composer(sweep, loader)


@pytest.fixture(autouse=True)
def _no_leases() -> Iterator[None]:
    # To compare two configs is to resolve them, `gpu_index` too.
    with without_leases():
        yield


@pytest.mark.parametrize("job", JOBS, ids=str)
def test_equal(loader: ConfigLoader, sweep: DictConfig, composer: Composer, job: list[str]) -> None:
    expected = loader.load_sweep_config(sweep, job)
    for _ in range(2):  # composed, and a copy of what was
        found = composer.compose(job)
        assert OmegaConf.to_yaml(found) == OmegaConf.to_yaml(expected)
        assert found == expected
        assert OmegaConf.is_struct(found) == OmegaConf.is_struct(expected)
        assert found.hydra._get_flag("readonly") == expected.hydra._get_flag("readonly")
        assert {key: OmegaConf.get_type(found, str(key)) for key in found} == {
            key: OmegaConf.get_type(expected, str(key)) for key in found
        }
        found.seed = 99  # of this job alone


def _without_its_place(error: BaseException) -> str:
    # Hydra 1.4 counts the overrides of the sweep too.
    return re.sub(r"index: \d+|out of \[.*\]", "", str(error))


@pytest.mark.parametrize("job", WRONG, ids=str)
def test_equal_errors(loader: ConfigLoader, sweep: DictConfig, composer: Composer, job: list[str]) -> None:
    with pytest.raises(Exception) as expected:  # noqa: PT011 - whatever Hydra raises
        loader.load_sweep_config(sweep, job)
    with pytest.raises(type(expected.value)) as found:
        composer.compose(job)
    assert _without_its_place(found.value) == _without_its_place(expected.value)
    assert str(found.value.__cause__) == str(expected.value.__cause__)


def test_files_are_read_once(loader: ConfigLoader, sweep: DictConfig) -> None:
    composer = Composer(sweep, loader)
    load = loader.load_configuration
    with patch.object(loader, "load_configuration", side_effect=load) as loaded:
        for seed in range(5):
            composer.compose([f"seed={seed}", "model=gru"])
            composer.compose(["model=lstm", f"seed={seed}"])
    assert loaded.call_count == 2
