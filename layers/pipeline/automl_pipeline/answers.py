"""The answers of a model's last container, Autopilot's own, one for each row."""

from __future__ import annotations

import ast
import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple

# `predicted_label,probabilities,labels` as Autopilot's program writes it: texts as they are, even with a comma or a quote
# in them, and lists in double quotes that are not doubled inside. So a line is read from its right end.
_WITH_PROBABILITIES = re.compile(r'(?P<label>[^\n]*),"\[(?P<numbers>[^]"]*)\]","(?P<labels>\[.*\])"\s*')
_TAIL = re.compile(rb',"\[[^]"\n]*\]","\[[^\n]*\]"\s*$')
_FIRST = 100


class UnreadableAnswerError(ValueError):
    """A line that is no answer. `line`: its number from 1, `text`: the line."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(f"Line {line} of the model's answers cannot be read: {text.strip()[:80]!r}.")
        self.line, self.text = line, text


class Answer(NamedTuple):
    """One answer: the number of its last line from 1, the text as it was written, and its parts.

    `label`: the predicted class, or a regression's value. `numbers`: the probabilities of `labels`, a list as Python
    writes it; without `labels` the probability of the predicted class alone, or nothing.
    """

    line: int
    text: str
    label: str
    numbers: Sequence[str]
    labels: str | None = None

    def probabilities(self) -> dict[str, float]:
        """The probability of each class for which the answer has one. Raises UnreadableAnswerError."""
        try:
            classes = [self.label] if self.labels is None else list(map(str, ast.literal_eval(self.labels)))
            return dict(zip(classes, map(float, self.numbers), strict=bool(self.labels)))
        except (SyntaxError, ValueError, TypeError):
            raise UnreadableAnswerError(self.line, self.text) from None


def read(content: bytes) -> Iterator[Answer]:
    """The answers in a response, in its order. Raises UnreadableAnswerError."""
    return read_lines(io.BytesIO(content))


def read_lines(lines: Iterable[bytes]) -> Iterator[Answer]:
    """The answers in a response or in batch transform's output, in its order. Raises UnreadableAnswerError.

    Versions that were registered earlier answer `label,probability`, a regression the value alone.
    """
    lines = iter(lines)
    first = list(islice(lines, _FIRST))
    read_each = _with_lists if any(map(_TAIL.search, first)) else _by_cells
    return read_each(chain(first, lines))


def _with_lists(lines: Iterable[bytes]) -> Iterator[Answer]:
    for number, line in enumerate(lines, 1):
        text = _decoded(number, line)
        found = _WITH_PROBABILITIES.fullmatch(text)
        if found:
            yield Answer(number, text, found["label"], found["numbers"].split(","), found["labels"])
        elif text.strip():
            raise UnreadableAnswerError(number, text)


def _decoded(number: int, line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        raise UnreadableAnswerError(number, line.decode(errors="replace")) from None


def _by_cells(lines: Iterable[bytes]) -> Iterator[Answer]:
    read: list[str] = []

    def texts() -> Iterator[str]:
        for number, line in enumerate(lines, 1):
            read.append(_decoded(number, line))
            yield read[-1]

    reader = csv.reader(texts())
    for cells in reader:
        if cells:
            yield Answer(reader.line_num, "".join(read), cells[0], cells[1:2])
        read.clear()
