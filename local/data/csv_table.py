"""A person's CSV file: read as text, checked as a whole, with types that lose nothing."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportReturnType=false, reportAttributeAccessIssue=false
# (pandas has no types of its own)

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from automl_pipeline.contradictions import MOST_COLUMN_NAMES

from processing import labels, reading
from processing.names import NameCollisionError, feature_names, fold
from processing.words import bare, is_code, is_missing, is_missing_label

MIN_ROWS = 625  # Autopilot trains on 500 or more, and a fifth is held out: what processing/fitting.py asks for
MAX_FEATURES = 2500  # of a feature group

MOST_CLASSES = 20  # with more distinct values, most of them numbers, a target is taken for a quantity
NEARLY_ALL = 0.9
MOST_PROBLEMS = 5  # lines named before the rest is counted

_SHOWN_NAMES = 20
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"[+-]?(0|[1-9]\d*)", re.ASCII)
_INT64 = (-(2**63), 2**63 - 1)


class InvalidTableError(ValueError):
    """The file cannot be used as it is. The message lists every problem, one a line, with what to do about each."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


@dataclass(frozen=True)
class CsvTable:
    """A table that can be loaded: columns as in the file, the target as texts. `warnings` are sentences for the person."""

    frame: pd.DataFrame
    target: str
    id_column: str
    warnings: list[str]


def read_table(path: Path, target: str, id_column: str) -> CsvTable:
    """Read and check a CSV with a header, in UTF-8, separated by commas.

    Columns get the types of `with_types`; id and target stay texts. Raises InvalidTableError with all that is wrong.
    """
    frame = _read(path)
    problems = _column_problems(frame, target, id_column)
    warnings = [_renames(frame)] if not problems else []
    if target in frame.columns and id_column in frame.columns and target != id_column:
        more, noted = _row_problems(frame, target, id_column)
        problems, warnings = problems + more, warnings + noted
    if problems:
        raise InvalidTableError([f"{path}: {problem}" for problem in problems])
    bared = {id_column: _bare(frame[id_column]), target: _labels(frame[target])}  # as the processing job reads them
    frame = with_types(frame.assign(**bared), text=[id_column, target])
    return CsvTable(frame, target, id_column, [warning for warning in warnings if warning])


def as_quantity(table: CsvTable) -> CsvTable:
    """The table with its target as numbers, if it holds nothing else."""
    if table.frame[table.target].dtype != object:
        return table
    return replace(table, frame=table.frame.assign(**{table.target: _typed(table.frame[table.target])}))


def is_nearly_a_quantity(table: CsvTable) -> bool:
    """Whether the target is one of numbers but for a few values."""
    values = table.frame[table.target].dropna()
    if values.dtype != object or values.nunique() <= MOST_CLASSES:
        return False
    numbers = [_NUMBER.fullmatch(value) and np.isfinite(float(value)) and not is_code(value) for value in values]
    return NEARLY_ALL <= sum(map(bool, numbers)) / len(numbers) < 1


def with_types(frame: pd.DataFrame, text: Sequence[str] = ()) -> pd.DataFrame:
    """Columns of texts → Int64 where all values are whole numbers, float64 where all are numbers, else text.

    Empty is missing. A number column may also hold NA, null and the like (see processing/words.py); one with anything else,
    be it a blank, stays text, as do codes with leading zeros. Columns named in `text` stay text whatever they hold.
    """
    return pd.DataFrame({name: frame[name] if name in text else _typed(frame[name]) for name in frame.columns})


def first_without_number(values: Any) -> tuple[str, int]:
    """The first value that keeps a column from being one of numbers, and its row (from 1); else the first value."""
    present = values.dropna().astype(str)
    present = present[[not is_missing(bare(value)) for value in present]]
    odd = [not _NUMBER.fullmatch(v) or is_code(v) or not np.isfinite(float(v)) for v in present]
    label = present.index[odd.index(True) if True in odd else 0]
    return str(present[label]), int(values.index.get_loc(label)) + 1


