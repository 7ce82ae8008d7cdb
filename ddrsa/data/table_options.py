"""The keys of `dataset=table`, the user's own files, and the checks on their values. No file is read here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ddrsa.checks import require
from ddrsa.data.dataset_options import SCALINGS, DatasetOptions
from ddrsa.errors import ConfigError

AGGREGATIONS = ("mean", "last", "median", "min", "max", "sum")

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "space": " ", "pipe": "|", "point": ".", "apostrophe": "'"}
"""Words for what is hard to type into a shell."""

EPOCHS = {"epoch_s": 0, "epoch_ms": 3, "epoch_us": 6, "epoch_ns": 9}
"""Formats of dates that are numbers since 1970, and the power of ten that makes them of seconds."""

EXCEL_DAYS = "excel"
"""The format of dates that are days as Excel counts them: 45123.5 is noon on 2023-07-16."""

# Letters of formats that name the year.
_WITH_A_YEAR = "YyGcxDsF"

# What is about the files themselves and not about a unit in them: texts, or null.
_TEXTS = ("subset", "separator", "encoding", "sheet", "thousands", "unit_column", "date_format", "time_zone")
_TEXTS_OF_EVENTS = ("event_column", "time_to_event_column", "events_path", "events_unit_column", "events_time_column")
_TEXTS_OF_FILES = (
    "events_date_format",
    "events_kind_column",
    "attributes_path",
    "attributes_unit_column",
    "group_column",
)
_LISTS = ("columns", "missing_values", "failure_kinds", "reset_kinds")
_PATTERNS = ("feature_columns", "exclude_columns", "categorical_columns")


# Keys that change the features alone, or how a file is written.
_OF_FEATURES = (
    *("feature_columns", "exclude_columns", "categorical_columns", "aggregation", "missing", "has_attributes_path"),
    *("attributes_unit_column", "separator", "decimal", "thousands", "encoding", "skip_lines"),
)


@dataclass(kw_only=True)
class TableOptions(DatasetOptions):
    """The user's own files (`table/`); docs/your-own-data.md explains every key."""

    SCALINGS: ClassVar[tuple[str, ...]] = SCALINGS[:2]

    name: str = "table"
    path: str
    subset: str | None = None
    separator: str | None = None
    encoding: str | None = None
    sheet: str | None = None
    columns: list[str] | None = None
    skip_lines: int = 0
    decimal: str = "."
    thousands: str | None = None
    missing_values: list[str] = field(default_factory=list)
    unit_column: str | None = "unit"
    time_column: str = "time"
    date_format: str | None = None
    events_date_format: str | None = None
    time_zone: str | None = None
    event_column: str | None = None
    time_to_event_column: str | None = None
    all_units_fail: bool = False
    events_path: str | None = None
    events_unit_column: str | None = None
    events_time_column: str | None = None
    events_kind_column: str | None = None
    failure_kinds: list[str] = field(default_factory=list)
    reset_kinds: list[str] = field(default_factory=list)
    after_event: str = "error"
    attributes_path: str | None = None
    attributes_unit_column: str | None = None
    group_column: str | None = None
    feature_columns: list[str] = field(default_factory=lambda: ["*"])
    exclude_columns: list[str] = field(default_factory=list)
    categorical_columns: list[str] = field(default_factory=list)
    step: Any = None
    evaluation_step: Any = None
    aggregation: str = "mean"
    missing: str = "forward"

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("path", "time_column", "decimal"):
            self._check_text(key)
        for key in (*_TEXTS, *_TEXTS_OF_EVENTS, *_TEXTS_OF_FILES):
            if getattr(self, key) is not None:
                self._check_text(key)
        for key in (*_LISTS, *_PATTERNS):
            self._check_list(key)
        self._check_marks()
        self._check_number("skip_lines", int, lambda value: value >= 0, "of lines, 0 or more")
        self._check_choice("all_units_fail", (False, True))
        self._check_choice("aggregation", AGGREGATIONS)
        self._check_choice("missing", ("forward", "error"))
        self._check_choice("after_event", ("error", "drop", "new_unit"))
        self._check_events()
        self._check_time()
        if self.step is not None and not isinstance(self.step, str):
            self._check_number("step", float, lambda value: value > 0, "above 0, or a duration such as 15h")
        if self.evaluation_step is not None:
            if not isinstance(self.evaluation_step, str):
                self._check_number("evaluation_step", float, lambda value: value > 0, "above 0, or a duration: 24h")
            if self.step is None:
                raise ConfigError(
                    f"dataset.evaluation_step={self.evaluation_step}: it measures runs of several dataset.step alike, "
                    "and dataset.step is null: how long are the steps of this run?"
                )

    def _check_marks(self) -> None:
        """The marks between columns and within numbers, by their words or as they are."""
        self.separator = None if self.separator is None else _mark(self.separator)
        self.decimal = _mark(self.decimal)
        self.thousands = None if self.thousands is None else _mark(self.thousands)
        if self.separator is not None:
            holds = len(self.separator) == 1 and not self.separator.isalnum() and self.separator not in '"\r\n'
            require(
                "dataset.separator", self.separator, holds, "one character, or comma, semicolon, tab, space or pipe"
            )
        require("dataset.decimal", self.decimal, self.decimal in (".", ","), "point or comma")
        holds = self.thousands is None or (self.thousands in ".,' " and self.thousands != self.decimal)
        allowed = "null, or point, comma, apostrophe or space, and not the decimal mark"
        require("dataset.thousands", self.thousands, holds, allowed)

    def _check_events(self) -> None:
        keys = ("event_column", "time_to_event_column", "all_units_fail", "events_path")
        ways = [key for key in keys if getattr(self, key)]
        if len(ways) != 1:
            given = f"dataset.{' and dataset.'.join(ways)} are set" if ways else "nothing says when the event is"
            raise ConfigError(
                f"{given}: allowed is exactly one of dataset.event_column, dataset.time_to_event_column, "
                "dataset.events_path and dataset.all_units_fail=true"
            )
        for key in ("events_unit_column", "events_time_column", "events_date_format", "events_kind_column"):
            if getattr(self, key) is not None and self.events_path is None:
                raise ConfigError(f"dataset.{key}={getattr(self, key)}: it is of dataset.events_path, which is not set")
        if self.attributes_unit_column is not None and self.attributes_path is None:
            raise ConfigError("dataset.attributes_unit_column: it is a column of dataset.attributes_path")
        kinds = [key for key in ("failure_kinds", "reset_kinds") if getattr(self, key)]
        if kinds and self.events_kind_column is None and self.event_column is None:
            raise ConfigError(
                f"dataset.{kinds[0]}: they stand in dataset.event_column, or in dataset.events_kind_column of "
                "dataset.events_path"
            )
        both = sorted(set(self.failure_kinds) & set(self.reset_kinds))
        if both:
            raise ConfigError(f"{both[0]!r} is in dataset.failure_kinds and in dataset.reset_kinds")
        if not self.failure_kinds and (self.events_kind_column is not None or self.reset_kinds):
            raise ConfigError("dataset.failure_kinds is empty: the kinds of events that are failures are expected")
        if self.unit_column is None and (self.events_path or self.attributes_path):
            raise ConfigError("dataset.unit_column is null: a second file needs the names of the units")

    def _check_time(self) -> None:
        if self.time_zone is not None:
            try:
                ZoneInfo(self.time_zone)
            except (ZoneInfoNotFoundError, ValueError, OSError) as error:
                allowed = "a name such as Europe/Berlin or UTC"
                raise ConfigError(f"dataset.time_zone={self.time_zone}: allowed is {allowed}") from error
        for key in ("date_format", "events_date_format"):
            form = getattr(self, key)
            holds = form is None or form in (*EPOCHS, EXCEL_DAYS, "number", "iso") or "%" in form
            allowed = f"null, iso, number, {EXCEL_DAYS}, {', '.join(EPOCHS)}, or a format such as %d.%m.%Y %H:%M"
            require(f"dataset.{key}", form, holds, allowed)
            if form is not None and "%" in form and not any(f"%{letter}" in form for letter in _WITH_A_YEAR):
                raise ConfigError(
                    f"dataset.{key}={form} has no year, so midnight or new year would go back in time: "
                    "times with their dates are expected"
                )

    @property
    def time_unit(self) -> str:
        return "rows" if self.step is None else f"steps of {self.step}"

    @property
    def measured_unit(self) -> str:
        return self.time_unit if self.evaluation_step is None else f"steps of {self.evaluation_step}"

    def of_second_file(self, unit_column: str) -> TableOptions:
        """How a file of events or attributes is read: as the rows, but with a header and a separator of its own."""
        own = {"columns": None, "separator": None, "encoding": None, "sheet": None, "skip_lines": 0}
        return replace(self, unit_column=unit_column, **own)  # type: ignore[arg-type]

    def reading_options(self) -> dict[str, Any]:
        # The files count by their content, and a name for the tables of an analysis changes nothing in them.
        options = super().reading_options()
        paths = ("path", "events_path", "attributes_path")
        kept = {key: value for key, value in options.items() if key not in (*paths, "subset", "evaluation_step")}
        return {**kept, **{f"has_{key}": getattr(self, key) is not None for key in paths[1:]}}

    def comparison_options(self) -> dict[str, Any]:
        # The same failures of the same rows can be forecast from other features.
        compared = {key: value for key, value in super().comparison_options().items() if key not in _OF_FEATURES}
        if self.evaluation_step is None:
            return compared
        return {**compared, "step": None, "evaluation_step": self.evaluation_step}

    def _check_text(self, key: str) -> None:
        value = getattr(self, key)
        require(f"dataset.{key}", value, isinstance(value, str) and bool(value), "a text that is not empty")

    def _check_list(self, key: str) -> None:
        value = getattr(self, key)
        if value is None and key == "columns":
            return
        items = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        if key in _PATTERNS:
            holds = all(isinstance(item, str) for item in items)
            require(f"dataset.{key}", value, holds, "a column, a pattern, or a list of them")
        # YAML reads 1 as a number and no as false; a text is what the files have.
        holds = all(isinstance(item, str | int | float) and not isinstance(item, bool) for item in items)
        require(f"dataset.{key}", value, holds, "a text, or a list of texts, in quotes where YAML would read no text")
        setattr(self, key, [str(item) for item in items])


def _mark(text: str) -> str:
    """The character that a word or an escape such as \\t names."""
    return SEPARATORS.get(text, text.replace("\\t", "\t"))
