"""A held-out row with the model's answer: each deployment sends it to the endpoint and compares the answer."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import islice
from typing import Any

import numpy

_FIRST = 10_000


def choose(probability: numpy.ndarray | None) -> int:
    """The index of the known row: among the first rows, which are found quickly, the one with the most probable class, so
    that rounding does not change the answer.

    `probability`: of the predicted class, in the rows' order; None for a regression, or where the model gives none.
    """
    return 0 if probability is None else int(probability[:_FIRST].argmax())


def describe(rows: Iterable[bytes], index: int, answer: str, *, is_regression: bool) -> dict[str, Any] | None:
    """The known row: {"row": the features as a client sends them, "answer": what the model wrote first, "value"}.

    `rows`: JSON Lines, the input of batch transform. `answer`: spelled as the model writes it, quotes included, for comparing
    texts; `value` is its number for a regression and else null. None if the row is too large to be carried through a
    state machine (its limit is 256 KiB).
    """
    line = next(islice(rows, index, None))
    if len(line) > 100_000:
        return None
    return {"row": json.loads(line), "answer": answer, "value": float(answer.strip('"')) if is_regression else None}
