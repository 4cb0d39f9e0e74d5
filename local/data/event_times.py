"""Points in time as people write them, as texts that the Feature Store takes for an event time.

What is read: ISO 8601 with or without a time of day, a zone and a fraction (`2026-11-23`, `2026-11-23 21:00`,
`2026-11-23T21:00:00.250+01:00`), and epoch seconds or milliseconds, also with a fraction. Without a zone a time counts as UTC.
Everything else is refused by its row: `05/01/2024` is two different days.
"""

# pyright: reportArgumentType=false, reportCallIssue=false, reportReturnType=false, reportAttributeAccessIssue=false
# (pandas has no types of its own)

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from processing.words import bare, is_missing

MOST_PROBLEMS = 5

_ISO = re.compile(
    r"(?P<day>\d{4}-\d{2}-\d{2})([T ](?P<time>\d{2}:\d{2}(:\d{2})?)([.,](?P<fraction>\d+))?\s?(?P<zone>Z|[+-]\d{2}:?\d{2})?)?",
    re.IGNORECASE,
)
_EPOCH = re.compile(r"\d+(\.\d*)?")
# Seconds from 1973 to 2286, milliseconds from 1979 to 2286: a day such as 20240105 is neither.
_SECONDS, _MILLISECONDS = (1e8, 1e10), (3e11, 1e13)
_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)


def event_times(values: Any) -> Any:
    """A column (Series) as texts in one of the two forms that the Feature Store takes, with milliseconds if any time has some.

    One form for all: as texts, which is how a query compares them, `…:00Z` comes after `…:00.500Z`. Raises ValueError with
    a sentence on each of the first rows that hold no time.
    """
    read = {value: _moment(value) for value in values.dropna().unique()}
    moments = [None if pd.isna(value) else read[value] for value in values]
    wrong = [row for row, moment in enumerate(moments, 1) if moment is None]
    if wrong:
        said = [_problem(values.iloc[row - 1], row, str(values.name)) for row in wrong[:MOST_PROBLEMS]]
        more = len(wrong) - MOST_PROBLEMS
        raise ValueError("\n".join([*said, *([f"{more:,} more rows are like that."] if more > 0 else [])]))
    fractions = any(moment.microsecond for moment in read.values() if moment)
    return values.map({value: _text(moment, fractions=fractions) for value, moment in read.items() if moment})


def _moment(value: Any) -> datetime | None:
    text = bare(repr(float(value)) if isinstance(value, float) else str(value))
    if _EPOCH.fullmatch(text):
        number = float(text)
        if _SECONDS[0] <= number < _SECONDS[1]:
            return _BEGIN + timedelta(milliseconds=round(number * 1000))
        if _MILLISECONDS[0] <= number < _MILLISECONDS[1]:
            return _BEGIN + timedelta(milliseconds=round(number))
        return None
    found = _ISO.fullmatch(text)
    if found is None:
        return None
    fraction = (found["fraction"] or "")[:3].ljust(3, "0")
    zone = (found["zone"] or "Z").upper()
    try:
        moment = datetime.fromisoformat(f"{found['day']}T{found['time'] or '00:00'}{zone}")
        return moment.astimezone(UTC) + timedelta(milliseconds=int(fraction))
    except (ValueError, OverflowError):
        return None


def _text(moment: datetime, *, fractions: bool) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + (f".{moment.microsecond // 1000:03}Z" if fractions else "Z")


def _problem(value: Any, row: int, name: str) -> str:
    if pd.isna(value) or is_missing(bare(str(value))):
        return f"Column {name!r} has no time in data row {row:,}: every record needs one."
    return (
        f"Column {name!r} holds {str(value)[:40]!r} in data row {row:,}, which is not a time: write it like "
        "2026-11-23T21:00:00Z or 2026-11-23, or as epoch seconds or milliseconds, or rename the column."
    )
