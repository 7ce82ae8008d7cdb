"""Which arguments reach which script, and what makes a run the run that it is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from ddrsa.errors import ConfigError
from ddrsa.scripts.check import check_job
from ddrsa.scripts.command import command_of, identity, run_name, script_ids
from ddrsa.scripts.jobs import find_jobs
from ddrsa.scripts.options import ScriptsOptions, ScriptsSchema, scripts_options

ARGPARSE = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--num-epochs", type=int)
parser.add_argument("--output-dir")
parser.add_argument("--learning_rate", type=float)
parser.add_argument("--sizes", nargs="+")
parser.add_argument("--tag", action="append")
parser.add_argument("--fast", action="store_true")
parser.add_argument("--cache", action=argparse.BooleanOptionalAction)
parser.add_argument("-k")
"""
CLICK = """
import click
@click.command()
@click.option("--epochs")
@click.option("--batch")
def main(): ...
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "train_a.py").write_text(ARGPARSE)
    (folder / "train_b.py").write_text(CLICK)
    (folder / "train_c.py").write_text("print(1)")
    return folder


@pytest.fixture
def unread(root: Path) -> Path:
    (root / "train_u.py").write_text("import sys\nprint(sys.argv)")
    return root


def options(job: str | None = "a", **values: Any) -> ScriptsOptions:
    config = OmegaConf.structured(ScriptsSchema)
    defaults: dict[str, Any] = {"root": "code", "job": job, "args": {}}
    given = OmegaConf.merge(config, defaults | values)
    checked = scripts_options(OmegaConf.create({"scripts": given}))
    assert checked is not None
    return checked


def line(job: str = "a", **values: Any) -> list[str]:
    """Without the interpreter and the script."""
    return list(command_of(options(job, **values), Path("run")).line[2:])


OUTPUT = ["--output-dir", "run/output"]


@pytest.mark.usefixtures("root")
def test_shared_options_reach_the_scripts_that_have_them_in_their_spelling() -> None:
    shared = {"epochs": 5, "batch_size": 8}
    assert line("a", **shared) == ["--num-epochs", "5", *OUTPUT]
    assert line("b", **shared) == ["--epochs", "5", "--batch", "8"]
    assert line("c", **shared) == []


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ({"learning_rate": 1e-05}, ["--learning_rate", "1e-05"]),
        ({"learning-rate": 0.1}, ["--learning_rate", "0.1"]),
        ({"sizes": [1, 2]}, ["--sizes", "1", "2"]),
        ({"tag": ["x", "y z"]}, ["--tag", "x", "--tag", "y z"]),
        ({"fast": True}, ["--fast"]),
        ({"fast": False}, []),
        ({"cache": False}, ["--no-cache"]),
        ({"cache": None}, []),
        ({"k": 3}, ["-k", "3"]),
        ({"epochs": 3}, []),
        ({"learning_rate": True}, ["--learning_rate", "True"]),
    ],
)
def test_arguments_are_spelled_as_the_script_takes_them(args: dict[str, Any], expected: list[str]) -> None:
    assert line("a", args=args) == [*expected, *OUTPUT]


@pytest.mark.usefixtures("unread")
def test_a_script_whose_options_cannot_be_read_gets_the_arguments_as_they_are() -> None:
    args = {"learning_rate": 0.1, "some-flag": True, "many": [1, 2]}
    assert line("u", args=args, epochs=5) == ["--learning_rate", "0.1", "--some-flag", "--many", "1", "2"]


@pytest.mark.usefixtures("unread")
def test_an_option_that_is_not_seen_is_turned_off_as_the_user_says_or_not_at_all() -> None:
    with pytest.raises(ConfigError, match=r"scripts.args.off=false: .* Say it by scripts.flags=no-prefix"):
        line("u", args={"off": False})
    styles = {"no-prefix": ["--no-off"], "equals": ["--off=False"], "bare": []}
    assert {style: line("u", args={"off": False}, flags=style) for style in styles} == styles
    assert line("u", args={"on": True}, flags="equals") == ["--on=True"]


@pytest.mark.usefixtures("root")
def test_extra_arguments_reach_all_without_question() -> None:
    for job in "abc":
        assert line(job, extra_args=["--verbose", "x=1", 3])[-3:] == ["--verbose", "x=1", "3"]


@pytest.mark.usefixtures("root")
def test_the_output_directory() -> None:
    command = command_of(options(output_dir="results"), Path("/sweep/logs/scripts/a/run_1"))
    assert command.line[2:] == ("--output-dir", str(Path("results/a/run_1").absolute()))
    # What is said outright stands, and is where the results are looked for.
    command = command_of(options(extra_args=["--output-dir=mine"]), Path("run"))
    assert command.line[2:] == ("--output-dir=mine",)
    assert command.output_dir == Path("mine").absolute()
    command = command_of(options(args={"output_dir": "mine"}), Path("run"))
    assert command.line[2:] == ("--output-dir", "mine")
    assert command_of(options("c"), Path("run")).output_dir == Path("run/output")


def test_the_interpreter_and_programs(root: Path) -> None:
    assert command_of(options(), Path("run")).line[0] == sys.executable
    assert command_of(options(python="python3.9"), Path("run")).line[:2] == ("python3.9", str(root / "train_a.py"))
    program = root / "train_shell.sh"
    program.write_text("#!/bin/sh\necho $1")
    wanted = options("shell", include=["*.sh"], args={"x": 1})
    assert command_of(wanted, Path("run")).line == ("/bin/sh", str(program), "-x", "1")
    program.chmod(0o755)
    assert command_of(wanted, Path("run")).line == (str(program), "-x", "1")
    (root / "train_unknown.xyz").write_text("?")
    with pytest.raises(ConfigError, match="neither a Python script nor a program"):
        check_job(options("unknown", include=["*.xyz"]))


@pytest.mark.usefixtures("root")
def test_an_option_that_no_script_has_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"scripts.args.learning_rat: .* Did you mean scripts.args.learning_rate"):
        check_job(options(args={"learning_rat": 1}))
    with pytest.raises(ConfigError, match=r"scripts.folds=5: no script has an option for it"):
        check_job(options(folds=5))
    check_job(options("c", args={"learning_rate": 1}))  # another has it


@pytest.mark.usefixtures("unread")
def test_an_option_may_be_that_of_a_script_that_cannot_be_read() -> None:
    check_job(options(args={"learning_rat": 1}, folds=5))


def test_a_job_of_a_file(root: Path) -> None:
    file = root.parent / "jobs.yaml"
    file.write_text("""
        - {id: a, script: code/train_a.py, args: {epochs: 3}}
        - {id: named, script: code/train_a.py, args: {num-epochs: 3, fast: true}}
        - {id: other, script: code/train_b.py, args: --batch 4}
        """)
    with pytest.raises(ConfigError, match=r"job a: args has epochs, and .* no such option; it has --num-epochs"):
        check_job(options("a", jobs=str(file)))
    assert line("named", jobs=str(file), epochs=9) == ["--num-epochs", "3", "--fast", *OUTPUT]
    assert [job.id for job in find_jobs(options(jobs=str(file)))] == ["a", "b", "c", "named", "other"]
    assert [job.id for job in find_jobs(options(jobs=str(file), root=None))] == ["a", "named", "other"]
    assert script_ids(OmegaConf.create({"scripts": OmegaConf.structured(ScriptsSchema(root="code"))})) == "a,b,c"


def test_one_id_for_two_scripts_is_refused(root: Path) -> None:
    file = root.parent / "jobs.yaml"
    file.write_text("- {id: a, script: code/train_b.py}")
    with pytest.raises(ConfigError, match=r"the id a is that of code/train_a\.py too"):
        check_job(options(jobs=str(file)))


@pytest.mark.usefixtures("root")
def test_optional_jobs() -> None:
    jobs = find_jobs(options(optional=["b", "c*"]))
    assert {job.id: job.optional for job in jobs} == {"a": False, "b": True, "c": True}
    with pytest.raises(ConfigError, match=r"scripts.optional=d: there is no such job, there are a, b, c"):
        find_jobs(options(optional="d"))


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("change", [{"epochs": 6}, {"args": {"fast": True}}, {"extra_args": ["-v"]}, {"job": "b"}])
def test_what_a_script_is_given_makes_another_run(change: dict[str, Any]) -> None:
    before: dict[str, Any] = {"job": "a", "epochs": 5}
    assert identity(options(**before)) != identity(options(**{**before, **change}))


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(
    "change",
    [
        *({"output_dir": "x"}, {"python": "python3"}, {"folds": None}, {"args": {"batch": 3}}, {"batch_size": 9}),
        *({"root": "./code/"}, {"optional": ["b"]}, {"metrics": "x"}, {"objective": "x"}, {"include": "train_[ab].py"}),
    ],
)
def test_what_does_not_reach_the_script_is_the_same_run(change: dict[str, Any]) -> None:
    before: dict[str, Any] = {"job": "a", "epochs": 5}
    assert identity(options(**before)) == identity(options(**{**before, **change}))


@pytest.mark.usefixtures("root")
def test_the_name_of_a_run() -> None:
    assert run_name(options(epochs=5, args={"sizes": [1, -2], "fast": True})) == "num-epochs=5_sizes=1,-2_fast"
    assert run_name(options("c")) == "run"
    assert run_name(options("c", extra_args=["../x y"])) == "..-x-y"
    assert len(run_name(options("c", extra_args=["x" * 500]))) <= 60


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"job": "d"}, "scripts.job=d: there is no such job, there are a, b, c"),
        ({"job": None}, "scripts.job is not set"),
        ({"root": None}, "scripts.root is not set"),
        ({"include": []}, "scripts.include=\\[\\]"),
        ({"include": [1]}, "scripts.include=\\[1\\]"),
        ({"epochs": 0}, "scripts.epochs=0"),
        ({"args": {"x": {"y": 1}}}, "scripts.args.x.y: no script has an option --x.y"),
        ({"extra_args": "--x"}, "scripts.extra_args=--x"),
        ({"working_dir": "no"}, "scripts.working_dir=no"),
    ],
)
def test_values_that_are_not_allowed(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_job(options(**values))
