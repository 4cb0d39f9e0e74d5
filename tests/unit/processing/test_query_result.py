"""Athena's CSV is read exactly, wherever its pieces end: values may hold commas, quotes and line breaks."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import columns
import csv_pieces
import csv_rows
import merging
import numpy
import pytest
import query_result
import unusable_data
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from words import bare

from tests.examples import examples

# What decides where rows end, and little else.
VALUES = st.none() | st.text('",\n\r x', max_size=6)
NAMES = st.lists(st.text('",\n\r abc', min_size=1, max_size=4), min_size=2, max_size=4, unique=True)


def athena(row: Sequence[str | None]) -> str:
    return ",".join("" if cell is None else '"' + cell.replace('"', '""') + '"' for cell in row) + "\n"


def source_of(folder: Path | str, ignored: list[str]) -> query_result.Source:
    return query_result.read_source(str(folder), ignored, columns.Spill(str(folder)))


def values(column: Any) -> list[Any]:
    """A column's texts, None where nothing stands, or its numbers."""
    read = column.whole().tolist()
    return read if column.words is None else [column.words[code] if code >= 0 else None for code in read]


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in (("PIECE", 40), ("SAMPLE", 20), ("LOOK_AHEAD", 7)):
        monkeypatch.setattr(csv_rows, name, size)
    monkeypatch.setattr(csv_pieces, "BLOCK", 15)


@hypothesis_settings(deadline=None, max_examples=examples(150))
@given(st.data())
def read_back(data: st.DataObject) -> None:
    names = data.draw(NAMES)
    rows = data.draw(st.lists(st.lists(VALUES, min_size=len(names), max_size=len(names)), max_size=12))
    with tempfile.TemporaryDirectory() as folder:
        content = athena([*names]) + "".join(map(athena, rows))
        (Path(folder) / "rows.csv").write_text(content, encoding="utf-8", newline="")
        source = source_of(folder, [])
    assert (list(source.columns), source.rows) == (names, len(rows))
    for place, name in enumerate(names):
        column = source.columns[name]
        assert column is not None
        if column.words is None:
            assert numpy.isnan(values(column)).all()  # nothing in any row
            assert not any(bare(row[place] or "") for row in rows)
        else:
            assert values(column) == [bare(row[place] or "") or None for row in rows]


def test_any_table_is_read_back_whatever_stands_where_pieces_end(small_pieces: None) -> None:
    read_back()


def test_whole_file_in_one_piece_is_read_back() -> None:
    read_back()


def test_value_of_megabytes_with_line_breaks(tmp_path: Path) -> None:
    long = 'a "word", and\n' * 200_000
    (tmp_path / "rows.csv").write_text(athena(["id", "note"]) + athena(["1", long]) * 3 + athena(["2", None]))
    source = source_of(tmp_path, ["id"])
    assert values(source.columns["note"]) == [long.strip()] * 3 + [None]


def test_numbers_that_stop_after_the_first_rows(tmp_path: Path) -> None:
    rows = [["1", str(number)] for number in range(60_000)] + [["1", "n.a."]]
    (tmp_path / "rows.csv").write_text(athena(["id", "x"]) + "".join(map(athena, rows)))
    source = source_of(tmp_path, ["id"])
    assert values(source.columns["x"]) == [row[1] for row in rows]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "The query left no CSV file: check that the DataSource step wrote to data/raw/."),
        ({"a.csv": "x", "b.csv": "x"}, "data/raw/ holds 2 CSV files and should hold the run's own alone."),
        ({"a.csv": ""}, "The feature group returned nothing, not even column names."),
        ({"a.csv": '"x","y","x"\n'}, "Column names appear twice: x. Names must differ."),
        ({"a.csv": '"x","y"\n"1"\n'}, "The query's result cannot be read as CSV: a row has another number of values"),
    ],
)
def test_file_that_is_not_athenas_is_refused(tmp_path: Path, files: dict[str, str], said: str) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(unusable_data.UnusableDataError) as refused:
        source_of(tmp_path, [])
    assert str(refused.value).startswith(said)


@pytest.mark.parametrize("late", ["00123", "007"])
def test_codes_that_come_after_numbers_keep_their_zeros(tmp_path: Path, late: str) -> None:
    rows = [["1", str(number)] for number in range(60_000)] + [["1", late]]
    (tmp_path / "rows.csv").write_text(athena(["id", "x"]) + "".join(map(athena, rows)))
    assert values(source_of(tmp_path, ["id"]).columns["x"])[-1] == late


