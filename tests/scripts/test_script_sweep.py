"""Sweeps of real scripts by train.py, as a user gives them."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pandas as pd
import pytest
from script_sweeps import PATIENCE, SCRIPTS, ScriptSweeps, until

from ddrsa.rundir.directory import RunDirectory

pytestmark = pytest.mark.timeout(900)

# For scripts that tell the test, and are told by it, by files beside the sweep.
SHARED_DIRECTORY = "scripts.own_working_dir=false"
JOBS = """
jobs:
  - {script: code/train_hangs.py, timeout: 0.1}  # 6 s: a Python must have started by then
  - {script: code/train_killed.py, optional: true}
"""


def test_ten_scripts_of_different_kinds(sweeps: ScriptSweeps) -> None:
    sweeps.write(SCRIPTS)
    (sweeps.directory / "jobs.yaml").write_text(JOBS)
    exit_code, output = sweeps.run(
        *("scripts.jobs=jobs.yaml", "scripts.epochs=3", "scripts.batch_size=16", "scripts.args.learning_rate=0.25"),
        *("hydra.launcher.n_jobs=2", "retries=1"),
    )
    assert exit_code == 1, output
    assert sweeps.states() == {
        **dict.fromkeys(("argparse", "click", "loop", "none", "argv", "heart-risk", "brain-risk"), "completed"),
        "fails": "failed",
        "hangs": "timed_out",
        "killed": "killed",
    }
    errors = {name: sweeps.status(name)["error"] for name in ("fails", "hangs", "killed")}
    assert errors == {
        "fails": "exit code 1: ValueError: the data are missing",
        "hangs": "it took longer than timeout=0.1 minutes",
        "killed": "killed by SIGKILL",
    }
    assert [sweeps.status(name)["attempt"] for name in ("fails", "hangs", "killed", "none")] == [2, 1, 2, 1]
    assert [sweeps.status(name)["exit_code"] for name in ("fails", "killed", "none")] == [1, -9, 0]
    assert sweeps.processes() == []
    assert "2 of 10 runs failed" in output
    assert "killed (optional)" in output
    assert "scripts.epochs does not reach 7 of 10 jobs" in output

    logs = {name: run.log.read_text() for name, run in sweeps.runs().items()}
    assert "epoch 1\nepoch 2\nepoch 3\n" in logs["argparse"]
    assert "click 3 16\n" in logs["click"]
    assert "loop Namespace(n_epochs=3, n_folds=None)\n" in logs["loop"]
    assert "argv ['--learning_rate', '0.25']\n" in logs["argv"]
    assert f"none {sweeps.runs()['none'].path / 'output'}\n" in logs["none"]
    assert logs["fails"].count("ValueError: the data are missing\n") == 4  # twice by the script, twice as the reason
    assert "working\n" in logs["fails"]
    assert "half-way\n" in logs["killed"]
    assert "hanging\n" in logs["hangs"]

    metrics = sweeps.runs()["argparse"].read_test_metrics() or {}
    assert {key: metrics[key] for key in ("accuracy", "test.loss")} == {"accuracy": 0.75, "test.loss": 3}
    summary = sweeps.summary()
    jobs = {job["id"]: job for job in summary["jobs"]}
    assert {name: job["state"] for name, job in jobs.items()} == sweeps.states()
    assert summary["counts"] == {"completed": 7, "failed": 1, "timed_out": 1, "killed": 1}
    assert (summary["success"], summary["interrupted"]) == (False, False)
    assert jobs["argparse"]["arguments"] == ["--epochs", "3", "--batch-size", "16", "--learning-rate", "0.25"]
    assert jobs["click"]["metrics"]["accuracy"] == 0.25
    assert [name for name, job in jobs.items() if job["optional"]] == ["killed"]
    assert jobs["hangs"]["seconds"] > 5  # of its 6; what it has written itself ends at its start
    assert (sweeps.sweep / jobs["fails"]["log"]).is_file()
    manifest = json.loads((sweeps.sweep / "experiment_manifest.json").read_text())
    assert {run["config"]["scripts"]["job"] for run in manifest["runs"]} == set(jobs)

    # The same command does what is left, and nothing else; another order and a mended script do not matter.
    sweeps.write({"train_fails.py": "print('mended')"})
    exit_code, output = sweeps.run(
        *("scripts.args.learning_rate=0.25", "scripts.batch_size=16", "scripts.epochs=3", "scripts.jobs=jobs.yaml"),
        "exclude=hangs",
    )
    assert exit_code == 0, output  # the one that is killed is optional
    assert sweeps.states()["fails"] == "completed"
    assert [sweeps.status(name)["attempt"] for name in ("argparse", "fails", "killed")] == [1, 3, 3]
    assert sweeps.summary()["success"] is True

    (answer,) = sweeps.answers()
    assert "choose another with metric=NAME, these have accuracy, test.loss" in answer["notes"][0]
    statistics = pd.read_csv(sweeps.sweep / "summary_statistics.csv").set_index(["model", "metric"])
    assert statistics.loc[("argparse", "accuracy"), "mean"] == 0.75
    assert statistics.loc[("click", "accuracy"), "mean"] == 0.25
    (answer,) = sweeps.answers("metric=accuracy")
    assert "scripts.job=argparse" in answer["command"]
    assert "visualize" not in answer["command"]
    assert not any("seed=" in line for step in answer["next_steps"] for line in step["commands"])


def test_a_sweep_over_arguments_returns_the_objective(sweeps: ScriptSweeps) -> None:
    sweeps.write({name: SCRIPTS[name] for name in ("train_argparse.py", "train_none.py")})
    swept = ("scripts.args.learning_rate=0.1,0.01", "scripts.objective=accuracy")
    exit_code, output = sweeps.run(*swept)
    assert exit_code == 1, output
    assert "1 job is the same as another, and left out" in output
    assert "scripts.args.learning_rate does not reach 1 of 2 jobs, for want of such an option: none" in output
    assert "the script left no metric accuracy" in sweeps.status("none")["error"]
    values = [(run.read_status() or {})["return_value"] for run in sweeps.runs().values() if "argparse" in str(run)]
    assert values == [0.6] or values == [0.51]
    header, best, *_ = output.partition("accuracy (highest first)")[2].splitlines()
    assert header.split() == ["run"]
    assert best.split()[0] == "0.6"
    (answer,) = sweeps.answers()
    assert (answer["metric"], answer["select_by"]) == ("accuracy", "script")  # of its own accord
    assert answer["best"]["values"] == {"scripts.args.learning_rate": 0.1}
    assert [one["model"] for one in answer["by_model"]] == ["argparse"]
    (sweeps.runs()["none"].path / ".hydra" / "config.yaml").write_text("a: [")  # a damaged run changes nothing of that
    assert sweeps.answers()[0]["best"] == answer["best"]
    directories = [path.name for path in (sweeps.sweep / "logs" / "scripts" / "argparse").iterdir()]
    assert sorted(name.rpartition("_")[0] for name in directories) == ["learning-rate=0.01", "learning-rate=0.1"]


def test_runs_of_one_script_keep_their_files_apart(sweeps: ScriptSweeps) -> None:
    sweeps.write(
        {
            "train_mnist.py": """
                import argparse, pathlib
                parser = argparse.ArgumentParser()
                parser.add_argument("--lr", type=float)
                lr = parser.parse_args().lr
                data = pathlib.Path("data/x.txt").read_text()
                with open("mnist_cnn.pt", "a") as stream:
                    stream.write(f"{lr} {data}")
                pathlib.Path("runs").mkdir(exist_ok=True)
                pathlib.Path("runs/results.json").write_text('{"loss": %f, "lr": %f}' % (lr * 2, lr))
                print("val accuracy: 0.75")
                """
        }
    )
    data = sweeps.directory / "data" / "x.txt"
    data.parent.mkdir()
    data.write_text("input")
    (sweeps.directory / "mnist_cnn.pt").write_text("of an earlier training ")
    exit_code, output = sweeps.run("scripts.args.lr=0.5,1", "scripts.log_metrics=[val*]", "hydra.launcher.n_jobs=2")
    assert exit_code == 0, output
    runs = [RunDirectory(path.parent) for path in sorted(sweeps.sweep.glob("logs/scripts/mnist/*/status.json"))]
    assert len(runs) == 2
    for run, lr in zip(runs, (0.5, 1), strict=True):
        place = run.path / "output" / "working_dir" / sweeps.directory.name
        files = sorted(path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file())
        assert files == ["mnist_cnn.pt", "runs/results.json"]
        assert (place / "mnist_cnn.pt").read_text() == f"of an earlier training {float(lr)} input"
        metrics = run.read_test_metrics() or {}
        assert (metrics["loss"], metrics["val accuracy"]) == (lr * 2, 0.75)
        assert "lr" not in metrics
        assert (run.read_status() or {})["script_configuration"] == {"lr": lr}
    assert (sweeps.directory / "mnist_cnn.pt").read_text() == "of an earlier training "


def test_a_dry_run_shows_the_commands_and_starts_nothing(sweeps: ScriptSweeps) -> None:
    sweeps.write(SCRIPTS)
    exit_code, output = sweeps.run("scripts.epochs=3", "only=argparse,click", "dry_run=true", "scripts.python=python3")
    assert exit_code == 0, output
    place = sweeps.sweep / "logs" / "scripts" / "click"
    (line,) = [line.split() for line in output.splitlines() if "train_click.py" in line]
    assert line[:-1] == ["python3", str(sweeps.code / "train_click.py"), "--num-epochs", "3", "--outdir"]
    assert line[-1].startswith(str(place))
    assert "2 of 2 runs would start" in output
    assert not sweeps.sweep.exists()

    exit_code, output = sweeps.run("scripts.folds=3", "only=argparse,loop", "dry_run=true")
    assert "scripts.folds does not reach it, for want of such an option: argparse" in " ".join(output.split())
    exit_code, output = sweeps.run("only=argparse,nothing", "dry_run=true")
    assert exit_code == 2
    assert "there is no job nothing, there are argparse, argv, brain-risk, click" in output


def test_the_list(sweeps: ScriptSweeps) -> None:
    sweeps.write(SCRIPTS)
    exit_code, output = sweeps.run("scripts.list=true")
    assert exit_code == 0, output
    lines = [line.strip() for line in output.splitlines()]
    assert "shared: epochs --epochs, batch_size --batch-size, output_dir --output-dir" in lines
    assert "shared: epochs --num-epochs, batch_size --batch, output_dir --outdir" in lines
    assert "shared: epochs --n_epochs, folds --n_folds" in lines
    assert any(line.split() == ["argv", "code/train_argv.py", "(options", "unknown)"] for line in lines)
    assert "10 jobs" in lines
    assert not sweeps.sweep.exists()


SLEEPER = """
import json, os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"], start_new_session=True)
with open("pids.txt", "a") as stream:
    print(json.dumps({"pid": os.getpid(), "child": child.pid}), file=stream)
