"""Search space: the overrides of the command line and of `hydra.sweeper` as Optuna's distributions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, QuotedString, RangeSweep, Transformer
from omegaconf import DictConfig
from optuna import TrialPruned
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import Trial

from ddrsa.errors import ConfigError
from ddrsa.overrides import is_override_text, override_text, quoted
from ddrsa.rundir.reasons import reason_of_exception
from ddrsa.sweep.dotted_path import find_object
from ddrsa.sweep.search.compat_optuna import contains

Extend = Callable[[DictConfig, Trial], None]


@dataclass
class SearchSpace:
    """The parameters of a search.

    distributions: by the key of the override, in its order. fixed: key to text of those that have one value.
    fixed_values: the same as values. verbatim: overrides without a value (`~key`). extend: adds parameters to a trial,
    from `custom_search_space`.
    """

    distributions: dict[str, BaseDistribution] = field(default_factory=dict)
    fixed: dict[str, str] = field(default_factory=dict)
    fixed_values: dict[str, Any] = field(default_factory=dict)
    verbatim: list[str] = field(default_factory=list)
    extend: Extend | None = None

    def suggest(self, trial: Trial, config: DictConfig) -> dict[str, Any]:
        """The values of the parameters of `trial`.

        Raises ConfigError where `extend` suggests what is fixed, or raises; TrialPruned where it raises that.
        """
        for name, distribution in self.distributions.items():
            _suggest(trial, name, distribution)
        if self.extend is not None:
            self._extend(trial, config)
        overlap = sorted(trial.params.keys() & self.fixed.keys())
        if overlap:
            raise ConfigError(
                f"hydra.sweeper.custom_search_space suggests {', '.join(overlap)}, which has a fixed value"
            )
        return dict(trial.params)

    def _extend(self, trial: Trial, config: DictConfig) -> None:
        assert self.extend is not None
        for key, value in self.fixed_values.items():
            # The function sees in them what is fixed, as with hydra-optuna-sweeper.
            if key not in trial.user_attrs:
                trial.set_user_attr(key, value)
        try:
            self.extend(config, trial)
        except (TrialPruned, ConfigError):
            raise
        except Exception as error:
            # Of one trial: it shall not cost the search, and shall not come back at its next start.
            shown = reason_of_exception(error)
            raise ConfigError(f"hydra.sweeper.custom_search_space raised {shown}") from error

    def overrides(self, params: Mapping[str, Any]) -> list[str]:
        """The overrides of a job with these values."""
        fixed = [f"{key}={value}" for key, value in self.fixed.items()]
        return [*self.verbatim, *fixed, *(f"{key}={choice_text(value)}" for key, value in params.items())]

    def grid(self) -> dict[str, list[Any]]:
        """All values of each parameter. Raises ConfigError where there are infinitely many."""
        return {name: _all_values(name, distribution) for name, distribution in self.distributions.items()}

    def corners(self) -> list[tuple[str, Any, list[dict[str, Any]]]]:
        """Each value that the check of the configs should see: key, value, and two sets of values that have it."""
        ends = {name: _ends(distribution) for name, distribution in self.distributions.items()}
        bases = [
            {name: values[0] for name, values in ends.items()},
            {name: values[-1] for name, values in ends.items()},
        ]
        return [
            (name, value, [{**base, name: value} for base in bases])
            for name, values in ends.items()
            for value in values
        ]

    def member(self, name: str, value: Any) -> Any:
        """`value` of the parameter `name` as it is drawn here. Raises ConfigError where it cannot be."""
        distribution = self.distributions.get(name)
        return value if distribution is None else _member(f"{name}={choice_text(value)}", distribution, value)

    def outside(self, values: Mapping[str, Any], *, removed: bool = False) -> str | None:
        """The first of `values` that cannot be drawn here, or is not what is fixed; None where there is none.

        removed: whether a parameter that is not searched any more counts too, where that can be known.
        """
        for name, value in values.items():
            shown = f"{name}={choice_text(value)}"
            if name in self.fixed:
                if choice_text(value) != self.fixed[name] and value != self.fixed_values[name]:
                    return shown
            elif name not in self.distributions:
                if removed and self.extend is None:
                    return shown
            else:
                try:
                    self.member(name, value)
                except ConfigError:
                    return shown
        return None

    def enqueued(self, number: int, values: Mapping[str, Any]) -> dict[str, Any]:
        """`values` of `hydra.sweeper.enqueue[number]` as Optuna wants them. Raises ConfigError on one not allowed."""
        result: dict[str, Any] = {}
        shown = f"hydra.sweeper.enqueue[{number}]"
        for name, value in values.items():
            distribution = self.distributions.get(name)
            if distribution is None and self.extend is None:
                known = ", ".join(self.distributions) or "none"
                raise ConfigError(f"{shown} has {name}={value}, which is not searched; searched are {known}")
            result[name] = (
                value if distribution is None else _member(f"{shown} has {name}={value}", distribution, value)
            )
        return result


def parse_search_space(
    arguments: Sequence[str],
    parser: OverridesParser,
    *,
    params: Mapping[str, Any] | None = None,
    search_space: Mapping[str, Any] | None = None,
    custom_search_space: str | None = None,
) -> SearchSpace:
    """The space of the overrides `arguments`, which go before those of `params`, which go before `search_space`.

    Raises ConfigError on a value that is not allowed; HydraException on text that is no override.
    """
    space = SearchSpace(
        extend=None
        if custom_search_space is None
        else find_object("hydra.sweeper.custom_search_space", custom_search_space)
    )
    for name, description in (search_space or {}).items():
        space.distributions[str(name)] = _described(str(name), description)
    texts = [f"{key}={value}" for key, value in (params or {}).items()]
    for override in parser.parse_overrides([*texts, *arguments]):
        key = override.get_key_element()
        if override.is_delete():
            space.verbatim.append(str(override.input_line))
            continue
        space.fixed.pop(key, None)
        space.fixed_values.pop(key, None)
        space.distributions.pop(key, None)
        if override.is_sweep_override():
            space.distributions[key] = _distribution(override)
        else:
            space.fixed[key] = override.get_value_element_as_str()
            space.fixed_values[key] = _plain(override.value())
    return space


def _plain(value: Any) -> Any:
    """The value of an override as JSON can say it."""
    if isinstance(value, QuotedString):
        return value.text
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(_plain(key)): _plain(item) for key, item in value.items()}
    return value


def choice_text(value: Any) -> str:
    """`value` in Hydra's grammar of overrides; a text that is a value there already stays as it is.

    So a choice of the command line, `choice(null,'null')`, is the text that stands there.
    """
    if not isinstance(value, str):
        return override_text(value)
    return value if is_override_text(value) else quoted(value)


def in_words(distribution: BaseDistribution) -> str:
    """What can be drawn from it, for people."""
    if isinstance(distribution, CategoricalDistribution):
        return "one of " + ", ".join(choice_text(choice) for choice in distribution.choices)
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    step = f" in steps of {distribution.step}" if distribution.step not in (None, 1) else ""
    log = ", logarithmic" if distribution.log else ""
    kind = "whole numbers " if isinstance(distribution, IntDistribution) else ""
    return f"{kind}{distribution.low} to {distribution.high}{step}{log}"


def _distribution(override: Override) -> BaseDistribution:
    shown = str(override.input_line)
    value = override.value()
    if override.is_interval_sweep():
        assert isinstance(value, IntervalSweep)
        low, high = value.start, value.end
        if low is None or high is None or low > high:
            raise ConfigError(f"{shown}: an interval goes from a lower to a higher value")
        return _numbers(shown, low, high, log="log" in value.tags)
    if isinstance(value, RangeSweep) and not value.shuffle and not getattr(value, "transformers", None):
        return _steps(shown, value)
    choices = list(override.sweep_iterator(transformer=Transformer.encode))
    if not choices:
        raise ConfigError(f"{shown}: there is no value to choose")
    return CategoricalDistribution(choices)  # type: ignore[arg-type]


def _numbers(shown: str, low: float, high: float, *, log: bool) -> BaseDistribution:
    try:
        if isinstance(low, int) and isinstance(high, int):
            return IntDistribution(low, high, log=log)
        return FloatDistribution(float(low), float(high), log=log)
    except ValueError as error:
        raise ConfigError(f"{shown}: {error}") from error


def _steps(shown: str, value: RangeSweep) -> BaseDistribution:
    """As in a grid, `stop` is not one of the values; Optuna's distributions have their highest value."""
    numbers = list(value.range())
    if not numbers:
        raise ConfigError(f"{shown}: there is no value to choose")
    if isinstance(value.range(), range):
        return IntDistribution(int(min(numbers)), int(max(numbers)), step=abs(int(value.step)))
    # In decimals: the third of 0.1, 0.2, ... is 0.3, and not 0.30000000000000004.
    first, step = Decimal(str(value.start)), Decimal(str(value.step))
    low, high = sorted((first, first + step * (len(numbers) - 1)))
    return FloatDistribution(float(low), float(high), step=float(abs(step)))


