"""Reader of the options that a script lists by itself, in the text of its --help."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ddrsa.scripts.interface.source import FLAG, VALUE, VALUES, Option

# Frames of a help in boxes, and colours.
_DECORATION = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[│┃╭╮╰╯─━┌┐└┘|]{1}(?=\s|$)|^[│┃]")
# The beginning of a line that introduces options: up to the first gap of two spaces, behind which is the explanation.
_INTRODUCTION = re.compile(r"^\s{0,12}(-{1,2}[A-Za-z\[][^\n]*?)(?:\s{2,}|\t|$)")
# The gap may be missing where the help text begins on the next line, or after a colon (absl).
_NAME = re.compile(r"(?<![\w-])(--?(?:\[no-?\])?[A-Za-z][\w.-]*)")
_VALUE = re.compile(r"^[\s=]*(?:<[^>]+>|\[?\{[^}]*\}|\[?[A-Z][\w.|:{},-]*\]?|\[?[a-z_]+\]?|[a-z_]+\.\.\.)")
# These end the script instead of starting a training.
_NOT_OPTIONS = ("--help", "--version", "-h", "--helpfull", "--helpshort", "--helpxml", "--show-completion")


def options_of_help(text: str) -> list[Option]:
    """The options that a help text introduces, in its order: an argparse, click, typer, tyro, absl, fire or docopt one.

    An option with nothing but names before its explanation is a flag. Of each, the names stand on one line.
    """
    found: dict[str, Option] = {}
    for introduction in _introductions(text):
        option = _option(introduction)
        if option is not None and not set(option.names) & set(_NOT_OPTIONS):
            found.setdefault(option.spelling, option)
    return list(found.values())


def _introductions(text: str) -> Iterator[str]:
    for line in text.splitlines():
        match = _INTRODUCTION.match(_DECORATION.sub(" ", line))
        if match is not None:
            yield match.group(1).strip()


def _option(introduction: str) -> Option | None:
    introduction, colon, _ = introduction.partition(": ")  # absl, whose flags are all written with [no]
    names, off_names = [], []
    value = ""
    for match in _NAME.finditer(introduction):
        name = match.group(1).rstrip(".")
        if "[no" in name:  # absl: --[no]shuffle
            plain = re.sub(r"\[no-?\]", "", name)
            names.append(plain)
            off_names.append(plain.replace("--", "--no", 1))
        elif names and name.startswith(("--no-", "--no_")) and _without_no(name) in map(_plain, names):
            off_names.append(name)
        else:
            names.append(name)
        rest = introduction[match.end() :]
        following = _VALUE.match(re.split(r",\s*-|/\s*-|\s--?\w", rest)[0])
        value = value or (following.group(0).strip(" =") if following else "")
    if not names:
        return None
    takes = (
        FLAG
        if off_names or not (value or colon)
        else VALUES
        if "..." in introduction or " [" in introduction
        else VALUE
    )
    return Option(tuple(names), takes, tuple(off_names))


def _plain(name: str) -> str:
    return name.lstrip("-").replace("_", "-")


def _without_no(name: str) -> str:
    return _plain(name).removeprefix("no-")
