"""The candidates that Autopilot trained, the best first."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

MOST = 50
"""Candidates that evaluation.json keeps; Autopilot's ensembling mode trains about ten."""

_LOWER_IS_BETTER = frozenset({"MSE", "MAE", "RMSE", "LogLoss"})


def describe(sagemaker: Any, job_name: str, best: str | None) -> dict[str, Any]:
    """The candidates of an AutoML job with what they reached on Autopilot's own validation rows.

    `best`: the name of the candidate that was chosen, which may not be the first. Returns {"objective", "candidates", "total",
    "error"}: of each candidate its name, whether it was chosen, status, objective's value, other metrics by Autopilot's names,
    seconds from its start to its end, and seconds to answer one request (InferenceLatency), where AWS says so. The job is
    long done and its model evaluated: what goes wrong here becomes the sentence `error`.
    """
    try:
        pages = sagemaker.get_paginator("list_candidates_for_auto_ml_job").paginate(AutoMLJobName=job_name)
        rows = [_row(candidate, best) for page in pages for candidate in page["Candidates"]]
    except (ClientError, BotoCoreError) as error:
        return {
            "objective": None,
            "candidates": [],
            "total": 0,
            "error": f"The candidates could not be listed: {error}",
        }
    objective = next((row["objective"] for row in rows if row["objective"]), None)
    sign = 1 if objective in _LOWER_IS_BETTER else -1
    # A candidate that failed has no value.
    rows.sort(key=lambda row: (row["value"] is None, sign * (row["value"] or 0), not row["chosen"]))
    for row in rows:
        del row["objective"]
    return {"objective": objective, "candidates": rows[:MOST], "total": len(rows), "error": None}


def _row(candidate: dict[str, Any], best: str | None) -> dict[str, Any]:
    final = candidate.get("FinalAutoMLJobObjectiveMetric") or {}
    listed = (candidate.get("CandidateProperties") or {}).get("CandidateMetrics") or []
    metrics = {
        one.get("StandardMetricName") or one.get("MetricName"): one["Value"]
        for one in listed
        if one.get("Set", "Validation") == "Validation" and "Value" in one
    }
    end = candidate.get("EndTime")
    return {
        "name": candidate["CandidateName"],
        "chosen": candidate["CandidateName"] == best,
        "status": candidate["CandidateStatus"],
        "objective": final.get("StandardMetricName") or final.get("MetricName"),
        "value": final.get("Value"),
        "inference_latency_seconds": metrics.pop("InferenceLatency", None),
        "metrics": {name: value for name, value in metrics.items() if name},
        "training_seconds": (end - candidate["CreationTime"]).total_seconds() if end else None,
    }
