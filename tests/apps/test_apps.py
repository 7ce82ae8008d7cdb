"""Hydra apps that know nothing of the project, or two lines, under its launcher: killed at any point, they go on."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from ddrsa.rundir.directory import RunDirectory, find_runs
from ddrsa.rundir.files import read_json
from ddrsa.sweep.verify.bench import until

ROOT = Path(__file__).parents[2]
APPS = Path(__file__).parent
STEPS = 6  # of each run
RUNS = 3  # of each sweep
PATIENCE = 280  # seconds: of a machine with much else to do
SUPERVISED = "hydra/launcher=supervised"


@dataclass(frozen=True)
class App:
    """command: behind the interpreter. sweep: its directory. root: a variable that has the app's directory."""

    name: str
    command: tuple[str, ...]
    sweep: str
    root: str | None = None


APPS_OF_ALL_KINDS = [
    App("sphere", ("sphere.py", "-m", SUPERVISED, "hydra.sweep.dir=out"), "out"),
    App(
        "template",
        ("src/train.py", "-m", "hparams_search=digits_optuna", "experiment=example", SUPERVISED),
        "logs/train/multiruns/one",
        "PROJECT_ROOT",
    ),
    App("agent", ("train.py", "-m", "seed=1,2,3", SUPERVISED), "exp/walker_exp"),
    App("pipeline", ("pipeline.py", "-m", "size=1,2,3"), "out"),
    App(
        "package",
        ("-m", "study.app", "-m", "rate=0.1,0.2,0.3", SUPERVISED, "hydra/sweeper=checked", "hydra.sweep.dir=out"),
        "out",
    ),
]


class Workshop:
    """A copy of an app, and the sweeps of it."""

    def __init__(self, app: App, directory: Path) -> None:
        self.app = app
        self.directory = directory / app.name
        shutil.copytree(APPS / app.name, self.directory, ignore=shutil.ignore_patterns("__pycache__"))
        self.sweep = self.directory / app.sweep
        self.environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        if app.root is not None:
            self.environ[app.root] = str(self.directory)

    def start(self, *overrides: str, command: tuple[str, ...] | None = None) -> subprocess.Popen[str]:
        words = [sys.executable, *(self.app.command if command is None else command), *overrides]
        streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return subprocess.Popen(words, cwd=self.directory, env=self.environ, text=True, **streams)

    def run(self, *overrides: str, command: tuple[str, ...] | None = None) -> tuple[int, str]:
        """Returns the exit code and what was printed."""
        process = self.start(*overrides, command=command)
        output, _ = process.communicate(timeout=PATIENCE)
        return process.returncode, output

    def runs(self) -> list[RunDirectory]:
        return find_runs(self.sweep)

    def steps(self, run: RunDirectory) -> list[int]:
        file = run.path / "steps.txt"
        return list(map(int, file.read_text().split())) if file.exists() else []

    def under_way(self) -> dict[int, RunDirectory]:
        """The runs that have done a step and not the last, by the process that does each."""
        found = {}
        for run in self.runs():
            status = run.status_or_empty()
            if status.get("state") == "running" and 0 < len(self.steps(run)) < STEPS:
                found[int(status["pid"])] = run
        return found

    def kill_the_worker_and_the_launcher(self, launcher: subprocess.Popen[str]) -> None:
        until(self.under_way, "no run was under way", PATIENCE)
        for worker in list(self.under_way())[:1]:
            os.kill(worker, signal.SIGKILL)
        launcher.kill()
        launcher.communicate()

    def require_whole(self) -> None:
        """Every run has completed, and each step of it was done, those before a kill once only."""
        runs = self.runs()
        assert len(runs) == RUNS
        for run in runs:
            steps = self.steps(run)
            assert (run.status_or_empty()["state"], sorted(set(steps))) == ("completed", list(range(1, STEPS + 1)))
            # The step that was cut off between its line and its checkpoint is done again.
            assert len(steps) <= STEPS + run.status_or_empty()["attempt"] - 1


@pytest.fixture
def workshop(request: pytest.FixtureRequest, tmp_path: Path) -> Workshop:
    return Workshop(request.param, tmp_path)


def survives(workshop: Workshop) -> None:
    workshop.kill_the_worker_and_the_launcher(workshop.start())
    exit_code, output = workshop.run()
    assert exit_code == 0, output
    workshop.require_whole()
    attempts = [run.status_or_empty()["attempt"] for run in workshop.runs()]
    assert max(attempts) == 2, "nothing was cut off"
    before = [run.status_or_empty()["ended_at"] for run in workshop.runs()]
    exit_code, output = workshop.run()
    assert exit_code == 0, output
    assert [run.status_or_empty()["ended_at"] for run in workshop.runs()] == before


@pytest.mark.parametrize("workshop", [APPS_OF_ALL_KINDS[2]], ids=lambda app: app.name, indirect=True)
def test_an_app_with_the_options_of_submitit_survives_kills(workshop: Workshop) -> None:
    exit_code, output = workshop.run("hydra/sweeper=checked", "hydra.sweeper.dry_run=true")
    assert exit_code == 0, output
    assert "takes timeout_min=4300 as timeout and leaves out cpus_per_task, gpus_per_node" in output
    assert not workshop.sweep.exists()
    survives(workshop)


