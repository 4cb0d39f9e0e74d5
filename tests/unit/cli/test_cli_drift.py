"""What `automl status` says of drift."""

from __future__ import annotations

from typing import Any

import pytest

from cli import drift

MEASURED = {
    "until": "2026-11-26T00:15:00Z", "endpoint": "churn", "problem": None, "since": "2026-11-25T00:15:00Z", "version": 3,
    "run_id": "a-run", "files": 40, "files_read": 40, "requests": 900, "unreadable": 0, "rows": 4012, "judged": 19,
    "drifted": [], "largest": 0.0, "features": {f"feature_{number}": {"psi": 1 / (number + 1)} for number in range(19)},
}  # fmt: skip
ROWS = "4,012 captured rows from 2026-11-25 00:15 to 2026-11-26 00:15 UTC"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, f"{ROWS} are like those that version 3 was trained on"),
        ({"judged": 0}, f"{ROWS}: too few to compare"),
        (
            {"drifted": ["feature_0", "feature_2"]},
            f"{ROWS}: 2 of 19 features differ from those that version 3 was trained on: feature_0 (1.00), feature_2 (0.33)",
        ),
        (
            {"files_read": 20, "unreadable": 7},
            f"{ROWS.replace('rows', 'rows (a sample)')} are like those that version 3 was trained on; 7 of 900 requests unreadable",
        ),
        ({"problem": "There is no endpoint."}, "not measured on 2026-11-26: There is no endpoint."),
    ],
)
def test_measurement_in_words(changes: dict[str, Any], said: str) -> None:
    assert drift.in_words(MEASURED | changes) == said


def test_the_farthest_are_named() -> None:
    said = drift.in_words(MEASURED | {"drifted": list(MEASURED["features"])})
    assert said.endswith("feature_3 (0.25), feature_4 (0.20), 14 more")


def test_before_the_first_measurement() -> None:
    assert drift.in_words(None) == "not measured yet; that happens each day"
