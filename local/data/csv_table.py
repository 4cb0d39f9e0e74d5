"""A person's CSV file: read as text, checked as a whole, with types that lose nothing."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportReturnType=false, reportAttributeAccessIssue=false
# (pandas has no types of its own)

from __future__ import annotations

import csv
import difflib
import io
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from local.data.feature_names import NameCollisionError, feature_names

MIN_ROWS = 500  # Autopilot's own minimum
MAX_FEATURES = 2500  # of a feature group

MOST_VALUE_CHARACTERS = 6 * 1024 * 1024  # as `automl predict`: a longer value fits no request
MOST_CLASSES = 100  # more are no classes, or too many to compare
MOST_PROBLEMS = 5  # lines named before the rest is counted

_SHOWN_NAMES = 20
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_WHOLE = re.compile(r"[+-]?(0|[1-9]\d*)")
_PADDED = re.compile(r"[+-]?0\d+")  # 00123 is a code, not a number
_INT64 = (-(2**63), 2**63 - 1)
# What stands for "no value" among numbers. Among words `NA` may be Namibia and `None` a choice: there they stay.
_MISSING_NUMBERS = {"", "na", "n/a", "nan", "null", "none", "-", "?"}


class InvalidTableError(ValueError):
    """The file cannot be used as it is. The message lists every problem, one a line, with what to do about each."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


@dataclass(frozen=True)
class CsvTable:
    """A table that can be loaded: columns as in the file. `warnings` are sentences for the person."""

    frame: pd.DataFrame
    target: str
    id_column: str
    warnings: list[str]


def read_table(path: Path, target: str, id_column: str) -> CsvTable:
    """Read and check a CSV with a header, in UTF-8, separated by commas.

    Columns get the types of `with_types`; the id column stays text. Raises InvalidTableError with all that is wrong.
    """
    frame = _read(path)
    problems = _column_problems(frame, target, id_column)
    warnings: list[str] = []
    if target in frame.columns and id_column in frame.columns and target != id_column:
        more, warnings = _row_problems(frame, target, id_column)
        problems += more
    if problems:
        raise InvalidTableError([f"{path}: {problem}" for problem in problems])
    ids = frame[id_column].str.strip()
    targets = _stripped(frame[target])  # as the processing job reads them
    frame = with_types(frame.assign(**{id_column: ids, target: targets}), text=[id_column])
    return CsvTable(frame, target, id_column, warnings)


def with_types(frame: pd.DataFrame, text: Sequence[str] = ()) -> pd.DataFrame:
    """Columns of texts → Int64 where all values are whole numbers, float64 where all are numbers, else text.

    Empty is missing. A number column may also hold NA, null and the like; one with anything else, be it a blank, stays
    text, as do codes with leading zeros. Columns named in `text` stay text whatever they hold.
    """
    return pd.DataFrame({name: frame[name] if name in text else _typed(frame[name]) for name in frame.columns})


def first_without_number(values: Any) -> tuple[str, int]:
    """The first value that keeps a column from being one of numbers, and its row (from 1); else the first value."""
    present = values.dropna().astype(str)
    present = present[[value.strip().casefold() not in _MISSING_NUMBERS for value in present]]
    odd = [not _NUMBER.fullmatch(v) or bool(_PADDED.fullmatch(v)) or not np.isfinite(float(v)) for v in present]
    label = present.index[odd.index(True) if True in odd else 0]
    return str(present[label]), int(values.index.get_loc(label)) + 1


def read_texts(content: str) -> pd.DataFrame:
    """CSV text → every value as it stands there; missing where nothing stands. Raises InvalidTableError."""
    csv.field_size_limit(MOST_VALUE_CHARACTERS)
    lines = csv.reader(io.StringIO(content, newline=""), strict=True)
    header, rows = _strict_rows(lines)
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise InvalidTableError(
            [f"the header names {', '.join(map(repr, repeated))} more than once: rename one of each."]
        )
    unnamed = [position for position, name in enumerate(header, start=1) if not name.strip()]
    if unnamed:
        raise InvalidTableError(
            [f"the header leaves column {', '.join(map(str, unnamed))} without a name: give it one."]
        )
    if len(header) == 1 and any(mark in header[0] for mark in ";\t|"):
        raise InvalidTableError(["its header has one column only and looks separated by something else: "
                            "save the file with commas between the values."])  # fmt: skip
    problems = [
        f"line {line} has {len(cells)} {'value' if len(cells) == 1 else 'values'} and the header names {len(header)}: "
        "every line needs one value for each column, and values that hold commas need double quotes."
        for line, cells in rows
        if len(cells) != len(header)
    ]
    if problems:
        more = len(problems) - MOST_PROBLEMS
        raise InvalidTableError(problems[:MOST_PROBLEMS] + ([f"{more} more lines are like that."] if more > 0 else []))
    columns = zip(*(cells for _, cells in rows), strict=True) if rows else ((),) * len(header)
    return pd.DataFrame(
        {
            name: pd.Series([cell or None for cell in cells], dtype=object)
            for name, cells in zip(header, columns, strict=True)
        }
    )


