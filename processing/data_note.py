"""How each column was read, and why, for people: the data note of preprocessing.json."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

import numpy
from checks import Finding
from fitting import Feature
from splitting import WITHOUT_TARGET, Roles
from unusable_data import cut
from words import is_missing, number

TRUTHS = frozenset(["true", "false"])
MOST_TRUTHS = 6  # spellings
# If at least this share of a text column's values are numbers, the others are probably errors.
NEAR_NUMERIC = 0.8
# Distinct values that are sampled to decide whether a column is nearly numeric.
SAMPLE = 1000


def describe(
    features: Sequence[Feature], roles: Roles, left_out: Mapping[str, str]
) -> tuple[list[dict[str, Any]], dict[str, Finding]]:
    """A note on each column in turn, and by their names the findings of columns that are nearly numeric.

    `left_out`: columns that are no features, with why. A note: {"name", "kind": number | category | boolean | left out,
    "missing": rows, "distinct": values, "unseen": test rows with a category that training does not have, "reason"}.
    """
    described = list(roles.by_column(lambda feature: _describe(feature, roles), features))
    notes = [note for note, _ in described]
    notes += [
        {"name": name, "kind": "left out", "missing": None, "distinct": None, "unseen": None, "reason": why}
        for name, why in left_out.items()
    ]
    return notes, {note["name"]: finding for note, finding in described if finding}


def _describe(feature: Feature, roles: Roles) -> tuple[dict[str, Any], Finding | None]:
    name, missing, distinct, unseen = feature.specification["name"], feature.missing, feature.distinct, feature.unseen
    if feature.is_number:
        return _note(name, "number", missing, distinct, 0, "every value is a number"), None
    words, present = feature.column.words or [], feature.counts
    if distinct <= MOST_TRUTHS and {words[place].casefold() for place in numpy.flatnonzero(present)} <= TRUTHS:
        return _note(name, "boolean", missing, distinct, unseen, "every value is true or false"), None
    odd = _nearly_numeric(words, present)
    if odd is None:
        return _note(name, "category", missing, distinct, unseen, "its values are texts"), None
    word, more, numbers = odd
    reason = f"read as text because of {cut(repr(words[word]), 40)} in row {_first_row(feature, word, roles) + 1}"
    reason += f" and {more} other values" if more else ""
    reason += f"; {numbers} values are numbers"
    return _note(name, "category", missing, distinct, unseen, reason), Finding(
        f"Column {name!r} is {reason}. Correct it, or leave such values empty, and it is read as numbers.", True
    )


def _first_row(feature: Feature, word: int, roles: Roles) -> int:
    """The first of the source's rows with a target that holds this word."""
    before = 0
    for place, rows in enumerate(roles.pieces):
        found = (feature.column.piece(place) == word) & (roles.of(place) != WITHOUT_TARGET)
        if found.any():
            return before + int(found.argmax())
        before += rows
    raise AssertionError(f"no row holds word {word}")


def _note(name: str, kind: str, missing: int, distinct: int, unseen: int, reason: str) -> dict[str, Any]:
    return {"name": name, "kind": kind, "missing": missing, "distinct": distinct, "unseen": unseen, "reason": reason}


def _nearly_numeric(words: Sequence[str], counts: numpy.ndarray) -> tuple[int, int, int] | None:
    """For a text column that is mostly numbers: the first value that is not one, how many others there are, how many are."""
    sample = words[:SAMPLE]
    if sum(number(word) is not None for word in sample) < NEAR_NUMERIC / 2 * len(sample):
        return None
    numeric = numpy.array([number(word) is not None for word in words], dtype=bool)
    missing = numpy.array([is_missing(word) for word in words], dtype=bool)
    numbers, odd = int(counts[numeric].sum()), numpy.flatnonzero(~numeric & ~missing & (counts > 0))
    if not len(odd) or numbers < NEAR_NUMERIC * counts.sum():
        return None
    return int(odd[0]), len(odd) - 1, numbers
