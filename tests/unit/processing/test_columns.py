"""What is computed from columns on disk is what numpy computes from the whole column, whatever the pieces."""

from __future__ import annotations

import math
from pathlib import Path

import columns
import numpy
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

FLOATS = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, -0.0, 1.0, 1.0000000000000002])


@pytest.fixture
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "MOST_HELD", 3)


@hypothesis_settings(deadline=None, max_examples=50)
@given(st.lists(FLOATS, min_size=1, max_size=60), st.integers(1, 20))
def agree_with_numpy(values: list[float], size: int) -> None:
    table = numpy.array(values)
    pieces = [table[begin : begin + size] for begin in range(0, len(table), size)]
    with numpy.errstate(over="ignore"):
        middle = float(numpy.median(table))
    if not math.isfinite(middle):  # numpy adds the two in the middle up, which may leave the range of a double
        middle = 2 * float(numpy.median(table / 2))
    assert columns.median(lambda: iter(pieces), len(table)) == middle
    assert columns.count_distinct(lambda: iter(pieces), len(table)) == len(set(values))


def test_median_and_distinct_values_with_more_rows_than_may_be_held(little_memory: None) -> None:
    agree_with_numpy()


def test_median_and_distinct_values_of_what_may_be_held() -> None:
    agree_with_numpy()


def test_values_at_rows_come_in_the_order_asked_for(tmp_path: Path) -> None:
    spill = columns.Spill(str(tmp_path))
    one, other = columns.Column(spill, numpy.float64), columns.Column(spill, numpy.int32, words=["a", "b"])
    for piece in ([1.0, 2.0], [3.0], [4.0, 5.0, 6.0]):
        one.append(numpy.array(piece))
        other.append(numpy.zeros(len(piece), dtype=numpy.int64))
    assert one.at(numpy.array([5, 0, 2, 2, 3])).tolist() == [6.0, 1.0, 3.0, 3.0, 4.0]
    assert (one.whole().tolist(), other.whole().tolist()) == ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [0] * 6)
    assert list(tmp_path.iterdir()) == []  # the file has no name that could outlive the job