def _strict_rows(reader: Any) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header, and each row with the number of the line where it begins; empty lines are none. Raises InvalidTableError."""
    header: list[str] | None = None
    rows: list[tuple[int, list[str]]] = []
    line = 1
    try:
        for cells in reader:
            if cells and header is None:
                header = cells
            elif cells:
                rows.append((line, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        if "field larger" in str(error) or "unexpected end" in str(error):
            raise InvalidTableError([f"in the row that begins at line {line} a double quote is not closed."]) from None
        raise InvalidTableError([f"line {line} is not CSV ({error}): a double quote inside a quoted value is written twice, "
                            "and a value that begins with one ends with one."]) from None  # fmt: skip
    return header or [], rows


def _read(path: Path) -> pd.DataFrame:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InvalidTableError([f"{path}: there is no such file."]) from None
    except OSError as error:
        raise InvalidTableError([f"{path}: cannot be read ({error.strerror})."]) from None
    if not content.strip():
        raise InvalidTableError([f"{path}: is empty. It needs a header line and at least {MIN_ROWS} rows."])
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InvalidTableError([f"{path}: is not UTF-8 (line {line}). Save it as CSV UTF-8."]) from None
    try:
        return read_texts(text)
    except InvalidTableError as error:
        raise InvalidTableError([f"{path}: {problem}" for problem in error.problems]) from None


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
    ids = _stripped(frame[id_column])
    if ids.isna().any():
        first = int(ids.isna().to_numpy().argmax()) + 1
        problems.append(
            f"id column {id_column!r} is empty in {ids.isna().sum()} rows (first: data row {first}). "
            "Every row needs an id."
        )
    repeated = int(ids.dropna().duplicated().sum())
    if repeated:
        warnings.append(
            f"{repeated} rows repeat an id in {id_column!r}: of one id the newest record counts, which is the last "
            "one in the file."
        )
    labels = _stripped(frame.loc[~ids.duplicated(keep="last"), target])
    missing = int(labels.isna().sum())
    if missing and missing < len(labels):
        warnings.append(f"{missing} rows have no value in target {target!r} and are left out of the training.")
    usable = labels.dropna()
    warnings += _near_twins(usable, target)
    if usable.empty and len(labels):
        problems.append(f"target column {target!r} has no values.")
    elif len(usable) < MIN_ROWS:
        of = "" if len(usable) == len(frame) else f" with an id of their own and a value in {target!r}"
        problems.append(f"has {len(usable)} rows{of}; Autopilot needs at least {MIN_ROWS}.")
    if usable.nunique() == 1:
        problems.append(f"target column {target!r} is {usable.iloc[0]!r} in every row: there is nothing to tell apart.")
    return problems, warnings


def _near_twins(labels: pd.Series, target: str) -> list[str]:
    """A warning for values that differ only in case, white space, punctuation or in how Unicode composes them."""
    if labels.nunique() > MOST_CLASSES:
        return []
    groups: dict[str, list[str]] = {}
    for label in sorted(labels.unique()):
        letters = re.sub(r"[^\w+-]+", "", unicodedata.normalize("NFKC", label)).casefold()
        if letters and not _NUMBER.fullmatch(label):
            groups.setdefault(letters, []).append(label)
    counts = labels.value_counts()
    return [
        f"{' and '.join(f'{label!r} ({counts[label]} rows)' for label in alike)} in target {target!r} look like one class "
        "and are learned as several: use one spelling if they mean the same."
        for alike in groups.values()
        if len(alike) > 1
    ]


def _stripped(values: pd.Series) -> pd.Series:
    bare = values.str.strip()
    return bare.mask(bare == "")


def _typed(values: pd.Series) -> pd.Series:
    distinct = {value for value in values.dropna().unique() if value.strip().casefold() not in _MISSING_NUMBERS}
    blanks = any(not value.strip() for value in values.dropna().unique())
    if not distinct or blanks or not all(_NUMBER.fullmatch(value) for value in distinct):
        return values
    if any(_PADDED.fullmatch(value) for value in distinct):
        return values
    kept = values.where(values.isin(distinct))
    if all(_WHOLE.fullmatch(value) and _INT64[0] <= int(value) <= _INT64[1] for value in distinct):
        whole = [pd.NA if pd.isna(value) else int(value) for value in kept]
        return pd.Series(whole, index=values.index, dtype="Int64", name=values.name)
    numbers = kept.astype(float)
    # 1e999 is no number that a model can learn from.
    return numbers if np.isfinite(numbers.dropna()).all() else values
