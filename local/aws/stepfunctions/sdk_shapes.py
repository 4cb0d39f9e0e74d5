"""How Step Functions spells requests and responses of AWS APIs, against botocore's model of each operation."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from functools import cache
from typing import Any

from botocore import xform_name
from botocore.model import OperationModel

from local.aws.api_model import service_model
from local.server.sessions import session

_LEADING_CAPITALS = re.compile(r"^([A-Z]+)(?=[A-Z][a-z])|^([A-Z]+)$")


class UnsupportedFieldError(Exception):
    """Arguments hold a field that the operation does not have."""


@cache
def service_named(integration: str) -> str:
    """botocore's name of a service in a resource ARN (`applicationautoscaling`, `sfn`)."""
    if integration in ("sfn", "states"):
        return "stepfunctions"
    for name in session.get_available_services():
        if name.replace("-", "") == integration.lower():
            return name
    raise ValueError(f"There is no service {integration}")


@cache
def operation(integration: str, action: str) -> OperationModel:
    """The operation that an action in a resource ARN (`createAutoMLJobV2`) means."""
    model = service_model(service_named(integration))
    for name in model.operation_names:
        if name.lower() == action.replace("_", "").lower():
            return model.operation_model(name)
    raise ValueError(f"{integration} has no action {action}")


def models_error(service: str, code: str) -> str | None:
    """The exception that an API models for an error code, as an SDK for Java calls it; None if it models none."""
    shape = service_model(service).shape_for_error_code(code)
    if shape is None:
        return None
    return shape.name if shape.name.endswith("Exception") else f"{shape.name}Exception"


def method(found: OperationModel) -> str:
    """The method of a boto3 client for an operation."""
    return xform_name(found.name)


def spelled(member: str) -> str:
    """A member's name as the AWS SDK for Java writes it: upper-case first, of leading capitals only the first."""
    name = member[0].upper() + member[1:]
    return _LEADING_CAPITALS.sub(lambda match: match.group(0).capitalize(), name)


def to_request(value: Any, shape: Any, path: str = "") -> Any:
    """Arguments of a state as parameters for boto3. Raises UnsupportedFieldError."""
    if shape is None:
        if value:
            raise UnsupportedFieldError(f"The field {sorted(value)[0]!r} is not supported by Step Functions.")
        return {}
    kind = shape.type_name
    if kind == "structure" and isinstance(value, dict):
        members = {spelling: name for name in shape.members for spelling in (name[0].upper() + name[1:], spelled(name))}
        request = {}
        for key, inner in value.items():
            if key not in members:
                raise UnsupportedFieldError(f"The field '{path}{key}' is not supported by Step Functions.")
            request[members[key]] = to_request(inner, shape.members[members[key]], f"{path}{key}.")
        return request
    if kind == "list" and isinstance(value, list):
        return [to_request(inner, shape.member, path) for inner in value]
    if kind == "map" and isinstance(value, dict):
        return {key: to_request(inner, shape.value, path) for key, inner in value.items()}
    if kind == "blob":
        return json.dumps(value, separators=(",", ":")).encode()
    if kind == "string" and isinstance(value, (dict, list)):
        return json.dumps(value, separators=(",", ":"))
    if kind in ("integer", "long") and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def from_response(value: Any, shape: Any, *, epoch_millis: bool = False) -> Any:
    """boto3's response as Step Functions gives it: spelled as above, times as ISO 8601 or epoch milliseconds."""
    if isinstance(value, datetime):
        moment = value.astimezone(UTC)
        return (
            int(moment.timestamp() * 1000)
            if epoch_millis
            else f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
        )
    if hasattr(value, "read"):
        return value.read().decode()
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, dict):
        kind = getattr(shape, "type_name", None)
        if kind == "structure":
            return {
                spelled(key): from_response(inner, shape.members[key], epoch_millis=epoch_millis)
                for key, inner in value.items()
                if key in shape.members and inner is not None
            }
        inner_shape = shape.value if kind == "map" else None
        return {key: from_response(inner, inner_shape, epoch_millis=epoch_millis) for key, inner in value.items()}
    if isinstance(value, list):
        return [from_response(inner, getattr(shape, "member", None), epoch_millis=epoch_millis) for inner in value]
    return value
