"""The outermost frame of a Hydra command: every error is one line on stderr and an exit code."""

from __future__ import annotations

import argparse
import atexit
import difflib
import functools
import logging
import os
import re
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from ddrsa.checks import did_you_mean
from ddrsa.compat_hydra import let_hydras_parser_complain, raise_without_a_word, reports_errors_itself
from ddrsa.errors import ConfigError, UsageError
from ddrsa.extras import missing_extra
from ddrsa.overrides import override_key
from ddrsa.texts import plain_logs, printable

USAGE_EXIT_CODE = 2
INTERRUPTED_EXIT_CODE = 130

# Keys whose values are expressions or marks such as ; and the comma, which Hydra reads only in quotes.
_EXPRESSIONS = (
    *("only", "exclude", "hydra.sweeper.only", "hydra.sweeper.exclude"),
    *("dataset.separator", "dataset.decimal", "dataset.thousands", "dataset.date_format"),
)

# Lines of Hydra and OmegaConf messages that tell the user nothing about what was mistyped.
_NOISE = (
    "To append to your config use",
    "Config search path:",
    "provider=",
    "See https://hydra.cc",
    "full_key:",
    "object_type=",
    "reference_type=",
)

# What OmegaConf says of a value of another type, and what is allowed; of some keys with the unit.
_CONVERSION = re.compile(
    r"Value '(.*)' (?:of type '\w+' could not be converted to|is not a valid) (Float|Integer|bool)"
)
_ALLOWED = {"Float": "a number", "Integer": "a whole number", "bool": "true or false"}
_UNITS = {"timeout": " of minutes, such as 90", "max_failure_rate": " from 0 to 1"}

# What Hydra's parser says in the words of its grammar.
_GRAMMAR = {
    r"missing EQUAL at '<EOF>'": "KEY=VALUE is expected",
    r"LexerNoViableAltException: .*\n *\^": "KEY=VALUE is expected, in quotes where it has spaces",
    r"extraneous input ('.') expecting \{.*\}": r"\1 stands where a value is expected",
    r" expecting \{.*\}": "",
}


def run_cli(hydra_main: Callable[[], None]) -> NoReturn:
    """Run a function decorated with `hydra.main` and exit.

    The exit code is 0 after success; the attribute `exit_code` of the exception where it has one; 2 for what the user
    gave (`UsageError`, and the errors of Hydra and OmegaConf); 130 after an interrupt; 1 for anything else. The
    traceback is shown only where `hydra.verbose=true` stands on the command line.

    Expressions need no quotes of Hydra's own: `only="seed > 3"` in a shell is enough.
    """
    # Where it is installed, pandas imports it, and it would announce its threads on a stdout that is read by machines.
    logging.getLogger("numexpr").setLevel(logging.WARNING)
    sys.argv[1:] = [_with_quotes(argument) for argument in sys.argv[1:]]
    # Hydra would print a message of several lines and exit with 1; with this it lets the exception through.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    raise_without_a_word()
    let_hydras_parser_complain(complain)
    try:
        hydra_main()
        code = 0
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        code = INTERRUPTED_EXIT_CODE
    except Exception as error:
        code = tell(error)
    # Another Ctrl+C while the interpreter ends would print a traceback. Registered last, it is done first.
    atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
    sys.exit(code)


def tell(error: Exception) -> int:
    """Print `error` as one line on stderr; returns the exit code of a program that ends with it."""
    if _is_verbose(sys.argv[1:]):
        traceback.print_exc()
    shown = _reported(error)
    print(printable(f"error: {_message(shown)}"), file=sys.stderr)
    return _exit_code(shown)


class ArgumentParser(argparse.ArgumentParser):
    """The arguments of a command without Hydra. What is wrong with them is one line on stderr, and exit code 2."""

    def error(self, message: str) -> NoReturn:
        complain(self, message)


def complain(parser: argparse.ArgumentParser, message: str) -> NoReturn:
    """End the program with what argparse finds wrong, in one line: it would print the usage above it."""
    wrong = message.removeprefix("unrecognized arguments: ")
    known = re.findall(r"--[a-z][a-z-]*", parser.format_usage())
    suggestion = did_you_mean(wrong.partition("=")[0].split()[0], known) if wrong != message else ""
    print(printable(f"error: {message}{suggestion or f'; {parser.prog} --help says what there is'}"), file=sys.stderr)
    sys.exit(USAGE_EXIT_CODE)


def in_one_line(main: Callable[[Sequence[str]], int]) -> Callable[[Sequence[str]], int]:
    """The `main` of a command without Hydra, of which what the user can mend is one line on stderr and exit code 2."""

    @functools.wraps(main)
    def told(arguments: Sequence[str]) -> int:
        plain_logs()
        try:
            return main(arguments)
        except UsageError as error:
            return tell(error)
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return INTERRUPTED_EXIT_CODE

    return told


