"""Athena's operations on queries of ours. Imports the engine (DuckDB, sqlglot), which takes a third of a second."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from ministack.services import athena as ministack_athena

from local.aws.athena import queries, workgroups
from local.aws.athena.caller import Caller
from local.aws.athena.errors import InvalidRequestError, NotOursError
from local.aws.athena.statement import parse

_MOST_ROWS = 1000

_Body = dict[str, Any]


def work_group_of(query_id: str) -> str | None:
    """The work group of a query, None for one that is not ours."""
    query = queries.find(query_id)
    return query and query.settings.work_group


def start(request: _Body, caller: Caller) -> _Body:
    """StartQueryExecution. Raises InvalidRequestError, and NotOursError for a statement about the catalog."""
    # The order of the checks is Athena's.
    token = request.get("ClientRequestToken")
    if not token:
        raise InvalidRequestError("clientRequestToken is null or empty")
    settings = workgroups.settings_for(request)
    statement = parse(request["QueryString"])
    if statement.kind == "CATALOG":
        raise NotOursError
    known = queries.earlier(request)
    if known is not None:
        return {"QueryExecutionId": known}
    workgroups.check_bucket(settings, caller)
    return {"QueryExecutionId": queries.start(request, statement, settings, caller)}


def get(request: _Body, _caller: Caller) -> _Body:
    """GetQueryExecution. Raises InvalidRequestError, and NotOursError for a query that MiniStack keeps."""
    return {"QueryExecution": _find(request).description()}


def stop(request: _Body, _caller: Caller) -> _Body:
    """StopQueryExecution. Raises likewise."""
    queries.stop(_find(request))
    return {}


def results(request: _Body, caller: Caller) -> _Body:
    """GetQueryResults. Raises likewise."""
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
            raise NotOursError
        raise InvalidRequestError(f"QueryExecution {query_id} was not found", "QUERY_EXECUTION_NOT_FOUND")
    return query


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
