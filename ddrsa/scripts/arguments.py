"""The arguments that a script is given, each in the script's own spelling."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from ddrsa.errors import ConfigError
from ddrsa.overrides import override_text
from ddrsa.scripts.help import with_help
from ddrsa.scripts.interface.libraries import BARE, EQUALS, NO_PREFIX, ONE_VALUE, WORDS, library_named
from ddrsa.scripts.interface.notebook_reader import PAPERMILL
from ddrsa.scripts.interface.read import NOTEBOOK, UNKNOWN_INTERFACE, ScriptInterface, read_interface
from ddrsa.scripts.interface.source import COUNT, FLAG, LIST, PYTHON_WORDS, REPEATED, VALUES, Option
from ddrsa.scripts.interface.values import as_literal, as_text
from ddrsa.scripts.job import Job
from ddrsa.scripts.options import ScriptsOptions
from ddrsa.scripts.spelling import SHARED, find_option, is_long, normalised, output_option


def interface_of_job(job: Job, options: ScriptsOptions) -> ScriptInterface:
    """The command line of a job's script. Raises ConfigError where the script cannot be read."""
    if not job.path.exists() and job.module is not None:
        interface = UNKNOWN_INTERFACE  # an installed package
    else:
        try:
            interface = read_interface(job.path)
        except OSError as error:
            raise ConfigError(f"scripts.job={job.id}: its script cannot be read: {error}") from error
    return interface if interface.complete or not options.read_help else with_help(interface, job, options)


def arguments_of(job: Job, options: ScriptsOptions) -> tuple[str, ...]:
    """The arguments of the script, without the output directory and without `extra_args`.

    First the job's own arguments, then scripts.epochs and its like where the job has none of its own, then
    scripts.args: of two values the last counts. `scripts.epochs`, `folds` and `batch_size` reach a script only if it is
    seen to have such an option. `scripts.args` reach it if it has the option, or if its options cannot all be seen;
    then they are spelled as they are given here.

    Raises ConfigError where an argument of the file of jobs is none of the script's, or a value cannot be handed over.
    """
    interface = interface_of_job(job, options)
    spell = _Speller(job, options, interface)
    _require_one_of_each(job, interface, job.named, f"job {job.id}: args")
    _require_one_of_each(job, interface, options.args, "scripts.args")
    arguments = list(job.arguments)
    for name, value in job.named.items():
        added = spell.named(name, value)
        if added is None:
            known = ", ".join(option.spelling for option in interface.options) or "none"
            raise ConfigError(f"job {job.id}: args has {name}, and {job.path} has no such option; it has {known}")
        arguments += added
    for shared, option in shared_options(job, options).items():
        if option is not None and not sets_by_itself(job, options, option):
            arguments += spell.option(option, getattr(options, shared), shared)
    for name, value in options.args.items():
        arguments += spell.named(name, value) or []
    return tuple(arguments)


def _require_one_of_each(job: Job, interface: ScriptInterface, named: Iterable[str], where: str) -> None:
    """Raise ConfigError where two names are one option: which of the two values counts, nothing says."""
    seen: dict[object, str] = {}
    for name in named:
        option = find_option(interface.options, [normalised(name)])
        # -v and -V differ, and so may the names of what is not seen: but for - and _.
        same = option or (name if len(name) == 1 else name.replace("-", "_"))
        if same in seen:
            raise ConfigError(f"{where} has {seen[same]} and {name}: they are one option of {job.path}, give it once")
        seen[same] = name


def shared_options(job: Job, options: ScriptsOptions) -> dict[str, Option | None]:
    """Each of `scripts.epochs` and its like that is set, with the script's option for it; None where it has none."""
    interface = interface_of_job(job, options)
    return {
        shared: None if shared in job.withheld else find_option(interface.options, names)
        for shared, names in SHARED.items()
        if getattr(options, shared) is not None
    }


def sets_by_itself(job: Job, options: ScriptsOptions, option: Option) -> bool:
    """Whether the job's own arguments have this option."""
    spell = _Speller(job, options, interface_of_job(job, options))
    named = [word for name, value in job.named.items() for word in spell.named(name, value) or []]
    return given_value(option, [*job.arguments, *named]) is not None


