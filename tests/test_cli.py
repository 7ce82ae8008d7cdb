"""ddrsa.cli, with a tiny Hydra application in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ddrsa.cli import ArgumentParser

APPLICATION = """
import sys, time
from dataclasses import dataclass
import hydra
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf
from ddrsa.cli import run_cli
from ddrsa.compat_hydra import VERSION_BASE
from ddrsa.errors import ConfigError, UsageError

class Busy(Exception):
    exit_code = 7

class Refused(UsageError):
    exit_code = 4

def refuse():
    raise ConfigError("the resolver refuses")

OmegaConf.register_new_resolver("refuse", refuse)

@dataclass
class Typed:
    timeout: float | None = None
    count: int = 1
    flag: bool = False

ConfigStore.instance().store(name="types", node={"typed": Typed})

@hydra.main(config_path="conf", config_name="config", **VERSION_BASE)
def main(config):
    match config["raises"]:
        case "usage":
            raise ConfigError("batch_size=-1: a positive integer\\nis expected")
        case "value":
            raise ValueError("two\\nlines")
        case "busy":
            raise Busy("all taken")
        case "refused":
            raise Refused("not now")
        case "handled":
            try:
                refuse()
            except ConfigError:
                raise RuntimeError("while handling")
        case "exit":
            sys.exit(9)
        case "sleep":
            print("asleep", flush=True)
            time.sleep(60)
        case "sleep at the end":
            import weakref
            weakref.finalize(run_cli, lambda: (print("asleep at the end", flush=True), time.sleep(2)))
            raise KeyboardInterrupt
        case "resolver":
            config.refused
        case "missing":
            config.needed
        case "instantiate":
            hydra.utils.instantiate({"_target_": "__main__.refuse"})
    print("batch_size", config.batch_size)
    if config.only is not None:
        print(repr(config.only))

if __name__ == "__main__":
    run_cli(main)
