"""What later steps could not take is refused in one sentence before AutoML costs money."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import csv_rows
import limits
import preprocess
import pytest
import splitting
import unusable_data

from local.data import telco

from .athena import write

JOB = ("churn", "BinaryClassification", ["customer_id"], 42)


def test_volume_that_is_too_small_is_named_with_the_size_that_would_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, telco.load().head(1000))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(used=25 << 30, free=100 << 20))
    with pytest.raises(unusable_data.UnusableDataError) as refused:
        preprocess.run(str(tmp_path), *JOB)
    assert str(refused.value) == (
        "The volume has 0.1 GB left, and the job needs about 1.1 GB beside the 0.0 GB of data. "
        "Set processing_volume_gb to 27 or more."
    )
    assert not (tmp_path / "processing/output").exists()


def test_space_asked_for_is_enough_for_what_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, telco.load())
    asked = []

    def usage(_: str) -> SimpleNamespace:
        return SimpleNamespace(used=0, free=asked[-1])

    monkeypatch.setattr(shutil, "disk_usage", usage)
    monkeypatch.setattr(limits, "SPARE_BYTES", 0)
    path = csv_rows.path_of(str(tmp_path / "processing/input/raw"))
    least, most = 0, 1 << 30
    while least + 1 < most:  # the free bytes at which the job is let through
        asked.append((least + most) // 2)
        try:
            limits.check_space(path, str(tmp_path), ["customer_id"])
            most = asked[-1]
        except unusable_data.UnusableDataError:
            least = asked[-1]
    asked.append(most)
    preprocess.run(str(tmp_path), *JOB)
    written = sum(file.stat().st_size for file in (tmp_path / "processing/output").rglob("*") if file.is_file())
    columns = 8 * 20 * len(telco.load())
    assert written + columns / 2 < most < 2 * (written + columns)


class Followed(io.FileIO):
    """A file that records, when it is closed, how many bytes were read."""

    reached: ClassVar[list[int]] = []

    def close(self) -> None:
        if not self.closed:
            self.reached.append(self.tell())
        super().close()


@pytest.mark.parametrize("unread", [[], ["a"]])
def test_space_is_estimated_from_the_size_and_the_beginning_alone(
    unread: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = b'"1","22"\n'
    path = tmp_path / "rows.csv"
    size = 50 * csv_rows.SAMPLE // len(row) * len(row)
    with path.open("wb") as file:
        file.write(b'"a","b"\n' + row * (2 * csv_rows.SAMPLE // len(row)))
        file.truncate(size)  # what follows are zero bytes: no rows, if they were read
    rows = size / len(row)
    json_lines = 0.2 * (size + rows * 7 * (2 - len(unread)))
    needed = rows * 8 * (2 - len(unread)) + size + json_lines + limits.SPARE_BYTES
    Followed.reached = []
    monkeypatch.setattr(csv_rows, "open", lambda path, *_, **__: Followed(path), raising=False)
    free = [int(needed) - 4096, int(needed) + 4096]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(used=0, free=free.pop(0)))
    with pytest.raises(unusable_data.UnusableDataError):
        limits.check_space(str(path), str(tmp_path), unread)
    limits.check_space(str(path), str(tmp_path), unread)
    assert len(Followed.reached) == 2
    assert max(Followed.reached) < size / 10


@pytest.mark.parametrize(
    ("rows", "columns", "classes", "tested"),
    [
        (50_000_000, 20, 2, 10_000_000),
        (50_000_000, 20, 0, 10_000_000),
        (80_000_000, 20, 2, 10_000_000),
        (30_000_000, 20, 10, 3_000_000),
        (30_000_000, 2500, 2, 400_000),
        (4_000, 20, 2, 800),
    ],
)
def test_test_rows_are_a_fifth_or_as_many_as_the_evaluation_takes(
    rows: int, columns: int, classes: int, tested: int
) -> None:
    assert rows * limits.test_share(0.2, rows, columns, classes) == pytest.approx(tested)
    assert 1.5 * rows * limits.test_share(0.2, rows, columns, classes, 1.5) <= 1.5 * tested + 1e-6


@pytest.mark.parametrize("split", ["stratified", "time", "group"])
def test_rows_beyond_what_the_evaluation_takes_train_and_that_is_said(
    split: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = telco.load().assign(event_time=range(7043), household=[f"h{row // 5}" for row in range(7043)])
    write(tmp_path, table)
    monkeypatch.setattr(limits, "MOST_TEST_ROWS", 700)
    choices = preprocess.Choices(
        split=split, event_time_column="event_time", group_column="household" if split == "group" else None
    )
    made = preprocess.run(str(tmp_path), *JOB, choices)
    expected = 700 if split == "stratified" else 700 / splitting.MOST_REACHED
    assert made["rows"]["test"] == pytest.approx(expected, abs=5)
    assert made["rows"]["train"] + made["rows"]["validation"] + made["rows"]["test"] == 7043
    assert made["test_share"] == pytest.approx(expected / 7043)
    [said] = [text for text in made["data_note"]["warnings"] if "is tested on" in text]
    assert said.startswith(
        f"The model is tested on {made['rows']['test']} rows, {expected / 7043:.1%} of the table and not 20%"
    )


def test_warns_where_autopilot_would_train_on_a_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, telco.load())
    size = 200_000
    monkeypatch.setattr(limits, "SAMPLED_BYTES", size)
    [warning] = [text for text in preprocess.run(str(tmp_path), *JOB)["data_note"]["warnings"] if "a sample" in text]
    assert warning.startswith(
        "train.csv has 0.0 GB, and Autopilot trains on a sample of about 0.0 GB that it draws itself"
    )
    written = json.loads((tmp_path / "processing/output/preprocessing/preprocessing.json").read_text())
    assert warning in written["data_note"]["warnings"]


@pytest.mark.parametrize("name", ["TRAINING", "VALIDATION"])
def test_more_bytes_than_autopilot_takes_are_refused_and_not_left_behind(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, telco.load().assign(event_time=range(7043)))
    monkeypatch.setattr(limits, f"MOST_{name}_BYTES", 10_000)
    choices = preprocess.Choices(split="time", event_time_column="event_time")
    with pytest.raises(
        unusable_data.UnusableDataError, match=f"and Autopilot takes less than .* of {name.lower()} data"
    ):
        preprocess.run(str(tmp_path), *JOB, choices)
    assert not (tmp_path / "processing/output").exists()