def output_arguments(job: Job, options: ScriptsOptions, directory: str) -> tuple[Option | None, tuple[str, ...]]:
    """The option that takes the output directory, and its spelling with `directory`; (None, ()) where there is none."""
    if "output_dir" in job.withheld:
        return None, ()
    interface = interface_of_job(job, options)
    spell = _Speller(job, options, interface)
    name = job.output_option or options.output_option
    if name is None:
        option = output_option(interface.options)
        return option, () if option is None else tuple(spell.option(option, directory, "output_dir"))
    option = find_option(interface.options, [normalised(name)]) or next(
        (each for each in interface.options if name in each.names), None
    )
    if option is None and interface.complete:
        if job.output_option is not None:
            known = ", ".join(option.spelling for option in interface.options) or "none"
            raise ConfigError(f"job {job.id}: output_option is {name}: {job.path} has no such option; it has {known}")
        return None, ()
    spelled = name if name.startswith("-") else name.lstrip("-")
    option = option or Option((spelled if spelled.startswith("-") else f"--{spelled}",))
    return option, tuple(spell.named(name.lstrip("-"), directory) or ())


def given_value(option: Option, given: Iterable[str]) -> str | None:
    """The value that `given` sets an option to, "" for a flag; None where it does not."""
    words = list(given)
    found = None
    names = (*option.names, *option.off_names)
    for position, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in names:
            found = value if equals else next(iter(words[position + 1 : position + 2]), "")
    return found