def read_texts(path: Path) -> pd.DataFrame:
    """A CSV file → every value as it stands there; missing where nothing stands. Raises InvalidTableError, OSError."""
    try:
        header, *rows = reading.read(path)
    except reading.UnreadableError as error:
        raise InvalidTableError([f"{error}."]) from None
    names = header.cells
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InvalidTableError(
            [f"the header names {', '.join(map(repr, repeated))} more than once: rename one of each."]
        )
    unnamed = [position for position, name in enumerate(names, start=1) if not name.strip()]
    if unnamed:
        raise InvalidTableError(
            [f"the header leaves column {', '.join(map(str, unnamed))} without a name: give it one."]
        )
    wrong = [(row, problem) for row in rows if (problem := reading.row_problem(row, len(names)))]
    if wrong:
        more = len(wrong) - MOST_PROBLEMS
        named = [f"line {row.line:,} {problem}." for row, problem in wrong[:MOST_PROBLEMS]]
        remedy = "Every line needs one value for each column, and values that hold commas need double quotes."
        raise InvalidTableError([*named, *([f"{more:,} more lines are like that."] if more > 0 else []), remedy])
    columns = zip(*(row.cells for row in rows), strict=True) if rows else ((),) * len(names)
    return pd.DataFrame(
        {
            name: pd.Series([cell or None for cell in cells], dtype=object)
            for name, cells in zip(names, columns, strict=True)
        }
    )


def _read(path: Path) -> pd.DataFrame:
    try:
        return read_texts(path)
    except FileNotFoundError:
        raise InvalidTableError([f"{path}: there is no such file."]) from None
    except OSError as error:
        raise InvalidTableError([f"{path}: cannot be read ({error.strerror})."]) from None
    except InvalidTableError as error:
        raise InvalidTableError([f"{path}: {problem}" for problem in error.problems]) from None


def column_names(frame: pd.DataFrame) -> dict[str, str]:
    """The setting column_names of a run on this table: feature → column where the Feature Store takes another name.

    As many as fit: these are for people, and requests are understood without them.
    """
    names: dict[str, str] = {}
    for column, name in feature_names(frame.columns).items():
        if fold(column) == name or len(column) > 200 or not column.isprintable():
            continue
        if len(names) == 500 or len(json.dumps({**names, name: column})) > MOST_COLUMN_NAMES:
            break
        names[name] = column
    return names


def _renames(frame: pd.DataFrame) -> str:
    """What the Feature Store will call columns that it does not take as they are; "" if none."""
    renamed = [f"{column} → {name}" for column, name in feature_names(frame.columns).items() if fold(column) != name]
    if not renamed:
        return ""
    shown = ", ".join(renamed[:_SHOWN_NAMES]) + (
        f" and {len(renamed) - _SHOWN_NAMES} more" if len(renamed) > _SHOWN_NAMES else ""
    )
    return f"The Feature Store takes other names: {shown}. `automl predict` and the endpoint take both."


def _column_problems(frame: pd.DataFrame, target: str, id_column: str) -> list[str]:
    problems = [
        _absent(frame, role, name)
        for role, name in (("target column", target), ("id column", id_column))
        if name not in frame.columns
    ]
    if target == id_column:
        problems.append(f"{target!r} cannot be both target and id column.")
    if len(frame.columns) < 3:
        problems.append("has no column to learn from besides target and id.")
    if len(frame.columns) > MAX_FEATURES:
        problems.append(f"has {len(frame.columns)} columns; a feature group takes {MAX_FEATURES}. Leave some out.")
    try:
        feature_names(frame.columns)
    except NameCollisionError as collision:
        problems += str(collision).split("\n")
    return problems


