"""python -m ddrsa.sweep: watch a sweep, go on with one, print the best of a search, verify this machine."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ddrsa.cli import ArgumentParser
from ddrsa.errors import UsageError
from ddrsa.started import COMMAND, by_command
from ddrsa.sweep.resume import resume
from ddrsa.sweep.watch import watch
from ddrsa.texts import plain_logs, say_error


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code: that of the sweep, or 0 where all checks pass and 1 where one does not.

    2 for a wrong directory, 130 after Ctrl+C.
    """
    prog = COMMAND if by_command() else "python -m ddrsa.sweep"
    parser = ArgumentParser(prog=prog, description="look at a sweep, or at this machine")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("watch", help="show the progress of a sweep until all its runs have ended")
    command.add_argument("directory", help="the directory of the sweep (hydra.sweep.dir)")
    command = commands.add_parser("best", help="print the best trial of a search, and the command that trains it again")
    command.add_argument("directory", help="the directory of the search (hydra.sweep.dir)")
    command.add_argument("--storage", help="URL or path of the study, where the directory does not tell")
    command = commands.add_parser("resume", help="go on with a sweep, of whatever Hydra app it is")
    command.add_argument("directory", help="the directory of the sweep (hydra.sweep.dir)")
    command.add_argument("--trust", action="store_true", help="run the program that the directory names")
    command.add_argument("overrides", nargs="*", help="on top of those that it was started with")
    command = commands.add_parser("mend", help="leave out the lines of a search's journal that cannot be read")
    command.add_argument("journal", help="the journal, or the directory of the search")
    command = commands.add_parser("verify", help="check on this machine what the launcher promises: about a minute")
    command.add_argument("--launcher", default="supervised", help="the name of another one to check (hydra/launcher=)")
    options = parser.parse_args(arguments)
    plain_logs()
    try:
        if options.command == "best":
            from ddrsa.sweep.search.best import print_best  # imports Optuna

            return print_best(options.directory, options.storage)
        if options.command == "mend":
            from ddrsa.sweep.search.mend import mend  # imports Optuna

            return mend(options.journal)
        if options.command == "verify":
            from ddrsa.sweep.verify.command import verify

            return verify(options.launcher)
        if options.command == "resume":
            return resume(options.directory, options.overrides, trusted=options.trust)
        return watch(options.directory)
    except UsageError as error:
        say_error(error)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
