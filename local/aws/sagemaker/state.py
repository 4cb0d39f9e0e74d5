"""What the SageMaker of this process knows, and what its parts share."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local.aws.api_model import ApiError
from local.aws.faults import Faults
from local.server.address import ACCOUNT_ID, REGION

PRINCIPAL = "sagemaker.amazonaws.com"


@dataclass
class State:
    """Everything by its name. `lock` guards all of it; it is held for moments only, never while something runs."""

    folder: Path = Path()
    # The factor on waits that requests ask for and on AWS's own: 1/60 makes a minute a second.
    pace: float = 1.0
    faults: Faults = field(default_factory=lambda: Faults([]))
    lock: threading.RLock = field(default_factory=threading.RLock)
    jobs: dict[tuple[str, str], Any] = field(default_factory=dict)
    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    package_groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    packages: dict[str, dict[str, Any]] = field(default_factory=dict)
    package_tokens: dict[tuple[str, str], str] = field(default_factory=dict)
    model_cards: dict[str, dict[str, Any]] = field(default_factory=dict)
    endpoint_configs: dict[str, dict[str, Any]] = field(default_factory=dict)
    endpoints: dict[str, Any] = field(default_factory=dict)
    feature_groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)


STATE = State()


def arn(kind: str, name: str) -> str:
    """The ARN of a resource; SageMaker writes names in it in lower case."""
    return f"arn:aws:sagemaker:{REGION}:{ACCOUNT_ID}:{kind}/{name.lower()}"


def now() -> datetime:
    """The present time, UTC."""
    return datetime.now(UTC)


def check_role(role_arn: str) -> None:
    """Raises ApiError unless the caller may pass the role to SageMaker and SageMaker may assume it."""
    from local.aws.iam import roles

    problem = roles.pass_role_problem(role_arn, PRINCIPAL)
    if problem:
        raise ApiError("AccessDeniedException", problem, 400)
    if roles.trust_problem(role_arn, PRINCIPAL):
        raise ApiError(
            "ValidationException",
            f"Could not assume role {role_arn}. Please ensure that the role exists and allows principal '{PRINCIPAL}' to assume the role.",
        )


def refuse_by_fault(service: str, operation: str) -> None:
    """Raises the ApiError that the faults file wants for this call, if any."""
    fault = STATE.faults.take_operation(service, operation)
    if fault:
        raise ApiError(fault.error, fault.message)


def tag(resource_arn: str, tags: list[dict[str, str]] | None) -> None:
    """Give a resource tags."""
    if tags:
        STATE.tags.setdefault(resource_arn, {}).update({item["Key"]: item["Value"] for item in tags})


def page(items: list[dict[str, Any]], request: dict[str, Any], key: str, most: int = 100) -> dict[str, Any]:
    """One page of a list operation's answer, newest or first by name as the request asks."""
    order = request.get("SortBy", "CreationTime")
    column = next((c for c in items[0] if order == "Name" and c.endswith("Name")), "CreationTime") if items else ""
    # Of two made at the same moment the later made one counts as newer: sorting keeps their order.
    ordered = sorted(items, key=lambda item: item[column])
    if request.get("SortOrder", "Descending" if order == "CreationTime" else "Ascending") == "Descending":
        ordered.reverse()
    size = request.get("MaxResults", most)
    token = request.get("NextToken", "0")
    if not token.isdigit():
        raise ApiError("ValidationException", "Invalid NextToken")
    first = int(token)
    answer: dict[str, Any] = {key: ordered[first : first + size]}
    if first + size < len(ordered):
        answer["NextToken"] = str(first + size)
    return answer


def named(
    items: list[dict[str, Any]], request: dict[str, Any], name: str, status: str | None = None
) -> list[dict[str, Any]]:
    """The items that pass a list operation's NameContains and StatusEquals."""
    part = request.get("NameContains", "").lower()
    wanted = request.get("StatusEquals")
    return [
        item for item in items if part in item[name].lower() and (not wanted or not status or item[status] == wanted)
    ]
