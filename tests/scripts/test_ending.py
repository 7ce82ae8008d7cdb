"""The reason that a script gives for its end."""

from __future__ import annotations

import io

import pytest
from rich import box
from rich.console import Console, Group
from rich.panel import Panel
from rich.rule import Rule

from ddrsa.rundir.reasons import OUT_OF_GPU_MEMORY, OUT_OF_HOST_MEMORY
from ddrsa.scripts.ending import last_words, reason_of_script


@pytest.mark.parametrize(
    ("code", "memory_kill", "output", "state", "reason"),
    [
        (1, False, "a\nValueError: x\n\n", "failed", "exit code 1: ValueError: x"),
        (3, False, "", "failed", "exit code 3, and it printed nothing"),
        (-11, False, "a", "killed", "killed by SIGSEGV"),
        (-9, True, "a", "killed", f"{OUT_OF_HOST_MEMORY}: killed by SIGKILL"),
        (1, False, "torch.OutOfMemoryError: CUDA out of memory. Tried", "failed", f"{OUT_OF_GPU_MEMORY}: exit code 1:"),
        (1, False, "Traceback\nMemoryError\n", "failed", f"{OUT_OF_HOST_MEMORY}: exit code 1: MemoryError"),
    ],
)
def test_the_reason_of_an_end(code: int, memory_kill: bool, output: str, state: str, reason: str) -> None:
    ended = reason_of_script(code, memory_kill, output)
    assert ended.state == state
    assert str(ended).startswith(reason)


@pytest.mark.parametrize("style", [box.ROUNDED, box.SQUARE, box.HEAVY, box.DOUBLE])
def test_an_error_in_a_box_is_what_stands_in_it(style: box.Box) -> None:
    drawn = io.StringIO()
    console = Console(file=drawn, width=60)
    console.print("Usage: train.py [OPTIONS]")
    said = Group("Missing from train.py:", "  --shuffle {True,False}", Rule(), "For full helptext, run --help")
    console.print(Panel(said, title="Error", box=style))
    assert last_words(drawn.getvalue()) == "Missing from train.py: --shuffle {True,False}"
    assert str(reason_of_script(2, False, drawn.getvalue())).startswith("exit code 2: Missing from train.py:")


def test_what_is_no_box_is_the_last_line() -> None:
    assert last_words("a\nValueError: no\n\n  \n") == "ValueError: no"
    assert last_words("\u2570\n") == "\u2570"
    assert last_words(" \n") == ""
