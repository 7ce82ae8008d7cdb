"""Scripts with their summary, and trackers, where the runs are done by Ray or by Slurm."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from followed_app import FollowedApp, until
from script_sweeps import ScriptSweeps
from slurm_node import SlurmNode

pytestmark = pytest.mark.timeout(3600)


@dataclass(frozen=True)
class Scheduler:
    """options: of a command that uses it. environ: that the command needs."""

    name: str
    options: list[str]
    environ: Mapping[str, str] = field(default_factory=dict)


@pytest.fixture(params=[pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("ray", "slurm")])
def scheduler(request: pytest.FixtureRequest) -> Scheduler:
    if request.param == "ray":
        pytest.importorskip("ray")
        return Scheduler("ray", request.getfixturevalue("on_ray"))
    pytest.importorskip("submitit")
    node: SlurmNode = request.getfixturevalue("node")
    return Scheduler("slurm", ["hydra/launcher=slurm", "hydra.launcher.n_jobs=20"], node.environ)


@pytest.fixture
def app(tmp_path: Path, scheduler: Scheduler) -> FollowedApp:
    pytest.importorskip("tensorboard")
    app = FollowedApp(tmp_path)
    app.environ |= scheduler.environ
    return app


SCRIPTS = {
    "train_good.py": """
        import argparse, json, os, pathlib
        parser = argparse.ArgumentParser()
        parser.add_argument("--epochs", type=int, default=1)
        epochs = parser.parse_args().epochs
        place = pathlib.Path(os.environ["DDRSA_OUTPUT_DIR"])
        (place / "metrics.json").write_text(json.dumps({"test": {"accuracy": 0.5 + epochs / 10}}))
        print("threads", os.environ["OMP_NUM_THREADS"])
        """,
    "train_fails.py": "raise ValueError('the data are missing')",
    "train_hangs.py": """
        import subprocess, sys, time
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"], start_new_session=True)
        time.sleep(3600)
        """,
}
JOBS = """
jobs:
  - {script: code/train_hangs.py, timeout: 0.1, optional: true}
  - {script: code/train_fails.py, optional: true}
"""


def test_scripts_have_their_summary_limits_and_options(tmp_path: Path, scheduler: Scheduler) -> None:
    with ScriptSweeps(tmp_path) as sweeps:
        sweeps.environ |= scheduler.environ
        sweeps.patience = 900
        sweeps.write(SCRIPTS)
        (tmp_path / "jobs.yaml").write_text(JOBS)
        command = (
            "scripts.jobs=jobs.yaml",
            "scripts.epochs=2,4",
            "scripts.objective=test.accuracy",
            *scheduler.options,
        )
        exit_code, output = sweeps.run(*command, "retries=1", "tracking=tensorboard")
        assert exit_code == 0, output  # those that did not end well are optional
        summary = sweeps.summary()
        assert summary["success"] is True
        jobs = [(job["id"], job["state"], job["attempts"], job["optional"]) for job in summary["jobs"]]
        assert sorted(jobs) == [
            ("fails", "failed", 2, True),
            ("good", "completed", 1, False),
            ("good", "completed", 1, False),
            ("hangs", "timed_out", 1, True),
        ]
        reasons = {job["id"]: job["reason"] for job in summary["jobs"]}
        assert reasons["fails"] == "exit code 1: ValueError: the data are missing"
        assert reasons["hangs"] == "it took longer than timeout=0.1 minutes"
        assert sorted(job["metrics"].get("test.accuracy", 0) for job in summary["jobs"]) == [0, 0, 0.7, 0.9]
        assert "scripts.epochs does not reach 2 of 3 jobs" in output
        assert "test.accuracy (highest first)" in output
        assert "threads 1\n" in sweeps.runs()["good"].log.read_text()
        assert {sweeps.status(name)["launcher"] for name in ("good", "fails", "hangs")} == {scheduler.name}
        assert sweeps.processes() == []
        told = json.loads((sweeps.sweep / ".tracking" / "tensorboard.json").read_text())
        (place,) = told["places"].values()
        assert sorted(run["state"] for run in place["runs"].values()) == [
            "completed",
            "completed",
            "failed",
            "timed_out",
        ]

        before = {name: sweeps.status(name)["ended_at"] for name in ("good", "hangs")}
        mended = (
            SCRIPTS["train_good.py"].replace("parser.parse_args().epochs", "1").replace("import argparse, ", "import ")
        )
        mended = "\n".join(line for line in mended.splitlines() if "parser" not in line)
        sweeps.write({"train_fails.py": mended, "train_hangs.py": "print('mended')"})
        exit_code, output = sweeps.run(*command, "only=good,fails")
        assert exit_code == 0, output
        assert {name: sweeps.status(name)["ended_at"] for name in ("good", "hangs")} == before
        assert sweeps.status("fails")["state"] == "completed"


def test_trackers_are_told_of_epochs_and_ends(app: FollowedApp, scheduler: Scheduler) -> None:
    command = ("-m", "x=1,2,13", "+hydra/tracking=tensorboard", *scheduler.options)
    code, printed = app.run(*command)
    assert code == 1, printed
    assert app.told() == {"x=1": "completed", "x=2": "completed", "x=13": "failed"}, printed
    assert app.losses("x=1") == [(1, 2.0), (2, 3.0), (3, 4.0)]
    assert app.losses("x=13") == [(1, 14.0), (2, 15.0), (3, 16.0)]


@pytest.mark.parametrize("scheduler", [pytest.param("slurm", marks=pytest.mark.slurm)], indirect=True)
def test_what_jobs_do_after_their_launcher_was_killed_is_told_by_the_next(
    app: FollowedApp, scheduler: Scheduler
) -> None:
    command = ("-m", "+hydra/tracking=tensorboard", *scheduler.options)
    first = app.start(*command, "x=99")
    until(lambda: app.told()["x=99"] == "running")
    first.kill()
    first.communicate()
    (app.folder / "go").touch()
    code, printed = app.run(*command, "x=99,1")
    assert code == 0, printed
    assert app.told() == {"x=1": "completed", "x=99": "completed"}, printed
    assert app.losses("x=99") == [(1, 100.0), (2, 101.0), (3, 102.0)]
