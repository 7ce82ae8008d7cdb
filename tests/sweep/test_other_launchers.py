"""Options of other launchers in the config of one of the project's."""

from __future__ import annotations

from typing import Any

import pytest

from ddrsa.errors import ConfigError
from ddrsa.sweep.config import RayLauncherConf, SlurmLauncherConf, SupervisedLauncherConf
from ddrsa.sweep.other_launchers import own_options


def test_what_has_a_meaning_is_taken_and_the_rest_named(caplog: pytest.LogCaptureFixture) -> None:
    given = {"n_jobs": 3, "timeout_min": 90, "partition": "gpu", "tasks_per_node": 1, "mem_gb": None}
    with caplog.at_level("INFO"):
        own = own_options("supervised", SupervisedLauncherConf, given)
    assert own == {"n_jobs": 3, "timeout": 90}
    assert [record.message for record in caplog.records] == [
        "hydra/launcher=supervised takes timeout_min=90 as timeout and leaves out partition, tasks_per_node, mem_gb: "
        "options of another launcher"
    ]


def test_a_timeout_of_its_own_goes_before() -> None:
    own = own_options("supervised", SupervisedLauncherConf, {"timeout": 5, "timeout_min": 90})
    assert own == {"timeout": 5}


def test_nothing_is_said_where_nothing_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        assert own_options("ray", RayLauncherConf, {"ray": {"init": {}}, "n_jobs": 2}) == {
            "ray": {"init": {}},
            "n_jobs": 2,
        }
    assert caplog.records == []


def test_for_slurm_submitits_options_go_to_submitit(caplog: pytest.LogCaptureFixture) -> None:
    given = {"submitit": {"timeout_min": 60}, "timeout_min": 90, "partition": "gpu", "qos": None, "python": "py"}
    with caplog.at_level("INFO"):
        own = own_options("slurm", SlurmLauncherConf, given)
    assert own == {"submitit": {"timeout_min": 90, "slurm_partition": "gpu"}}
    assert "partition=gpu as submitit.slurm_partition" in caplog.text
    assert "leaves out qos, python" in caplog.text


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"retires": 1},
            "hydra.launcher.retires: hydra/launcher=supervised has no such option. Did you mean 'retries'",
        ),
        (
            {"timeout": 30, "pre_dispatch": "all", "mem_gb": 4},
            r"timeout=30 stands beside options of joblib's \(pre_dispatch\)",
        ),
    ],
)
def test_what_nobody_knows_and_what_means_something_else(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        own_options("supervised", SupervisedLauncherConf, given)