@contextmanager
def telling_errors() -> Iterator[None]:
    """In this block an error that has an exit code ends a program without `run_cli` as it would end one with it.

    Hydra would print a traceback, and make each exit code 1. Where somebody waits for the exception, it is raised.
    """
    try:
        yield
    except Exception as error:
        shown = _reported(error)
        usage = isinstance(shown, UsageError | HydraException | OmegaConfBaseException)
        if not (usage or hasattr(shown, "exit_code")) or not reports_errors_itself():
            raise
        sys.exit(tell(error))


@contextmanager
def ending_the_command() -> Iterator[None]:
    """End the command where the block raises: Hydra turns an exception of a callback into a warning, and goes on."""
    try:
        yield
    except BrokenPipeError:
        # Whoever read the output has gone, `head` for one; Python would try to write the rest when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except Exception as error:
        usage = isinstance(error, UsageError)
        text = f"error: {error}" if usage else f"error: {type(error).__name__}: {error}"
        print(printable(text), file=sys.stderr)
        raise SystemExit(2 if usage else 1) from error


def _with_quotes(argument: str) -> str:
    """`argument`, with its value in quotes if it is an expression that has none."""
    key, equals, value = argument.partition("=")
    if not equals or override_key(argument) not in _EXPRESSIONS or value in ("", "null"):
        return argument
    try:
        parsed = OverridesParser.create().parse_override(argument).value()
    except HydraException:
        parsed = None
    return argument if isinstance(parsed, str) else f"{key}={QuotedString(value, Quote.double).with_quotes()}"


def _is_verbose(arguments: Sequence[str]) -> bool:
    return any(re.fullmatch(r"\+{0,2}hydra\.verbose=true", argument, re.IGNORECASE) for argument in arguments)


def _reported(error: BaseException) -> BaseException:
    """The exception to speak of: Hydra and OmegaConf wrap what a resolver or an instantiated class raises."""
    inner: BaseException | None = error
    while isinstance(inner, HydraException | OmegaConfBaseException):
        inner = inner.__cause__ or inner.__context__
    return inner if isinstance(inner, UsageError) else error


def _exit_code(error: BaseException) -> int:
    own = getattr(error, "exit_code", None)
    if isinstance(own, int):
        return own
    usage = isinstance(error, UsageError | HydraException | OmegaConfBaseException) or _missing_extra(error)
    return USAGE_EXIT_CODE if usage else 1


def _missing_extra(error: BaseException) -> str | None:
    if not isinstance(error, ModuleNotFoundError):
        return None
    return missing_extra(Path(sys.argv[0]).name, error)


def as_usage_error(error: BaseException) -> UsageError:
    """Hydra's or OmegaConf's complaint about the user's config, in one line."""
    shown = _reported(error)
    return shown if isinstance(shown, UsageError) else ConfigError(_message(shown))


def _message(error: BaseException) -> str:
    """The message of `error` in one line."""
    if isinstance(error, HydraException | OmegaConfBaseException):
        return _hydra_message(error)
    if hasattr(error, "exit_code"):
        # Written for the terminal, a line for each of several causes.
        return str(error)
    text = " ".join(str(error).split())
    if isinstance(error, UsageError):
        return text or type(error).__name__
    if missing := _missing_extra(error):
        return missing
    return f"{type(error).__name__}: {text} (hydra.verbose=true shows the traceback)"


def _hydra_message(error: BaseException) -> str:
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else None
    text = str(error) if cause is None else f"{error}\n{cause}"
    options: list[str] = []
    if isinstance(error, MissingConfigException) and error.options:
        options = list(error.options)
        text = text.partition("Available options")[0]
    if isinstance(error, OverrideParseException) and f"'{error.override}'" not in text:
        text = f"Cannot read '{error.override}'\n{text}"

    full_key = re.search(r"full_key: (\S+)", text)
    if full_key and (wrong := _CONVERSION.search(text)):
        unit = _UNITS.get(full_key[1].rpartition(".")[2], "")
        return f"{full_key[1]}={wrong[1]}: allowed is {_ALLOWED[wrong[2]]}{unit}"
    for grammar, words in _GRAMMAR.items():
        text = re.sub(grammar, words, text)
    lines = [line.strip() for line in text.splitlines()]
    sentences = [line for line in lines if line and not line.startswith(_NOISE)]
    message = " ".join(line if line.endswith((".", ":", "?", ",")) else f"{line}." for line in sentences)
    if options:
        message += f" Available: {', '.join(options)}."
    if full_key and full_key[1] not in message:
        message += f" (key {full_key[1]})"
    return message + _suggestion(error, cause, options)


def _suggestion(error: BaseException, cause: OmegaConfBaseException | None, options: list[str]) -> str:
    if isinstance(error, MissingConfigException) and options:
        wrong, known = str(error.missing_cfg_file).rpartition("/")[2], options
    else:
        unknown = cause or error
        parent = getattr(unknown, "parent_node", None)
        if not isinstance(parent, DictConfig):
            return ""
        wrong, known = str(getattr(unknown, "key", "")), [str(key) for key in parent]
    matches = difflib.get_close_matches(wrong, known, n=1)
    return f" Did you mean '{matches[0]}'?" if matches and matches[0] != wrong else ""
