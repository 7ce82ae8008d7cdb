"""The command `ddrsa`, which is `python -m ddrsa` as well: its subcommands, and alone the menu of sweeps."""

from __future__ import annotations

import difflib
import os
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from ddrsa.extras import USAGE_EXIT_CODE, run_with_extra
from ddrsa.started import COMMAND


@dataclass(frozen=True)
class Subcommand:
    """A subcommand.

    help: what it does. module: the home of its `main`. hydra: whether it is a Hydra application, which reads
    `sys.argv` itself; otherwise `main` gets the arguments and returns the exit code. before: arguments that it gets
    before those of the user. extra: the extra of the package that it needs.
    """

    help: str
    module: str
    hydra: bool = False
    before: tuple[str, ...] = ()
    extra: str | None = None


SUBCOMMANDS = {
    "train": Subcommand("train one model, or sweep many with -m", "ddrsa.commands.train", True, extra="models"),
    "analyze": Subcommand(
        "say which configuration of a sweep is best", "ddrsa.commands.analyze", True, extra="analysis"
    ),
    "predict": Subcommand("forecasts and decisions by a trained run", "ddrsa.predict.__main__", extra="models"),
    "visualize": Subcommand("the pictures of trained runs", "ddrsa.visualize", extra="models"),
    "drift": Subcommand("compare a file's sensors with the training", "ddrsa.predict.drift", extra="models"),
    "export": Subcommand("a trained run as one ONNX file", "ddrsa.export.__main__", extra="export"),
    "describe": Subcommand("a report on a data set", "ddrsa.data.describe", True, extra="models"),
    "download": Subcommand("fetch a public data set", "ddrsa.data.download", extra="models"),
    "simulate": Subcommand("write a simulated fleet as text", "ddrsa.data.simulate", extra="models"),
    "scripts": Subcommand(
        "sweep training scripts: train -m experiment=scripts",
        "ddrsa.commands.train", True, ("-m", "experiment=scripts"),
    ),
    "watch": Subcommand("show the progress of a sweep that runs elsewhere", "ddrsa.sweep.__main__", before=("watch",)),
    "serve": Subcommand("show sweeps in a browser while they run", "ddrsa.live.command", extra="live"),
    "best": Subcommand("print the best trial of a search", "ddrsa.sweep.__main__", before=("best",)),
    "resume": Subcommand("go on with a sweep, of any Hydra app", "ddrsa.sweep.__main__", before=("resume",)),
    "export-tracking": Subcommand("tell a tracker of a sweep that has ended", "ddrsa.tracking.__main__"),
    "verify": Subcommand("check here what the launcher promises", "ddrsa.sweep.__main__", before=("verify",)),
}  # fmt: skip


def main() -> int:
    """Do what `sys.argv` says. Returns the exit code: 2 for an unknown subcommand, or where an extra is missing."""
    arguments = sys.argv[1:]
    if Path(sys.argv[0]).stem == COMMAND:
        sys.argv[0] = COMMAND
    if not arguments or arguments[0] == "--list":
        from ddrsa.menu.command import main as menu

        return run_with_extra(COMMAND, "models", lambda: menu(arguments))
    name = arguments[0]
    if name in ("-h", "--help"):
        print(_usage())
        return 0
    if name == "--version":
        from ddrsa import __version__

        print(f"{COMMAND} {__version__}")
        return 0
    if name in ("-sc", "--shell-completion"):
        return _complete(arguments)
    if name not in SUBCOMMANDS:
        near = difflib.get_close_matches(name, SUBCOMMANDS, n=1, cutoff=0.5)
        hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(SUBCOMMANDS)}"
        print(f"error: {COMMAND} has no subcommand '{name}': {hint}", file=sys.stderr)
        return USAGE_EXIT_CODE
    return _do(name, arguments[1:])


def _do(name: str, arguments: list[str]) -> int:
    chosen = SUBCOMMANDS[name]
    arguments = [*chosen.before, *arguments]
    if chosen.module == "ddrsa.commands.train":
        sys.argv = [f"{COMMAND} train", *arguments]
    else:
        sys.argv = [f"{COMMAND} {name}", *arguments]

    def run() -> int | None:
        run_main = import_module(chosen.module).main
        result: int | None = run_main() if chosen.hydra else run_main(arguments)
        return result

    return run_with_extra(f"{COMMAND} {name}", chosen.extra, run)


def _complete(arguments: list[str]) -> int:
    """Answer the completion that `ddrsa train -sc install=bash` installs: the shell asks with its line so far."""
    program, *words = os.environ.get("COMP_LINE", "").split(" ")
    if len(words) > 1 and (words[0] in SUBCOMMANDS) and SUBCOMMANDS[words[0]].hydra:
        # Hydra reads the line as that of a program without subcommands.
        os.environ["COMP_LINE"] = " ".join([program, *words[1:]])
        return _do(words[0], arguments)
    print(" ".join(SUBCOMMANDS) if len(words) < 2 else "")
    return 0


def _usage() -> str:
    lines = [f"  {name:<17}{subcommand.help}" for name, subcommand in SUBCOMMANDS.items()]
    return "\n".join(
        [
            f"usage: {COMMAND} [SUBCOMMAND [ARGUMENTS]]",
            "",
            "Sweeps of deep survival models for machines that wear out.",
            "Alone it opens the menu of sweeps, which --list prints.",
            "",
            *lines,
            "",
            f"{COMMAND} SUBCOMMAND --help tells more; {COMMAND} --version, the version.",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
