"""Execution of a choice in the menu: the sweep with its analysis, as a process of its own."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import FrameType

from rich.console import Console

from ddrsa.cli import INTERRUPTED_EXIT_CODE, USAGE_EXIT_CODE
from ddrsa.menu.project import program
from ddrsa.started import COMMAND, subcommand


def new_sweep_dir(name: str) -> Path:
    """The directory of a sweep that starts now."""
    return Path("multirun") / datetime.now().strftime("%Y-%m-%d") / f"{datetime.now():%H-%M-%S}_{name}"


def train_command(overrides: Sequence[str], sweep_dir: Path) -> list[str]:
    """The words of the command that runs the sweep."""
    return [*program("train"), "-m", *overrides, f"hydra.sweep.dir={sweep_dir}"]


def shown(command: Sequence[str]) -> str:
    """The command as one would type it into a shell."""
    return shlex.join(command)


def run(command: Sequence[str]) -> int:
    """Run `command`, of this Python, in the foreground of this terminal; returns its exit code, as a shell has it.

    Ctrl+C goes from the terminal to the process itself, and means what it means there; SIGTERM and SIGHUP to this
    process are handed on. Either way this waits until the process has ended.
    """
    arguments = ["-m", *command] if command[0] == COMMAND else command[1:]
    with subprocess.Popen([sys.executable, *arguments]) as process, _handing_on(process):
        code = process.wait()
    return 128 - code if code < 0 else code


def run_and_analyze(console: Console, train: Sequence[str], sweep_dir: Path) -> int:
    """Run the sweep, which writes its report at its end. Returns the exit code of the sweep."""
    train = [*train, "report=true"]
    console.print(shown(train), soft_wrap=True)
    console.print(
        f"in a browser, from another terminal: {subcommand('serve')} {shlex.quote(str(sweep_dir))}", soft_wrap=True
    )
    code = run(train)
    if code == USAGE_EXIT_CODE:
        return code
    if code >= INTERRUPTED_EXIT_CODE:
        console.print(f"\nto go on:       {shown([*program('train'), f'resume={sweep_dir}'])}", soft_wrap=True)
    console.print(f"to look at it:  {shown([*program('analyze'), f'hydra.sweep.dir={sweep_dir}'])}", soft_wrap=True)
    return code


@contextmanager
def _handing_on(process: subprocess.Popen[bytes]) -> Iterator[None]:
    def hand_on(number: int, _: FrameType | None) -> None:
        process.send_signal(number)

    def stay(_number: int, _: FrameType | None) -> None:
        """The process has it from the terminal already. Ignoring it would be inherited by what is started."""

    before = {number: signal.signal(number, hand_on) for number in (signal.SIGTERM, signal.SIGHUP)}
    before[signal.SIGINT] = signal.signal(signal.SIGINT, stay)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
