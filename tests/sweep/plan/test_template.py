"""Jobs by templates against the same jobs by Hydra's own composition."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import cloudpickle
import pytest
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import JobRuntime
from hydra.types import RunMode
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig, OmegaConf
from supervised import ROOT

import ddrsa.task  # noqa: F401 - registers the configs
from ddrsa.compat_hydra import VERSION_BASE, register_resolver
from ddrsa.config import check_config
from ddrsa.overrides import override_text
from ddrsa.plain_values import PlainValues, takes_plain_values
from ddrsa.sweep.gpu.lease import without_leases
from ddrsa.sweep.plan import job_plan
from ddrsa.sweep.plan.choices import FIRST_BY_TEMPLATE
from ddrsa.sweep.plan.composer import Composer
from ddrsa.sweep.plan.planned_run import PlannedRun, plan_runs
from ddrsa.sweep.plan.template import Template


@pytest.fixture(autouse=True)
def _no_leases() -> Iterator[None]:
    with without_leases():
        yield


def _sweep(loader: ConfigLoader, *overrides: str) -> DictConfig:
    return loader.load_configuration("config", ["hydra.sweep.dir=sweep", *overrides], RunMode.MULTIRUN)


def _by_hydra(config: DictConfig, loader: ConfigLoader, jobs: Sequence[Sequence[str]], wanted: Any) -> list[PlannedRun]:
    """The plan without any template."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job_plan, "FIRST_BY_TEMPLATE", len(jobs) + 1)
        return plan_runs(Composer(config, loader), jobs, wanted=wanted)


def _assert_same(config: DictConfig, loader: ConfigLoader, jobs: Sequence[Sequence[str]], wanted: Any = None) -> bool:
    """Whether there was a template; that the runs are the same is asserted."""
    composer = Composer(config, loader)
    found, expected = plan_runs(composer, jobs, wanted=wanted), _by_hydra(config, loader, jobs, wanted)
    assert found == expected
    for run, other in zip(found, expected, strict=True):
        assert job_plan._same(run.config, other.config)
    for run, other in list(zip(found, expected, strict=True))[-1:]:
        whole, other_whole = cloudpickle.loads(run.composed), cloudpickle.loads(other.composed)
        assert OmegaConf.to_yaml(whole) == OmegaConf.to_yaml(other_whole)
    return any(choice.template is not None for choice in composer.choices._choices.values())


# The project's own config.


@pytest.fixture(scope="module")
def ours() -> tuple[DictConfig, ConfigLoader]:
    with initialize_config_dir(str(ROOT / "conf"), **VERSION_BASE):
        JobRuntime.instance().set("name", "train")
        loader = GlobalHydra.instance().config_loader()
    return _sweep(loader), loader


@takes_plain_values
def _checked(config: DictConfig | PlainValues, overrides: Sequence[str]) -> bool:  # noqa: ARG001
    check_config(config)
    return True


_FLOAT = st.floats(0.001, 0.9, allow_nan=False).map(lambda value: round(value, 6))
_OURS = {
    "seed": st.integers(0, 9),
    "learning_rate": _FLOAT | st.sampled_from([1, 1.0, 1e-3]),
    "batch_size": st.integers(1, 300),
    "num_folds": st.sampled_from([None, 5]),
    "weight_decay": st.sampled_from([0, 0.0, 1e-5]),
    "model.hidden_size": st.integers(1, 64),
    "timeout": st.sampled_from([None, 5, 7.5]),
    "dataset.num_units": st.integers(10, 40),
    "data_dir": st.sampled_from(["data", "a b", "it's", "1", "null"]),
    "visualize": st.booleans(),
    "policy.guarantee.miss_rate": st.sampled_from([None, 0.05]),
}


@settings(max_examples=3, deadline=None, phases=[Phase.generate])
@given(data=st.data())
def test_own_sweeps_are_the_same(ours: tuple[DictConfig, ConfigLoader], data: st.DataObject) -> None:
    keys = data.draw(st.lists(st.sampled_from(sorted(_OURS)), min_size=1, max_size=3, unique=True))
    fixed = data.draw(st.sampled_from([[], ["model=gru"], ["gpus=[0,1]"], ["hydra.job.chdir=true"], ["hparams=paper"]]))
    jobs = [
        [*fixed, *(f"{key}={override_text(data.draw(_OURS[key]))}" for key in keys)]
        for _ in range(FIRST_BY_TEMPLATE + 3)
    ]
    _assert_same(*ours, jobs, _checked)


def test_most_of_a_grid_is_told_from_one_template(ours: tuple[DictConfig, ConfigLoader]) -> None:
    jobs = [[f"seed={seed}", f"batch_size={size}"] for seed in range(3) for size in (16, 32, 64)]
    assert _assert_same(*ours, jobs, _checked)


def test_what_is_wrong_is_told_by_the_job(ours: tuple[DictConfig, ConfigLoader]) -> None:
    jobs = [[f"dropout={value}"] for value in (0.1, 0.2, 0.3, 0.4, 0.5, 1.5)]
    config, loader = ours
    with pytest.raises(Exception, match=r"dropout=1\.5: allowed is") as found:
        plan_runs(Composer(config, loader), jobs, wanted=_checked)
    with pytest.raises(type(found.value), match=str(found.value)):
        _by_hydra(config, loader, jobs, _checked)


# An app of another.


@dataclass
class Inner:
    rate: float = 1
    name: str = "a"
    size: int | None = None


