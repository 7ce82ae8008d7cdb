"""How a process or a sweep was started, spelled as one types it into a shell."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ddrsa.conf_dir import conf_dir
from ddrsa.errors import UsageError
from ddrsa.rundir.manifest import read_manifest
from ddrsa.rundir.sweep_files import CONFIG
from ddrsa.rundir.yaml_files import read_yaml

COMMAND = "ddrsa"
"""The installed command. While it does `ddrsa train`, the first of `sys.argv` is "ddrsa train"."""

_MODULES = {
    "best": "ddrsa.sweep best",
    "describe": "ddrsa.data.describe",
    "download": "ddrsa.data.download",
    "predict": "ddrsa.predict",
    "resume": "ddrsa.sweep resume",
    "serve": "ddrsa serve",
    "simulate": "ddrsa.data.simulate",
    "sweep": "ddrsa.sweep",
    "visualize": "ddrsa.visualize",
}

TRAIN_JOB = "train"
"""What Hydra calls the jobs of the project's own training."""

# Hydra's options that say where the config is.
_CONFIG_OPTIONS = {"--config-path": "-cp", "--config-name": "-cn", "--config-dir": "-cd"}


_PLUGINS = "hydra_plugins.ddrsa_sweep."
_CHOOSING = ("OptunaSweeper", "RaceSweeper")

# Hydra's keys that belong to one start of a sweep: where it goes, when it ends, which of its runs it does.
_OF_ONE_START = {
    *("hydra.mode", "hydra.sweep.dir", "hydra.run.dir", "hydra.verbose"),
    *(f"hydra.launcher.{key}" for key in ("deadline", "budget")),
    *(f"hydra.sweeper.{key}" for key in ("only", "exclude", "zip", "dry_run")),
    *(f"hydra.sweeper.{key}" for key in ("storage", "study_name", "enqueue", "migrate")),
}

# Hydra's keys and groups that say how a sweep is done, and nothing of what one of its runs does; of the environment,
# what a search tells each of its jobs.
_OF_SWEEPS = re.compile(
    r"[+~]*hydra[./](mode|verbose|launcher|sweeper|sweep|run|job\.num|job\.id|job\.env_set\.DDRSA_)(\W|(?<=_)|$)"
)


def by_command() -> bool:
    """Whether this process was started by the installed command."""
    return sys.argv[0].partition(" ")[0] == COMMAND


def subcommand(name: str) -> str:
    """`ddrsa NAME` in a process that was started so, otherwise `python -m` with its module."""
    return f"{COMMAND} {name}" if by_command() else f"python -m {_MODULES[name]}"


def command_line() -> list[str]:
    """That of this process, as the manifest of a sweep keeps it: ["ddrsa", "train", ...] or ["train.py", ...].

    Of `python -m package.module` it is ["-m", "package.module", ...].
    """
    if by_command():
        return [*sys.argv[0].split(" "), *sys.argv[1:]]
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    if spec is not None:  # python -m package.module
        return ["-m", spec.name.removesuffix(".__main__"), *sys.argv[1:]]
    return list(sys.argv)


def typed(command: Sequence[str]) -> list[str]:
    """The words of a shell command for what `command_line` gave."""
    return list(command) if command[0] == COMMAND else ["python", *command]


def train_program() -> list[str]:
    """The words that start the project's training, in the way that this process was started."""
    return [COMMAND, "train"] if by_command() else ["python", "train.py"]


