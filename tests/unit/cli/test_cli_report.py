"""What `automl report` says of an evaluation, of this version and of earlier ones, and which version a run registered."""

from __future__ import annotations

from typing import Any

import pytest

from cli import registry
from cli.report import Evaluation
from cli.stack import RefusedError, Stack

FIRST = {"accuracy": 0.75, "rows": 800, "accuracy_threshold": 0.8, "gate_metric": "accuracy", "passed": False, "labels": ["a"]}  # fmt: skip


def evaluation(**document: Any) -> Evaluation:
    return Evaluation("r1", "bucket", "runs/r1/evaluation/", FIRST | document, True)


def test_evaluation_of_the_first_version_is_shown_with_its_threshold() -> None:
    assert evaluation().judgement == ["Gate: accuracy 0.7500 is below the threshold 0.8"]
    assert evaluation().beside() == [("accuracy", "0.7500", "", "")]


def test_verdict_and_warnings_are_shown_in_their_own_words() -> None:
    reported = evaluation(
        summary="Finds 0 of the 70 rows.",
        verdict="Passes the gate.",
        warnings=["No better than always answering 'No'."],
    )
    assert reported.judgement == [
        "Finds 0 of the 70 rows.",
        "Passes the gate.",
        "Warning: No better than always answering 'No'.",
    ]


def test_metric_stands_beside_its_interval_and_the_baseline() -> None:
    reported = evaluation(
        intervals={"accuracy": {"lower": 0.7, "upper": 0.8}}, baseline={"metrics": {"accuracy": 0.5}, "answer": "x"}
    )
    assert reported.beside() == [("accuracy", "0.7500", "0.7000 to 0.8000", "0.5000")]


def test_metric_of_what_serves_stands_beside_the_models() -> None:
    reported = evaluation(champion={"version": 4, "metrics": {"accuracy": 0.7}})
    assert reported.beside() == [("accuracy", "0.7500", "", "", "0.7000")]


def test_version_is_found_by_its_number_or_its_run(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Stack("s", {"ModelPackageGroupName": "group"}, {})
    monkeypatch.setattr(registry, "listed", lambda _: [{"version": 4, "run_id": "r2"}, {"version": 3, "run_id": "r1"}])
    monkeypatch.setattr(registry, "_versions", lambda *_: "group has: 4 (Approved).")
    monkeypatch.setattr(registry, "client", lambda _: None)
    assert registry.version_of("12", stack) == 12
    assert registry.version_of("r1", stack) == 3
    with pytest.raises(RefusedError, match=r"No recent version was registered by run r9. group has: 4"):
        registry.version_of("r9", stack)
