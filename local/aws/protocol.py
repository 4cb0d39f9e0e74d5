"""AWS's JSON protocol around the operations of a service."""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from local.aws import api_model
from local.aws.api_model import ApiError

logger = logging.getLogger("local.protocol")
Answer = tuple[int, dict[str, str], bytes]
"""Status, headers and body."""


def serve(service: str, operate: Callable[[str, dict[str, Any]], dict[str, Any]]) -> None:
    """Put a service of which every request is one of the JSON protocol into MiniStack."""
    from ministack import app

    async def handle(
        method: str, path: str, headers: Mapping[str, str], body: bytes, query_params: Mapping[str, Any]
    ) -> Answer:
        return await answer_json(operate, service, headers, body)

    app.SERVICE_HANDLERS[service] = handle


async def answer_json(
    operate: Callable[[str, dict[str, Any]], dict[str, Any]], service: str, headers: Mapping[str, str], body: bytes
) -> Answer:
    """Answer one request by `operate(operation, request)`: errors as AWS writes them, times as seconds."""
    operation = headers.get("x-amz-target", "").rpartition(".")[2]
    answer_headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-requestid": str(uuid.uuid4())}
    try:
        try:
            request = json.loads(body or b"{}")
        except ValueError:
            raise ApiError("SerializationException", "The request is not JSON.") from None
        # Calls to S3 and Glue come back to this server: off its event loop.
        answer = await asyncio.to_thread(operate, operation, request)
        shape = api_model.service_model(service).operation_model(operation).output_shape
        known = shape.members if shape is not None else {}
        return 200, answer_headers, api_model.to_json({key: value for key, value in answer.items() if key in known})
    except ApiError as error:
        return error.status, answer_headers, json.dumps({"__type": error.code, "message": error.message}).encode()
    except Exception as error:
        logger.exception("%s failed", operation)
        return 500, answer_headers, json.dumps({"__type": "InternalFailure", "message": str(error)}).encode()