"""

CONFIG = """
defaults: [{model: lstm}, types, _self_]
batch_size: 64
raises: nothing
only: null
refused: ${refuse:}
needed: ???
hydra: {run: {dir: .}, output_subdir: null}
"""


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("application")
    (root / "conf" / "model").mkdir(parents=True)
    (root / "conf" / "config.yaml").write_text(CONFIG)
    (root / "conf" / "model" / "lstm.yaml").write_text("hidden_size: 128\n")
    (root / "conf" / "model" / "gru.yaml").write_text("hidden_size: 64\n")
    script = root / "application.py"
    script.write_text(APPLICATION)
    return script


def start(script: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {key: value for key, value in os.environ.items() if key != "HYDRA_FULL_ERROR"}
    return subprocess.Popen(
        [sys.executable, str(script), *arguments],
        cwd=script.parent,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def run(script: Path, *arguments: str) -> tuple[int, str, str]:
    process = start(script, *arguments)
    stdout, stderr = process.communicate(timeout=60)
    return process.returncode, stdout, stderr


def test_success(application: Path) -> None:
    assert run(application, "batch_size=3") == (0, "batch_size 3\n", "")


@pytest.mark.parametrize(
    ("argument", "exit_code", "line"),
    [
        (
            "batchsize=3",
            2,
            "error: Could not override 'batchsize'. Key 'batchsize' is not in struct. Did you mean 'batch_size'?",
        ),
        (
            "model.hidden_sise=3",
            2,
            "error: Could not override 'model.hidden_sise'. Key 'hidden_sise' is not in struct."
            " Did you mean 'hidden_size'?",
        ),
        ("zzz=3", 2, "error: Could not override 'zzz'. Key 'zzz' is not in struct."),
        (
            "model=lstn",
            2,
            "error: In 'config': Could not find 'model/lstn'. Available: gru, lstm. Did you mean 'lstm'?",
        ),
        ("batch_size=[1", 2, "error: Cannot read 'batch_size=[1'. no viable alternative at input '[1'."),
        ("--mutlirun", 2, "error: unrecognized arguments: --mutlirun. Did you mean '--multirun'?"),
        (">", 2, "error: Cannot read '>'. KEY=VALUE is expected, in quotes where it has spaces."),
        ("batch_size", 2, "error: Error parsing override 'batch_size'. KEY=VALUE is expected."),
        (
            "batch_size=3,,4",
            2,
            "error: Error parsing override 'batch_size=3,,4'. ',' stands where a value is expected.",
        ),
        ("typed.timeout=2h", 2, "error: typed.timeout=2h: allowed is a number of minutes, such as 90"),
        ("typed.count=1e3", 2, "error: typed.count=1000.0: allowed is a whole number"),
        ("typed.flag=maybe", 2, "error: typed.flag=maybe: allowed is true or false"),
        ("raises=usage", 2, "error: batch_size=-1: a positive integer is expected"),
        ("raises=missing", 2, "error: Missing mandatory value: needed."),
        ("raises=resolver", 2, "error: the resolver refuses"),
        ("raises=instantiate", 2, "error: the resolver refuses"),
        ("raises=value", 1, "error: ValueError: two lines (hydra.verbose=true shows the traceback)"),
        ("raises=handled", 1, "error: RuntimeError: while handling (hydra.verbose=true shows the traceback)"),
        ("raises=busy", 7, "error: all taken"),
        ("raises=refused", 4, "error: not now"),
        ("raises=exit", 9, None),
    ],
)
def test_one_line_and_exit_code(application: Path, argument: str, exit_code: int, line: str | None) -> None:
    assert run(application, argument) == (exit_code, "", "" if line is None else f"{line}\n")


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("only=model.name == 'gru' and seed in [1, 2]", "model.name == 'gru' and seed in [1, 2]"),
        ('only="seed > 3"', "seed > 3"),
        ("only='seed > 3'", "seed > 3"),
        ("only='gru' == \"gru\"", "'gru' == \"gru\""),
        ("only=true", "true"),
        ("only=seed", "seed"),
        ("only=null", None),
    ],
)
def test_an_expression_needs_no_quotes_of_hydra(application: Path, argument: str, value: str | None) -> None:
    printed = "batch_size 64\n" + ("" if value is None else f"{value!r}\n")
    assert run(application, argument) == (0, printed, "")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--lancher=x"], "error: unrecognized arguments: --lancher=x. Did you mean '--launcher'?"),
        (["--zzz"], "error: unrecognized arguments: --zzz; look --help says what there is"),
        (["--port=x"], "error: argument --port: invalid int value: 'x'; look --help says what there is"),
        (["now"], "error: argument what: invalid choice: 'now' (choose from "),
    ],
)
def test_arguments_of_a_command_without_hydra(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = ArgumentParser(prog="look")
    parser.add_argument("--launcher")
    parser.add_argument("--port", type=int)
    parser.add_argument("what", nargs="?", choices=["all"])
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(arguments)
    assert ended.value.code == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(line)


def test_verbose_shows_the_traceback(application: Path) -> None:
    exit_code, _, stderr = run(application, "raises=value", "hydra.verbose=true")
    assert exit_code == 1
    assert "Traceback (most recent call last)" in stderr
    assert 'raise ValueError("two\\nlines")' in stderr
    assert stderr.splitlines()[-1].startswith("error: ValueError: two lines")


def test_interrupt(application: Path) -> None:
    process = start(application, "raises=sleep")
    assert process.stdout is not None
    assert process.stdout.readline() == "asleep\n"
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (130, "interrupted\n")


def test_another_interrupt_while_the_interpreter_ends_prints_no_traceback(application: Path) -> None:
    process = start(application, "raises='sleep at the end'")
    assert process.stdout is not None
    assert process.stdout.readline() == "asleep at the end\n"
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (130, "interrupted\n")


def test_imports_neither_torch_nor_the_sweep() -> None:
    code = "import sys, ddrsa.cli; print([name for name in sys.modules if name in ('torch', 'ddrsa.sweep')])"
    assert subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True).stdout == "[]\n"
