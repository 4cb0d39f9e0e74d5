"""The SageMaker model card of a run's model: what a person who answers for it looks at, filled from evaluation.json."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from report import words

Document = Mapping[str, Any]
_MOST_CLASSES = 20
_LOWER_IS_BETTER = ("MSE", "MAE", "RMSE")
_NOT_METRICS = frozenset({"accuracy_threshold", "decision_threshold"})


def create(sagemaker: Any, event: Document, document: Document, prepared: Document) -> dict[str, Any]:
    """Creates the card as a draft, which people complete, export and approve. Returns {"name", "error"}.

    A retry finds the card that an earlier attempt created. The model is no worse without one: what goes wrong becomes the
    sentence `error`.
    """
    settings = event["settings"]
    name = f"{settings['project_name']}-{event['run_id']}"
    tags = [*event["deployment"].get("tags", []), {"Key": "automl:run", "Value": event["run_id"]}]
    key = settings.get("kms_key_arn")
    try:
        sagemaker.create_model_card(
            ModelCardName=name,
            ModelCardStatus="Draft",
            Content=json.dumps(content(event, document, prepared)),
            Tags=tags,
            **({"SecurityConfig": {"KmsKeyId": key}} if key else {}),
        )
    except sagemaker.exceptions.ConflictException:
        pass
    except (ClientError, BotoCoreError) as error:
        return {"name": None, "error": f"The model card could not be created: {error}"}
    return {"name": name, "error": None}


def content(event: Document, document: Document, prepared: Document) -> dict[str, Any]:
    """The card in AWS's schema ("Model card JSON schema" in SageMaker's guide), texts cut to what it takes."""
    settings, automl = event["settings"], document.get("autopilot") or {}
    target = (prepared.get("renames") or {}).get(event["target_attribute_name"], event["target_attribute_name"])
    objective = document["objective_metric_name"]
    explanation = document.get("explanation") or {}
    rows = prepared.get("rows") or {}
    return {
        "model_overview": {
            "model_name": _cut(f"{settings['pipeline_name']}, run {event['run_id']}", 1024),
            "model_description": _cut(document["summary"], 1024),
            "problem_type": words.spaced(document["problem_type"]),
            "algorithm_type": "Ensemble of SageMaker Autopilot (AutoGluon) behind its own preprocessing",
        },
        "intended_uses": {
            "purpose_of_model": _cut(
                f"Predicts {target} for rows of feature group {settings['feature_group_name']}.", 2048
            ),
            "risk_rating": "Unknown",
            **_present("factors_affecting_model_efficiency", _cut(" ".join(document["warnings"]), 2048)),
        },
        "training_details": {
            "objective_function": {
                "function": {
                    "function": "Minimize" if objective in _LOWER_IS_BETTER else "Maximize",
                    "facet": objective,
                }
            },
            "training_observations": _cut(
                f"{rows.get('train', 0):,} training rows; split: {prepared.get('split', 'stratified')}, "
                f"seed {prepared.get('seed')}. AutoML job {automl.get('job_name')}, candidate {automl.get('candidate')}.",
                1024,
            ),
            "training_job_details": {
                "training_datasets": [event["uris"]["train"]],
                "user_provided_training_metrics": _validation(document.get("leaderboard")),
                "user_provided_hyper_parameters": [
                    {"name": name, "value": _cut(words.listed(value), 255)}
                    for name, value in sorted(settings.items())
                    if value not in (None, "", [], {})
                ][:100],
            },
        },
        "evaluation_details": [
            {
                "name": "Held-out test rows",
                "evaluation_observation": _cut(document["verdict"], 2096),
                "datasets": [event["uris"][name] for name in ("evaluation_input", "evaluation", "report")],
                "metadata": {
                    "rows": str(document["rows"]),
                    **_present("positive_class", _cut(document.get("positive_class") or "", 1024)),
                },
                "metric_groups": _groups(document, explanation.get("columns") or []),
            }
        ],
        "additional_information": {
            **_present("caveats_and_recommendations", _cut(" ".join(document["warnings"]), 2048)),
            "custom_details": {
                name: _cut(str(value), 1024)
                for name, value in {
                    "run_id": event["run_id"],
                    "data_fingerprint_sha256": prepared.get("data_sha256"),
                    "feature_group": settings["feature_group_name"],
                    "customers": f"{settings.get('customer_id_start')} to {settings.get('customer_id_end')}",
                    "explainability_report": explanation.get("report_uri"),
                    **document["versions"],
                }.items()
                if value is not None
            },
        },
    }


def _groups(document: Document, columns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    intervals = document.get("intervals") or {}
    baseline = document.get("baseline") or {}
    metrics = [
        _number(name, value, _interval(intervals.get(name)))
        for name, value in document.items()
        if isinstance(value, float) and name not in _NOT_METRICS and not name.startswith("baseline_")
    ]
    groups = [{"name": "Metrics", "metric_data": metrics}]
    if baseline:
        found = [_number(name, value, baseline["answer"]) for name, value in baseline["metrics"].items()]
        groups.append({"name": "Baseline", "metric_data": found})
    labels = document["labels"]
    if labels and len(labels) <= _MOST_CLASSES:
        axis = [_cut(str(label), 63) for label in labels]
        matrix = {"type": "matrix", "value": document["confusion_matrix"], "x_axis_name": axis, "y_axis_name": axis}
        note = "Rows are the truth, columns the answers."
        groups.append(
            {
                "name": "Confusion matrix",
                "metric_data": [{"name": "Confusion matrix", "notes": note, **matrix}],
            }
        )
    if columns:
        chart = {
            "type": "bar_chart",
            "value": [row["value"] for row in columns[:_MOST_CLASSES]],
            "x_axis_name": [_cut(row["column"], 63) for row in columns[:_MOST_CLASSES]],
            "y_axis_name": "Mean size of the SHAP values",
        }
        groups.append({"name": "What drives the answers", "metric_data": [{"name": "Mean SHAP", **chart}]})
    return groups


def _validation(board: Document | None) -> list[dict[str, Any]]:
    """The chosen candidate's metrics on Autopilot's validation rows."""
    chosen: Iterable[Document] = (row for row in (board or {}).get("candidates", []) if row["chosen"])
    return [
        {"name": name, "value": value, "notes": "on Autopilot's validation rows"}
        for row in chosen
        for name, value in row["metrics"].items()
        if math.isfinite(value)
    ][:50]


def _number(name: str, value: float, notes: str | None) -> dict[str, Any]:
    return {
        "name": words.metric(name).title,
        "type": "number",
        "value": value,
        **_present("notes", notes and _cut(notes, 1024)),
    }


def _interval(found: Document | None) -> str | None:
    return f"{found['lower']:.6g} to {found['upper']:.6g}" if found else None


def _present(name: str, value: str | None) -> dict[str, str]:
    return {name: value} if value else {}


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