def test_words_for_missing_do_not_keep_a_column_from_being_numbers(tmp_path: Path) -> None:
    rows = [["1", str(number)] for number in range(60_000)] + [
        ["1", word] for word in ("NA", "null", "-", "N/A", "NaN")
    ]
    (tmp_path / "rows.csv").write_text(athena(["id", "x"]) + "".join(map(athena, rows)))
    column = source_of(tmp_path, ["id"]).columns["x"]
    assert column is not None
    assert (column.words, int(numpy.isnan(column.whole()).sum())) == (None, 5)


def test_numbers_with_white_space_or_a_plus_are_numbers_in_whatever_piece(small_pieces: None, tmp_path: Path) -> None:
    rows = [["1", text] for text in ["1.5"] * 50 + [" 2.5"] * 50 + ["+3.5", "NA", " ", "inf"] + ["4.5"] * 50]
    (tmp_path / "rows.csv").write_text(athena(["id", "x"]) + "".join(map(athena, rows)))
    read = values(source_of(tmp_path, ["id"]).columns["x"])
    assert read[:101] == [1.5] * 50 + [2.5] * 50 + [3.5]
    assert numpy.isnan(read[101:103]).all()
    assert read[103:] == [numpy.inf] + [4.5] * 50


def test_more_texts_than_any_model_can_serve_are_refused(
    small_pieces: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "MOST_TEXTS", 100)
    rows = [["1", f"{number}{'' if number % 5 else 'x'}", f"t{number}"] for number in range(200)]
    (tmp_path / "rows.csv").write_text(athena(["id", "x", "mail"]) + "".join(map(athena, rows)))
    for left_out, said in (
        ("x", "Column 'mail' holds more than 100 different texts, as an identifier or free text does: a model learns"),
        ("mail", "Column 'x' holds more than 100 different values and is read as text because of '0x', while most are"),
    ):
        with pytest.raises(unusable_data.UnusableDataError) as refused:
            source_of(tmp_path, ["id", left_out])
        assert str(refused.value).startswith(said)


COUNTS = ["automl_records", "automl_identifiers"]


def read_counted(folder: Path, rows: list[list[str | None]], counts: list[str] | None) -> query_result.Source:
    content = [["id", "plan", *(COUNTS if counts else [])], *([*row, *(counts or [])] for row in rows)]
    folder.mkdir()
    (folder / "rows.csv").write_text("".join(map(athena, content)), encoding="utf-8", newline="")
    return source_of(folder, [])


def test_counts_of_records_are_read_and_are_no_columns(tmp_path: Path) -> None:
    source = read_counted(tmp_path / "a", [["1", "basic"], ["2", 'a "b",\nc']], ["17", "5"])
    assert source.records == query_result.Records(17, 5)
    assert list(source.columns) == ["id", "plan"]
    assert values(source.columns["plan"]) == ["basic", 'a "b",\nc']


def test_fingerprint_is_that_of_the_rows_however_many_records_there_were(tmp_path: Path, small_pieces: None) -> None:
    rows: list[list[str | None]] = [[str(number), None if number % 3 else "x\ny"] for number in range(50)]
    prints = {
        read_counted(tmp_path / name, rows, counts).fingerprint
        for name, counts in (("a", ["17", "5"]), ("b", ["1800", "50"]), ("c", None))
    }
    assert len(prints) == 1
    rows[30][1] = "other"
    assert read_counted(tmp_path / "d", rows, ["17", "5"]).fingerprint not in prints


def test_fingerprint_does_not_depend_on_where_pieces_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[list[str | None]] = [[str(number), f"plan {number % 7}"] for number in range(500)]
    prints = set()
    for size in (40, 1000, csv_rows.PIECE):
        monkeypatch.setattr(csv_rows, "PIECE", size)
        monkeypatch.setattr(csv_rows, "SAMPLE", min(size, csv_rows.SAMPLE))
        prints.add(read_counted(tmp_path / str(size), rows, None).fingerprint)
    assert len(prints) == 1
    assert read_counted(tmp_path / "other", rows[::-1], None).fingerprint not in prints


def test_nothing_in_the_range_has_no_counts(tmp_path: Path) -> None:
    source = read_counted(tmp_path / "a", [], ["0", "0"])
    assert (source.rows, source.records, list(source.columns)) == (0, None, ["id", "plan"])
