"""How a run's data was read, as `automl demo` and `automl show` print it."""

from __future__ import annotations

from typing import Any

from cli import data_note


def column(name: str, kind: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "kind": kind,
        "missing": 0,
        "distinct": 9,
        "unseen": 0,
        "reason": "its values are texts",
        **more,
    }


PREPARED = {
    "rows": {"source": 900, "train": 700, "validation": 0, "test": 190, "without_target": 10, "superseded": 1200, "deleted": 3},
    "renames": {"annual_income": "Annual Income"},
    "data_note": {
        "warnings": [],
        "columns": [
            column("age", "number", missing=8),
            column("annual_income", "category", reason="read as text because of 'n.a.' in row 401; 799 values are numbers"),
            column("plan", "category", unseen=2),
            column("vip", "boolean"),
            column("customer_id", "left out", reason="the record's identifier or time"),
        ],
    },
}  # fmt: skip


def test_rows_and_every_column_by_its_kind() -> None:
    assert data_note.lines(PREPARED) == [
        "Rows: 700 for training, 190 for the test, 10 left out without a target, 1,200 superseded records, 3 deleted records",
        "Numbers: age (8 missing)",
        "Categories: Annual Income (read as text because of 'n.a.' in row 401; 799 values are numbers), "
        "plan (2 test rows unseen in training)",
        "Booleans: vip",
        "Left out: customer_id (the record's identifier or time)",
    ]


def test_drift_since_the_previous_run_is_one_line() -> None:
    columns = {name: {"psi": psi} for name, psi in {"age": 0.02, "annual_income": 0.3, "plan": 0.1, "vip": 0.0}.items()}
    previous = {"run_id": "20261123-210022-1a2b3c4d", "problem": None, "columns": columns}
    said = data_note.lines(PREPARED | {"data_note": {"columns": [], "previous": previous}})
    assert (
        said[-1]
        == "Drift since run 20261123-210022-1a2b3c4d (PSI), the largest: Annual Income 0.30, plan 0.10, age 0.02"
    )
    unread = previous | {"problem": "left no distributions"}
    assert len(data_note.lines(PREPARED | {"data_note": {"columns": [], "previous": unread}})) == len(said) - 1


def test_wide_table_is_cut() -> None:
    columns = [column(f"c{number}", "number") for number in range(500)]
    (line,) = data_note.lines({"data_note": {"columns": columns}})
    assert line.startswith("Numbers: c0, c1, ")
    assert line.endswith("c11 and 488 more")
