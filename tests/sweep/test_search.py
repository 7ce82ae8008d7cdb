"""Searches with Optuna under the supervised launcher: real processes, and a task that is not this project's."""

from __future__ import annotations

import os
import signal

import psutil
import pytest
import yaml
from searches import Searches
from supervised import until

from ddrsa.rundir import read_json

NEVER = "hydra/sweeper/pruner=none"
GRID = ("hydra/sweeper/sampler=grid", NEVER)


def epochs_are_done_once(searches: Searches) -> None:
    names = {start["directory"] for start in searches.starts()}
    for name in names:
        assert searches.epochs(name) == list(range(1, len(searches.epochs(name)) + 1)), name


def enqueued(*values: int) -> str:
    return f"hydra.sweeper.enqueue=[{','.join(f'{{x: {value}}}' for value in values)}]"


def test_the_next_trial_does_not_wait(searches: Searches) -> None:
    # The first run ends only when all others have started, beside it, one after the other.
    searches.do({0: "wait for all"})
    exit_code, output = searches.run("x=choice(0,1,2,3,4,5)", enqueued(0, 1, 2, 3, 4, 5), "starts=6", NEVER)
    assert exit_code == 0, output
    assert searches.counts() == {"COMPLETE": 6}
    assert [trial.params["x"] for trial in searches.trials()] == [0, 1, 2, 3, 4, 5]
    assert "best 5 of 6 completed trials" in output
    results = yaml.safe_load((searches.directory / "sweep" / "optimization_results.yaml").read_text())
    assert (results["name"], results["best_params"], results["best_value"]) == ("optuna", {"x": 3}, 0.25)
    manifest = read_json(searches.directory / "sweep" / "experiment_manifest.json")
    assert len(manifest["runs"]) == 6
    assert manifest["search"]["n_trials"] == 6
    assert searches.results()["counts"] == {"completed": 6}


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
    exit_code, output = searches.run("x=1,9", "--config-name=grid")
    assert exit_code == 0, output
    assert searches.states()["x9"] == "completed"
    assert searches.epochs("x9") == [1, 2, 3, 4]
    assert len(searches.epochs("x1")) == 4
    assert searches.counts() == {"COMPLETE": 3, "PRUNED": 1}


@pytest.mark.parametrize("storage", [None, "sqlite:///study.db"])
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
    arguments = ("x=range(0,100)", "seconds=0.2", NEVER)
    process = searches.start(*arguments)
    until(lambda: len(searches.starts()) == 2 and searches.epochs(searches.starts()[1]["directory"]), "two runs")
    for _ in range(signals):
        process.send_signal(signal.SIGINT)
        psutil.time.sleep(0.3)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 130, output
    assert "Traceback" not in output
    assert searches.counts() == (waiting or {"COMPLETE": 2})

    assert searches.run("resume=sweep", "seconds=0.01")[0] == 0
    assert searches.counts() == {"COMPLETE": 6}
    if signals == 1:
        epochs_are_done_once(searches)


def test_a_seed_gives_the_same_trials_also_after_a_kill(searches: Searches) -> None:
    arguments = ("x=interval(0,10)", "hydra.sweeper.n_jobs=1", "hydra.sweeper.n_trials=14", "hydra.sweep.subdir=${x}")
    assert searches.run(*arguments, "seconds=0")[0] == 0
    expected = [trial.params for trial in searches.trials()]
    (searches.directory / "sweep").rename(searches.directory / "first")
    (searches.directory / "starts.txt").unlink()

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


@pytest.mark.parametrize(("rate", "ended"), [(1.0, 10), (0.2, 3)])
def test_max_failure_rate(searches: Searches, rate: float, ended: int) -> None:
    searches.do(dict.fromkeys(range(5), "raise"))
    arguments = ("x=choice(0,1,2,3,4,5,6,7,8,9)", "hydra/sweeper/sampler=grid", "hydra.launcher.n_jobs=1")
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


@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_other_launchers_take_batches(searches: Searches, launcher: str) -> None:
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
    exit_code, output = searches.run("x=choice(1,2,3,9)", *arguments, "hydra.sweeper.pruner.upper=5")
    assert exit_code == 0, output
    assert len(searches.starts()) == 4
