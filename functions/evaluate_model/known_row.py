"""A held-out row whose answer is known: each deployment of the model asks the endpoint for it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import islice
from typing import Any

import numpy

_FIRST = 10_000


def choose(probability: numpy.ndarray | None) -> int:
    """The index of the row to ask: of the first ones, which are quickly found again, the one that the model is surest of,
    as that answer hangs least on the last digits.

    `probability`: of the predicted class, in the rows' order; None for a regression, or where the model gives none.
    """
    return 0 if probability is None else int(probability[:_FIRST].argmax())


def describe(rows: Iterable[bytes], index: int, answer: str, *, is_regression: bool) -> dict[str, Any] | None:
    """What is kept: {"row": the features as a client sends them, "answer": what the model wrote first, "value"}.

    `rows`: JSON Lines, the rows that were asked. `answer`: spelled as the model writes it, quotes included, for comparing
    texts; `value` is its number for a regression and else null. None if the row is too large to be carried through a
    state machine (its limit is 256 KiB).
    """
    line = next(islice(rows, index, None))
    if len(line) > 100_000:
        return None
    return {"row": json.loads(line), "answer": answer, "value": float(answer.strip('"')) if is_regression else None}
