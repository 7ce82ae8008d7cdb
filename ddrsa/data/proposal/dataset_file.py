"""The dataset file of a proposal: written with the reasons as comments, and never over another."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import yaml

from ddrsa.data.proposal.columns import Guess
from ddrsa.errors import ConfigError
from ddrsa.overrides import override_text
from ddrsa.rundir.files import atomic_write


def dataset_name(path: str, given: str | None) -> str:
    """The name of the dataset file, and of the data in the tables of an analysis."""
    name = given if given is not None else re.sub(r"\W+", "_", Path(path).name.partition(".")[0]).strip("_") or "mine"
    if not re.fullmatch(r"\w[\w-]*", name):
        raise ConfigError(f"as={name}: allowed is a name of letters, digits and _")
    return name


def as_yaml(guesses: Mapping[str, Guess], name: str) -> str:
    """The text of the file, a reason above each key."""
    lines = [
        "# Proposed by looking at the files; correct it where a reason is wrong. docs/your-own-data.md has every key.",
        "defaults:",
        "  - table",
        "  - _self_",
        "",
        f"subset: {yaml.safe_dump(name, width=10_000).splitlines()[0]}",
    ]
    for key, guess in guesses.items():
        value = yaml.safe_dump(guess.value, default_flow_style=True, allow_unicode=True, width=10_000).splitlines()[0]
        doubt = [f"# NOT SURE: {guess.doubt}"] if guess.doubt else []
        lines += ["", f"# {guess.why}", *doubt, f"{key}: {value}"]
    return "\n".join(lines) + "\n"


def write_dataset_file(guesses: Mapping[str, Guess], name: str, my_conf: Path) -> Path:
    """Write `<my_conf>/dataset/<name>.yaml`. Raises ConfigError where it is there already, or cannot be written."""
    path = my_conf / "dataset" / f"{name}.yaml"
    if path.exists():
        raise ConfigError(f"{path} is there already: as=NAME writes another, or delete it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as stream:
            stream.write(as_yaml(guesses, name))
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error}") from error
    return path


def as_text(guesses: Mapping[str, Guess]) -> str:
    """The guesses and their reasons for a terminal, and behind them those that are to be looked at."""
    lines = [f"  {f'{key}={override_text(guess.value)}':44} {guess.why}" for key, guess in guesses.items()]
    unsure = [f"  {key}: {guess.doubt}" for key, guess in guesses.items() if guess.doubt]
    return "\n".join([*lines, *(["", "not sure, please look:", *unsure] if unsure else [])])
