"""When a record was true: read as people write it, or refused by row before anything starts."""

from __future__ import annotations

from pathlib import Path

import pandas
import pytest

from local.aws.featurestore import offline_store
from local.data import csv_table

from .tables import BASE, DATA, Asked


def stored(file: Path) -> pandas.DataFrame:
    """The records that the Feature Store gets."""
    table = csv_table.read_table(file, "churn", "customer_id")
    return offline_store.as_records(table.frame, "customer_id").records


def test_epoch_seconds_are_seconds() -> None:
    asked = Asked(DATA / "event-time-epoch-seconds.csv")
    assert any("100 rows with a repeated id" in note and "latest event_time" in note for note in asked.request().notes)
    records = stored(asked.file)
    assert set(records["event_time"]) == {"2024-01-01T00:00:00Z", "2021-01-01T00:00:00Z"}
    newest = records.sort_values("event_time").drop_duplicates("customer_id", keep="last")
    assert set(newest["event_time"]) == {"2024-01-01T00:00:00Z"}


def test_us_dates_are_refused_by_row_before_anything_starts() -> None:
    said = Asked(DATA / "event-time-us-dates.csv").refusal()
    assert said.startswith("Column 'event_time' holds '05/01/2024' in data row 1, which is not a time")
    assert "more rows are like that." in said


def dated(tmp_path: Path, *times: str) -> Path:
    """The base table with event times, over and over."""
    header, *rows = BASE.splitlines()
    lines = [f"{row},{times[place % len(times)]}" for place, row in enumerate(rows)]
    file = tmp_path / "table.csv"
    file.write_text("\n".join([f"{header},event_time", *lines]) + "\n")
    return file


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("1704067200000", "2024-01-01T00:00:00Z"),
        ("1704067200.25", "2024-01-01T00:00:00.250Z"),
        ("1704067200250", "2024-01-01T00:00:00.250Z"),
        ("2024-01-01", "2024-01-01T00:00:00Z"),
        ("2024-01-01 12:30", "2024-01-01T12:30:00Z"),
        ("2024-01-01T01:00:00+01:00", "2024-01-01T00:00:00Z"),
        ("2024-01-01T00:00:00.123456Z", "2024-01-01T00:00:00.123Z"),
        (" 2024-01-01T00:00:00z ", "2024-01-01T00:00:00Z"),
    ],
)
def test_time_as_people_write_it(tmp_path: Path, written: str, kept: str) -> None:
    file = dated(tmp_path, written)
    Asked(file).request()
    assert set(stored(file)["event_time"]) == {kept}


def test_times_with_and_without_a_fraction_are_written_alike(tmp_path: Path) -> None:
    file = dated(tmp_path, "2024-01-01T00:00:00.5Z", "2024-01-01T00:00:01Z")
    assert stored(file)["event_time"].iloc[:2].tolist() == ["2024-01-01T00:00:00.500Z", "2024-01-01T00:00:01.000Z"]


@pytest.mark.parametrize("odd", ["31.12.2024", "20240105", "2024-02-30", "Jan 5, 2024", "", "5", "1704067200000000000"])
def test_anything_else_is_refused_by_row(tmp_path: Path, odd: str) -> None:
    said = Asked(dated(tmp_path, "2024-01-01", "2024-01-02", f'"{odd}"')).refusal()
    assert "in data row 3" in said
    assert "position" not in said
