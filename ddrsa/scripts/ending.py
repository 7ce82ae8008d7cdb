"""Why a script did not end well, by its exit code and what it printed."""

from __future__ import annotations

from ddrsa.errors import RunEnded
from ddrsa.rundir.reasons import memory_that_ran_out, reason_of_exit
from ddrsa.rundir.states import State

LONGEST = 200  # characters of what it printed
_UPPER_CORNERS, _LOWER_CORNERS, _SIDES = "\u256d\u250c\u250f\u2554", "\u2570\u2514\u2517\u255a", "\u2502\u2503\u2551"


def reason_of_script(exit_code: int, out_of_memory: bool, output: str) -> RunEnded:
    """The end of a run whose script had this exit code, negative where a signal killed it.

    out_of_memory: whether the kernel killed a process for want of memory meanwhile. output: the end of what it printed.
    """
    if exit_code < 0:
        return RunEnded(reason_of_exit(exit_code, out_of_memory), State.KILLED)
    last = last_words(output)
    reason = f"exit code {exit_code}: {last[:LONGEST]}" if last else f"exit code {exit_code}, and it printed nothing"
    memory = memory_that_ran_out(output)
    return RunEnded(reason if memory is None else f"{memory}: {reason}")


def last_words(output: str) -> str:
    """The last line; of a box, as rich draws one around an error, what it says up to its first rule."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    if not lines:
        return ""
    if lines[-1][0] in _LOWER_CORNERS:
        above = next((place for place in reversed(range(len(lines))) if lines[place][0] in _UPPER_CORNERS), len(lines))
        said: list[str] = []
        for line in lines[above + 1 : -1]:
            words = line.strip(f"{_SIDES} ")
            if any(map(str.isalnum, words)):
                said.append(words)
            elif said:
                break
        if said:
            return " ".join(said)
    return lines[-1]
