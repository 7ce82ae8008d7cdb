"""How jobs are started: each command is tried."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import venv
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from ddrsa.errors import ConfigError
from ddrsa.scripts.check import check_job
from ddrsa.scripts.command import command_of
from ddrsa.scripts.options import ScriptsOptions, ScriptsSchema, scripts_options


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(files: dict[str, str]) -> None:
    for name, text in files.items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))


def options(job: str, **values: Any) -> ScriptsOptions:
    given: dict[str, Any] = {"root": "code", "job": job, "args": {}}
    config = OmegaConf.merge(OmegaConf.structured(ScriptsSchema), given | values)
    checked = scripts_options(OmegaConf.create({"scripts": config}))
    assert checked is not None
    return checked


def printed(wanted: ScriptsOptions) -> str:
    check_job(wanted)
    command = command_of(wanted, Path("run"))
    environ = {**os.environ, **command.environment}
    done = subprocess.run(
        command.line, env=environ, cwd=command.working_dir, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_a_script_of_a_package_is_run_as_its_module() -> None:
    write({
        "code/pkg/__init__.py": "",
        "code/pkg/tools.py": "NAME = 'tools'",
        "code/pkg/train_a.py": "import sys\nfrom .tools import NAME\nprint(NAME, sys.argv[1:])",
    })  # fmt: skip
    wanted = options("a", args={"lr": 0.1})
    assert command_of(wanted, Path("run")).line[1:3] == ("-m", "pkg.train_a")
    assert printed(wanted) == "tools ['--lr', '0.1']"


def test_a_module_of_a_file_of_jobs() -> None:
    write({
        "src/pkg/__init__.py": "",
        "src/pkg/main.py": """
            import argparse
            p = argparse.ArgumentParser()
            p.add_argument("--num-epochs")
            print(p.parse_args().num_epochs)
            """,
        "jobs.yaml": "- {script: -m pkg.main, env: {PYTHONPATH: src}}",
    })  # fmt: skip
    assert printed(options("pkg.main", root=None, jobs="jobs.yaml", epochs=7)) == "7"


def test_a_command_of_the_user_s_own() -> None:
    write({"code/train_a.py": "import sys\nprint(sys.argv[1:])"})
    command = [sys.executable, "-X", "dev", "{script}", "{args}", "last"]
    assert (
        printed(options("a", command=command, args={"lr": 1}, extra_args=["more"])) == "['--lr', '1', 'more', 'last']"
    )
    as_text = f"{sys.executable} {{script}} {{args}}"
    assert printed(options("a", command=as_text, args={"lr": 2})) == "['--lr', '2']"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"python": "torchrun --nproc_per_node=2"},
            r'scripts\.command="torchrun --nproc_per_node=2 {script} {args}"',
        ),
        ({"command": ["torchrun"]}, r"scripts\.command=\[torchrun\]: allowed is a list"),
        ({"command": "sh '{args}"}, r"scripts\.command="),
        ({"command": ["no-such-launcher", "{script}", "{args}"]}, "no-such-launcher is not installed"),
        ({"command": ["python3", "{module}", "{args}"]}, "is no module of a package"),
        ({"flags": "maybe"}, r"scripts\.flags=maybe: allowed is no-prefix or equals or bare"),
    ],
)
def test_commands_that_cannot_be(values: dict[str, Any], message: str) -> None:
    write({"code/train_a.py": "print(1)"})
    with pytest.raises(ConfigError, match=message):
        check_job(options("a", **values))


def test_shell_scripts_without_the_mark_of_a_program() -> None:
    write(
        {"code/train_a.sh": "echo sh $1 $2", "code/train_b.sh": "#!/usr/bin/env bash\necho bash ${BASH_VERSION:+x} $2"}
    )
    assert printed(options("a", include="*.sh", args={"lr": 1})) == "sh --lr 1"
    assert printed(options("b", include="*.sh", args={"lr": 1})) == "bash x 1"


def test_the_environment_of_an_interpreter_is_the_active_one(tmp_path: Path) -> None:
    venv.create(tmp_path / "own", with_pip=False)
    python = tmp_path / "own" / "bin" / "python"
    write({
        "code/train_a.py": """
            import json, os, shutil, sys
            print(json.dumps([sys.prefix, os.environ["VIRTUAL_ENV"], shutil.which("python"), os.environ.get("SEED")]))
            """,
        "jobs.yaml": f"- {{id: own, script: code/train_a.py, python: {python}, env: {{SEED: 7}}}}",
    })  # fmt: skip
    prefix = str(tmp_path / "own")
    for wanted in (options("a", python=str(python)), options("own", jobs="jobs.yaml")):
        found = json.loads(printed(wanted))
        assert found[:3] == [prefix, prefix, str(python)]
    assert found[3] == "7"


def test_a_notebook_gets_its_parameters() -> None:
    cell = {
        "cell_type": "code",
        "metadata": {"tags": ["parameters"]},
        "source": ["lr = 0.1\n", "fast: bool = True\n", "version = '1'"],
    }
    write({"code/train_n.ipynb": json.dumps({"cells": [cell], "nbformat": 4, "nbformat_minor": 5, "metadata": {}})})
    wanted = options("n", include="*.ipynb", args={"lr": 0.5, "fast": False, "version": "1.10"})
    line = command_of(wanted, Path("run")).line
    assert line[1:4] == ("-m", "papermill", str(Path("code/train_n.ipynb").absolute()))
    assert line[4:] == ("run/output/train_n.ipynb", "-p", "lr", "0.5", "-p", "fast", "False", "-r", "version", "1.10")
    with pytest.raises(ConfigError, match=r"scripts\.args\.rate: no script has an option --rate"):
        check_job(options("n", include="*.ipynb", args={"rate": 1}))


def test_the_files_of_another_orchestrator_are_understood() -> None:
    write({
        "code/train_a.py": """
            import argparse
            p = argparse.ArgumentParser()
            for name in ("--output-dir", "--epochs", "--folds", "--batch-size", "--learning-rate", "--dataset-choice"):
                p.add_argument(name)
            print({k: v for k, v in vars(p.parse_args()).items() if v is not None})
            """,
        "elsewhere/jobs.yaml": """
            jobs:
              - name: "ALS Custom"
                script: "code/train_a.py"
                output: "als_custom_results"
                args: {dataset-choice: als, learning-rate: 0.001, epochs: 7}
                supports_epochs: true
                supports_folds: false
                use_output_dir: false
            """,
    })  # fmt: skip
    wanted = options("als_custom", root=None, jobs="elsewhere/jobs.yaml", epochs=3, folds=5, batch_size=8)
    assert eval(printed(wanted)) == {
        "epochs": "7",
        "batch_size": "8",
        "dataset_choice": "als",
        "learning_rate": "0.001",
    }


def test_odd_names_become_ids() -> None:
    write({"My Net/train_als.py": "", "x+y/train_als.py": "", "x+y/train_my net.py": "", "x+y/train_my+net.py": ""})
    from ddrsa.scripts.jobs import find_jobs

    ids = [job.id for job in find_jobs(options("x", root="."))]
    assert ids[0] == "My-Net-als"
    assert "x-y-als" in ids
    assert len(set(ids)) == 4
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyzMN0123456789-") for name in ids)


def test_an_interpreter_that_is_not_there_is_refused_before_the_start() -> None:
    write({"code/train_a.py": ""})
    with pytest.raises(ConfigError, match="job a: /no/python is not installed, or cannot be executed"):
        check_job(options("a", python="/no/python"))


def test_an_interpreter_by_a_relative_path_is_that_of_where_the_command_is_given() -> None:
    write({"code/train_a.py": "print('here')"})
    Path("env").mkdir()
    Path("env/python").symlink_to(sys.executable)
    command = command_of(options("a", python="env/python"), Path("run"))
    assert command.line[0] == str(Path.cwd() / "env/python")