class _Speller:
    """Spelling of the options of one script."""

    def __init__(self, job: Job, options: ScriptsOptions, interface: ScriptInterface) -> None:
        self.job = job
        self.interface = interface
        self.library = library_named(interface.library)
        self.flags = options.flags or (self.library.flags if self.library else None)
        of_python = job.module is not None or job.path.suffix in (".py", NOTEBOOK)
        self.words = PYTHON_WORDS if of_python else ("true", "false")

    def named(self, name: str, value: Any) -> list[str] | None:
        """The option `name` with its value; None where the script has none of that name."""
        option = find_option(self.interface.options, [normalised(name)])
        if option is None and len(name) == 1:
            option = next((each for each in self.interface.options if f"-{name}" in each.names), None)
        if option is not None:
            return self.option(option, value, name)
        return None if self.interface.complete else self._unseen(name, value)

    def option(self, option: Option, value: Any, name: str) -> list[str]:
        """An option with its value; null leaves it out. Raises ConfigError where it does not take the value."""
        if value is None:
            return []
        if self.interface.library == PAPERMILL:
            return _of_a_notebook(option.names[0], value)
        if option.takes in (FLAG, COUNT):
            return self._flag(option, value, name)
        if isinstance(value, list) and self.library is not None and self.library.lists == ONE_VALUE:
            return [option.spelling, self._list(value)]
        values = [self._word(option, each, name) for each in (value if isinstance(value, list) else [value])]
        if option.takes == REPEATED:
            return [word for each in values for word in (option.spelling, each)]
        if option.takes == LIST:
            if any("," in each for each in values if isinstance(value, list)):
                raise ConfigError(f"{self._place(name, value)}: {option.spelling} divides its value at commas")
            return [option.spelling, ",".join(values)]
        if len(values) > 1 and option.takes != VALUES:
            raise ConfigError(f"{self._place(name, value)}: {self.job.path} takes one value for {option.spelling}")
        if len(values) == 1 and values[0].startswith("-") and is_long(option.spelling):
            return [f"{option.spelling}={values[0]}"]  # else it may be taken for an option
        return [option.spelling, *values]

    def _flag(self, option: Option, value: Any, name: str) -> list[str]:
        if option.takes == COUNT and isinstance(value, int) and value >= 0:
            return [option.spelling] * int(value)
        if not isinstance(value, bool):
            raise ConfigError(
                f"{self._place(name, value)}: {option.spelling} takes no value: allowed are true and false"
            )
        called = normalised(name)
        if called in map(normalised, option.off_names):
            value = not value
        # Its variable is what it turns off: scripts.args.cuda=false is --no-cuda.
        if option.turns_off and called not in map(normalised, option.names):
            value = not value
        if value:
            return [option.spelling] if option.names else []
        if not option.off_names and option.default is True and not option.turns_off:
            raise ConfigError(
                f"{self._place(name, value)}: {self.job.path} has it on by default, and no way to turn it off"
            )
        return list(option.off_names[:1])

    def _word(self, option: Option, value: Any, name: str) -> str:
        if not isinstance(value, bool):
            return self._text(value)
        word = option.words[0 if value else 1]
        if option.choices and word not in option.choices:
            allowed = ", ".join(option.choices)
            raise ConfigError(f"{self._place(name, value)}: {option.spelling} of {self.job.path} allows {allowed}")
        return word

    def _unseen(self, name: str, value: Any) -> list[str]:
        """An option that is not seen, as its library takes it."""
        if value is None:
            return []
        spelled = f"-{name}" if len(name) == 1 else f"--{name}"
        library = self.library
        if isinstance(value, bool) and not (library and library.assignments):
            return self._unseen_flag(name, spelled, value)
        values = value if isinstance(value, list) else [value]
        words = [self.words[0 if each else 1] if isinstance(each, bool) else self._text(each) for each in values]
        if library is not None and library.assignments:
            words = [
                override_text(each) if isinstance(each, str) else word for each, word in zip(values, words, strict=True)
            ]
            return [f"{name}={words[0] if not isinstance(value, list) else '[' + ','.join(words) + ']'}"]
        if isinstance(value, list):
            return self._unseen_list(name, spelled, value, words)
        if self.flags == EQUALS or (words[0].startswith("-") and len(name) > 1):
            return [f"{spelled}={words[0]}"]
        return [spelled, *words]

    def _unseen_list(self, name: str, spelled: str, value: list[Any], words: list[str]) -> list[str]:
        library = self.library
        if library is None and self.flags == EQUALS:
            return [f"{spelled}={value if self.words == PYTHON_WORDS else json.dumps(value)}"]
        if library is None or library.lists == WORDS:
            return [spelled, *words]
        if library.lists == ONE_VALUE:
            return [f"{spelled}={self._list(value)}"]
        each = ",".join(f'"{spelled}={word}"' for word in words)
        raise ConfigError(
            f"{self._place(name, value)}: {self.job.path} takes its options by {library.name}, and how this one takes "
            f"several values cannot be read from its source. Say it by 'scripts.extra_args=[{each}]', or by one text, "
            f"'{self._place(name, '').rstrip('=')}=\"{','.join(words)}\"'"
        )

    def _text(self, value: Any) -> str:
        return as_literal(value) if self.library is not None and self.library.literals else as_text(value)

    def _list(self, value: list[Any]) -> str:
        """As one word."""
        return repr(value) if self.library is not None and self.library.literals else json.dumps(value)

    def _unseen_flag(self, name: str, spelled: str, value: bool) -> list[str]:
        if self.flags == EQUALS:
            return [f"{spelled}={self.words[0 if value else 1]}"]
        if value:
            return [spelled]
        if self.flags == NO_PREFIX:
            return [f"--no-{name}"]
        if self.flags == BARE:
            return []
        raise ConfigError(
            f"{self._place(name, value)}: the options of {self.job.path} cannot be read from its source, so how it "
            f"turns one off is not known. Say it by scripts.flags={NO_PREFIX} (--no-{name}), {EQUALS} "
            f"({spelled}={self.words[1]}) or {BARE} (left out, it is off by default), or read its --help by "
            "scripts.read_help=true"
        )

    def _place(self, name: str, value: Any) -> str:
        where = f"job {self.job.id}: args has {name}" if name in self.job.named else f"scripts.args.{name}"
        return f"{where}={as_text(value)}"


def _of_a_notebook(name: str, value: Any) -> list[str]:
    if isinstance(value, list):
        return ["-y", json.dumps({name: value})]
    if isinstance(value, str):
        return ["-r", name, value]  # behind -p a text that looks like a number is one
    return ["-p", name, PYTHON_WORDS[0 if value else 1] if isinstance(value, bool) else str(value)]
