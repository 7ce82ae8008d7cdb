"""`hydra/launcher=slurm` on a Slurm of one node with two cores, which is started here."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from searches import Searches
from slurm_node import SlurmNode
from supervised import Sweeps

from ddrsa.sweep.verify.bench import until

pytest.importorskip("submitit")
pytestmark = [pytest.mark.slurm, pytest.mark.timeout(3600)]

ON_SLURM = ("hydra/launcher=slurm", "hydra.launcher.n_jobs=20")
PATIENCE = 900  # seconds: Slurm looks at its queue every few seconds, and each job imports what the run needs


@pytest.fixture
def slurm(sweeps: Sweeps, node: SlurmNode) -> Iterator[Sweeps]:
    """Sweeps whose commands find that Slurm."""
    sweeps.environ |= node.environ
    yield sweeps
    node.command("scancel", "--user=root")


def started(sweeps: Sweeps, count: int) -> None:
    until(lambda: len(sweeps.starts()) == count, "the runs have not begun", PATIENCE)


def test_what_goes_wrong_in_one_run_leaves_the_others_alone(slurm: Sweeps) -> None:
    slurm.do({1: "raise", 2: "segfault", 3: "prune", 4: "sleep", 5: "raise once"})
    exit_code, output = slurm.run("x=range(7)", *ON_SLURM, "hydra.launcher.retries=1", "hydra.launcher.timeout=0.2")
    assert exit_code == 1, output
    statuses = {number: slurm.status(f"x{number}") for number in range(7)}
    assert {number: (status["state"], status["error"]) for number, status in statuses.items()} == {
        0: ("completed", None),
        1: ("failed", "ValueError: raised on purpose"),
        2: ("killed", "killed by SIGSEGV"),
        3: ("pruned", None),
        4: ("timed_out", "it took longer than timeout=0.2 minutes"),
        5: ("completed", None),
        6: ("completed", None),
    }
    assert {number: statuses[number]["attempt"] for number in (0, 1, 5)} == {0: 1, 1: 2, 5: 2}
    assert {status["launcher"] for status in statuses.values()} == {"slurm"}
    assert slurm.results()["counts"] == {"completed": 3, "failed": 1, "killed": 1, "pruned": 1, "timed_out": 1}
    environ = slurm.starts()[0]["environ"]
    # This Slurm hands out no GPUs, so they would be leased.
    assert "DDRSA_GIVEN_GPU" not in environ
    assert environ["DDRSA_CPUS"] == "1"


def test_jobs_outlive_their_launcher_and_the_next_one_waits_for_them(slurm: Sweeps, node: SlurmNode) -> None:
    slurm.do({0: "epochs", 1: "epochs"})
    options = ("seconds=1", "count=20", *ON_SLURM)
    first = slurm.start("x=0,1", *options)
    until(lambda: slurm.epochs("x0") and slurm.epochs("x1"), "no epochs", PATIENCE)
    first.kill()
    first.wait()
    assert len(node.jobs()) == 2
    exit_code, output = slurm.run("x=0,1,2", *options)
    assert exit_code == 0, output
    assert "left alone" in output
    assert [slurm.epochs(name) for name in ("x0", "x1")] == [list(range(1, 21))] * 2
    assert sorted(start["x"] for start in slurm.starts()) == [0, 1, 2]
    assert slurm.results()["counts"] == {"completed": 3}


def test_a_job_that_slurm_takes_away_goes_on_later(slurm: Sweeps, node: SlurmNode) -> None:
    slurm.do({0: "epochs"})
    sweep = slurm.start("x=0", "seconds=0.5", "count=30", *ON_SLURM)
    until(lambda: len(slurm.epochs("x0")) > 2, "no epochs", PATIENCE)
    (job,) = node.jobs()
    # What Slurm sends before it ends a job for its time, or for another job.
    node.command("scancel", "--signal=USR2", job)
    until(lambda: slurm.status("x0")["state"] == "interrupted", "it was not ended", PATIENCE)
    output, _ = sweep.communicate(timeout=PATIENCE)
    assert sweep.returncode == 0, output
    assert slurm.epochs("x0") == list(range(1, 31))
    status = slurm.status("x0")
    assert (status["state"], status["attempt"]) == ("completed", 2)
    assert "its scheduler ended the job (SystemExit)" in slurm.path("x0").log.read_text()


def test_a_job_that_is_cancelled_costs_only_its_run(slurm: Sweeps, node: SlurmNode) -> None:
    slurm.do({0: "sleep", 1: "wait"})
    sweep = slurm.start("x=0,1,2", *ON_SLURM)
    started(slurm, 2)
    (job,) = [job for job in node.jobs() if job.endswith("_0")]
    node.command("scancel", job)
    (slurm.directory / "go").touch()
    output, _ = sweep.communicate(timeout=PATIENCE)
    assert sweep.returncode == 1, output
    assert slurm.states() == {"x0": "killed", "x1": "completed", "x2": "completed"}


def test_interrupt(slurm: Sweeps, node: SlurmNode) -> None:
    slurm.do({0: "wait", 1: "wait"})
    sweep = slurm.start("x=range(5)", *ON_SLURM)
    started(slurm, 2)
    sweep.send_signal(signal.SIGINT)
    until(lambda: len(slurm.states()) == 5, "the queued jobs were not withdrawn", PATIENCE)
    (slurm.directory / "go").touch()
    output, _ = sweep.communicate(timeout=PATIENCE)
    assert sweep.returncode == 130, output
    assert sorted(slurm.states().values()) == ["completed"] * 2 + ["interrupted"] * 3
    assert node.jobs() == []
    assert len(slurm.starts()) == 2


def test_a_search_asks_for_a_trial_as_soon_as_one_has_ended(searches: Searches, slurm: Sweeps) -> None:
    searches.environ |= slurm.environ
    options = (*ON_SLURM, "hydra.sweeper.n_jobs=2", "seconds=0.3")
    output = searches.require_that_no_trial_waits(*options, patience=2 * PATIENCE)
    # Each has four steps of 0.3 s: what its node has measured is shown, though it may be seen only when it has ended.
    shown = re.findall(r"completed after (\d+) s", output)
    assert len(shown) == 5
    assert min(map(int, shown)) >= 1


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "+hydra.launcher.submitit.slurm_partition=none",
            "not take the jobs: Batch job submission failed: Invalid partition",
        ),
        ("+hydra.launcher.submitit.colour=red", "colour"),
    ],
)
def test_what_slurm_does_not_take_is_one_line(slurm: Sweeps, override: str, message: str) -> None:
    exit_code, output = slurm.run("x=0,1", *ON_SLURM, override)
    assert exit_code == 2, output
    last = output.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert message in last
    assert slurm.starts() == []


def test_where_there_is_no_slurm(sweeps: Sweeps, tmp_path: Path) -> None:
    sweeps.environ["PATH"] = str(tmp_path)
    exit_code, output = sweeps.run("x=0", *ON_SLURM)
    assert exit_code == 2, output
    assert "Slurm cannot be used" in output.strip().splitlines()[-1]
