"""What pyarrow does for the processing job, where there is none: SageMaker's Spark image has numpy alone.

Each function gives what the one that calls it gives with pyarrow, bit for bit (tests/unit/processing/test_plain.py).
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Iterable, Sequence

import numpy
from words import bare

# Numbers stand without an exponent from 1e-6 on and below this one.
_LARGEST_PLAIN = 1e10
_MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}(?:[ T][0-9]{2}(?::[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?)?)?)(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)


def distinct(texts: Sequence[str | None]) -> tuple[list[str], numpy.ndarray]:
    """See `encoding.distinct`."""
    raw: dict[str | None, int] = {None: -1}
    places: dict[str, int] = {}
    codes = numpy.empty(len(texts), numpy.int32)
    for row, text in enumerate(texts):
        code = raw.get(text)
        if code is None and text is not None:
            word = bare(text)
            code = raw[text] = places.setdefault(word, len(places)) if word else -1
        codes[row] = code
    return list(places), codes


def count_distinct(pieces: Iterable[numpy.ndarray], most: float) -> int | None:
    """See `columns.count_distinct`. None if there are more than `most`."""
    seen = numpy.empty(0)
    for values in pieces:
        seen = numpy.union1d(seen, values[~numpy.isnan(values)] + 0.0)
        if len(seen) > most:
            return None
    return len(seen)


def spelled(value: float) -> str:
    """The shortest decimal that reads as `value`, a finite number, as pyarrow writes it."""
    if 1e-4 <= abs(value) < _LARGEST_PLAIN or value == 0:
        text = repr(value)
        return text[:-2] if text.endswith(".0") else text
    sign, figures, exponent = Decimal(repr(value)).normalize().as_tuple()
    digits, power = "".join(map(str, figures)), len(figures) - 1 + int(exponent)
    if -6 <= power < 0:
        return f"{'-' * sign}0.{'0' * (-power - 1)}{digits}"
    return f"{'-' * sign}{digits[0]}{'.' * bool(digits[1:])}{digits[1:]}e{power:{'+' if power > 0 else ''}d}"


def quoted(text: str) -> str:
    """A cell of a CSV file."""
    return '"' + text.replace('"', '""') + '"'


def json_numbers(values: numpy.ndarray) -> list[str]:
    """Numbers as JSON has them, null for nan."""
    return ["null" if math.isnan(value) else spelled(value) for value in values.tolist()]


def moments(texts: Sequence[str], zoned: bool) -> numpy.ndarray:
    """Nanoseconds since 1970 (int64) of times that all have a zone, or all have none. Raises ValueError."""
    found = numpy.empty(len(texts), numpy.int64)
    for row, text in enumerate(texts):
        matched = _MOMENT.fullmatch(text)
        if not matched or (matched[2] is not None) != zoned:
            raise ValueError(f"{text!r} is no time {'with' if zoned else 'without'} a zone.")
        found[row] = numpy.datetime64(matched[1].replace(" ", "T"), "ns").astype(numpy.int64)
        if zoned and matched[2] != "Z":
            digits = matched[2][1:].replace(":", "").ljust(4, "0")
            minutes = int(digits[:2]) * 60 + int(digits[2:])
            found[row] += (1 if matched[2][0] == "-" else -1) * minutes * 60 * 10**9
    return found
