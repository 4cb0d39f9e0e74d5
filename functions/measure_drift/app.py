"""MeasureDrift: compares the requests that the endpoint captured with the rows that its model was trained on."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import boto3
import captured
import serving
from automl_pipeline import measures, stored
from aws_lambda_powertools import Logger
from comparison import Comparison

logger = Logger()
PERIOD = timedelta(days=1)


@cache
def _s3() -> Any:
    return boto3.client("s3")


@cache
def _sagemaker() -> Any:
    return boto3.client("sagemaker")


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Writes drift.json, publishes its numbers as metrics, and returns it.

    `event`: `time`, the end of the day to look at (ISO 8601, as EventBridge writes it); now if left out.
    Returns {"until": ISO 8601, "endpoint", "problem": why nothing was compared, or None}, and if it is None also "since",
    "version", "run_id", "files", "files_read" (fewer: a sample), and what `Comparison.document` says.
    """
    until = datetime.fromisoformat(event["time"]).astimezone(UTC) if "time" in event else datetime.now(UTC)
    name = os.environ["ENDPOINT_NAME"]
    found = serving.find(_sagemaker(), name, os.environ["MODEL_PACKAGE_ARNS"])
    document = {"until": _text(until), "endpoint": name, "problem": None} | (
        {"problem": found} if isinstance(found, str) else _compared(found, until)
    )
    _s3().put_object(
        Bucket=os.environ["BUCKET"],
        Key=os.environ["DOCUMENT_KEY"],
        Body=json.dumps(document, indent=1, ensure_ascii=False).encode(),
        ContentType="application/json",
    )
    if document["problem"] is None:
        measures.publish_drift(os.environ["STACK_NAME"], document)
    logger.info("Measured drift", extra={key: value for key, value in document.items() if key != "features"})
    return document


def _compared(found: serving.Serving, until: datetime) -> dict[str, Any]:
    specified = found.distributions.rpartition("/")[0] + "/preprocessing.json"
    specification, distributions = (stored.read(_s3(), *stored.place(uri)) for uri in (specified, found.distributions))
    if specification is None or distributions is None:
        return {"problem": f"The folder of run {found.run_id}, which trained version {found.version}, was removed."}
    # Requests to an earlier version may have other columns.
    since = max(until - PERIOD, found.since.astimezone(UTC))
    files, every = captured.files(_s3(), found.captured, since, until)
    comparison = Comparison(json.loads(specification), json.loads(distributions))
    for body, content_type in captured.requests(_s3(), files):
        comparison.add(body, content_type)
    return {
        "since": _text(since),
        "version": found.version,
        "run_id": found.run_id,
        "files": every,
        "files_read": len(files),
        **comparison.document(),
    }


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
