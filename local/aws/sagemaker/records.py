"""PutRecord of the Feature Store's runtime: records gather for a moment, then they are in the offline store.

AWS writes them within 15 minutes ("Amazon SageMaker Feature Store offline store data format", SageMaker Developer Guide).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from local.aws import api_model
from local.aws.api_model import ApiError
from local.aws.sagemaker import feature_groups
from local.aws.sagemaker.state import STATE
from local.server import sessions

GATHERED_SECONDS = 0.5
_SERVICE = "sagemaker-featurestore-runtime"
# The two forms of a String event time that the Feature Store takes.
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z")
_DTYPES = {"Integral": "Int64", "Fractional": "float64", "String": "string"}

_waiting: dict[str, list[dict[str, Any]]] = {}
_timer: threading.Timer | None = None


def put(group_name: str, body: Mapping[str, Any]) -> None:
    """Take one record. Raises ApiError with the runtime's own codes."""
    global _timer
    request = {"FeatureGroupName": group_name, **body}
    wrong = api_model.problems(_SERVICE, "PutRecord", request)
    if wrong:
        raise ApiError("ValidationError", "; ".join(wrong))
    try:
        group = feature_groups.find(group_name)
    except ApiError as error:
        raise ApiError("ResourceNotFound", error.message, 404) from None
    record = _checked(group, {item["FeatureName"]: item.get("ValueAsString") for item in request["Record"]})
    if "OfflineStoreConfig" not in group:
        return
    with STATE.lock:
        _waiting.setdefault(group["FeatureGroupName"], []).append(record)
        if _timer is None:
            _timer = threading.Timer(GATHERED_SECONDS, _write)
            _timer.daemon = True
            _timer.start()


def _checked(group: dict[str, Any], record: dict[str, str | None]) -> dict[str, Any]:
    kinds = {item["FeatureName"]: item["FeatureType"] for item in group["FeatureDefinitions"]}
    unknown = [name for name in record if name not in kinds]
    if unknown:
        raise ApiError("ValidationError", f"Validation Error: Features {unknown} are not in the feature group")
    for member in ("RecordIdentifierFeatureName", "EventTimeFeatureName"):
        if not record.get(group[member]):
            raise ApiError("ValidationError", f"Validation Error: the record has no value of {group[member]}")
    moment = group["EventTimeFeatureName"]
    if kinds[moment] == "String" and not _MOMENT.fullmatch(str(record[moment])):
        raise ApiError(
            "ValidationError", f"Validation Error: {moment} {record[moment]!r} is not yyyy-MM-dd'T'HH:mm:ssZ"
        )
    values: dict[str, Any] = {}
    for name, text in record.items():
        try:
            values[name] = None if text is None else _value(text, kinds[name])
        except ValueError:
            raise ApiError("ValidationError", f"Validation Error: {name} {text!r} is not {kinds[name]}") from None
    return values


def _value(text: str, kind: str) -> Any:
    return int(text) if kind == "Integral" else float(text) if kind == "Fractional" else text


def _write() -> None:
    """Everything that has gathered, into the offline stores."""
    global _timer
    import pandas as pd  # here, as few local clouds are sent records

    from local.aws.featurestore import offline_store

    with STATE.lock:
        gathered, _timer = dict(_waiting), None
        _waiting.clear()
    for name, records in gathered.items():
        group = STATE.feature_groups.get(name)
        if group is None:
            continue
        kinds = {item["FeatureName"]: _DTYPES[item["FeatureType"]] for item in group["FeatureDefinitions"]}
        offline_store.put_records(
            sessions.client("s3"),
            group["OfflineStoreConfig"]["S3StorageConfig"]["ResolvedOutputS3Uri"],
            pd.DataFrame(records, columns=pd.Index(list(kinds))).astype(kinds),
            event_time=group["EventTimeFeatureName"],
            invoked_at=datetime.now(UTC),
        )