@dataclass
class Foreign:
    """A structured config: types are converted, and interpolations in it too."""

    x: int = 0
    y: float = 0
    text: str = "t"
    free: Any = None
    both: str = "${x}-${inner.rate}"
    half: float = "${x}"  # type: ignore[assignment]
    inner: Inner = field(default_factory=Inner)
    g: Any = None
    h: Any = None
    below: Any = field(default_factory=lambda: {"same": "${..inner.rate}", "list": ["${x}", 1]})
    home: str = "${oc.env:HOME}/${text}"


_FOREIGN: dict[str, Any] = {
    "x": st.integers(-3, 3) | st.sampled_from([1.0, "7"]),
    "y": st.sampled_from([1, 1.0, 0.1, -1e-9, 1e30]),
    "text": st.sampled_from(["a", "a b", "a=b,c", "1", "null", "", "ü", "[x", "${x}", "it's", "true"]),
    "free": st.none() | st.booleans() | st.sampled_from([1, 1.0, "1", "${x}", [1, "a"], {"a": 1}]),
    "inner.rate": st.sampled_from([1, 2.5]),
    "inner.name": st.sampled_from(["q", "${..text}"]),
    "inner.size": st.none() | st.integers(0, 3),
    "+new": st.sampled_from([1, 1.0, "s", None]),
    "++x": st.integers(0, 2),
    "~inner.size": st.just(None),
    "+below.more": st.integers(0, 2),
    "below.same": st.integers(0, 2),
}
_SUBDIRS = ("${x}", "${hydra.job.num}", "${both}_${half}", "a/${inner.name}_${text}", "${hydra.job.override_dirname}")


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> ConfigLoader:
    folder = tmp_path_factory.mktemp("conf")
    (folder / "config.yaml").write_text("defaults: [foreign, {g: one}, _self_]\n")
    (folder / "g").mkdir()
    (folder / "g" / "one.yaml").write_text("depth: ${x}\n")
    (folder / "g" / "two.yaml").write_text("depth: 2\nname: ${text}\n")
    ConfigStore.instance().store(name="foreign", node=Foreign)
    with initialize_config_dir(str(folder), **VERSION_BASE):
        return GlobalHydra.instance().config_loader()


@settings(max_examples=8, deadline=None, phases=[Phase.generate])
@given(data=st.data())
def test_foreign_sweeps_are_the_same(foreign: ConfigLoader, data: st.DataObject) -> None:
    subdir = data.draw(st.sampled_from(_SUBDIRS))
    launcher = data.draw(st.sampled_from(["supervised", "basic"]))
    config = _sweep(foreign, f"hydra/launcher={launcher}", "hydra/sweeper=checked", f"hydra.sweep.subdir='{subdir}'")
    keys = data.draw(st.lists(st.sampled_from(sorted(_FOREIGN)), min_size=1, max_size=3, unique=True))
    group = data.draw(st.sampled_from([[], ["+g=two"], ["g=two"], ["g@h=one"], ["+g@h=two"]]))
    jobs = [[*group, *(_override(key, data.draw(_FOREIGN[key])) for key in keys)] for _ in range(FIRST_BY_TEMPLATE + 3)]
    expected = _error(lambda: _by_hydra(config, foreign, jobs, None))
    if expected is None:
        _assert_same(config, foreign, jobs)
    else:
        assert _error(lambda: plan_runs(Composer(config, foreign), jobs)) == expected


def _error(do: Callable[[], object]) -> tuple[type, str] | None:
    try:
        do()
    except Exception as error:
        return type(error), str(error)
    return None


def _override(key: str, value: Any) -> str:
    return key if key.startswith("~") else f"{key}={override_text(value)}"


def test_what_an_unknown_resolver_reads_is_left_to_hydra(foreign: ConfigLoader) -> None:
    answers = iter(range(100))
    register_resolver("counted", lambda: next(answers))
    config = _sweep(foreign, "hydra/launcher=supervised", "hydra.sweep.subdir=${x}")
    composer = Composer(config, foreign)
    runs = plan_runs(composer, [[f"x={x}", "free='${counted:}'"] for x in range(FIRST_BY_TEMPLATE + 4)])
    assert len({run.config["free"] for run in runs}) == len(runs)


def test_a_template_that_differs_is_not_used(foreign: ConfigLoader, monkeypatch: pytest.MonkeyPatch) -> None:
    config = _sweep(foreign, "hydra/launcher=supervised", "hydra.sweep.subdir=${text}${x}")
    jobs = [[f"x={x}"] for x in range(20)]  # the 16th is compared
    expected = _by_hydra(config, foreign, jobs, None)
    monkeypatch.setattr(job_plan, "Template", _Wrong)
    found = plan_runs(Composer(config, foreign), jobs)
    assert [run.identity for run in found] == [run.identity for run in expected]
    assert found == expected


class _Wrong(Template):
    """A template that forgets what it was given, for jobs that it is not compared with at first."""

    def fill(self, given: Any, number: int, job_id: str) -> Any:
        filled = super().fill(given, number, job_id)
        return filled if number < FIRST_BY_TEMPLATE else replace(filled, subdir="wrong", changes=())


def test_functions_that_take_no_plain_values_get_the_config(foreign: ConfigLoader) -> None:
    module = ModuleType("plain_values_of_another")
    module.identity = lambda config: f"id-{OmegaConf.select(config, 'inner.rate')}-{config.x}"  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    launcher = ["hydra/launcher=supervised", f"hydra.launcher.identity={module.__name__}.identity"]
    config = _sweep(foreign, *launcher, "hydra.sweep.subdir=${x}")
    runs = plan_runs(Composer(config, foreign), [[f"x={x}"] for x in range(FIRST_BY_TEMPLATE + 2)])
    assert [run.identity for run in runs] == [f"id-1.0-{x}" for x in range(FIRST_BY_TEMPLATE + 2)]
    assert runs[0].directory == Path("sweep").absolute() / "0"
