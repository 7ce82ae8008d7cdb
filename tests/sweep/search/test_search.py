"""Searches with Optuna under the supervised launcher: real processes, and a task that is not this project's."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from typing import Any

import pytest
import yaml
from searches import Searches
from supervised import ROOT

from ddrsa.rundir.files import read_json
from ddrsa.rundir.manifest import read_manifest, read_results
from ddrsa.rundir.sweep_files import MANIFEST, RESULTS
from ddrsa.sweep.search.best import print_best
from ddrsa.sweep.verify.bench import until

NEVER = "hydra/sweeper/pruner=none"
SLOW = pytest.mark.slow  # the other case of each of these tests shows most of what there is to see
GRID = ("hydra/sweeper/sampler=grid", NEVER)


def epochs_are_done_once(searches: Searches) -> None:
    names = {start["directory"] for start in searches.starts()}
    for name in names:
        assert searches.epochs(name) == list(range(1, len(searches.epochs(name)) + 1)), name


def enqueued(*values: int) -> str:
    return f"hydra.sweeper.enqueue=[{','.join(f'{{x: {value}}}' for value in values)}]"


def test_the_next_trial_does_not_wait(searches: Searches) -> None:
    output = searches.require_that_no_trial_waits(NEVER)
    assert "best 5 of 5 completed trials" in output
    results = yaml.safe_load((searches.directory / "sweep" / "optimization_results.yaml").read_text())
    assert (results["name"], results["best_params"], results["best_value"]) == ("optuna", {"x": 3}, 0.25)
    manifest = read_json(searches.directory / "sweep" / "experiment_manifest.json")
    assert manifest is not None
    assert len(manifest["runs"]) == 5
    assert manifest["search"]["n_trials"] == 5
    assert searches.results()["counts"] == {"completed": 5}


def test_a_foreign_task_prunes_and_a_grid_does_it_in_full(searches: Searches) -> None:
    threshold = ("hydra/sweeper/pruner=threshold", "hydra.sweeper.pruner.upper=5")
    exit_code, output = searches.run("x=choice(1,2,3,9)", "hydra/sweeper/sampler=grid", *threshold)
    assert exit_code == 0, output
    assert searches.counts() == {"COMPLETE": 3, "PRUNED": 1}
    (pruned,) = (trial for trial in searches.trials() if trial.state.name == "PRUNED")
    assert pruned.params == {"x": 9}
    assert pruned.intermediate_values == {1: 37.0}
    assert pruned.value == 37.0
    assert searches.states() == {"x1": "completed", "x2": "completed", "x3": "completed", "x9": "pruned"}
    assert "3 completed, 1 pruned" in output

    grid = searches.config.partition("  sweeper:")[0].replace("optuna", "checked")
    (searches.directory / "grid.yaml").write_text(grid)
    exit_code, output = searches.run("--config-name=grid", "x=1,9")
    assert exit_code == 0, output
    assert searches.states()["x9"] == "completed"
    assert searches.epochs("x9") == [1, 2, 3, 4]
    assert len(searches.epochs("x1")) == 4
    assert searches.counts() == {"COMPLETE": 3, "PRUNED": 1}


@pytest.mark.parametrize("storage", [pytest.param(None, marks=SLOW), "sqlite:///study.db"])
def test_a_killed_worker_and_a_killed_search_lose_nothing(searches: Searches, storage: str | None) -> None:
    given = [] if storage is None else [f"hydra.sweeper.storage={storage}", "hydra.sweeper.study_name=study"]
    of = {} if storage is None else {"storage": f"sqlite:///{searches.directory / 'study.db'}"}
    arguments = ("x=range(0,100)", "seconds=0.1", "hydra.sweeper.n_trials=8", "hydra.launcher.retries=1", *given)
    process = searches.start(*arguments, NEVER)
    until(lambda: len(searches.starts()) >= 3 and searches.epochs(searches.starts()[2]["directory"]), "three runs")
    os.kill(searches.starts()[2]["pid"], signal.SIGKILL)
    until(lambda: len(searches.starts()) >= 5, "five runs")
    process.kill()
    until(lambda: searches.processes() == [], "an orphan runs", seconds=10)
    assert searches.counts(**of)["RUNNING"] == 2
    before = {trial.number: trial.params for trial in searches.trials(**of)}

    exit_code, output = searches.run(*arguments, NEVER)
    assert exit_code == 0, output
    assert "was cut off: it goes on" in output
    assert searches.counts(**of) == {"COMPLETE": 8}
    assert before.items() <= {trial.number: trial.params for trial in searches.trials(**of)}.items()
    epochs_are_done_once(searches)
    assert searches.run(*arguments)[0] == 0
    assert searches.counts(**of) == {"COMPLETE": 8}


def test_a_killed_worker_without_retries_is_a_failed_trial(searches: Searches) -> None:
    searches.do({2: "kill once"})
    exit_code, output = searches.run("x=choice(1,2,3,4)", *GRID)
    assert exit_code == 1, output
    assert searches.counts() == {"COMPLETE": 3, "FAIL": 1}
    (failed,) = (trial for trial in searches.trials() if trial.state.name == "FAIL")
    assert failed.user_attrs["reason"] == "killed by SIGKILL"
    assert "1 of 4 runs failed" in output


@pytest.mark.parametrize(("signals", "waiting"), [(1, {}), (2, {"WAITING": 2})])
def test_interrupts(searches: Searches, signals: int, waiting: dict[str, int]) -> None:
    arguments = ("x=range(0,100)", "seconds=0.2" if signals == 1 else "seconds=1", NEVER)
    process = searches.start(*arguments)
    until(lambda: len(searches.starts()) == 2 and searches.epochs(searches.starts()[1]["directory"]), "two runs")
    searches.interrupt(process, *[signal.SIGINT] * signals)
    exit_code, output = searches.finish(process)
    assert exit_code == 130, output
    assert "Traceback" not in output
    assert searches.counts() == (waiting or {"COMPLETE": 2})
    (states,) = (line for line in output.splitlines() if "trials of the study" in line)
    assert states.endswith("2 waiting" if waiting else "2 complete")

    assert searches.run("resume=sweep", "seconds=0.01")[0] == 0
    assert searches.counts() == {"COMPLETE": 6}
    if signals == 1:
        epochs_are_done_once(searches)


@pytest.mark.slow
def test_a_seed_gives_the_same_trials_also_after_a_kill(searches: Searches) -> None:
    arguments = ("x=interval(0,10)", "hydra.sweeper.n_jobs=1", "hydra.sweeper.n_trials=14", "hydra.sweep.subdir=${x}")
    assert searches.run(*arguments, "seconds=0")[0] == 0
    expected = [trial.params for trial in searches.trials()]
    (searches.directory / "sweep").rename(searches.directory / "first")
    (searches.directory / "events.txt").unlink()

    process = searches.start(*arguments, "seconds=0.02")
    until(lambda: len(searches.starts()) >= 12, "twelve runs have started")
    process.kill()
    process.wait()
    assert len(searches.trials()) < 14
    assert searches.run(*arguments, "seconds=0")[0] == 0
    assert [trial.params for trial in searches.trials()] == expected


def test_trials_with_the_same_values_are_one_run(searches: Searches) -> None:
    arguments = ("x=choice(1,2)", "hydra/sweeper/sampler=random", NEVER)
    exit_code, output = searches.run(*arguments, "hydra.sweeper.n_trials=12")
    assert exit_code == 0, output
    assert searches.counts() == {"COMPLETE": 12}
    assert sorted(start["x"] for start in searches.starts()) == [1, 2]
    assert {(trial.params["x"], trial.value) for trial in searches.trials()} == {(1, 4.25), (2, 1.25)}


def test_damaged_files_of_a_search_are_made_again_whether_trials_are_left_or_not(searches: Searches) -> None:
    arguments = ("x=interval(0,10)", "hydra.sweep.subdir='${hydra:job.num}'")
    assert searches.run(*arguments, "hydra.sweeper.n_trials=3")[0] == 0
    sweep = searches.directory / "sweep"

    def entries() -> list[dict[str, Any]]:
        planned, ended = read_manifest(sweep), read_results(sweep)
        assert planned is not None
        assert ended is not None
        runs = [*planned["runs"], *planned["earlier_runs"], *ended["runs"]]
        return [{key: run.get(key) for key in ("directory", "identity", "values", "state", "metrics")} for run in runs]

    for damaged, n_trials in ((MANIFEST, 3), (RESULTS, 4), (MANIFEST, 5), (RESULTS, 5)):
        before = entries()
        (sweep / damaged).write_text((sweep / damaged).read_text()[:300])
        exit_code, output = searches.run(*arguments, f"hydra.sweeper.n_trials={n_trials}")
        assert exit_code == 0, output
        assert "is not valid JSON" in " ".join(output.split())
        after = entries()
        assert len(after) == 2 * n_trials
        assert [entry for entry in before if entry not in after] == []
    assert len(searches.starts()) == 5


@pytest.mark.parametrize(("rate", "ended"), [pytest.param(1.0, 10, marks=SLOW), (0.2, 3)])
def test_max_failure_rate(searches: Searches, rate: float, ended: int) -> None:
    searches.do(dict.fromkeys(range(5), "raise"))
    arguments = ("x=choice(0,1,2,3,4,5,6,7,8,9)", "hydra/sweeper/sampler=grid", "hydra.sweeper.n_jobs=1")
    exit_code, output = searches.run(
        *arguments,
        "hydra.sweeper.n_trials=10",
        f"hydra.sweeper.max_failure_rate={rate}",
        enqueued(*range(10)),
    )
    assert exit_code == 1, output
    counts = searches.counts()
    waiting = counts.pop("WAITING", 0)
    assert counts == ({"COMPLETE": 5, "FAIL": 5} if rate == 1 else {"FAIL": 3})
    assert waiting == 10 - ended
    if rate < 1:
        assert "3 of 10 trials have failed (max_failure_rate=0.2)" in output


def test_several_objectives(searches: Searches) -> None:
    arguments = ("objectives=2", "hydra.sweeper.direction=[minimize,minimize]", "hydra/sweeper/sampler=grid")
    exit_code, output = searches.run("x=choice(-1,0,2,3,9)", *arguments)
    assert exit_code == 0, output
    assert searches.counts() == {"COMPLETE": 5}
    assert "the Pareto front: 3 of 5 completed trials" in output
    assert "pruner none, since Optuna prunes for one objective only" in output
    solutions = yaml.safe_load((searches.directory / "sweep" / "optimization_results.yaml").read_text())["solutions"]
    assert [solution["params"]["x"] for solution in solutions] == [3, 2, 0]


@pytest.mark.parametrize("launcher", [pytest.param("basic", marks=SLOW), "joblib"])
def test_other_launchers_take_batches(searches: Searches, launcher: str, capsys: pytest.CaptureFixture[str]) -> None:
    searches.do({2: "raise"})
    arguments = [f"hydra/launcher={launcher}", "hydra/sweeper/sampler=grid", "hydra/sweeper/pruner=threshold"]
    if launcher == "basic":
        arguments.append("hydra.sweeper.n_jobs=2")
    exit_code, output = searches.run("x=choice(1,2,3,9)", *arguments, "hydra.sweeper.pruner.upper=5")
    assert exit_code == 1, output
    assert f"hydra/launcher={launcher} takes whole batches of jobs" in output
    assert searches.counts() == {"COMPLETE": 2, "FAIL": 1, "PRUNED": 1}
    assert searches.epochs("x9") == [1]
    assert "best: trial" in (searches.directory / "sweep" / "sweep.log").read_text()
    # They leave no manifest of their command: Hydra's own notes say which program it was.
    assert print_best(searches.directory / "sweep") == 0
    assert "search_app.py" in (printed := capsys.readouterr().out)
    assert printed.rstrip().endswith("x=3")
    exit_code, output = searches.run("x=choice(1,2,3,9)", *arguments, "hydra.sweeper.pruner.upper=5")
    assert exit_code == 0, output
    assert len(searches.starts()) == 4


# The example of hydra-optuna-sweeper, but for the names of the task's own parameters.
WRITTEN_FOR_THE_OTHER = """
defaults:
  - override hydra/sweeper: optuna
  - override hydra/sweeper/sampler: tpe