time.sleep(3600)
"""


def test_a_script_and_its_children_end_with_the_attempt_and_with_the_launcher(sweeps: ScriptSweeps) -> None:
    sweeps.write({"train_a.py": SLEEPER})
    process = sweeps.start("retries=1", SHARED_DIRECTORY)
    until(lambda: len(sweeps.lines("pids.txt")) == 1, "the script did not start")
    first = sweeps.lines("pids.txt")[0]
    os.kill(sweeps.status("a")["pid"], signal.SIGKILL)
    until(lambda: len(sweeps.lines("pids.txt")) == 2, "the script was not tried again")
    assert first["pid"] not in {process.pid for process in sweeps.processes()}
    process.kill()
    until(lambda: sweeps.processes() == [], "the script outlived its launcher")


def test_ctrl_c_twice_ends_a_script_and_its_children(sweeps: ScriptSweeps) -> None:
    sweeps.write({"train_a.py": SLEEPER, "train_b.py": "print(1)"})
    process = sweeps.start("hydra.launcher.n_jobs=1", SHARED_DIRECTORY)
    until(lambda: len(sweeps.lines("pids.txt")) == 1, "the script did not start")
    process.send_signal(signal.SIGINT)
    log = sweeps.sweep / "sweep.log"
    until(lambda: "no new run starts" in log.read_text(), "Ctrl+C had no effect")
    assert len(sweeps.processes()) >= 2
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, output
    assert sweeps.states() == {"a": "interrupted"}
    assert sweeps.processes() == []
    summary = sweeps.summary()
    assert summary["interrupted"] is True
    assert {job["id"]: job["state"] for job in summary["jobs"]} == {"a": "interrupted", "b": "pending"}


def test_each_script_sees_the_gpu_that_it_leases(sweeps: ScriptSweeps) -> None:
    text = "import os, time; print('gpu', os.environ['CUDA_VISIBLE_DEVICES']); time.sleep(0.5)"
    sweeps.write({f"train_{name}.py": text for name in "abcd"})
    sweeps.environ["CUDA_VISIBLE_DEVICES"] = ""
    exit_code, output = sweeps.run("gpus=[0,3]", "hydra.launcher.n_jobs=2")
    assert exit_code == 0, output
    seen = {name: run.log.read_text().partition("gpu ")[2].split()[0] for name, run in sweeps.runs().items()}
    assert set(seen.values()) == {"0", "3"}
    assert {name: str(sweeps.status(name)["gpu_index"]) for name in seen} == seen


def test_output_is_in_the_log_as_it_comes(sweeps: ScriptSweeps) -> None:
    text = (
        "import pathlib, time\nprint('first')\nwhile not pathlib.Path('go').exists(): time.sleep(0.02)\nprint('last')"
    )
    sweeps.write({"train_a.py": text})
    process = sweeps.start(SHARED_DIRECTORY)
    until(lambda: "a" in sweeps.runs() and "first\n" in sweeps.runs()["a"].log.read_text(), "no line came")
    assert "last" not in sweeps.runs()["a"].log.read_text()
    Path(sweeps.directory / "go").touch()
    assert process.wait(PATIENCE) == 0
    assert "first\nlast\n" in sweeps.runs()["a"].log.read_text()
