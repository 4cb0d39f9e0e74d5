"""Which texts can be the classes of a target. Standard library only: the demo asks before it starts anything.

Autopilot reads its training data with type inference and answers in CSV. Labels stay the texts they are in the table; what
would not survive that is refused by name, and what only looks wrong is said.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Sequence

if __package__:  # of the project
    from processing.words import number
else:  # in SageMaker's containers all modules lie in one folder
    from words import number

# A double represents every integer up to here exactly.
LARGEST_EXACT_INTEGER = 2**53
INTEGER = re.compile(r"[+-]?[0-9]+")
# More classes than these are not compared with one another.
MOST_COMPARED = 100
# If one of two classes is rarer than this, accuracy means little: a constant answer is right nearly always.
RARE = 0.1


def unusable(labels: Sequence[str], target: str) -> str:
    """Why Autopilot could not learn or distinguish these classes; "" if it can."""
    for label in labels:
        if any(mark in label for mark in ',"\r\n'):
            return (
                f"Class {_shown(label)} of target column {target!r} holds a comma, a double quote or a line break, which "
                "does not survive in the CSV that the model answers with. Rename the class."
            )
    senses = [_sense(label) for label in labels]
    if None in senses:  # one text among them, and all of them are read as texts
        return ""
    if all(number(label) is not None for label in labels):
        large = [label for label in labels if INTEGER.fullmatch(label) and abs(int(label)) > LARGEST_EXACT_INTEGER]
        if large:
            return (
                f"Class {_shown(large[0])} of target column {target!r} is an integer beyond 2^53, which a double cannot "
                "hold exactly: Autopilot may confuse it with its neighbors. Put a letter in front of every class."
            )
    groups: dict[str | None, list[str]] = {}
    for label, sense in zip(labels, senses):
        groups.setdefault(sense, []).append(label)
    for sense, alike in groups.items():
        if len(alike) > 1:
            return (
                f"Classes {' and '.join(map(_shown, alike[:5]))} of target column {target!r} cannot be distinguished: "
                f"Autopilot reads each of them as {sense}. Use one spelling, or put a letter in front of every class."
            )
    return ""


def near_twins(labels: Sequence[str], counts: Sequence[int]) -> list[list[tuple[str, int]]]:
    """Labels with their counts that differ only in case, white space, punctuation or in how Unicode composes them."""
    if len(labels) > MOST_COMPARED:
        return []
    groups: dict[str, list[tuple[str, int]]] = {}
    for label, count in zip(labels, counts):
        letters = re.sub(r"[^\w+-]+", "", unicodedata.normalize("NFKC", label)).casefold()
        if letters and number(label) is None:
            groups.setdefault(letters, []).append((label, int(count)))
    return [alike for alike in groups.values() if len(alike) > 1]


def _sense(label: str) -> str | None:
    """What a reader of CSV that infers types takes the label for: a number or a boolean; None for a text."""
    if label in ("True", "TRUE", "true", "False", "FALSE", "false"):
        return label.capitalize()
    value = number(label)
    return None if value is None else repr(value + 0.0).removesuffix(".0")


def _shown(label: str) -> str:
    shown = repr(label)
    return shown if len(shown) <= 40 else shown[:37] + "..."
