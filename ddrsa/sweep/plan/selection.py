"""Selection of a sweep's jobs by expressions over their config."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ddrsa.checks import did_you_mean
from ddrsa.errors import ConfigError
from ddrsa.plain_values import PlainValues, as_plain
from ddrsa.sweep.plan.job_names import JobNames, is_list_of_names

# Spelled as in the config.
_CONSTANTS = {"true": True, "false": False, "null": None}

_ALLOWED = (
    *(ast.Expression, ast.Load, ast.Name, ast.Attribute, ast.Constant, ast.Tuple, ast.List),
    *(ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.UAdd),
    *(ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Compare, ast.cmpop),
)
# Longer than any list of seeds; what is nested more deeply than that allows would fill the stack.
_MOST_CHARACTERS = 10_000
_SINGLE_EQUALS = re.compile("(?<![=!<>])=(?!=)")
_ALLOWED_IN_WORDS = "comparisons, and, or, not, in, + - * / // %, constants and the keys of the config"


class Expression:
    """A condition on a job's config. Names and dotted names are its keys; there are no calls."""

    def __init__(self, option: str, text: str) -> None:
        """option: where the text stands, for the errors. Raises ConfigError where it is no expression of this kind."""
        self.shown = f'{option}="{text}"'
        self.keys: set[str] = set()
        if len(text) > _MOST_CHARACTERS:
            raise ConfigError(f"{option} has {len(text)} characters, allowed are {_MOST_CHARACTERS}")
        try:
            tree = ast.parse(text.strip(), mode="eval")
        except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
            reason = error.msg if isinstance(error, SyntaxError) else str(error) or "it is nested too deeply"
            if isinstance(error, SyntaxError) and _SINGLE_EQUALS.search(text):
                reason = "values are compared with ==, and this has a single ="
            raise ConfigError(f"{self.shown} cannot be read: {reason}") from error
        for node in ast.walk(tree):
            if not isinstance(node, _ALLOWED):
                found = ast.get_source_segment(text.strip(), node) if isinstance(node, ast.expr) else None
                found = found or type(node).__name__
                raise ConfigError(f"{self.shown}: {found} is not allowed; allowed are {_ALLOWED_IN_WORDS}")
        try:
            self._code = compile(ast.fix_missing_locations(_KeysToCalls(self).visit(tree)), self.shown, "eval")
        except (MemoryError, RecursionError) as error:
            raise ConfigError(f"{self.shown} cannot be read: it is nested too deeply") from error

    def holds(self, config: DictConfig | PlainValues, job: str) -> bool:
        """Whether it is true for `config`. job: how the job is called in errors.

        Raises ConfigError on a key that the config does not have, and where the result is not true or false.
        """

        def value(key: str) -> Any:
            return _value(config, key, self.shown, job)

        try:
            # Only what `_ALLOWED` lets through is evaluated, with no name but these.
            result = eval(self._code, {"__builtins__": {}, "value": value, "product": _product, "rest": _rest})
        except (ArithmeticError, TypeError, ValueError) as error:
            raise ConfigError(f"{self.shown} cannot be evaluated for {job}: {error}") from error
        if not isinstance(result, bool):
            raise ConfigError(f"{self.shown} is {result!r} for {job}: it must be true or false")
        return result


def _product(left: Any, right: Any) -> Any:
    """Of numbers: `'a' * 10**10` would take the machine's memory."""
    return _number(left, "*") * _number(right, "*")


def _rest(left: Any, right: Any) -> Any:
    """Of numbers: `'%9999999999d' % 1` would take the machine's memory."""
    return _number(left, "%") % _number(right, "%")


def _number(value: Any, sign: str) -> Any:
    if not isinstance(value, int | float):
        raise TypeError(f"{sign} is for numbers, and {value!r} is none")
    return value


