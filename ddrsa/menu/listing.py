"""Listing of the presets, each with its number of runs and their time."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from rich.console import Console

from ddrsa.menu.presets import Plan, Preset, plan_of, presets
from ddrsa.menu.project import program
from ddrsa.menu.speed import Speed
from ddrsa.started import subcommand
from ddrsa.sweep.show.estimate import shown_duration
from ddrsa.texts import count_of


@dataclass(frozen=True)
class Entry:
    """A preset, its sweep on the default data set, and the time that it takes here (s; None: not known)."""

    preset: Preset
    plan: Plan
    seconds: float | None


def read_menu(speed: Speed) -> list[Entry]:
    """Every preset, the smallest first."""
    entries = [Entry(preset, plan := plan_of([preset.override]), speed.seconds(plan)) for preset in presets()]
    return sorted(entries, key=lambda entry: len(entry.plan.runs))


def shown_time(seconds: float | None) -> str:
    """An estimate in words; training that stops early takes less."""
    return "time not known" if seconds is None else f"up to about {shown_duration(seconds)}"


def print_list(console: Console, entries: list[Entry], speed: Speed) -> None:
    """Each preset with its number of runs, its time, its question and its command, for those who have no terminal."""
    train, analyze = shlex.join(program("train")), shlex.join(program("analyze"))
    lines = []
    for entry in entries:
        lines += [
            f"{entry.preset.name}: {entry.plan.shown_count}, {shown_time(entry.seconds)}",
            f"  {entry.preset.question}",
            f"  {train} -m {entry.preset.override}",
            "",
        ]
    lines += [
        "any other grid:",
        f"  {train} -m model=lstm,gru batch_size=32,64 learning_rate=0.001,0.01 seed=0,1,2",
        "",
        "with another data set: dataset=turbofan; to see all runs first: dry_run=true",
        f"in a browser while it runs: {subcommand('serve')} DIR",
        f"then the analysis: {analyze} hydra.sweep.dir=DIR",
        speed_line(speed),
    ]
    console.print("\n".join(lines), soft_wrap=True)


def speed_line(speed: Speed) -> str:
    """The runs by which the times are judged."""
    if speed.count == 0:
        return "times are not known: no run has completed on this machine, in multirun/ here or when it was measured"
    runs = count_of(speed.count, "run that has", "runs that have")
    return f"times are judged by {runs} completed on this machine, as if no training stopped early"
