"""Libraries that make a script's command line, and how each spells a value of an option that is not seen."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from ddrsa.scripts.interface.source import Source

ABSL = "absl"

# How an option that is not seen is turned off: `scripts.flags`.
NO_PREFIX = "no-prefix"  # --no-shuffle
EQUALS = "equals"  # --shuffle=False
BARE = "bare"  # left out: it is off by default
FLAG_STYLES = (NO_PREFIX, EQUALS, BARE)

# How an option that is not seen takes several values.
ONE_VALUE = "one value"  # --sizes=[1,2]
WORDS = "words"  # --sizes 1 2


@dataclass(frozen=True)
class Library:
    """A library whose options are not read from the source.

    modules: what a script imports of it, by the beginning of a dotted name. names: the classes or functions that make
        the command line, where the module is used for much else; () for any.
    flags: one of FLAG_STYLES; None where it depends on the script.
    lists: ONE_VALUE or WORDS; None where it depends on the script.
    assignments: whether an option is name=value, without dashes.
    literals: whether values are read as Python's, whatever the option is for: 1.10 is a number then, '1.10' a text.
    """

    name: str
    modules: tuple[str, ...]
    names: tuple[str, ...] = ()
    flags: str | None = None
    lists: str | None = WORDS
    assignments: bool = False
    literals: bool = False


LIBRARIES = (
    Library("tyro", ("tyro",), flags=NO_PREFIX),
    Library("fire", ("fire",), flags=EQUALS, lists=ONE_VALUE, literals=True),
    Library("LightningCLI", ("lightning", "pytorch_lightning"), ("LightningCLI",), EQUALS, lists=ONE_VALUE),
    Library("jsonargparse", ("jsonargparse",), flags=EQUALS, lists=ONE_VALUE),
    Library("HfArgumentParser", ("transformers",), ("HfArgumentParser",), EQUALS),
    Library("TrlParser", ("trl",), ("TrlParser",), EQUALS),
    Library(ABSL, ("absl",), ("app", "flags"), EQUALS, lists=None),
    Library("simple_parsing", ("simple_parsing",), flags=EQUALS),
    Library("docopt", ("docopt",), flags=BARE, lists=None),
    Library("hydra", ("hydra",), ("main",), EQUALS, lists=ONE_VALUE, assignments=True),
    Library("OmegaConf", ("omegaconf",), ("from_cli", "from_dotlist"), EQUALS, lists=ONE_VALUE, assignments=True),
    Library("plac", ("plac",), lists=None),
    Library("tap", ("tap",)),
)


def library_named(name: str | None) -> Library | None:
    """The library of this name; None where its options are read, or there is none."""
    return next((library for library in LIBRARIES if library.name == name), None)


def library_of(source: Source) -> Library | None:
    """The library that makes the command line of a script."""
    return next((library for library in LIBRARIES if _uses(source, library)), None)


def _uses(source: Source, library: Library) -> bool:
    targets = [target for target in source.modules.values() if target.partition(".")[0] in library.modules]
    if not library.names:
        return bool(targets)
    nodes = [node for node in ast.walk(source.tree) if isinstance(node, ast.Name | ast.Attribute)] if targets else []
    origins = {*targets, *map(source.origin, nodes)}
    return any(
        origin.partition(".")[0] in library.modules and origin.rpartition(".")[2] in library.names for origin in origins
    )