class _KeysToCalls(ast.NodeTransformer):
    """Turns `model.name` into `value("model.name")`, so that a key is read only where it counts.

    Products and remainders become calls of functions that take numbers alone.
    """

    def __init__(self, expression: Expression) -> None:
        self.expression = expression

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        left, right = self.visit(node.left), self.visit(node.right)
        name = {ast.Mult: "product", ast.Mod: "rest"}.get(type(node.op))
        if name is None:
            return ast.BinOp(left, node.op, right)
        return ast.Call(ast.Name(name, ast.Load()), [left, right], [])

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in _CONSTANTS:
            return ast.Constant(_CONSTANTS[node.id])
        return self._call(node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        return self._call(node)

    def _call(self, node: ast.expr) -> ast.expr:
        key = ast.unparse(node)
        if not all(part.isidentifier() for part in key.split(".")):
            raise ConfigError(f"{self.expression.shown}: {key} is not allowed; allowed are {_ALLOWED_IN_WORDS}")
        self.expression.keys.add(key)
        return ast.Call(ast.Name("value", ast.Load()), [ast.Constant(key)], [])


def _condition(option: str, text: str, name_key: str | None) -> Expression | JobNames:
    # As an expression a list of names would be true or false for no job.
    return JobNames(option, text, name_key) if name_key and is_list_of_names(text) else Expression(option, text)


class Selection:
    """The jobs for which `only` holds and `exclude` does not; all where both are None."""

    def __init__(self, only: str | None = None, exclude: str | None = None, name_key: str | None = None) -> None:
        """name_key: the key of the config that names a job; `only` and `exclude` may then be lists of such names.

        Raises ConfigError where one of them is no expression.
        """
        self.only = None if only is None else _condition("only", only, name_key)
        self.exclude = None if exclude is None else _condition("exclude", exclude, name_key)
        self._expressions = [expression for expression in (self.only, self.exclude) if expression is not None]
        self._known: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._expressions)

    def __str__(self) -> str:
        return " and ".join(expression.shown for expression in self._expressions)

    def wants(self, config: DictConfig | PlainValues, overrides: Sequence[str]) -> bool:
        """Whether the job of this config, without `hydra`, is wanted. Raises ConfigError as `Expression.holds`.

        overrides: those that tell the job from the others, for the errors.
        """
        if not self:
            return True
        job = f"the job {' '.join(overrides)}" if overrides else "the job"
        if not isinstance(config, PlainValues):  # of those the first has shown its keys
            self._known |= set(_nodes(config))
        # Both are evaluated for each job, so that a mistake shows wherever it stands.
        excluded = self.exclude is not None and self.exclude.holds(config, job)
        return (self.only is None or self.only.holds(config, job)) and not excluded

    def check_keys(self) -> None:
        """Raise ConfigError on a key that none of the jobs had: `and` and `or` may have kept it from being read.

        Also on a name that none of them had.
        """
        for expression in self._expressions:
            if isinstance(expression, JobNames):
                expression.check_names()
            for key in sorted(expression.keys - self._known):
                raise ConfigError(f"{expression.shown}: {key} is no key of the config{did_you_mean(key, self._known)}")


def _value(config: DictConfig | PlainValues, key: str, shown: str, job: str) -> Any:
    if isinstance(config, PlainValues):
        found: Any = config
        for name in key.split("."):
            found = found[name]  # a KeyError is told by way of the whole config
        if isinstance(found, dict):
            raise KeyError(key)
        return as_plain(found)
    nodes = _nodes(config)
    if key not in nodes:
        raise ConfigError(f"{shown}: {key} is no key of the config of {job}{did_you_mean(key, nodes)}")
    raw = nodes[key]
    if isinstance(raw, dict):
        inside = ", ".join(f"{key}.{name}" for name in raw)
        raise ConfigError(f"{shown}: {key} is a group of keys; name one of {inside}")
    try:
        found = OmegaConf.select(config, key)
    except OmegaConfBaseException as error:
        # A GPU, for one, is leased by the run itself.
        reason = str(error).partition("\n")[0]
        raise ConfigError(f"{shown}: {key}={raw} has no value before {job} starts: {reason}") from error
    return as_plain(OmegaConf.to_container(found, resolve=True) if OmegaConf.is_config(found) else found)


def _nodes(config: DictConfig) -> dict[str, Any]:
    """Every dotted key with its value, as it is written."""
    nodes: dict[str, Any] = {}

    def add(container: dict[Any, Any], prefix: str) -> None:
        for name, item in container.items():
            nodes[f"{prefix}{name}"] = item
            if isinstance(item, dict):
                add(item, f"{prefix}{name}.")

    container = OmegaConf.to_container(config, resolve=False)
    assert isinstance(container, dict)
    add(container, "")
    return nodes
