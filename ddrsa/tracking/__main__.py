"""ddrsa export-tracking DIR TRACKER: tell a tracker of a sweep that has ended, or all that it has missed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ddrsa.cli import ArgumentParser
from ddrsa.errors import ConfigError, UsageError
from ddrsa.follow.look import SeenRun, SweepLook
from ddrsa.follow.secrets import without_secrets
from ddrsa.started import COMMAND, by_command
from ddrsa.texts import count_of, printable
from ddrsa.tracking.base import Tracker
from ddrsa.tracking.ledger import opened, read_ledger
from ddrsa.tracking.mirror import Mirror
from ddrsa.tracking.trackers import OPTIONS, TrackerOptions


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 1 where a tracker could not be told all, 2 for what cannot be used, 130 after Ctrl+C."""
    prog = f"{COMMAND} export-tracking" if by_command() else "python -m ddrsa.tracking"
    parser = ArgumentParser(prog=prog, description="tell a tracker of a sweep: all that it has not been told")
    parser.add_argument("directory", type=Path, help="the directory of the sweep (hydra.sweep.dir)")
    parser.add_argument("trackers", nargs="+", metavar="tracker", help=f"one or several of {', '.join(OPTIONS)}")
    parser.add_argument("--experiment", help="mlflow: its experiment")
    parser.add_argument("--project", help="wandb: its project")
    parser.add_argument("--checkpoints", action="store_true", help="the best weights of each run too")
    parser.add_argument("--no-artifacts", action="store_true", help="no files at all")
    parser.add_argument("--tag", action="append", default=[], metavar="NAME=VALUE", help="added to sweep and runs")
    options = parser.parse_args(arguments)
    try:
        chosen = [_options(name, options) for name in options.trackers]
        codes = [_export(options.directory, each) for each in chosen]
    except UsageError as error:
        print(printable(f"error: {error}"), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: the same command goes on with what is left", file=sys.stderr)
        return 130
    return max(codes)


def _options(name: str, options: argparse.Namespace) -> TrackerOptions:
    """Those of the command line, on top of those that the sweep was tracked with."""
    given: dict[str, Any] = {}
    if name in OPTIONS:
        found = read_ledger(options.directory, name).get("options", {})
        given |= {key: value for key, value in found.items() if key in ("artifacts", "experiment", "project", "tags")}
    for key in ("experiment", "project"):
        if (value := getattr(options, key)) is not None:
            given[key] = value
    if options.checkpoints:
        given["checkpoints"] = True
    if options.no_artifacts:
        given["artifacts"] = False
    for tag in options.tag:
        key, equals, value = tag.partition("=")
        if not equals:
            raise ConfigError(f"--tag {tag}: NAME=VALUE is expected")
        given["tags"] = {**given.get("tags", {}), key: value}
    own = {"mlflow": "experiment", "wandb": "project"}
    for tracker, key in own.items():
        if tracker != name:
            given.pop(key, None)
    return TrackerOptions.of(name, given, "export-tracking")


def _export(directory: Path, options: TrackerOptions) -> int:
    look = SweepLook(directory.absolute())
    if not directory.is_dir():
        raise ConfigError(f"{directory}: there is no such directory")
    runs = [run for run in look.look(ended=True) if run.has_started]
    if not runs:
        raise ConfigError(f"{directory} holds no run that has started (a directory with .hydra/config.yaml)")
    try:
        tracker = options.make(directory.absolute())
        with opened(directory.absolute(), options.name, tracker.place) as ledger:
            ledger.options = options.given
            mirror = Mirror(tracker, ledger, options.mirror, _print)
            _tell(mirror, tracker, look, runs)
    except UsageError:
        raise
    except Exception as error:  # whatever a library raises, or a server answers
        text = " ".join(without_secrets(error).split()) or type(error).__name__
        print(printable(f"error: {options.name} has not been told all: {text[:500]}"), file=sys.stderr)
        return 1
    print(
        printable(f"{options.name} has been told of {count_of(len(runs), 'run')}, at {without_secrets(tracker.place)}")
    )
    return 0


def _print(text: str) -> None:
    if text:
        print(printable(without_secrets(text)))


def _tell(mirror: Mirror, tracker: Tracker, look: SweepLook, runs: Sequence[SeenRun]) -> None:
    under_way = any(not run.state.has_ended for run in runs)
    mirror.tell(look, runs, ended=not under_way)
    tracker.close()


if __name__ == "__main__":
    sys.exit(main())