x: 1
kind: a
count: 1
seconds: 0
objectives: 1
starts: 0
hydra:
  sweep: {dir: sweep, subdir: "${hydra:job.num}"}
  sweeper:
    sampler:
      seed: 123
      consider_prior: true
      multivariate: false
    direction: minimize
    study_name: sphere
    storage: null
    n_trials: 4
    n_jobs: 2
    max_failure_rate: 0.0
    params:
      x: range(-5.5, 5.5, step=0.5)
      kind: choice(a, b)
    custom_search_space: spaces.extend
"""

SPACES = """
def extend(config, trial):
    if trial.params["kind"] == "b":
        trial.suggest_int("count", 2, 3)
"""


def test_a_config_written_for_hydra_optuna_sweeper(searches: Searches) -> None:
    (searches.directory / "other.yaml").write_text(WRITTEN_FOR_THE_OTHER)
    (searches.directory / "spaces.py").write_text(SPACES)
    exit_code, output = searches.run("--config-name=other", "hydra/launcher=basic")
    assert exit_code == 0, output
    trials = searches.trials(name="sphere")
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 4
    for trial in trials:
        assert ("count" in trial.params) == (trial.params["kind"] == "b")
        assert trial.value == (trial.params["x"] - 3) ** 2 + 1 / trial.params.get("count", 1)
    assert {trial.params["kind"] for trial in trials} == {"a", "b"}


def test_look_first_and_the_best_at_the_end(searches: Searches) -> None:
    exit_code, output = searches.run("x=interval(0,1)", "hydra.sweeper.dry_run=true", "count=2")
    assert exit_code == 0, output
    assert "    x: 0.0 to 1.0\n" in output
    assert "6 of 6 trials would start\nhow long that takes is not known" in output
    assert not (searches.directory / "sweep").exists()

    exit_code, output = searches.run("x=choice(1,3)", "count=2", "hydra.sweeper.n_trials=2", enqueued(1, 3), NEVER)
    assert exit_code == 0, output
    best = [sys.executable, "-m", "ddrsa.sweep", "best", "sweep"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    printed = subprocess.run(best, cwd=searches.directory, env=environ, capture_output=True, text=True).stdout
    assert printed.splitlines() == [
        "trial 1",
        "  value: 0.5",
        "  x=3",
        "  sweep/x3",
        "train it again, in full:",
        "  python search_app.py count=2 x=3",
    ]
    watched = [*best[:-2], "watch", "sweep"]
    printed = subprocess.run(watched, cwd=searches.directory, env=environ, capture_output=True, text=True).stdout
    assert "best 2 of 2 completed trials" in printed
    exit_code, output = searches.run("x=choice(1,3)", "hydra.sweeper.dry_run=true", "hydra.sweeper.n_trials=5")
    assert "trials so far: 2 complete\n3 of 5 trials would start\nabout" in output


def test_repeats_and_constraints_of_a_foreign_task(searches: Searches, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("count=1", "hydra.sweeper.n_trials=2", "hydra.sweeper.n_jobs=9", enqueued(3, 5))
    repeats = ("hydra.sweeper.repeats=2", "hydra.sweeper.repeat_key=starts")
    where = "hydra.sweep.subdir='x${x}-${starts}'"
    exit_code, output = searches.run("x=range(0,9)", "limit=4", where, *options, *repeats)
    assert exit_code == 0, output
    assert "hydra.sweeper.n_jobs=9, but the launcher does 2 at once" in output
    assert "1 of 2 completed trials violate a constraint (x (repeat 0), x (repeat 1))" in output
    assert "WilcoxonPruner: MedianPruner compares" in output
    assert sorted(searches.states()) == ["x3-0", "x3-1", "x5-0", "x5-1"]
    assert [(trial.value, trial.intermediate_values) for trial in searches.trials()] == [
        (1.0, {0: 1.0, 1: 1.0}),
        (5.0, {0: 5.0, 1: 5.0}),
    ]
    best = yaml.safe_load((searches.directory / "sweep" / "optimization_results.yaml").read_text())
    assert best["best_params"] == {"x": 5}
    # The config sets a search: trained again, the best trial is its two runs, and not a search over their key.
    assert print_best(searches.directory / "sweep") == 0
    python, app, multirun, *again = shlex.split(capsys.readouterr().out.splitlines()[-1])
    assert (python, app, multirun) == ("python", "search_app.py", "-m")
    exit_code, output = searches.run(*again, "hydra.sweep.dir=again")
    assert exit_code == 0, output
    assert sorted(path.name for path in (searches.directory / "again").glob("x*")) == ["x5-0", "x5-1"]
    assert not (searches.directory / "again" / "study.journal").exists()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["x=1,2", "hydra.sweeper.repeats=2"], "hydra.sweeper.repeats=2: the config has seed=None"),
        (["y=1,2"], "y"),
        (["x=1,2", "hydra.sweeper.direction=down"], "hydra.sweeper.direction=down: allowed is minimize or maximize"),
        (["x=1,2", "hydra.sweeper.only='x > 1'"], "it chooses among the runs of a grid"),
        (["x=1,2", "hydra.sweeper.storage=sqlite://"], "a database in memory is not seen"),
        (["x=interval(0,1)", "hydra/sweeper/sampler=grid"], "x has infinitely many values"),
    ],
)
def test_what_cannot_be_used_is_said_before_anything_starts(
    searches: Searches, overrides: list[str], message: str
) -> None:
    exit_code, output = searches.run(*overrides)
    assert exit_code == 2, output
    assert message in output
    assert len(output.splitlines()) == 1
    assert searches.starts() == []


@pytest.mark.slow
def test_two_processes_share_a_search(searches: Searches) -> None:
    arguments = ("x=range(0,1000)", "seconds=0.1", "hydra.sweeper.n_trials=8", "hydra.sweeper.sampler.seed=null", NEVER)
    processes = [searches.start(*arguments) for _ in range(2)]
    for process in processes:
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, output
    assert searches.counts() == {"COMPLETE": 8}
    pids = {trial.user_attrs["search"]["pid"] for trial in searches.trials()}
    assert pids == {process.pid for process in processes}
    assert len(searches.starts()) == len({start["directory"] for start in searches.starts()})


def test_a_search_of_the_config_does_a_grid_when_told(searches: Searches) -> None:
    exit_code, output = searches.run("x=interval(-3,3)", "hydra.sweeper.n_trials=2")
    assert exit_code == 0, output
    exit_code, output = searches.run("x=5,6", "hydra.sweeper.grid=true")
    assert exit_code == 0, output
    assert "hydra.sweeper.grid=true: the values are done as a grid" in output
    assert {"x5", "x6"} < set(searches.states())
    assert len(searches.trials()) == 2
