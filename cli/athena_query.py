"""One query of Athena, and its rows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from cli.stack import client

_SECONDS = 120
ACTIONS = ("athena:StartQueryExecution", "athena:GetQueryExecution", "athena:GetQueryResults")


class QueryError(Exception):
    """The query did not succeed; the message has Athena's reason."""


def rows(
    query: str,
    catalog: dict[str, Any],
    *,
    work_group: str | None = None,
    output: str | None = None,
    parameters: Sequence[str] = (),
) -> list[list[str | None]]:
    """The rows of a short answer, without the header; null is None.

    `catalog` is a feature group's DataCatalogConfig, `output` the place of the result where the work group names none,
    `parameters` are SQL literals. Raises QueryError, ClientError.
    """
    athena = client("athena")
    where: Any = {
        **({"WorkGroup": work_group} if work_group else {}),
        **({"ResultConfiguration": {"OutputLocation": output}} if output else {}),
        **({"ExecutionParameters": list(parameters)} if parameters else {}),
    }
    started = athena.start_query_execution(
        QueryString=query,
        QueryExecutionContext={"Catalog": catalog["Catalog"], "Database": catalog["Database"].lower()},
        **where,
    )["QueryExecutionId"]
    deadline = time.monotonic() + _SECONDS
    while True:
        status = athena.get_query_execution(QueryExecutionId=started)["QueryExecution"]["Status"]
        if status["State"] == "SUCCEEDED":
            break
        if status["State"] in ("FAILED", "CANCELLED") or time.monotonic() > deadline:
            reason = status.get("StateChangeReason", "no reason given")
            raise QueryError(f"Athena's query ended as {status['State']}: {reason}")
        time.sleep(0.3)
    found = athena.get_query_results(QueryExecutionId=started)["ResultSet"]["Rows"][1:]
    return [[cell.get("VarCharValue") for cell in row["Data"]] for row in found]
