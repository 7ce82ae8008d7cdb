"""What the columns besides the unit, the time and the event are: numbers, categories, or nothing for a model."""

from __future__ import annotations

import re

import pandas as pd

from ddrsa.data.proposal.columns import MOST_CATEGORIES, Guess, numeric
from ddrsa.data.table.files import MISSING, is_row_number
from ddrsa.data.table.source import Table
from ddrsa.data.table.values import texts, with_plain_marks
from ddrsa.data.table_options import TableOptions

# What sensors and their systems write where they have no value.
CODES = (-9999, -999, -99, 999, 9999, 65535, 32767, -32768, 1e30)
MOST_WORDS = 5


def guess_features(table: Table, base: TableOptions, taken: set[str]) -> dict[str, Guess]:
    """The columns that are categories, those that are no features, and what stands for no value."""
    categorical, excluded = [], {}
    words_for_none: dict[str, str] = {}
    codes, whole = [], []
    for column in table.columns:
        values = table.frame[column]
        if column in taken or is_row_number(column):
            continue
        words = texts(values)
        if words.nunique() <= 1:
            excluded[column] = "it has one value"
        elif (found := numeric(table, column, base)) is None:
            odd = _odd_words(table, column, base)
            if odd:
                words_for_none |= dict.fromkeys(odd, column)
            elif pd.to_datetime(words.dropna(), format="ISO8601", errors="coerce", utc=True).notna().all():
                excluded[column] = "it has dates"
            elif words.nunique() <= MOST_CATEGORIES:
                categorical.append(column)
            else:
                excluded[column] = f"{words.nunique()} different texts"
        elif re.search(r"^rul\b|remaining|restleben", column, re.IGNORECASE):
            excluded[column] = "its name says that it tells the event"
        else:
            codes += [(column, code) for code in CODES if _is_code(found, code)]
            if 2 < found.nunique() <= 10 and (found.dropna() % 1 == 0).all():
                whole.append(column)
    guesses = {}
    if words_for_none or codes:
        none = [*words_for_none, *dict.fromkeys(f"{code:g}" for _, code in codes)]
        why = "; ".join(
            [f"{column} has {word!r} among numbers" for word, column in words_for_none.items()]
            + [f"{column} has {code:g} again and again, far from its other values" for column, code in codes]
        )
        guesses["missing_values"] = Guess(none, why, "if they mean something else, name the columns elsewhere")
    if whole and not categorical:
        doubt = f"{', '.join(whole[:5])}: few whole numbers, which may be codes"
        guesses["categorical_columns"] = Guess([], "no column of texts", doubt)
    elif categorical and whole:
        doubt = f"{', '.join(whole[:5])}: few whole numbers, which may be codes as well"
        why = f"texts, at most {MOST_CATEGORIES} different ones"
        guesses["categorical_columns"] = Guess(categorical, why, doubt)
    elif categorical:
        guesses["categorical_columns"] = Guess(categorical, f"texts, at most {MOST_CATEGORIES} different ones")
    if excluded:
        why = "; ".join(f"{column}: {reason}" for column, reason in excluded.items())
        guesses["exclude_columns"] = Guess(list(excluded), why)
    return guesses


def _odd_words(table: Table, column: str, base: TableOptions) -> list[str]:
    """The few words among the numbers of a column; nothing where it is none of numbers."""
    words = texts(table.frame[column]).dropna()
    parsed = pd.to_numeric(with_plain_marks(words, base), errors="coerce")
    odd = words[parsed.isna() & ~words.isin(MISSING)].unique().tolist()
    return odd if parsed.notna().mean() > 0.5 and len(odd) <= MOST_WORDS else []


def _is_code(values: pd.Series, code: float) -> bool:
    """Whether a value stands there again and again, and lies far from all others."""
    others = values[values != code].dropna()
    if (values == code).sum() < 2 or len(others) < 2:
        return False
    width = float(others.max() - others.min())
    return not others.min() - width <= code <= others.max() + width
