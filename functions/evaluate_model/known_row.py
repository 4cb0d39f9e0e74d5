"""A held-out row whose answer is known: each deployment of the model asks the endpoint for it."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import pandas

_FIRST_CELL = re.compile(r'"(?:[^"]|"")*"|[^,\r\n]*')


def choose(answers: pandas.DataFrame) -> int:
    """The index of the row to ask: the one that the model is surest of, as that answer hangs least on the last digits.

    `answers`: prediction and, for a classifier that tells it, probability, in the rows' order.
    """
    return int(answers["probability"].idxmax()) if "probability" in answers else 0


def describe(rows: Iterable[bytes], answer_text: str, index: int, *, is_regression: bool) -> dict[str, Any] | None:
    """What is kept: {"row": the features as a client sends them, "answer": what the model wrote first, "value"}.

    `rows`: JSON Lines, the rows that were asked. `answer_text`: CSV, all answers. `answer` is spelled as the model writes
    it, quotes included, for comparing texts; `value` is its number for a regression and else null. None if the row is
    too large to be carried through a state machine (its limit is 256 KiB).
    """
    line = next(line for number, line in enumerate(rows) if number == index)
    if len(line) > 100_000:
        return None
    found = _FIRST_CELL.match(_record(answer_text, index))
    answer = found[0] if found else ""
    return {"row": json.loads(line), "answer": answer, "value": float(answer.strip('"')) if is_regression else None}


def _record(text: str, index: int) -> str:
    """One answer as it is written; a class's name may hold a line break."""
    lines = list(io.StringIO(text, newline=""))
    spans = _spans(csv.reader(lines))
    first, last = next(span for number, span in enumerate(spans) if number == index)
    return "".join(lines[first:last])


def _spans(reader: Any) -> Iterator[tuple[int, int]]:
    begun = 0
    for cells in reader:
        if cells:
            yield begun, reader.line_num
        begun = reader.line_num
