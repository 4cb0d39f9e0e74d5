"""Athena's requests: which operation, is it well-formed, what does it answer."""

from __future__ import annotations

import asyncio
import json
import threading
import uuid
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from ministack import app
from ministack.core import iam_actions
from ministack.services import athena as ministack_athena

from local.aws import api_model, ministack_patches
from local.aws.athena import caller as callers
from local.aws.athena.errors import InvalidRequestError, NotOursError

# Our operations, and the functions of `operations` that answer them.
_OWN = {
    "StartQueryExecution": "start",
    "GetQueryExecution": "get",
    "GetQueryResults": "results",
    "StopQueryExecution": "stop",
}

Answer = tuple[int, dict[str, str], bytes]
_Body = dict[str, Any]


def install() -> None:
    """Take over Athena in MiniStack. Needs AWS_ENDPOINT_URL in the environment when the first query runs."""
    app.SERVICE_HANDLERS["athena"] = handle
    _authorize_by_work_group()


def prepare() -> None:
    """Import the engine while nobody waits for it, in a local cloud that has a table to ask about."""
    threading.Thread(target=import_module, args=("local.aws.athena.operations",), daemon=True).start()


async def handle(
    method: str, path: str, headers: Mapping[str, str], body: bytes, query_params: Mapping[str, Any]
) -> Answer:
    """Answer one request: our operations here, all others in MiniStack."""
    operation = headers.get("x-amz-target", "").rpartition(".")[2]
    if operation not in _OWN:
        return await ministack_athena.handle_request(method, path, headers, body, query_params)
    try:
        request = json.loads(body or b"{}")
    except ValueError:
        return _answer(400, {"__type": "SerializationException"})
    try:
        caller = callers.of_request(headers, query_params)
        _check_model(operation, request)
        # Calls to S3 come back to this server: off its event loop.
        return _answer(200, await asyncio.to_thread(_operate, operation, request, caller))
    except NotOursError:
        return await ministack_athena.handle_request(method, path, headers, body, query_params)
    except InvalidRequestError as error:
        return _answer(400, {
            "__type": "InvalidRequestException",
            "AthenaErrorCode": error.code,
            "ErrorCode": error.code,
            "Message": str(error),
        })  # fmt: skip
    except PermissionError as error:
        return _answer(400, {"__type": "UnrecognizedClientException", "Message": str(error)})


def _operate(operation: str, request: _Body, caller: callers.Caller) -> _Body:
    from local.aws.athena import operations  # the engine, which no local cloud needs at its start and few at all

    return getattr(operations, _OWN[operation])(request, caller)


def _work_group_of(query_id: str) -> str | None:
    from local.aws.athena import operations

    return operations.work_group_of(query_id)


def _check_model(operation: str, request: Any) -> None:
    """Refuse what Athena's API model does not allow."""
    problems = api_model.problems("athena", operation, request)
    if problems:
        many = "error" if len(problems) == 1 else "errors"
        raise InvalidRequestError(f"{len(problems)} validation {many} detected: {'; '.join(problems)}")


def _authorize_by_work_group() -> None:
    """A query belongs to its work group for IAM, also where a request names only the query.

    MiniStack takes `*` for such requests, which no policy that names a work group allows.
    """
    original = iam_actions.extract_resource_arn

    def extract(service: str, method: str, path: str, headers: Any, body: bytes, *rest: Any) -> str:
        found = original(service, method, path, headers, body, *rest)
        if service != "athena" or found != "*":
            return found
        try:
            request = json.loads(body or b"{}")
        except ValueError:
            return found
        query_id = request.get("QueryExecutionId", "") if isinstance(request, dict) else ""
        group = _work_group_of(query_id) if query_id else None
        operation = headers.get("x-amz-target", "").rpartition(".")[2]
        if group is None and operation != "StartQueryExecution":
            return found
        _, region, account = rest
        name = group or "primary"
        return f"arn:aws:athena:{region}:{account}:workgroup/{name}"

    ministack_patches.replace(iam_actions, "extract_resource_arn", extract)


def _answer(status: int, body: _Body) -> Answer:
    headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-requestid": str(uuid.uuid4())}
    return status, headers, json.dumps(body).encode()
