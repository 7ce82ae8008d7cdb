"""What the columns besides the unit, the time and the event are: numbers, categories, or nothing for a model."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from ddrsa.data.proposal.columns import MOST_CATEGORIES, Guess, numeric
from ddrsa.data.table.codes import codes_in, shown_code
from ddrsa.data.table.files import MISSING, is_row_number
from ddrsa.data.table.source import Table
from ddrsa.data.table.values import texts, with_plain_marks
from ddrsa.data.table_options import TableOptions

MOST_WORDS = 5


def guess_features(table: Table, base: TableOptions, taken: set[str], unit: pd.Series) -> dict[str, Guess]:
    """The columns that are categories, those that are no features, and what stands for no value.

    unit: (N,) the names of the units.
    """
    categorical, doubts = [], []
    excluded: dict[str, str] = {}
    measured: dict[str, pd.Series] = {}
    words_for_none: dict[str, str] = {}
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
            elif _names_the_unit(words, unit):
                excluded[column] = "each unit has another text in it, which is a name of the unit"
            elif words.dropna().str.contains(r"^[-+(]?\d[\d.,' ]*").mean() > _MOSTLY:
                excluded[column] = "it is no number as it is written"
                doubts.append(
                    f"{column} has numbers in a writing that cannot be read, such as {words.dropna().iloc[0]!r}"
                )
            elif words.nunique() <= MOST_CATEGORIES:
                categorical.append(column)
            else:
                excluded[column] = f"{words.nunique()} different texts"
                if words.nunique() < len(words) / 20:
                    doubts.append(f"{column} may be a category")
        elif re.search(r"^rul\b|remaining|restleben", column, re.IGNORECASE):
            excluded[column] = "its name says that it tells the event"
        else:
            measured[column] = found
    guesses = _no_values(words_for_none, measured)
    guesses |= _categories(categorical, [column for column, found in measured.items() if _is_whole(found)])
    if excluded:
        why = "; ".join(f"{column}: {reason}" for column, reason in excluded.items())
        guesses["exclude_columns"] = Guess(list(excluded), why, "; ".join(doubts))
    return guesses


_MOSTLY = 0.9


def _no_values(words: dict[str, str], measured: dict[str, pd.Series]) -> dict[str, Guess]:
    """The key `missing_values`. words: with the column of each. measured: the columns of numbers."""
    codes = [(column, code) for column, values in measured.items() for code in codes_in(values)]
    here = {column: {code for name, code in codes if name == column} for column in measured}
    kept, doubts = [], []
    for column, code in codes:
        # The key is one of all columns.
        other = [name for name, values in measured.items() if code not in here[name] and (values == code).any()]
        if other:
            doubts.append(
                f"{column} is {shown_code(code)} again and again, which may be no value; but {other[0]} has it as one"
            )
        else:
            kept.append((column, code))
    if not words and not codes:
        return {}
    why = [f"{column} has {word!r} among numbers" for word, column in words.items()]
    why += [f"{column} has {shown_code(code)}, far from its other values" for column, code in kept]
    if words or kept:
        doubts.insert(0, "if they mean something else, name the columns elsewhere")
    none = [*words, *dict.fromkeys(shown_code(code) for _, code in kept)]
    return {"missing_values": Guess(none, "; ".join(why) or "nothing that is sure", "; ".join(doubts))}


def _categories(categorical: list[str], whole: list[str]) -> dict[str, Guess]:
    """The key `categorical_columns`. whole: columns of numbers that may be codes."""
    if not categorical and not whole:
        return {}
    why = f"texts, at most {MOST_CATEGORIES} different ones" if categorical else "no column of texts"
    doubt = f"{', '.join(whole[:5])}: few whole numbers, which may be codes" + " as well" * bool(categorical)
    return {"categorical_columns": Guess(categorical, why, doubt if whole else "")}


def _is_whole(values: pd.Series) -> bool:
    return 2 < values.nunique() <= 10 and bool((values.dropna() % 1 == 0).all())


def _names_the_unit(words: pd.Series, unit: pd.Series) -> bool:
    """Whether each unit has one text in a column, and no other unit has it."""
    pairs = pd.DataFrame({"unit": unit.to_numpy(), "word": words.to_numpy()}).drop_duplicates()
    return len(pairs) > 2 and pairs["unit"].is_unique and pairs["word"].is_unique


def _odd_words(table: Table, column: str, base: TableOptions) -> list[str]:
    """The few words among the numbers of a column; nothing where it is none of numbers."""
    words = texts(table.frame[column]).dropna()
    parsed = pd.to_numeric(with_plain_marks(words, base), errors="coerce")
    finite = np.isfinite(parsed.astype(np.float64))
    odd = words[~finite & ~words.isin(MISSING)].unique().tolist()
    return odd if finite.mean() > 0.5 and len(odd) <= MOST_WORDS else []
