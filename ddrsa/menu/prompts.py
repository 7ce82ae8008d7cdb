"""The menu on a terminal."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

import questionary
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException
from questionary import Choice
from rich.console import Console

from ddrsa.cli import USAGE_EXIT_CODE
from ddrsa.errors import UsageError
from ddrsa.menu.custom_grid import ask_grid
from ddrsa.menu.listing import Entry, shown_time, speed_line
from ddrsa.menu.presets import Plan, plan_of
from ddrsa.menu.project import choices
from ddrsa.menu.running import new_sweep_dir, run, run_and_analyze, shown, train_command
from ddrsa.menu.speed import Speed

_KEYS = "(arrow or number keys, Enter)"
_NOT_MEASURED = ("only=", "exclude=", "zip=", "num_epochs=")
_BACK, _QUIT = "back", "quit"


def open_menu(console: Console, entries: Sequence[Entry], speed: Speed) -> int:
    """Ask until a sweep was run or the user leaves; returns the exit code. Raises KeyboardInterrupt on Ctrl+C."""
    while True:
        console.print(speed_line(speed), soft_wrap=True)
        choice = _ask_sweep(entries)
        if choice == _QUIT:
            return 0
        if choice == "custom":
            name, overrides = "custom", ask_grid()
        elif choice == "measure":
            code = measure(console, plan_of(["experiment=full_grid"]), speed)
            if code not in (0, USAGE_EXIT_CODE):
                return code
            entries = [Entry(each.preset, each.plan, speed.seconds(each.plan)) for each in entries]
            continue
        else:
            name = choice.preset.name
            console.print(choice.preset.question, soft_wrap=True)
            overrides = [choice.preset.override, *_ask_changes()]
        code_or_back = _ask_and_run(console, name, overrides, speed)
        if code_or_back is not None:
            return code_or_back


def measure(console: Console, plan: Plan, speed: Speed) -> int:
    """Do a few short runs of each model of `plan`, by which its time is judged from now on; returns the exit code."""
    sizes = sorted({run["batch_size"] for run in plan.runs})
    kept = [
        override for override in plan.fixed if not override.startswith(("only=", "exclude=", "zip=", "num_epochs="))
    ]
    overrides = [
        *kept,
        "hydra.sweeper.params=null",
        *(f"{key}={','.join(values)}" for key, values in plan.groups.items()),
        f"batch_size={','.join(map(str, dict.fromkeys((sizes[0], sizes[-1]))))}",
        "num_epochs=2",
    ]
    command = train_command(overrides, plan.cache_dir / "speed" / "measured")
    console.print(f"short runs of each model, to learn how fast this machine is:\n{shown(command)}", soft_wrap=True)
    code = run(command)
    speed.read(plan.cache_dir / "speed")
    return code


def _ask_sweep(entries: Sequence[Entry]) -> Any:
    width = max(len(entry.preset.name) for entry in entries)
    choices = [
        Choice(
            f"{entry.preset.name:<{width}}  {entry.plan.shown_count:>8}  {shown_time(entry.seconds)}",
            value=entry,
            shortcut_key=str(number),
            description=entry.preset.question,
        )
        for number, entry in enumerate(entries, start=1)
    ]
    others = [
        Choice("a grid of your own", value="custom", shortcut_key="c"),
        Choice("measure the speed of this machine (a few minutes)", value="measure", shortcut_key="m"),
        Choice("quit", value=_QUIT, shortcut_key="q"),
    ]
    return _select("Which sweep?", [*choices, *others])


def _ask_changes() -> list[str]:
    dataset = _select("On which data set?", [Choice(name, shortcut_key=str(i)) for i, name in _numbered("dataset")])
    overrides = [] if dataset == "simulated" else [f"dataset={dataset}"]
    text = questionary.text(
        "Anything else to change? (as on the command line, such as dataset.subset=FD002 seed=0,1; Enter for nothing)",
        validate=_overrides_are_readable,
    ).unsafe_ask()
    return overrides + shlex.split(text)


def _ask_and_run(console: Console, name: str, overrides: list[str], speed: Speed) -> int | None:
    """The exit code of what was run; None to go back to the menu."""
    while True:
        try:
            plan = plan_of(overrides)
        except (UsageError, HydraException, OmegaConfBaseException) as error:
            console.print(f"error: {' '.join(str(error).split())}", soft_wrap=True)
            return None
        sweep_dir = new_sweep_dir(name)
        command = train_command(overrides, sweep_dir)
        seconds = speed.seconds(plan)
        console.print(
            f"\n{plan.shown_count}, {plan.at_once} at once, {shown_time(seconds)}\n{shown(command)}\n", soft_wrap=True
        )
        actions = [
            Choice("run it, then its analysis", value="run", shortcut_key="1"),
            Choice("list the runs (dry_run=true)", value="dry", shortcut_key="2"),
            Choice("measure first how long it takes", value="measure", shortcut_key="3"),
            Choice("back", value=_BACK, shortcut_key="b"),
            Choice("quit", value=_QUIT, shortcut_key="q"),
        ]
        match _select("Run it?", actions):
            case "run":
                code = run_and_analyze(console, command, sweep_dir)
                # What cannot be used was said, and nothing was started.
                return None if code == USAGE_EXIT_CODE else code
            case "dry":
                run([*command, "dry_run=true"])
            case "measure":
                code = measure(console, plan, speed)
                if code not in (0, USAGE_EXIT_CODE):
                    return code
            case "quit":
                return 0
            case _:
                return None


def _select(message: str, options: list[Choice]) -> Any:
    return questionary.select(
        message, options, use_shortcuts=True, use_jk_keys=False, instruction=_KEYS, use_emacs_keys=False
    ).unsafe_ask()


def _numbered(group: str) -> list[tuple[int, str]]:
    # The default first.
    return list(enumerate(sorted(choices(group), key=lambda name: name != "simulated"), start=1))


def _overrides_are_readable(text: str) -> bool | str:
    try:
        OverridesParser.create().parse_overrides(shlex.split(text))
    except (HydraException, ValueError) as error:
        return " ".join(str(error).split())
    return True