def _described(name: str, description: Any) -> BaseDistribution:
    """Of `hydra.sweeper.search_space`."""
    shown = f"hydra.sweeper.search_space.{name}={description}"
    try:
        kind = description["type"]
        if kind == "categorical":
            return CategoricalDistribution(list(description["choices"]))
        low, high, step = description["low"], description["high"], description.get("step")
        log = bool(description.get("log", False))
        if kind == "int":
            return IntDistribution(int(low), int(high), log=log, step=1 if step is None else int(step))
        if kind == "float":
            return FloatDistribution(float(low), float(high), log=log, step=None if step is None else float(step))
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{shown}: {type(error).__name__}: {error}") from error
    raise ConfigError(f"{shown}: allowed as type are categorical, int and float")


def _suggest(trial: Trial, name: str, distribution: BaseDistribution) -> None:
    if isinstance(distribution, CategoricalDistribution):
        trial.suggest_categorical(name, distribution.choices)
    elif isinstance(distribution, IntDistribution):
        trial.suggest_int(name, distribution.low, distribution.high, step=distribution.step, log=distribution.log)
    elif isinstance(distribution, FloatDistribution):
        trial.suggest_float(name, distribution.low, distribution.high, step=distribution.step, log=distribution.log)


def _ends(distribution: BaseDistribution) -> list[Any]:
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    return [distribution.low, distribution.high]


def _all_values(name: str, distribution: BaseDistribution) -> list[Any]:
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    if isinstance(distribution, IntDistribution):
        return list(range(distribution.low, distribution.high + 1, distribution.step))
    if isinstance(distribution, FloatDistribution) and distribution.step is not None:
        # In decimals, as Optuna counts: 0.1 + 0.2 is not a step of 0.1.
        low, high, step = (Decimal(str(each)) for each in (distribution.low, distribution.high, distribution.step))
        return [float(low + step * index) for index in range(int((high - low) / step) + 1)]
    raise ConfigError(f"{name} has infinitely many values: the grid sampler needs choice(...) or range(...)")


def _member(shown: str, distribution: BaseDistribution, value: Any) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        for choice in distribution.choices:
            if choice == value or choice_text(choice) == choice_text(value):
                return choice
        allowed = ", ".join(map(str, distribution.choices))
    else:
        assert isinstance(distribution, IntDistribution | FloatDistribution)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if number and contains(distribution, value):
            return int(value) if isinstance(distribution, IntDistribution) else value
        step = "" if distribution.step in (None, 1) else f" in steps of {distribution.step}"
        allowed = f"{distribution.low} to {distribution.high}{step}"
    raise ConfigError(f"{shown}: allowed is {allowed}")
