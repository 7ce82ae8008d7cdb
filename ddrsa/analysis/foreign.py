"""Results of a Hydra task that is not the project's: what it returned, and the numbers of its JSON files."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from ddrsa.better import MAXIMIZE
from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.files import read_text
from ddrsa.rundir.finite import finite
from ddrsa.rundir.structure import Fields, check_structure
from ddrsa.rundir.sweep_files import CONFIG
from ddrsa.rundir.yaml_files import read_yaml

log = logging.getLogger(__name__)

RETURN_VALUE = "return_value"
"""The metric that is what the task returned; of a list it is `return_value_0`, `return_value_1`, ..."""

NO_STATUS = "it has no status.json"

# Files of the launcher and of Hydra, and the largest that is read.
_NO_RESULTS = frozenset({"status.json"})
_LARGEST = 2**22

# Keys of a file of results whose numbers went into the run, and did not come out of it.
_NO_METRICS = frozenset({"schema_version", "config", "cfg", "args", "hparams", "params", "hyperparameters"})

_WANTED = Fields({"direction": (str, list, None), "objective": (str, list, None)})
_DIRECTIONS = Fields(
    {
        "hydra!": Fields({"sweeper!": _WANTED, "launcher": Fields({"direction": (str, None)})}),
        "scripts": (dict, None),
    }
)

# The keys of a config that only the project's own tasks have.
_OF_MODELS = frozenset({"lookback", "horizon", "lambda_param"})


def is_foreign(keys: Collection[str]) -> bool:
    """Whether a config with these keys, nested ones as dotted names, is of a task of somebody else's."""
    return not (_OF_MODELS.issubset(keys) or any(key.startswith("scripts.") for key in keys))


def foreign_metrics(run: RunDirectory, returned: Any) -> tuple[dict[str, float], list[str]]:
    """The numbers of a run, and what is to be said of files that cannot be read.

    returned: by the task, as status.json has it. Nested keys of a JSON file become dotted names; where two files have
    the same name, that of the file goes before it.
    """
    metrics = dict(_numbers(returned, RETURN_VALUE, "_"))
    found: dict[str, dict[str, float]] = {}
    problems = []
    for file in sorted(run.path.glob("*.json")):
        if file.name in _NO_RESULTS or file.lstat().st_size > _LARGEST:
            continue
        try:
            content = json.loads(read_text(file, most=_LARGEST))
        except (OSError, ValueError, RecursionError) as error:
            problems.append(f"{file.name} cannot be read: {' '.join(str(error).split())}")
            continue
        if isinstance(content, dict):
            results = {key: value for key, value in content.items() if key not in _NO_METRICS}
            found[file.stem] = dict(_numbers(results, ""))
    count = Counter(name for numbers in found.values() for name in numbers)
    for stem, numbers in found.items():
        for name, value in numbers.items():
            metrics[f"{stem}.{name}" if count[name] > 1 or name in metrics else name] = value
    return metrics, problems


def job_log(directory: Path) -> Path | None:
    """The log of a job: Hydra calls it after the program."""
    logs = sorted(directory.glob("*.log"), key=lambda file: (file.name == "output.log", file.name))
    return logs[0] if logs else None


def maximized(sweep_dir: Path) -> set[str]:
    """The metrics that the search in `sweep_dir` maximizes, or that are better high by its launcher's `direction`."""
    file = sweep_dir / CONFIG
    try:
        config = read_yaml(file)
        check_structure(config, _DIRECTIONS, file)
    except FileNotFoundError:
        return set()
    except (OSError, ValueError) as error:
        log.warning("%s; it is not known which numbers the sweep wanted high", " ".join(str(error).split()))
        return set()
    launcher, sweeper = config["hydra"].get("launcher", {}), config["hydra"]["sweeper"]
    of_scripts = (config.get("scripts") or {}).get("objective")
    of_scripts = of_scripts if isinstance(of_scripts, str) else None
    directions, objectives = sweeper.get("direction"), sweeper.get("objective")
    if directions is None and launcher.get("direction") == MAXIMIZE:
        return {RETURN_VALUE, *filter(None, [of_scripts])}
    if objectives is None:
        objectives = of_scripts
    several = isinstance(directions, list)
    names = objectives if isinstance(objectives, list) else [objectives]
    if objectives is None:
        names = [f"{RETURN_VALUE}_{place}" for place in range(len(directions))] if several else [RETURN_VALUE]
    pairs = zip(names, directions if several else [directions], strict=False)
    return {str(name) for name, direction in pairs if direction == MAXIMIZE}


def _numbers(value: Any, name: str, separator: str = ".") -> Iterator[tuple[str, float]]:
    """The numbers in `value`; of lists only those of what a task returned."""
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        yield name, float(finite(value))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _numbers(item, f"{name}.{key}" if name else str(key), separator)
    elif isinstance(value, list) and separator == "_":
        for place, item in enumerate(value):
            yield from _numbers(item, f"{name}_{place}", separator)
