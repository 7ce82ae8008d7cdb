"""The private parts of Hydra do what compat_hydra says of them, in the version that is installed."""

from __future__ import annotations

import argparse
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import hydra
import pytest
from hydra import compose, initialize_config_dir
from hydra._internal.utils import run_and_report
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import ConfigCompositionException
from omegaconf import OmegaConf, open_dict
from omegaconf.basecontainer import BaseContainer

from ddrsa import compat_hydra
from ddrsa.compat_hydra import VERSION_BASE

ROOT = Path(__file__).parents[1]


def test_overrides_are_applied_as_hydra_composes_them(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("a: 1\nb: {c: 2}\nd: 3\n")
    texts = ["a=5", "+b.e=x", "++f=[1,2]", "~d"]
    with initialize_config_dir(str(tmp_path), **VERSION_BASE):
        expected = compose("config", overrides=texts)
        config = compose("config")
    with open_dict(config):
        compat_hydra.apply_overrides(OverridesParser.create().parse_overrides(texts), config)
    assert config == expected
    with pytest.raises(ConfigCompositionException):
        compat_hydra.apply_overrides(OverridesParser.create().parse_overrides(["~unknown"]), config)


def test_the_dirname_of_overrides(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("a: 1\nb: 2\n")
    with initialize_config_dir(str(tmp_path), **VERSION_BASE):
        config = compose("config", return_hydra_config=True)
        expected = compose("config", overrides=["b=4", "a=3"], return_hydra_config=True)
        overrides = OverridesParser.create().parse_overrides(["b=4", "a=3"])
        with open_dict(config):
            config.hydra.overrides.task = ["b=4", "a=3"]
            compat_hydra.note_override_dirname(config, overrides)
        assert config.hydra.job.override_dirname == expected.hydra.job.override_dirname == "a=3,b=4"


def test_what_hydra_config_shows(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("a: 1\n")
    with initialize_config_dir(str(tmp_path), **VERSION_BASE):
        config = compose("config", return_hydra_config=True)
    before = HydraConfig.instance().cfg
    with compat_hydra.shown_by_hydra_config(config):
        assert HydraConfig.get() is config.hydra
    assert HydraConfig.instance().cfg is before


def test_singletons_and_resolvers_go_to_another_process_and_plugins_stay() -> None:
    before = Singleton.get_state()
    instances, resolvers = dict(Singleton._instances), dict(BaseContainer._resolvers)
    try:
        ConfigStore.instance().store(name="of_this_test", node={"x": 1})
        compat_hydra.register_resolver("of_this_test", lambda: 7)
        state = Singleton.get_state()
        compat_hydra.restore_singletons(before)
        assert not OmegaConf.has_resolver("of_this_test")
        compat_hydra.restore_singletons(state)
        assert OmegaConf.create({"y": "${of_this_test:}"}).y == 7
        assert "of_this_test.yaml" in ConfigStore.instance().repo
    finally:
        Singleton._instances, BaseContainer._resolvers = instances, resolvers


def test_what_a_job_returned() -> None:
    result = JobReturn(status=JobStatus.COMPLETED)
    result.return_value = 3
    assert compat_hydra.returned(result) == 3
    failed = JobReturn.__new__(JobReturn)
    failed.status = JobStatus.FAILED
    failed.overrides = ["a=1"]
    compat_hydra.set_returned(failed, ValueError("no"))
    assert isinstance(compat_hydra.returned(failed), ValueError)
    with pytest.raises(ValueError, match="no"):
        _ = failed.return_value
    assert pickle.loads(pickle.dumps(result)).return_value == 3


def test_a_failed_job_raises_without_a_word(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(JobReturn, "return_value", JobReturn.return_value)  # so that it is put back
    compat_hydra.raise_without_a_word()
    result = JobReturn(overrides=["a=1"], status=JobStatus.FAILED)
    result.return_value = ValueError("no")
    with pytest.raises(ValueError, match="no"):
        _ = result.return_value
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "command",
    [
        ["train.py", "-m", "model=lstm,gru", "only=seed < 1", "dry_run=true"],
        ["train.py", "dry_run=true"],
        ["train.py", "-m", "hydra/sweeper=optuna", "learning_rate=interval(0.001,0.01)", "dry_run=true"],
        ["analyze.py", "--cfg", "job"],
    ],
    ids=" ".join,
)
def test_nothing_is_asked_that_hydra_warns_of(tmp_path: Path, command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "default", str(ROOT / command[0]), *command[1:]],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if line.startswith(str(ROOT)) and ".venv" not in line] == []


def test_whether_hydra_would_report_an_error_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked() -> list[bool]:
        found: list[bool] = []
        run_and_report(lambda: found.append(compat_hydra.reports_errors_itself()))
        return found

    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    assert not compat_hydra.reports_errors_itself()
    assert asked() == [True]
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    assert asked() == [False]


def test_what_is_wrong_with_flags_is_told_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules[hydra.main.__module__]
    monkeypatch.setattr(module, "get_args_parser", module.get_args_parser)  # and put back

    def complain(parser: argparse.ArgumentParser, message: str) -> NoReturn:
        raise ValueError(f"{message}; {'--multirun' in parser.format_usage()}")

    compat_hydra.let_hydras_parser_complain(complain)
    monkeypatch.setattr(sys, "argv", ["app.py", "--mutlirun"])
    with pytest.raises(ValueError, match=r"^unrecognized arguments: --mutlirun; True$"):
        hydra.main(config_path=None, **VERSION_BASE)(lambda config: config)()
