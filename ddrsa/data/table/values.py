"""The values of cells: names, categories, numbers and flags, however a file spells them."""

from __future__ import annotations

import logging
import re
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ddrsa.data.table.files import MISSING
from ddrsa.data.table.source import Table
from ddrsa.data.table_options import TableOptions

log = logging.getLogger(__name__)

YES = ("1", "1.0", "true", "t", "yes", "y", "on", "ja", "j", "ein", "wahr", "oui", "vrai", "si", "sí", "sim")
NO = ("0", "0.0", "false", "f", "no", "n", "off", "nein", "aus", "falsch", "non", "faux", "não", "nao")

# A number as files of one and the same value differ: 1, 1.0, 1e+16. Not 007 or 1E3, which are names.
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?(e[+-]\d+)?")
_SPACES = re.compile("[\u00a0\u2007\u202f]")
# What numbers are written with besides ASCII: a minus, and the apostrophe of the Swiss.
_MARKS = str.maketrans({"\u2212": "-", "\u2019": "'"})


def texts(values: pd.Series) -> pd.Series:
    """The cells as texts without blanks around them, None where there is none; what is no text as it is written.

    A whole number that is stored as a float is written as the number that it is.
    """
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(object)
    try:
        codes, distinct = pd.factorize(values.astype(object))
    except TypeError:  # lists and the like, of Parquet
        codes, distinct = pd.factorize(values.map(repr, na_action="ignore").astype(object))
    written = np.array([_written(value) for value in distinct] + [None], dtype=object)
    written[written == ""] = None
    return pd.Series(written[codes], index=values.index, dtype=object)


def _written(value: Any) -> str:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, float | np.floating):
        return str(int(value)) if np.isfinite(value) and value == int(value) else repr(float(value))
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, date | pd.Timestamp):
        return value.isoformat()
    return str(value).strip()


def categories(values: pd.Series, options: TableOptions) -> pd.Series:
    """The cells as texts that are the same for the same value: 1 for 1.0, True for true. None where one is empty."""
    written = texts(values)
    codes, distinct = pd.factorize(written)
    values_of = [category(name, options) for name in distinct]
    return pd.Series(np.array([*values_of, None], dtype=object)[codes], index=values.index, dtype=object)


def category(name: str, options: TableOptions) -> str:
    """The one spelling of a category."""
    if name.lower() in ("true", "false"):
        return name.lower().capitalize()
    number = name.replace(options.decimal, ".") if options.decimal != "." else name
    if not _NUMBER.fullmatch(number):
        return name
    value = Decimal(number)
    return "0" if value == 0 else format(value.normalize(), "f")


def numbers(table: Table, column: str, options: TableOptions) -> pd.Series:
    """A column as float64, NaN where a cell is empty. Raises DataError for a cell that is no finite number."""
    values = table.frame[column]
    if pd.api.types.is_numeric_dtype(values.dtype) and values.dtype != object:
        found = pd.to_numeric(values, errors="coerce").astype(np.float64)
        _warn_of_digits(column, values, found)
        missing = values.isna()
    else:
        written = texts(values)
        missing = written.isna() | written.isin([*MISSING, *options.missing_values])
        found = _parsed(written.mask(missing), options)
        if found.isna().sum() > missing.sum():
            flags = _flags(written)
            if flags[~missing].notna().all():
                log.info("%s: yes and no, or their like, are read as 1 and 0", column)
                found = flags
    missing |= found.isin(_codes(options))  # -9999 also where a file has -9999.0, or numbers and no texts
    wrong = ~missing & ~np.isfinite(found)
    if wrong.any():
        raise table.error(column, int(wrong.to_numpy().argmax()), _advice(str(values[wrong].iloc[0]), options))
    return found.mask(missing).astype(np.float64)


def _codes(options: TableOptions) -> list[float]:
    """The numbers among `dataset.missing_values`."""
    codes = _parsed(pd.Series(options.missing_values, dtype=object), options)
    if options.decimal != ".":  # on a command line -999.5 is a number, whatever the marks of a file
        codes = codes.fillna(pd.to_numeric(pd.Series(options.missing_values, dtype=object), errors="coerce"))
    return codes.dropna().tolist()


