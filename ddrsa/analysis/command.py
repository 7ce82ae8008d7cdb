"""The command `analyze.py`: from a sweep's directory to its tables, plots and the summary in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from omegaconf import OmegaConf
from rich.console import Console

from ddrsa.analysis.collect import collect
from ddrsa.analysis.plots import write_plots
from ddrsa.analysis.tables import best_configurations, summary_statistics, write_tables
from ddrsa.analysis.terminal import print_best, print_files, print_states
from ddrsa.errors import ConfigError

MULTIRUN = Path("multirun")

# The files that a sweep writes into its directory when it starts.
_SWEEP_FILES = ("multirun.yaml", "experiment_manifest.json")


def analyze(sweep_dir: str, console: Console | None = None) -> None:
    """Read the runs beneath `sweep_dir` and write the tables and plots there. Empty: the newest sweep below multirun/.

    Raises ConfigError where there is no such directory, or no run in it.
    """
    # No highlighting and no markup: a reason or a path may hold brackets that mean nothing to rich.
    console = console or Console(highlight=False, markup=False, emoji=False)
    if sweep_dir:
        path = Path(sweep_dir)
    else:
        path = newest_sweep(MULTIRUN)
        console.print(f"hydra.sweep.dir is not given; the newest sweep is {path}", soft_wrap=True)
    sweep = collect(path)
    print_states(console, sweep)
    best = best_configurations(sweep)
    print_best(console, sweep, best)
    tables = write_tables({"summary_statistics": summary_statistics(sweep), "best_configurations": best}, path)
    plots, left_out = write_plots(sweep)
    print_files(console, [*tables, *plots], left_out)


def newest_sweep(root: Path) -> Path:
    """The sweep beneath `root` that was started, or resumed, last. Raises ConfigError where there is none."""
    started = [(path.stat().st_mtime_ns, path.parent) for name in _SWEEP_FILES for path in root.rglob(name)]
    if not started:
        raise ConfigError(f"there is no sweep below {root}/ here: name one, hydra.sweep.dir=DIR")
    return max(started)[1]


def _refuse_multirun() -> NoReturn:
    raise ConfigError("analyze.py reads one sweep at a time: leave out -m, --multirun and hydra.mode=MULTIRUN")


# conf/analysis.yaml names no sweeper but this: Hydra takes sweepers from the package hydra_plugins only.
OmegaConf.register_new_resolver("refuse_multirun", _refuse_multirun, replace=True)
