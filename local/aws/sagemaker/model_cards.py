"""Model cards. Their export as PDF is left to AWS."""

from __future__ import annotations

import json
from typing import Any

from local.aws.api_model import ApiError
from local.aws.sagemaker.state import STATE, arn, named, now, page, tag


def create(request: dict[str, Any]) -> dict[str, Any]:
    name = request["ModelCardName"]
    try:
        content = json.loads(request["Content"])
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise ApiError("ValidationException", "Content is not a JSON object in the model card schema.")
    with STATE.lock:
        if name in STATE.model_cards:
            raise ApiError("ConflictException", f"Model card already exists: {arn('model-card', name)}")
        STATE.model_cards[name] = {
            **{member: value for member, value in request.items() if member != "Tags"},
            "ModelCardArn": arn("model-card", name),
            "ModelCardVersion": 1,
            "CreationTime": now(),
            "LastModifiedTime": now(),
            "CreatedBy": {},
        }
    tag(arn("model-card", name), request.get("Tags"))
    return {"ModelCardArn": arn("model-card", name)}


def find(request: dict[str, Any]) -> dict[str, Any]:
    """A model card. Raises ApiError."""
    name = request["ModelCardName"].rpartition("/")[2]
    card = STATE.model_cards.get(name)
    if card is None:
        raise ApiError("ResourceNotFound", f"Model card {arn('model-card', name)} does not exist.")
    return card


def delete(request: dict[str, Any]) -> dict[str, Any]:
    with STATE.lock:
        del STATE.model_cards[find(request)["ModelCardName"]]
    return {}


def listing(request: dict[str, Any]) -> dict[str, Any]:
    members = ("ModelCardName", "ModelCardArn", "ModelCardStatus", "CreationTime", "LastModifiedTime")
    rows = [{member: card[member] for member in members} for card in STATE.model_cards.values()]
    return page(named(rows, request, "ModelCardName"), request, "ModelCardSummaries")


OPERATIONS = {
    "CreateModelCard": create,
    "DescribeModelCard": find,
    "DeleteModelCard": delete,
    "ListModelCards": listing,
}
