"""Grids of the user's own, asked for key by key."""

from __future__ import annotations

from collections.abc import Callable

import questionary
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from questionary import Choice

from ddrsa.menu.presets import plan_of
from ddrsa.menu.project import choices

# Of each key: the question and the type of its values. The value of the config is offered.
_KEYS: dict[str, tuple[str, type[int] | type[float]]] = {
    "batch_size": ("Batch sizes", int),
    "learning_rate": ("Learning rates", float),
    "dropout": ("Rates of dropout", float),
    "nasa_weight": ("Weights of NASA's penalty of late predictions", float),
    "seed": ("Seeds", int),
    "num_epochs": ("Epochs", int),
}


def ask_grid() -> list[str]:
    """The overrides of the grid that the user describes. Raises KeyboardInterrupt on Ctrl+C."""
    datasets = _ask_some("Which data sets?", "dataset", "simulated")
    models = _ask_some("Which models?", "model", "lstm")
    overrides = [f"dataset={','.join(datasets)}", f"model={','.join(models)}"]
    defaults = plan_of([]).defaults
    for key, (question, kind) in _KEYS.items():
        default = str(defaults[key])
        text = questionary.text(f"{question}?", default=default, validate=_values_of(key, kind)).unsafe_ask()
        values = "".join(text.split())
        if values != default:
            overrides.append(f"{key}={values}")
    return overrides


def _ask_some(question: str, group: str, default: str) -> list[str]:
    options = [Choice(name, checked=name == default) for name in choices(group)]
    chosen: list[str] = questionary.checkbox(
        question,
        options,
        use_jk_keys=False,
        validate=lambda some: bool(some) or "choose at least one",
        instruction="(arrow keys, space to choose, Enter)",
    ).unsafe_ask()
    return chosen


def _values_of(key: str, kind: type[int] | type[float]) -> Callable[[str], bool | str]:
    """Says whether a text is a list of such values, with commas or as range(3)."""

    def validate(text: str) -> bool | str:
        allowed = f"{'whole numbers' if kind is int else 'numbers'} with commas between them, or range(3)"
        try:
            override = OverridesParser.create().parse_override(f"{key}={''.join(text.split())}")
            values = list(override.sweep_iterator()) if override.is_sweep_override() else [override.value()]
        except HydraException:
            return f"{text}: allowed are {allowed}"
        for value in values:
            if isinstance(value, bool) or not isinstance(value, int if kind is int else int | float):
                return f"{value}: allowed are {allowed}"
        return True

    return validate
