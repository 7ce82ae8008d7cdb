"""The command `analyze.py`: from the directories of sweeps to tables, plots and the answer in the terminal."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from ddrsa.analysis.criterion import Choice
from ddrsa.compat_hydra import register_resolver
from ddrsa.errors import ConfigError
from ddrsa.rundir.sweep_files import CONFIG, MANIFEST
from ddrsa.screen import PlainConsole

if TYPE_CHECKING:
    from ddrsa.analysis.analysis import Analysis

MULTIRUN = Path("multirun")

# The files that a sweep writes into its directory when it starts.
_SWEEP_FILES = (CONFIG, MANIFEST)


@dataclass(frozen=True)
class Options:
    """The options on the command line of analyze.py.

    sweep_dir: the sweep, empty for the newest below multirun/; with `sweeps`, where the tables go, empty for a
    directory below multirun/comparisons/. sweeps: the sweeps to compare. select_by, metric: see `Choice`.
    watch: renew as runs end. json: print the answer for machines, and nothing else.
    """

    sweep_dir: str = ""
    sweeps: Sequence[str] = ()
    select_by: str | None = None
    metric: str | None = None
    watch: bool = False
    json: bool = False


def read_options(config: DictConfig, sweep_dir: str) -> Options:
    """The options in `config`, conf/analysis.yaml with what the command line changes.

    Raises ConfigError where a value is of another type than it must be.
    """
    sweeps = OmegaConf.to_container(config.sweeps) if OmegaConf.is_list(config.sweeps) else config.sweeps
    if not isinstance(sweeps, list) or not all(isinstance(item, str | int | float) for item in sweeps):
        raise ConfigError(f"sweeps={sweeps}: a list of directories is expected, 'sweeps=[DIR1,DIR2]'")
    for key in ("watch", "json"):
        if not isinstance(config[key], bool):
            raise ConfigError(f"{key}={config[key]}: allowed are true and false")
    if config.watch and config.json:
        raise ConfigError("json=true prints one answer and ends: it cannot go with watch=true")
    return Options(
        sweep_dir=str(sweep_dir),
        sweeps=[str(item) for item in sweeps],
        select_by=None if config.select_by is None else str(config.select_by),
        metric=None if config.metric is None else str(config.metric),
        watch=config.watch,
        json=config.json,
    )


def analyze(options: Options, console: Console | None = None) -> None:
    """Read the runs, write tables and plots, and print the answer; again and again where `options.watch` says so.

    Raises ConfigError where there is no such directory, no run in it, or no such metric.
    """
    # No highlighting and no markup: a reason or a path may hold brackets that mean nothing to rich.
    console = console or PlainConsole(highlight=False, markup=False, emoji=False, quiet=options.json)
    if options.json:
        _log_to_stderr()
    choice = Choice(options.metric, options.select_by)
    sources, path = _sources(options, console)
    if options.watch:
        from ddrsa.analysis.watch import watch

        console.print("watching: Ctrl+C leaves the watch, not the sweep", soft_wrap=True)
        watch(sources.values(), lambda: renew(sources, path, choice, console, looks=True))
        console.print("no run is under way any more", soft_wrap=True)
    else:
        analysis, paths = renew(sources, path, choice, console)
        if options.json:
            from ddrsa.analysis.json_output import print_json

            print_json(analysis, paths)


def _log_to_stderr() -> None:
    """Let warnings not stand before the answer for machines."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is sys.stdout:
            handler.setStream(sys.stderr)


def renew(
    sources: dict[str, Path], path: Path, choice: Choice, console: Console, *, looks: bool = False
) -> tuple[Analysis, list[Path]]:
    """Read the runs of `sources` and write everything into `path`; returns what was found and the files.

    looks: see `ddrsa.analysis.analysis.analyze`.
    """
    # Here, so that a mistyped option is answered before pandas and matplotlib are loaded.
    from ddrsa.analysis.analysis import analyze, write_analysis
    from ddrsa.analysis.metrics import SCRIPT
    from ddrsa.analysis.plots import OF_MODELS, write_plots
    from ddrsa.analysis.report import write_report
    from ddrsa.analysis.terminal import print_answers, print_files, print_states

    analysis = analyze(sources, path, choice, looks=looks)
    print_states(console, analysis.sweep)
    print_answers(console, analysis)
    paths = write_analysis(analysis)
    plots = write_plots(analysis)
    paths.append(write_report(analysis, plots))
    print_files(console, paths, plots, OF_MODELS if analysis.criterion.select_by == SCRIPT else ())
    return analysis, [*paths, *(file for plot in plots.drawn for file in (plot.png, plot.svg))]


def _sources(options: Options, console: Console) -> tuple[dict[str, Path], Path]:
    """The directory of each sweep by its name, and the directory to write into."""
    if options.sweeps:
        from ddrsa.analysis.compare import comparison_directory, name_sweeps

        sources = name_sweeps([Path(directory) for directory in options.sweeps])
        if len(sources) < 2:
            raise ConfigError("sweeps: at least two are needed; hydra.sweep.dir=DIR reads one")
        path = Path(options.sweep_dir) if options.sweep_dir else comparison_directory(list(sources), MULTIRUN)
        return sources, path
    if options.sweep_dir:
        path = Path(options.sweep_dir)
    else:
        path = newest_sweep(MULTIRUN)
        console.print(f"hydra.sweep.dir is not given; the newest sweep is {path}", soft_wrap=True)
    return {"": path}, path


def newest_sweep(root: Path) -> Path:
    """The sweep beneath `root` that was started, or resumed, last. Raises ConfigError where there is none."""
    started = [(path.stat().st_mtime_ns, path.parent) for name in _SWEEP_FILES for path in root.rglob(name)]
    if not started:
        raise ConfigError(f"there is no sweep below {root}/ here: name one, hydra.sweep.dir=DIR")
    return max(started)[1]


def _refuse_multirun() -> NoReturn:
    raise ConfigError("analyze.py reads one sweep at a time: leave out -m, --multirun and hydra.mode=MULTIRUN")


# conf/analysis.yaml names no sweeper but this: Hydra takes sweepers from the package hydra_plugins only.
register_resolver("refuse_multirun", _refuse_multirun)
