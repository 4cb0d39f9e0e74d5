"""The summary holds what is known, whether the run succeeded or not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cli.summary import Result, read_answer

KEYS = {
    "status", "outcome", "message", "failed_step", "error", "cause", "metrics", "model_package_arn", "endpoint",
    "prediction", "steps", "mails", "run_prefix", "verdict", "warnings", "champion",
}  # fmt: skip


def test_run_that_succeeded(deployed: Any, tmp_path: Path) -> None:
    answer = {"label": "Yes", "probability": 0.6}
    Result("SUCCEEDED", None, deployed.finished(), answer, "InService", ["a.eml"]).write(tmp_path / "summary.json")
    document = json.loads((tmp_path / "summary.json").read_text())
    assert set(document) == KEYS
    assert (document["status"], document["outcome"]) == ("SUCCEEDED", "Deployed")
    assert document["endpoint"] == {"name": "automl-classification-endpoint", "status": "InService"}
    assert document["metrics"]["accuracy"] == pytest.approx(0.7733, abs=1e-4)
    assert [step["name"] for step in document["steps"]][-1] == "DeployEndpoint"
    assert document["run_prefix"].startswith("s3://")


def test_run_that_failed_keeps_what_it_had_found_out(failed: Any) -> None:
    document = Result("FAILED", finished=failed.finished()).document()
    assert set(document) == KEYS
    assert (document["failed_step"], document["error"]) == ("DataSource", "DataSourceFailed")
    assert document["run_prefix"].startswith("s3://") and "/runs/" in document["run_prefix"]
    assert document["metrics"] is document["endpoint"] is document["prediction"] is None


def test_run_that_failed_late_keeps_metrics_and_version(deployed: Any) -> None:
    finished = deployed.finished()
    finished.status, finished.output = "FAILED", None
    document = Result("FAILED", finished=finished).document()
    assert document["metrics"]["accuracy"] == pytest.approx(0.7733, abs=1e-4)
    assert document["model_package_arn"].endswith("/1")


def test_how_the_model_compares_with_what_serves_is_kept(deployed: Any) -> None:
    finished = deployed.finished()
    finished.output |= {"verdict": "Passes the gate.", "warnings": ["Few rows."], "champion": {"version": 4}}
    document = Result("SUCCEEDED", finished=finished).document()
    assert (document["verdict"], document["warnings"]) == ("Passes the gate.", ["Few rows."])
    assert document["champion"] == {"version": 4}


def test_demo_that_never_started_says_why() -> None:
    document = Result(problem="no such file").document()
    assert (document["status"], document["cause"], document["steps"]) == ("NOT_STARTED", "no such file", [])


@pytest.mark.parametrize(
    ("body", "problem_type", "expected"),
    [
        (
            b"No,\"[0.9, 0.1]\",\"['No', 'Yes']\"\n",
            "BinaryClassification",
            {"label": "No", "probability": 0.9, "probabilities": {"No": 0.9, "Yes": 0.1}},
        ),
        # What versions answer that were registered before all probabilities were asked for.
        (b"Yes,0.64\n", "BinaryClassification", {"label": "Yes", "probability": 0.64, "probabilities": {"Yes": 0.64}}),
        (b"113.8\n", "Regression", {"value": 113.8}),
    ],
)
def test_answers_are_read_as_the_container_writes_them(
    body: bytes, problem_type: str, expected: dict[str, Any]
) -> None:
    assert read_answer(body, problem_type) == expected
