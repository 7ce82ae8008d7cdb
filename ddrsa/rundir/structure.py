"""Structure of JSON and YAML files: what must stand where, and one line that names file and key where it does not.

Files of a sweep may have been damaged, edited, or written by somebody else: whoever reads them checks them first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ddrsa.texts import printable

# The words for what is expected, and for what was found.
_NAMES = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "a mapping",
    type(None): "null",
}


@dataclass(frozen=True)
class Fields:
    """A mapping in which some keys must be of a form, where they are there at all; other keys are free.

    Texts that end in `!` are keys that must be there: {"directory!": str, "optional": bool}.
    """

    forms: Mapping[str, Any]


@dataclass(frozen=True)
class ListOf:
    """A list of items of one form."""

    form: Any


@dataclass(frozen=True)
class MapTo:
    """A mapping of texts to values of one form."""

    form: Any


def check_structure(content: Any, form: Any, file: Any, key: str = "") -> None:
    """Raise ValueError, with the names of file and key, where `content` is not of `form`.

    form: a type (`int` is no bool, `float` takes whole numbers), a tuple of allowed forms without keys of their own
    (None for null), `Fields`, `ListOf`, `MapTo`, or `object` for anything.
    """
    if isinstance(form, Fields):
        _require(content, dict, file, key)
        for name, inner in form.forms.items():
            plain = name.removesuffix("!")
            if plain in content:
                if type(content[plain]) is inner:
                    continue
                check_structure(content[plain], inner, file, f"{key}.{plain}".lstrip("."))
            elif plain != name:
                raise ValueError(printable(f"{file} has no key {f'{key}.{plain}'.lstrip('.')}"))
    elif isinstance(form, ListOf):
        _require(content, list, file, key)
        if form.form is str and all(type(item) is str for item in content):
            return
        for index, item in enumerate(content):
            check_structure(item, form.form, file, f"{key}[{index}]")
    elif isinstance(form, MapTo):
        _require(content, dict, file, key)
        if form.form is object and all(type(name) is str for name in content):
            return
        for name, item in content.items():
            _require(name, str, file, f"a key of {key}" if key else "a key")
            check_structure(item, form.form, file, f"{key}.{name}".lstrip("."))
    else:
        _require(content, form, file, key)


def _require(content: Any, form: Any, file: Any, key: str) -> None:
    forms = form if isinstance(form, tuple) else (form,)
    # The rule, without a look at each form.
    if type(content) in forms or (content is None and None in forms):
        return
    if any(_is(content, type(None) if each is None else each) for each in forms):
        return
    expected = " or ".join("null" if each is None else _NAMES.get(each, each.__name__) for each in forms)
    place = f"{key} is" if key else "holds"
    raise ValueError(printable(f"{file}: {place} {_shown(content)}, {expected} is expected"))


def _is(content: Any, form: type) -> bool:
    if form in (int, float):
        return isinstance(content, int if form is int else (int, float)) and not isinstance(content, bool)
    return isinstance(content, form)


def _shown(content: Any) -> str:
    if content is None or isinstance(content, list | dict):
        return _NAMES[type(content)]
    text = repr(content)
    return text if len(text) <= 60 else f"{text[:57]}..."