def config_options(arguments: Sequence[str]) -> dict[str, str]:
    """Hydra's options among `arguments` that say where the config is, by their long names."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for long, short in {**_CONFIG_OPTIONS, "--cfg": "-c"}.items():
        parser.add_argument(long, short, dest=long)
    known = vars(parser.parse_known_args(list(arguments))[0])
    return {option: known[option] for option in _CONFIG_OPTIONS if known[option] is not None}


def absolute_config_path() -> None:
    """Let a relative `--config-path` of this process be one of the working directory, as `--config-dir` is."""
    for place, argument in enumerate(sys.argv):
        option, equals, value = argument.partition("=")
        if option not in ("--config-path", "-cp"):
            continue
        if equals:
            sys.argv[place] = f"{option}={_absolute(value)}"
        elif place + 1 < len(sys.argv):
            sys.argv[place + 1] = _absolute(sys.argv[place + 1])


def _absolute(path: str) -> str:
    return path if "://" in path else str(Path(path).absolute())


def sweep_options(sweep_dir: Path) -> dict[str, str]:
    """The `config_options` that the sweep in `sweep_dir` was started with, by its manifest, else by `hydras_options`.

    A relative `--config-dir` fits the working directory of this process. Raises UsageError where the manifest cannot
    be read.
    """
    manifest = _manifest(sweep_dir)
    if not manifest:
        return hydras_options(sweep_dir)
    options = config_options(_command(manifest)[1:])
    started_in = manifest.get("working_dir")
    if started_in and "--config-dir" in options and Path(started_in) != Path.cwd():
        options["--config-dir"] = os.path.join(started_in, options["--config-dir"])  # noqa: PTH118
    return options


def hydras_options(sweep_dir: Path) -> dict[str, str]:
    """The `config_options` that Hydra's own record of a sweep tells of; none where that cannot be read.

    A `--config-path` that was given cannot be told from that of the program: it is one where it is not the project's.
    """
    try:
        hydra = read_yaml(sweep_dir / CONFIG)["hydra"]
        sources = {source["provider"]: source for source in hydra["runtime"]["config_sources"]}
        name = hydra["job"]["config_name"]
        options = {"--config-name": name} if name not in (None, "config") else {}
        for provider, option in (("main", "--config-path"), ("command-line", "--config-dir")):
            source = sources.get(provider)
            if source is not None and source["schema"] == "file" and Path(source["path"]) != _own_conf_dir():
                options[option] = _relative(source["path"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    return options


def _own_conf_dir() -> Path | None:
    try:
        return conf_dir()
    except UsageError:
        return None


def _relative(path: str) -> str:
    """`path` from the working directory, where it lies in it."""
    return str(Path(path).relative_to(Path.cwd())) if Path(path).is_relative_to(Path.cwd()) else path


def sweep_program(sweep_dir: Path) -> list[str]:
    """The words that start the program of the sweep in `sweep_dir`, without options: ["python", "train.py"].

    Where no manifest tells, it is the script that Hydra's own record names, or the project's, started as this process.
    """
    command = _command(_manifest(sweep_dir))
    if command:
        return typed(command[: 2 if command[0] in (COMMAND, "-m") else 1])
    try:
        name = str(read_yaml(sweep_dir / CONFIG)["hydra"]["job"]["name"])
    except (OSError, ValueError, KeyError, TypeError):
        name = TRAIN_JOB
    return train_program() if name == TRAIN_JOB else ["python", f"{name}.py"]


def sweep_working_dir(sweep_dir: Path) -> Path:
    """The directory that the sweep in `sweep_dir` was started in; the present one where nothing tells."""
    started_in = _manifest(sweep_dir).get("working_dir")
    if started_in is None:
        try:
            started_in = read_yaml(sweep_dir / CONFIG)["hydra"]["runtime"]["cwd"]
        except (OSError, ValueError, KeyError, TypeError):
            started_in = "."
    return Path(str(started_in))


def sweep_starter(sweep_dir: Path) -> list[str]:
    """`sweep_program` with `sweep_options`: what stands before the overrides of a run like those of the sweep."""
    options = sweep_options(sweep_dir)
    return [*sweep_program(sweep_dir), *(word for option in options.items() for word in option)]


def as_grid_beside(sweep_dir: Path) -> tuple[list[str], bool]:
    """Hydra's own overrides of a grid by the launcher of the sweep in `sweep_dir`, and whether it may go there.

    Another launcher would do the jobs 0, 1, ... once more, over those that are there; Hydra's own always does. Where
    the sweep was a search or a race, by its config or by its command, its sweeper is told to do a grid.
    """
    try:
        hydra = read_yaml(sweep_dir / CONFIG)["hydra"]
        given = [str(text) for text in hydra["overrides"]["hydra"] or ()]
        launcher, sweeper = str(hydra["launcher"]["_target_"]), hydra["sweeper"]
        target = str(sweeper["_target_"])
        # The name may be that of hydra-optuna-sweeper, which has no repeats, and for which ours stands.
        ours = target.startswith(_PLUGINS) or "repeats" in sweeper
        chooses = ours and target.rpartition(".")[2] in _CHOOSING
    except (OSError, ValueError, KeyError, TypeError):
        return [], True  # as the program's own config has it
    kept = [text for text in given if text.lstrip("+~").partition("=")[0] not in _OF_ONE_START]
    if chooses and "hydra.sweeper.grid=true" not in kept:
        kept.append("hydra.sweeper.grid=true")
    return kept, launcher.startswith(_PLUGINS)


def as_one_run(record: Path, *, is_script: bool) -> list[str]:
    """Hydra's own overrides of a single run like those of a sweep. record: of Hydra's config, in the sweep or a run.

    They are those that were given, but for what belongs to sweeps: `hydra.job.chdir`, `hydra.searchpath` and callbacks
    change what a run does. Templates have `hydra.mode: MULTIRUN` in the config of a search: without `hydra.mode=RUN`
    the best trial done again is the whole search. Scripts are always sweeps, of one where one is named.
    """
    try:
        hydra = read_yaml(record)["hydra"]
        given = [str(text) for text in hydra["overrides"]["hydra"] or ()]
        by_config = hydra["mode"] == "MULTIRUN" and "hydra.mode=MULTIRUN" not in given
    except (OSError, ValueError, KeyError, TypeError):
        return []
    kept = [text for text in given if not _OF_SWEEPS.match(text)]
    return [*kept, "hydra.mode=RUN"] if by_config and not is_script else kept


def is_of_scripts(sweep_dir: Path) -> bool:
    """Whether the runs of a sweep are training scripts (docs/scripts.md)."""
    try:
        return read_yaml(sweep_dir / CONFIG).get("scripts") is not None
    except (OSError, ValueError, AttributeError):
        return False


def _manifest(sweep_dir: Path) -> dict[str, Any]:
    try:
        return read_manifest(sweep_dir) or {}
    except ValueError as error:
        raise UsageError(str(error)) from error


def _command(manifest: dict[str, Any]) -> list[str]:
    return list(map(str, manifest.get("command") or []))