def _parsed(written: pd.Series, options: TableOptions) -> pd.Series:
    """Numbers with the marks of the options; NaN where a text is none."""
    return pd.to_numeric(with_plain_marks(written, options), errors="coerce").astype(np.float64)


def with_plain_marks(written: pd.Series, options: TableOptions) -> pd.Series:
    """Numbers as texts with a decimal point and nothing else; None where a text is none by the marks of the options.

    Thousands stand in groups of three.
    """
    written = written.str.translate(_MARKS)
    if options.decimal != "." or options.thousands is not None:
        text = written.str.replace(_SPACES, " ", regex=True)
        whole = r"[+-]?\d+"
        if options.thousands is not None:
            mark = re.escape(options.thousands)
            whole = rf"[+-]?(?:\d+|\d{{1,3}}(?:{mark}\d{{3}})+)"
        decimal = re.escape(options.decimal)
        form = rf"{whole}(?:{decimal}\d*)?(?:[eE][+-]?\d+)?|[+-]?{decimal}\d+"
        text = text.where(text.str.fullmatch(form).fillna(False).astype(bool))
        if options.thousands is not None:
            text = text.str.replace(options.thousands, "", regex=False)
        written = text.str.replace(options.decimal, ".", regex=False)
    return written


def _advice(shown: str, options: TableOptions) -> str:
    what = ", a finite number is expected"
    mark = "," if options.decimal == "." else "."
    shown = _SPACES.sub(" ", shown).translate(_MARKS)
    if re.fullmatch(rf"[+-]?[\d ']*\d{re.escape(mark)}\d+", shown):
        other = f"dataset.decimal={'comma' if mark == ',' else 'point'}"
        thousands = f"dataset.thousands={'comma' if mark == ',' else 'point'}"
        return f"{what}; {other} if {mark!r} is the decimal mark, {thousands} if it stands between thousands"
    if re.fullmatch(r"[+-]?\d{1,3}(([.,' ])\d{3})+([.,]\d+)?", shown):
        return f"{what}; dataset.thousands and dataset.decimal name the marks in it"
    if re.fullmatch(r"[+-]?inf", shown):
        return f"{what}; dataset.missing_values=[inf, Infinity] if such a text means that there is no value"
    if (not re.search(r"\d", shown) and len(shown) <= 16) or re.match(r"#|1\.#", shown):
        what += f"; dataset.missing_values=['{shown}'] if it means that there is no value,"
        return f"{what} or name the column in dataset.categorical_columns or dataset.exclude_columns"
    return f"{what}; name it in dataset.categorical_columns or dataset.exclude_columns if it is no measurement"


def _warn_of_digits(column: str, values: pd.Series, found: pd.Series) -> None:
    """Say where float64 has not the digits of integers."""
    if found.abs().max() < 2**53:
        return
    known = values.dropna()
    if pd.api.types.is_integer_dtype(values.dtype):
        lost = int((known != found[known.index].clip(-(2.0**63), 2.0**64 * (1 - 2.0**-53)).astype(known.dtype)).sum())
    else:
        lost = int(((found.abs() >= 2**53) & (found.abs() < 2**64) & (found % 1 == 0)).sum())
    if lost:
        log.warning(
            "%s: whole numbers of more than 2^53 lose their last digits, which changes %d values; subtract what they "
            "have in common", column, lost
        )  # fmt: skip


def _flags(written: pd.Series) -> pd.Series:
    """1 and 0, NaN where a text is neither yes nor no."""
    return written.str.lower().map({**dict.fromkeys(YES, 1.0), **dict.fromkeys(NO, 0.0)}).astype(np.float64)


def flags(table: Table, column: str, *, empty_is_no: bool = False) -> NDArray[np.bool_]:
    """(N,) a column of 1 and 0, true and false, yes and no, ja and nein, on and off, whatever their case.

    empty_is_no: otherwise an empty cell is refused.
    """
    written = texts(table.frame[column])
    found = _flags(written)
    holds = found.notna() | (written.isna() if empty_is_no else False)
    table.require(column, holds, ", 0 or 1 is expected, or such as yes or no; dataset.failure_kinds names other texts")
    return found.to_numpy() == 1
