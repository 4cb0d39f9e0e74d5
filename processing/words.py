"""What a value of a table means, however it is spelled: nothing, a number, a boolean, or a text.

The one definition for the demo, the processing job, the preprocess container and `automl predict`. Standard library only:
it runs in SageMaker's containers (Python 3.9), in Lambda and on the command line.

- White space around a value does not count, no-break spaces and the like included (what `str.strip` removes).
- Texts are compared as Unicode composes them (NFC): `é` is one letter, whether it was typed as one character or as two.
- `NA`, `null` and the other `MISSING` words, in any case, are missing values in a column of numbers. In a column of texts
  they are missing unless training saw the word as a category: `NA` may be Namibia, and `None` a choice.
- Digits behind a leading zero are a code (`00123`), and a column that holds one is not a column of numbers.
- `True`, `TRUE` and `true` are one value, as are `1` and `1.0`, which is how pandas writes a whole number beside blanks.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Iterable, Sequence

MISSING = frozenset(["", "na", "n/a", "#n/a", "#na", "<na>", "nan", "nat", "null", "none", "\\n", "-", "?"])
# White space as `str.strip` knows it, for libraries that need a list.
WHITE_SPACE = "".join(map(chr, [*range(9, 14), *range(28, 33), 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B)])) + (
    "\u2028\u2029\u202f\u205f\u3000"
)
BOOLEANS = ("false", "true")
UNKNOWN = "Unknown"

CODE = re.compile(r"0[0-9]+")
_WHOLE_AS_FRACTION = re.compile(r"-?(0|[1-9][0-9]*)\.0")


def bare(text: str) -> str:
    """`text` without white space around it, composed (NFC)."""
    text = text.strip()
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def is_missing(text: str) -> bool:
    """Whether `text` (see `bare`) is one of the words for a missing value."""
    return text.lower() in MISSING


def is_missing_label(text: str) -> bool:
    """Whether a target's `text` (see `bare`) is no class but a missing value; `-` and `none` may be classes."""
    return is_missing(text) and text.lower() not in ("-", "none")


def number(text: str) -> float | None:
    """The number that `text` (see `bare`) stands for, nan and infinities included; None if none."""
    if "_" in text or not text.isascii():
        return None
    try:
        return float(text)
    except ValueError:
        return None


def is_code(text: str) -> bool:
    """Whether `text` (see `bare`) is digits behind a leading zero, which are a code and not a number."""
    return CODE.fullmatch(text) is not None


def sense(text: str) -> str:
    """What spellings of one value have in common; `text` as `bare` gives it."""
    lower = text.lower()
    if lower in BOOLEANS:
        return lower
    return text[:-2] if _WHOLE_AS_FRACTION.fullmatch(text) else text


def categories(words: Iterable[str]) -> list[str]:
    """The distinct values among `words` (see `bare`), each in one spelling (the first in sorted order), sorted."""
    spelled: dict[str, str] = {}
    for word in sorted(words):
        spelled.setdefault(sense(word), word)
    return sorted(spelled.values())


class Codes:
    """The codes of a column's categories (see `categories`): each has its place, however a request spells it."""

    def __init__(self, known: Sequence[str]):
        self.exact = {category: code for code, category in enumerate(known)}
        self.unseen = len(known)
        # Where every cell was filled, a word such as NA or None was training's own for an empty one.
        written = [category for category in known if is_missing(category)]
        filled = self.exact[written[0]] if len(written) == 1 else self.unseen
        self.missing = self.exact.get(UNKNOWN, filled)
        self._by_sense = {sense(category): code for category, code in self.exact.items()}
        if {key for key in self._by_sense if key != UNKNOWN} <= set(BOOLEANS):  # what some databases write for them
            truths = {str(value): self._by_sense[word] for value, word in enumerate(BOOLEANS) if word in self._by_sense}
            self._by_sense = {**truths, **self._by_sense}

    def of(self, text: str) -> int:
        """The code of a value (see `bare`); `missing` or `unseen` where it is none of the categories."""
        code = self.exact.get(text)
        if code is None:
            code = self._by_sense.get(sense(text))
        return code if code is not None else self.missing if is_missing(text) else self.unseen
