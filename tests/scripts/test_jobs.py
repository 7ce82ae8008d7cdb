from __future__ import annotations

import re
from pathlib import Path

import pytest

from ddrsa.errors import ConfigError
from ddrsa.scripts.jobs_file import read_jobs


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "train_als.py").touch()
    (tmp_path / "code" / "fit.py").touch()
    return tmp_path / "jobs.yaml"


def test_a_file_of_jobs(file: Path) -> None:
    file.write_text("""
        jobs:
          - code/train_als.py
          - id: long
            script: code/train_als.py
            args: [--epochs, 50, --verbose]
            optional: true
            timeout: 30
          - {id: text, script: code/fit.py, args: "--name 'two words'"}
          - {id: named, script: code/fit.py, args: {epochs: 5, tags: [a, b], quiet: true}}
        """)
    als, long, text, named = read_jobs(file, file.parent)
    assert (als.id, als.path, als.arguments, als.optional, als.timeout) == (
        *("als", file.parent / "code" / "train_als.py"),
        *((), False, None),
    )
    assert (long.arguments, long.optional, long.timeout) == (("--epochs", "50", "--verbose"), True, 30)
    assert text.arguments == ("--name", "two words")
    assert named.named == {"epochs": 5, "tags": ["a", "b"], "quiet": True}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("jobs: [", "it cannot be read"),
        ("jobs: []", "a list of jobs is expected"),
        ("x: 1", "a list of jobs is expected"),
        ("jobs: [{id: a}]", "job 1: it has no script"),
        ("jobs: [{script: no.py}]", "job 1 (no): there is no file"),
        ("jobs: [{script: code/fit.py, argz: 1}]", "job 1 (fit): there is no key argz; allowed are id, script"),
        ("jobs: [code/fit.py, {script: code/fit.py}]", "two jobs have the id fit"),
        ("jobs: [{script: code/fit.py, optional: maybe}]", "optional is 'maybe'"),
        ("jobs: [{script: code/fit.py, timeout: 0}]", "timeout is 0"),
        ("jobs: [{script: code/fit.py, timeout: soon}]", "timeout is 'soon'"),
        ("jobs: [{script: code/fit.py, timeout: .nan}]", "timeout is nan"),
        ("jobs: [{script: code/fit.py, timeout: .inf}]", "timeout is inf"),
        ("jobs: [{script: code/fit.py, env: []}]", "env is []"),
        ("{jobs: [code/fit.py], defaults: {}}", "under the key jobs alone; it has defaults"),
        ("jobs: [{<<: {script: code/fit.py}, id: a, id: b}]", "id stands there twice"),
        ("jobs: [{script: code/fit.py, args: {a: {b: 1}}}]", "args is"),
        ('jobs: [{script: code/fit.py, args: "\'"}]', "args is"),
        ("jobs: [{script: code/fit.py, id: '  '}]", "id is '  '"),
        ("jobs: [{script: code/fit.py, env: [A]}]", "env is ['A']"),
        ("jobs: [{script: code/fit.py, working_dir: gone}]", "working_dir is 'gone'"),
        ("jobs: [{script: code/fit.py, python: torchrun -x}]", "it is one program"),
        ("jobs: [{script: code/fit.py, command: [bash]}]", "command="),
        ("jobs: [{script: code/fit.py, name: x, supports_epochs: 3}]", "supports_epochs is 3"),
        ("jobs: [{script: code/fit.py, id: 3}]", "id is 3"),
        ("jobs: [{script: train_als.py, args: {lr: 0.1, lr: 0.2}}]", "lr stands there twice"),
    ],
)
def test_what_is_wrong_in_it_is_named(file: Path, content: str, message: str) -> None:
    file.write_text(content)
    with pytest.raises(ConfigError, match=re.escape(message)) as raised:
        read_jobs(file, file.parent)
    assert file.name in str(raised.value)


def test_entries_that_are_merged(file: Path) -> None:
    file.write_text("""
        jobs:
          - &base {script: code/fit.py, id: one, args: {epochs: 5}}
          - {<<: *base, id: two}
        """)
    one, two = read_jobs(file, file.parent)
    assert (one.id, two.id) == ("one", "two")
    assert one.named == two.named


def test_an_interpreter_by_its_path_is_that_beside_the_file(file: Path, tmp_path: Path) -> None:
    file.write_text("jobs: [{script: code/fit.py, python: venv/bin/python}, {script: code/train_als.py, python: py}]")
    assert [job.python for job in read_jobs(file, Path("/"))] == [str(tmp_path / "venv/bin/python"), "py"]


def test_the_output_of_the_orchestrator_s_form_is_told_to_be_unused(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file.write_text("jobs: [{script: code/fit.py, name: Fit, output: results/fit}]")
    read_jobs(file, file.parent)
    assert "job 1 (fit): output is not used: results lie in the run's directory" in caplog.text
