"""What stands in for pyarrow in SageMaker's Spark image gives what pyarrow gives."""

from __future__ import annotations

import json
import math

import columns
import encoding
import lines
import numpy
import plain
import pyarrow
import pyarrow.csv
import pytest
import splitting
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

TEXTS = st.lists(
    st.none() | st.text(max_size=6) | st.sampled_from(["", " a", "a ", "\u00e9", "e\u0301", "NA"]), max_size=30
)
NUMBERS = st.lists(st.floats(allow_nan=True, allow_infinity=False), max_size=30)


@hypothesis_settings(deadline=None)
@given(TEXTS)
def test_distinct_texts(texts: list[str | None]) -> None:
    words, codes = plain.distinct(texts)
    expected, places = encoding.distinct(pyarrow.array(texts, pyarrow.string()))
    assert (words, codes.tolist()) == (expected, places.tolist())


@hypothesis_settings(max_examples=500)
@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**17), 10**17).map(float))
def test_numbers_are_spelled_alike(value: float) -> None:
    assert plain.spelled(value) == pyarrow.array([value]).cast(pyarrow.string())[0].as_py()


@pytest.mark.parametrize("power", range(-12, 22))
def test_numbers_are_spelled_alike_at_each_power_of_ten(power: int) -> None:
    for figures in (1.0, 1.5, -2.25, 9.999999999, 123456789.123456789):
        value = figures * 10.0**power
        assert plain.spelled(value) == pyarrow.array([value]).cast(pyarrow.string())[0].as_py()


@given(NUMBERS)
def test_different_numbers_are_counted(values: list[float]) -> None:
    array = numpy.array(values, numpy.float64)
    assert plain.count_distinct([array[:7], array[7:]], 100) == columns.count_distinct(lambda: [array], len(array))


@given(NUMBERS, st.lists(st.text(max_size=4), min_size=1, max_size=3), st.integers(0, 10_000), st.booleans())
def test_lines(values: list[float], labels: list[str], rows: int, repeated: bool) -> None:
    """As CSV that is what pyarrow's writer writes, whichever columns are put together."""
    numbers = numpy.array([value for value in values if not math.isnan(value)], numpy.float64)
    codes = numpy.arange(len(numbers), dtype=numpy.int32) % len(labels)
    places = numpy.where(codes == 0, -1, codes - 1)
    cells = [
        lines.Cell("", distinct=1 if repeated else math.inf),
        lines.Cell(",", ["1", "2", "3"], "0"),
        lines.Cell(",", [*map(plain.quoted, labels)]),
    ]
    table = pyarrow.table([numbers, codes, pyarrow.array(labels).take(codes)], ["a", "b", "c"])
    out = pyarrow.BufferOutputStream()
    options = pyarrow.csv.WriteOptions(include_header=False)  # pyright: ignore[reportPrivateImportUsage]
    pyarrow.csv.write_csv(table, out, options)  # pyright: ignore[reportPrivateImportUsage]
    expected = out.getvalue().to_pybytes()
    assert bytes(lines.Lines(cells, "\n", rows).text([numbers, places, codes])) == expected
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "pyarrow", None)
        assert bytes(lines.Lines(cells, "\n", rows).text([numbers, places, codes])) == expected


@given(NUMBERS, st.booleans())
def test_missing_numbers_are_null(values: list[float], repeated: bool) -> None:
    numbers = numpy.array(values, numpy.float64)
    cells = [lines.Cell('{"a": ', distinct=1 if repeated else math.inf)]
    found = bytes(lines.Lines(cells, "}\n", len(values)).text([numbers]))
    assert [json.loads(line)["a"] for line in found.splitlines()] == [
        None if math.isnan(one) else one for one in values
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "pyarrow", None)
        assert bytes(lines.Lines(cells, "}\n", len(values)).text([numbers])) == found


@pytest.mark.parametrize(
    "text",
    ["2026-11-23T21:00:00Z", "2026-11-23 21:00:00.123456+05:30", "2026-11-23T21:00:00-0800", "2026-11-23", "1969-12-31T23:59",
     "2026-11-23T21:00:00.123", "2026-11-23T21:00:00.123456789+01", "yesterday", "2026-13-01", ""],
)  # fmt: skip
@pytest.mark.parametrize("zoned", [True, False])
def test_moments(text: str, zoned: bool) -> None:
    try:
        expected = splitting._moments([text], zoned).tolist()
    except ValueError:
        expected = None
    try:
        found = plain.moments([text], zoned).tolist()
    except ValueError:
        found = None
    assert found == expected
