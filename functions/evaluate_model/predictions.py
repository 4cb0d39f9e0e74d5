"""The model's answers: what batch transform wrote, as arrays."""

from __future__ import annotations

import ast
import math
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

import numpy
from automl_pipeline import answers
from automl_pipeline.answers import Answer, UnreadableAnswerError
from automl_pipeline.labels import NO_CLASS, Labels

_FIRST_CELL = re.compile(r'"(?:[^"]|"")*"|[^,\r\n]*')


class UnusablePredictionsError(Exception):
    """The model's answers do not match the rows it got; the message says how."""


@dataclass(frozen=True)
class Answers:
    """A classifier's answers, in the rows' order, in terms of the classes of the training data.

    `predicted`: an index into the classes for each row. `probability`: of the predicted class, or None. `probabilities`:
    rows by classes, each row's sum 1, or None where the model gives at most that of the class it predicted.
    """

    predicted: numpy.ndarray
    probability: numpy.ndarray | None
    probabilities: numpy.ndarray | None


def _answers(lines: Iterable[bytes]) -> Iterator[Answer]:
    try:
        yield from answers.read_lines(lines)
    except UnreadableAnswerError as error:
        raise UnusablePredictionsError(str(error)) from None


def read_regression(lines: Iterable[bytes]) -> numpy.ndarray:
    """The predicted numbers, in the rows' order. Raises UnusablePredictionsError naming the line."""
    numbers = array("d")
    for record in _answers(lines):
        if record.labels is not None:
            raise UnusablePredictionsError(f"The model answers classes, {record.labels[:200]}, and not numbers.")
        try:
            numbers.append(_finite(record.label))
        except ValueError:
            raise _unreadable(record.line, record.text) from None
    return numpy.frombuffer(numbers)


def read_classes(lines: Iterable[bytes], labels: Sequence[str]) -> Answers:
    """A classifier's answers: `predicted_label,probabilities,labels`, `label,probability` or `label`, a row each.

    `labels`: the classes as the training data spells them. The answers may spell them otherwise: whether Autopilot keeps
    the spelling is not documented, and a reader of CSV that guesses types answers `1` or `True` for what stands there as
    `01` or `true`. Raises UnusablePredictionsError naming the line, or the answers that are none of the classes.
    """
    spelling = _Spelling(labels)
    predicted, numbers = array("i"), array("d")
    width: int | None = None  # numbers in each answer
    columns: tuple[int, ...] = ()  # the classes that they are for
    foreign: set[str] = set()
    for record in _answers(lines):
        try:
            numbers.extend(map(_finite, record.numbers))
        except ValueError:
            raise _unreadable(record.line, record.text) from None
        if width is None:
            width = len(record.numbers)
            columns = spelling.columns(record.labels) if record.labels else ()
        if record.labels is None and len(record.numbers) != width:
            line = 1 if record.numbers else record.line
            raise UnusablePredictionsError(
                f"Line {line} of the model's answers has no probability, and others have one."
            )
        if record.labels and (len(record.numbers) != len(columns) or spelling.columns(record.labels) != columns):
            raise _unreadable(record.line, record.text)
        code = spelling.code(record.label)
        predicted.append(code)
        if code == NO_CLASS:
            foreign.add(record.label)
    if foreign:
        raise UnusablePredictionsError(
            f"The model answered {_shown(sorted(foreign))}, which is none of the classes {_shown(labels)}. "
            "See the transform job's log."
        )
    codes = numpy.array(predicted, dtype=numpy.int32)
    if not width:
        return Answers(codes, None, None)
    values = numpy.frombuffer(numbers).reshape(-1, width)
    if values.min() < 0 or values.max() > 1 or (columns and not numpy.allclose(values.sum(axis=1), 1, atol=1e-3)):
        raise UnusablePredictionsError(
            "The model's probabilities are not between 0 and 1, or do not sum to 1 in a row. See the transform job's log."
        )
    if not columns:
        return _from_one_probability(codes, values[:, 0], len(labels))
    probabilities = values
    if columns != tuple(range(len(labels))):
        probabilities = numpy.zeros((len(codes), len(labels)))
        probabilities[:, list(columns)] = values
    return Answers(codes, probabilities[numpy.arange(len(codes)), codes], probabilities)


def read_champion(lines: Iterable[bytes], labels: Sequence[str]) -> tuple[Answers, list[str]]:
    """Another model's answers to the same rows, and its own classes if they are not `labels` (else nothing).

    `lines`: can be gone through several times.

    A model of other classes is read by its labels alone: `probability` and `probabilities` are None, and an answer that is
    none of `labels` is NO_CLASS. Raises UnusablePredictionsError, also where it answers none of `labels` at all.
    """
    spelling = _Spelling(labels)
    first = next(_answers(lines), None)
    listed = next(_readings(first.labels), []) if first and first.labels else []
    if not listed or {*map(spelling.code, listed)} == {*range(len(labels))}:
        try:
            return read_classes(lines, labels), []
        except UnusablePredictionsError:
            if listed or not any(spelling.code(record.label) == NO_CLASS for record in _answers(lines)):
                raise
    codes, named = array("i"), {*listed}
    for record in _answers(lines):
        codes.append(spelling.code(record.label))
        if not listed:
            named.add(record.label)
    if not {*codes} - {NO_CLASS}:
        raise UnusablePredictionsError(f"It answers {_shown(sorted(named))}, and none of {_shown(labels)}.")
    return Answers(numpy.array(codes, dtype=numpy.int32), None, None), sorted(named)


def _from_one_probability(codes: numpy.ndarray, probability: numpy.ndarray, classes: int) -> Answers:
    """Of two classes, one's probability gives the other's."""
    if classes != 2:
        return Answers(codes, probability, None)
    positive = numpy.where(codes == 1, probability, 1 - probability)
    return Answers(codes, probability, numpy.column_stack([1 - positive, positive]))


class _Spelling:
    """The classes however they are spelled."""

    def __init__(self, labels: Sequence[str]) -> None:
        self.code = lru_cache(maxsize=None)(Labels(labels).code)
        self.columns = lru_cache(maxsize=64)(self._columns)

    def _columns(self, listed: str) -> tuple[int, ...]:
        """The classes in the order of the answer's list; empty if that names anything else."""
        for names in _readings(listed):
            codes = tuple(map(self.code, names))
            if NO_CLASS not in codes and len({*codes}) == len(codes):
                return codes
        return ()


def _readings(listed: str) -> Iterator[list[str]]:
    """The classes in an answer's list, which may have its double quotes doubled."""
    for text in (listed, listed.replace('""', '"')):
        try:
            yield list(map(str, ast.literal_eval(text)))
        except (SyntaxError, ValueError):
            continue


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _unreadable(line: int, text: str) -> UnusablePredictionsError:
    return UnusablePredictionsError(str(UnreadableAnswerError(line, text)))


def _shown(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) if len(name) <= 40 else repr(name[:37] + "...") for name in names[:10])
    return f"{shown} and {len(names) - 10} more" if len(names) > 10 else shown


def answer_at(lines: Iterable[bytes], index: int) -> str:
    """What an answer begins with, spelled as the model writes it, quotes included: the label, or the number."""
    record = next(islice(_answers(lines), index, None))
    if record.labels is not None:
        return record.label
    cell = _FIRST_CELL.match(record.text)
    return cell[0] if cell else ""
