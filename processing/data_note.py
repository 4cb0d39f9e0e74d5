"""How each column was read and what made it so, for people: the data note of preprocessing.json."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Mapping, Sequence

import numpy
import pyarrow
import pyarrow.compute
from checks import Finding
from fitting import Feature
from query_result import cut
from words import is_missing, number

TRUTHS = frozenset(["true", "false"])
MOST_TRUTHS = 6  # spellings
# Of a text column's values: where as many are numbers, something is wrong with the rest.
NEAR_NUMERIC = 0.8
# Distinct values from which to judge whether a column is nearly one of numbers.
SAMPLE = 1000


def describe(
    features: Sequence[Feature], rows: numpy.ndarray | None, test: numpy.ndarray, left_out: Mapping[str, str]
) -> tuple[list[dict[str, Any]], dict[str, Finding]]:
    """A note on each column in turn, and by their names the findings of columns that are nearly numeric.

    `rows`: the source's rows that are used (None for all). `test`: places among them. `left_out`: columns that are no
    features, with why. A note: {"name", "kind": number | category | boolean | left out, "missing": rows, "distinct":
    values, "unseen": test rows with a category that training does not have, "reason"}.
    """
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        described = list(threads.map(lambda feature: _describe(feature, rows, test), features))
    notes = [note for note, _ in described]
    notes += [
        {"name": name, "kind": "left out", "missing": None, "distinct": None, "unseen": None, "reason": why}
        for name, why in left_out.items()
    ]
    return notes, {note["name"]: finding for note, finding in described if finding}


def _describe(
    feature: Feature, rows: numpy.ndarray | None, test: numpy.ndarray
) -> tuple[dict[str, Any], Finding | None]:
    name, raw = feature.specification["name"], feature.raw
    if isinstance(raw, numpy.ndarray):
        missing = int(numpy.isnan(raw).sum())
        distinct = pyarrow.compute.count_distinct(pyarrow.array(raw, from_pandas=True)).as_py()
        return _note(name, "number", missing, distinct, 0, "every value is a number"), None
    words, codes = raw
    counts = numpy.bincount(codes + 1, minlength=len(words) + 1)
    missing, present = int(counts[0]), counts[1:]
    distinct = int((present > 0).sum())
    unseen = int((feature.values[test] >= len(feature.specification["categories"])).sum())
    if distinct <= MOST_TRUTHS and {words[place].casefold() for place in numpy.flatnonzero(present)} <= TRUTHS:
        return _note(name, "boolean", missing, distinct, unseen, "every value is true or false"), None
    odd = _nearly_numeric(words, present)
    if odd is None:
        return _note(name, "category", missing, distinct, unseen, "its values are texts"), None
    word, more, numbers = odd
    place = int((codes == word).argmax())
    row = (place if rows is None else int(rows[place])) + 1
    reason = f"read as text because of {cut(repr(words[word]), 40)} in row {row}"
    reason += f" and {more} other values" if more else ""
    reason += f"; {numbers} values are numbers"
    return _note(name, "category", missing, distinct, unseen, reason), Finding(
        f"Column {name!r} is {reason}. Correct it, or leave such values empty, and it is read as numbers.", True
    )


def _note(name: str, kind: str, missing: int, distinct: int, unseen: int, reason: str) -> dict[str, Any]:
    return {"name": name, "kind": kind, "missing": missing, "distinct": distinct, "unseen": unseen, "reason": reason}


def _nearly_numeric(words: Sequence[str], counts: numpy.ndarray) -> tuple[int, int, int] | None:
    """Of a text column most of whose values are numbers: the first word that is none, how many others, how many are."""
    sample = words[:SAMPLE]
    if sum(number(word) is not None for word in sample) < NEAR_NUMERIC / 2 * len(sample):
        return None
    numeric = numpy.array([number(word) is not None for word in words], dtype=bool)
    missing = numpy.array([is_missing(word) for word in words], dtype=bool)
    numbers, odd = int(counts[numeric].sum()), numpy.flatnonzero(~numeric & ~missing & (counts > 0))
    if not len(odd) or numbers < NEAR_NUMERIC * counts.sum():
        return None
    return int(odd[0]), len(odd) - 1, numbers
