"""Athena's requests: which operation, is it well-formed, what does it answer."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from ministack import app
from ministack.core import iam_actions
from ministack.services import athena as ministack_athena

from local.aws import api_model, ministack_patches
from local.aws.athena import caller as callers
from local.aws.athena import queries, workgroups
from local.aws.athena.caller import Caller
from local.aws.athena.errors import InvalidRequestError
from local.aws.athena.statement import parse

_MOST_ROWS = 1000

Answer = tuple[int, dict[str, str], bytes]
_Body = dict[str, Any]


def install() -> None:
    """Take over Athena in MiniStack. Needs AWS_ENDPOINT_URL in the environment when the first query runs."""
    app.SERVICE_HANDLERS["athena"] = handle
    _authorize_by_work_group()


async def handle(
    method: str, path: str, headers: Mapping[str, str], body: bytes, query_params: Mapping[str, Any]
) -> Answer:
    """Answer one request: our operations here, all others in MiniStack."""
    operation = headers.get("x-amz-target", "").rpartition(".")[2]
    own = _OPERATIONS.get(operation)
    if own is None:
        return await ministack_athena.handle_request(method, path, headers, body, query_params)
    try:
        request = json.loads(body or b"{}")
    except ValueError:
        return _answer(400, {"__type": "SerializationException"})
    try:
        caller = callers.of_request(headers, query_params)
        _check_model(operation, request)
        # Calls to S3 come back to this server: off its event loop.
        return _answer(200, await asyncio.to_thread(own, request, caller))
    except _NotOursError:
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


class _NotOursError(Exception):
    """A query that MiniStack keeps."""


def _start(request: _Body, caller: Caller) -> _Body:
    # The order of the checks is Athena's.
    token = request.get("ClientRequestToken")
    if not token:
        raise InvalidRequestError("clientRequestToken is null or empty")
    settings = workgroups.settings_for(request)
    statement = parse(request["QueryString"])
    if statement.kind == "CATALOG":
        raise _NotOursError
    known = queries.earlier(request)
    if known is not None:
        return {"QueryExecutionId": known}
    workgroups.check_bucket(settings, caller)
    return {"QueryExecutionId": queries.start(request, statement, settings, caller)}


def _get(request: _Body, _caller: Caller) -> _Body:
    return {"QueryExecution": _find(request).description()}


def _stop(request: _Body, _caller: Caller) -> _Body:
    queries.stop(_find(request))
    return {}


def _results(request: _Body, caller: Caller) -> _Body:
    query = _find(request)
    most = request.get("MaxResults") or _MOST_ROWS
    if most > _MOST_ROWS:
        raise InvalidRequestError(f"MaxResults is more than maximum allowed length {_MOST_ROWS}")
    if query.state in ("QUEUED", "RUNNING"):
        raise InvalidRequestError(
            f"Query has not yet finished. Current state: {query.state}", "INVALID_QUERY_EXECUTION_STATE"
        )
    if query.state == "FAILED":
        raise InvalidRequestError(
            "Query did not finish successfully. Final query state: FAILED", "INVALID_QUERY_EXECUTION_STATE"
        )
    if query.state == "CANCELLED":
        raise InvalidRequestError("Could not find results", "RESULT_NOT_FOUND")
    header = [[column.name for column in query.columns]]
    rows = queries.rows_of(query, caller)
    first = _offset(request.get("NextToken"))
    # The header is the first row of the first page and counts as one.
    texts = [list(row.values()) for row in rows.slice(max(0, first - len(header)), most).to_pylist()]
    page = [*header[first:], *texts][:most]
    answer: _Body = {
        "UpdateCount": 0,
        "ResultSet": {
            "Rows": [{"Data": [{} if text is None else {"VarCharValue": text} for text in row]} for row in page],
            "ResultSetMetadata": {"ColumnInfo": [column.info() for column in query.columns]},
        },
    }
    if len(page) == most:
        answer["NextToken"] = base64.urlsafe_b64encode(f"row {first + most}".encode()).decode()
    return answer


def _find(request: _Body) -> queries.Query:
    query_id = request["QueryExecutionId"]
    query = queries.find(query_id)
    if query is None:
        if query_id in ministack_athena._executions:
            raise _NotOursError
        raise InvalidRequestError(f"QueryExecution {query_id} was not found", "QUERY_EXECUTION_NOT_FOUND")
    return query


_OPERATIONS: dict[str, Callable[[_Body, Caller], _Body]] = {
    "StartQueryExecution": _start,
    "GetQueryExecution": _get,
    "GetQueryResults": _results,
    "StopQueryExecution": _stop,
}


def _check_model(operation: str, request: Any) -> None:
    """Refuse what Athena's API model does not allow."""
    problems = api_model.problems("athena", operation, request)
    if problems:
        many = "error" if len(problems) == 1 else "errors"
        raise InvalidRequestError(f"{len(problems)} validation {many} detected: {'; '.join(problems)}")


def _offset(token: str | None) -> int:
    if token is None:
        return 0
    try:
        match = re.fullmatch(rb"row (\d{1,12})", base64.urlsafe_b64decode(token))
    except (binascii.Error, ValueError):
        match = None
    if match is None:
        raise InvalidRequestError(f"Malformed nextPageToken {token}")
    return int(match[1])


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
        query = queries.find(request.get("QueryExecutionId", "")) if isinstance(request, dict) else None
        operation = headers.get("x-amz-target", "").rpartition(".")[2]
        if query is None and operation != "StartQueryExecution":
            return found
        _, region, account = rest
        name = query.settings.work_group if query is not None else "primary"
        return f"arn:aws:athena:{region}:{account}:workgroup/{name}"

    ministack_patches.replace(iam_actions, "extract_resource_arn", extract)


def _answer(status: int, body: _Body) -> Answer:
    headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-requestid": str(uuid.uuid4())}
    return status, headers, json.dumps(body).encode()
