"""The leaderboard: candidates as ListCandidatesForAutoMLJob answers them, the best first; a failure to list is a sentence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import leaderboard
import pytest
from botocore.stub import Stubber

BEGAN = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


def candidate(name: str, value: float | None, metric: str = "F1", **more: Any) -> dict[str, Any]:
    return {
        "CandidateName": name,
        "ObjectiveStatus": "Succeeded" if value is not None else "Failed",
        "CandidateSteps": [],
        "CandidateStatus": "Completed" if value is not None else "Failed",
        "CreationTime": BEGAN,
        "LastModifiedTime": BEGAN,
        **({} if value is None else {"FinalAutoMLJobObjectiveMetric": {"MetricName": metric, "Value": value}}),
        **more,
    }


def listed(*pages: list[dict[str, Any]], best: str | None = None) -> dict[str, Any]:
    client = boto3.client("sagemaker", region_name="us-west-2", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stubber:
        for number, page in enumerate(pages):
            token = {"NextToken": str(number)} if number + 1 < len(pages) else {}
            asked = {"AutoMLJobName": "automl-r1"} | ({"NextToken": str(number - 1)} if number else {})
            stubber.add_response("list_candidates_for_auto_ml_job", {"Candidates": page, **token}, asked)
        return leaderboard.describe(client, "automl-r1", best)


def test_candidates_of_all_pages_come_best_first() -> None:
    found = listed([candidate("a", 0.5), candidate("b", 0.7)], [candidate("c", 0.6), candidate("d", None)], best="c")
    assert [row["name"] for row in found["candidates"]] == ["b", "c", "a", "d"]
    assert [row["chosen"] for row in found["candidates"]] == [False, True, False, False]
    assert (found["objective"], found["total"], found["error"]) == ("F1", 4, None)
    assert found["candidates"][3]["status"] == "Failed"


@pytest.mark.parametrize("metric", ["RMSE", "MSE", "MAE"])
def test_the_smallest_error_comes_first(metric: str) -> None:
    found = listed([candidate("a", 3.0, metric), candidate("b", 1.0, metric), candidate("c", 2.0, metric)])
    assert [row["name"] for row in found["candidates"]] == ["b", "c", "a"]


def test_metrics_are_of_the_validation_rows_and_latency_stands_apart() -> None:
    metrics = [
        {"StandardMetricName": "AUC", "MetricName": "AUC", "Value": 0.8, "Set": "Validation"},
        {"StandardMetricName": "AUC", "MetricName": "AUC", "Value": 0.99, "Set": "Train"},
        {"StandardMetricName": "LogLoss", "Value": 0.4, "Set": "Validation"},
        {"StandardMetricName": "InferenceLatency", "Value": 0.031, "Set": "Validation"},
    ]
    timed = candidate(
        "a", 0.5, EndTime=BEGAN + timedelta(seconds=90), CandidateProperties={"CandidateMetrics": metrics}
    )
    row = listed([timed])["candidates"][0]
    assert row["metrics"] == {"AUC": 0.8, "LogLoss": 0.4}
    assert (row["inference_latency_seconds"], row["training_seconds"]) == (0.031, 90.0)


def test_a_long_list_is_cut_and_its_length_kept() -> None:
    found = listed([candidate(f"c{number}", number / 1000) for number in range(leaderboard.MOST + 5)])
    assert (len(found["candidates"]), found["total"]) == (leaderboard.MOST, leaderboard.MOST + 5)
    assert found["candidates"][0]["name"] == f"c{leaderboard.MOST + 4}"


def test_a_refused_call_is_a_sentence() -> None:
    client = boto3.client("sagemaker", region_name="us-west-2", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stubber:
        stubber.add_client_error("list_candidates_for_auto_ml_job", "AccessDeniedException", "not today")
        found = leaderboard.describe(client, "automl-r1", None)
    assert found["candidates"] == []
    assert found["error"].startswith("The candidates could not be listed: ")
    assert "not today" in found["error"]