def _absent(frame: pd.DataFrame, role: str, name: str) -> str:
    columns = list(frame.columns)
    folded = {column.casefold(): column for column in columns}
    close = [folded[match] for match in difflib.get_close_matches(name.casefold(), list(folded), n=3)]
    if close:
        return f"{role} {name!r} is not in it. Did you mean {' or '.join(map(repr, close))}?"
    more = ", …" if len(columns) > _SHOWN_NAMES else ""
    return f"{role} {name!r} is not in it. It has {', '.join(map(repr, columns[:_SHOWN_NAMES]))}{more}."


def _row_problems(frame: pd.DataFrame, target: str, id_column: str) -> tuple[list[str], list[str]]:
    problems, warnings = [], []
    ids = _bare(frame[id_column])
    if ids.isna().any():
        first = int(ids.isna().to_numpy().argmax()) + 1
        problems.append(
            f"id column {id_column!r} is empty in {_rows(int(ids.isna().sum()))} (first: data row {first}). "
            "Every row needs an id."
        )
    repeated = int(ids.dropna().duplicated().sum())
    if repeated:
        warnings.append(
            f"{_rows(repeated)} with a repeated id in {id_column!r}: of one id the newest record counts, which is "
            + ("the one with the latest event_time." if "event_time" in frame.columns else "the last one in the file.")
        )
    newest = frame.loc[~ids.duplicated(keep="last"), target]
    targets = _labels(newest)
    missing = int(targets.isna().sum())
    if missing and missing < len(targets):
        words = _bare(newest)[targets.isna()].value_counts()
        written = ", ".join(f"{word!r} {count}" for word, count in words.items())
        warnings.append(
            f"{_rows(missing)} without a value in target {target!r}{f' (written {written})' if written else ''}: left out of the "
            "training."
        )
    usable = targets.dropna()
    counts = usable.value_counts().sort_index()
    warnings += [
        f"{' and '.join(f'{label!r} ({_rows(count)})' for label, count in alike)} in target {target!r} look like one class "
        "and are learned as several: use one spelling if they mean the same."
        for alike in labels.near_twins(list(counts.index), list(counts))
    ]
    if usable.empty and len(targets):
        problems.append(f"target column {target!r} has no values.")
    elif len(usable) < MIN_ROWS:
        left = "" if len(usable) == len(frame) else f" left of {len(frame)}, one per id and with a value in {target!r}"
        problems.append(
            f"has {_rows(len(usable))}{left}; at least {MIN_ROWS} are needed: Autopilot trains on 500, and a fifth is held out."
        )
    if usable.nunique() == 1:
        problems.append(f"target column {target!r} is {usable.iloc[0]!r} in every row: there is nothing to learn.")
    return problems, warnings


def _rows(number: int) -> str:
    return f"{number:,} row{'' if number == 1 else 's'}"


def _bare(values: pd.Series) -> pd.Series:
    """Texts as the processing job reads them; missing where nothing is left."""
    distinct = {value: bare(value) or None for value in values.dropna().unique()}
    return values.map(distinct).astype(object).where(values.notna(), None)


def _labels(values: pd.Series) -> pd.Series:
    """A target's texts, likewise; the words for missing are no classes."""
    bared = _bare(values)
    return bared.where([value is not None and not is_missing_label(value) for value in bared], None)


def _typed(values: pd.Series) -> pd.Series:
    distinct = {value for value in values.dropna().unique() if not is_missing(bare(value))}
    blanks = any(not value.strip() for value in values.dropna().unique())
    if not distinct or blanks or not all(_NUMBER.fullmatch(value) for value in distinct):
        return values
    if any(map(is_code, distinct)):
        return values
    kept = values.where(values.isin(distinct))
    if all(_WHOLE.fullmatch(value) and _INT64[0] <= int(value) <= _INT64[1] for value in distinct):
        whole = [pd.NA if pd.isna(value) else int(value) for value in kept]
        return pd.Series(whole, index=values.index, dtype="Int64", name=values.name)
    numbers = kept.astype(float)
    # 1e999 is no number that a model can learn from.
    return numbers if np.isfinite(numbers.dropna()).all() else values
