"""The menu as a command."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console

from ddrsa.cli import ArgumentParser
from ddrsa.errors import UsageError
from ddrsa.menu.listing import print_list, read_menu
from ddrsa.menu.presets import plan_of
from ddrsa.menu.speed import Speed
from ddrsa.texts import say_error

MULTIRUN = Path("multirun")

DESCRIPTION = """\
Choose a sweep, see how many runs it has and how long they may take, run it, and read its analysis.
Without a terminal, or with --list, the sweeps are only listed, each with the command that runs it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: that of the sweep where one was run, 2 for what cannot be used, 130 after Ctrl+C."""
    parser = ArgumentParser(prog="ddrsa", description=DESCRIPTION)
    parser.add_argument("--list", action="store_true", help="list the sweeps and end")
    options = parser.parse_args(arguments)
    # No highlighting and no markup: what is printed is to be copied.
    console = Console(highlight=False, markup=False, emoji=False)
    try:
        speed = Speed().read(MULTIRUN).read(plan_of([]).cache_dir / "speed")
        entries = read_menu(speed)
        if options.list or not (sys.stdin.isatty() and sys.stdout.isatty()):
            print_list(console, entries, speed)
            return 0
        # Here, because a list needs no prompts.
        from ddrsa.menu.prompts import open_menu

        return open_menu(console, entries, speed)
    except KeyboardInterrupt:
        return 130
    except (UsageError, HydraException, OmegaConfBaseException) as error:
        say_error(error)
        return 2