@pytest.mark.slow
@pytest.mark.parametrize("workshop", APPS_OF_ALL_KINDS, ids=lambda app: app.name, indirect=True)
def test_the_same_command_goes_on_after_a_kill_of_worker_and_launcher(workshop: Workshop) -> None:
    survives(workshop)


@pytest.mark.slow
@pytest.mark.parametrize("workshop", APPS_OF_ALL_KINDS, ids=lambda app: app.name, indirect=True)
def test_any_app_is_resumed_by_its_directory_from_anywhere(workshop: Workshop, tmp_path: Path) -> None:
    workshop.kill_the_worker_and_the_launcher(workshop.start())
    command = [sys.executable, "-m", "ddrsa.sweep", "resume", "--trust", str(workshop.sweep)]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = subprocess.run(command, cwd=elsewhere, env=workshop.environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    workshop.require_whole()
    assert list(elsewhere.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("workshop", APPS_OF_ALL_KINDS, ids=lambda app: app.name, indirect=True)
def test_the_analysis_answers_for_any_app(workshop: Workshop) -> None:
    exit_code, output = workshop.run("pause=0" if workshop.app.name != "template" else "trainer.pause=0")
    assert exit_code == 0, output
    exit_code, output = workshop.run(command=("-m", "ddrsa", "analyze", f"hydra.sweep.dir={workshop.sweep}", "--json"))
    assert exit_code == 0, output
    (answer,) = json.loads(output)["answers"]
    assert answer["states"] == {"completed": 3}
    assert answer["best"] is not None
    expected = {"agent": "episode_reward", "pipeline": "return_value.loss"}
    assert answer["metric"] == expected.get(workshop.app.name, "return_value")
    assert answer["higher_is_better"] == (workshop.app.name in ("template", "agent"))


@pytest.mark.slow
@pytest.mark.parametrize("workshop", [APPS_OF_ALL_KINDS[3]], ids=lambda app: app.name, indirect=True)
def test_callbacks_a_resolver_and_chdir(workshop: Workshop) -> None:
    exit_code, output = workshop.run("pause=0", "steps=1")
    assert exit_code == 0, output
    lines = (workshop.directory / "journal.txt").read_text().split("\n")
    assert sorted(lines) == [
        "",
        "all",
        *(f"end {size}" for size in (1, 2, 3)),
        *(f"start {size}" for size in (1, 2, 3)),
    ]
    results = read_json(workshop.sweep / "all_results.json")
    assert results is not None
    assert sorted(run["return_value"]["loss"] for run in results["runs"]) == [2.0, 4.0, 6.0]
    exit_code, output = workshop.run(command=("pipeline.py", "resume=out", "size=1,2,3,4", "pause=0", "steps=1"))
    assert exit_code == 0, output
    assert len(workshop.runs()) == 4


@pytest.mark.slow
@pytest.mark.parametrize("workshop", [APPS_OF_ALL_KINDS[1]], ids=lambda app: app.name, indirect=True)
def test_the_search_of_a_template_maximizes(workshop: Workshop) -> None:
    exit_code, output = workshop.run("trainer.pause=0")
    assert exit_code == 0, output
    best = yaml.safe_load((workshop.sweep / "optimization_results.yaml").read_text())
    values = [run.status_or_empty()["return_value"] for run in workshop.runs()]
    assert best["best_value"] == max(values)
    exit_code, output = workshop.run(command=("-m", "ddrsa.sweep", "best", str(workshop.sweep)))
    assert exit_code == 0, output
    assert "python src/train.py" in output
    assert "hparams_search=digits_optuna experiment=example" in output
    # Its config has hydra.mode=MULTIRUN: trained again, the best trial is one run and not the search.
    (line,) = [line for line in output.splitlines() if "python src/train.py" in line]
    again = shlex.split(line)[1:]
    exit_code, output = workshop.run("trainer.pause=0", "hydra.run.dir=again", command=tuple(again))
    assert exit_code == 0, output
    assert (workshop.directory / "again" / ".hydra").is_dir()
    assert not (workshop.directory / "again" / "study.journal").exists()


@pytest.mark.parametrize(
    ("overrides", "exit_code", "message"),
    [
        (["hydra.launcher.retires=1"], 2, "hydra.launcher.retires: hydra/launcher=supervised has no such option. Did"),
        (["hydra/sweeper=checked", 'hydra.sweeper.only="rat>1"'], 2, "rat is no key of the config of"),
        (["hydra/sweeper=checked", "steps=x,y"], 2, "steps"),
        (["pause=-1"], 1, "ValueError: sleep length must be non-negative"),  # under Hydra's own sweeper
    ],
)
def test_an_app_without_a_line_ends_with_one_line_and_an_exit_code(
    tmp_path: Path, overrides: list[str], exit_code: int, message: str
) -> None:
    workshop = Workshop(APPS_OF_ALL_KINDS[4], tmp_path)
    command = ("-m", "study.app", "-m", "rate=0.1,0.2", SUPERVISED, "hydra.sweep.dir=out", *overrides)
    found, output = workshop.run(command=command)
    assert found == exit_code, output
    assert message in output
    assert "Traceback" not in output
    assert workshop.sweep.exists() == (exit_code == 1)
