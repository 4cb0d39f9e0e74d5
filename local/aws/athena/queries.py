"""Queries from QUEUED to SUCCEEDED, FAILED or CANCELLED, each on a thread of its own.

The records lie in MiniStack's own store, so its ListQueryExecutions and BatchGetQueryExecution show them too.
"""

from __future__ import annotations

import copy
import io
import itertools
import logging
import random
import string
import tempfile
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from botocore.exceptions import ClientError
from ministack.services import athena as ministack_athena

from local.aws import ended
from local.aws.athena import engine, results, unload
from local.aws.athena.caller import Caller
from local.aws.athena.catalog import split_uri
from local.aws.athena.engine import Rows
from local.aws.athena.errors import (
    INTERNAL_ERROR,
    INTERNAL_ERROR_TYPE,
    USER_ERROR,
    InvalidRequestError,
    QueryCancelledError,
    QueryFailedError,
)
from local.aws.athena.reading import Run
from local.aws.athena.results import ResultColumn
from local.aws.athena.statement import Statement, bind
from local.aws.athena.workgroups import Settings

_QUEUED_SECONDS = 0.1  # long enough to be seen, short beside everything else
_AT_ONCE = 20  # Athena's own quota of active DML queries is of this order
_FINAL = ("SUCCEEDED", "FAILED", "CANCELLED")
_OCTETS = "application/octet-stream"  # what Athena writes its files as

logger = logging.getLogger("athena")
_slots = threading.Semaphore(_AT_ONCE)
_counter = itertools.count()
_queries: dict[str, Query] = {}
_ids_by_token: dict[str, str] = {}
_starting = threading.Lock()


@dataclass
class Query:
    """One execution: the record that the API shows, and what it takes to run it."""

    record: dict[str, Any]
    request: dict[str, Any]
    statement: Statement
    settings: Settings
    run: Run
    columns: list[ResultColumn] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def id(self) -> str:
        """Its QueryExecutionId."""
        return self.record["QueryExecutionId"]

    def description(self) -> dict[str, Any]:
        """The record as it is at this moment."""
        with self.lock:
            return copy.deepcopy(self.record)

    @property
    def state(self) -> str:
        """QUEUED, RUNNING, SUCCEEDED, FAILED or CANCELLED."""
        return self.record["Status"]["State"]

    def move(self, state: str, **status: Any) -> bool:
        """Change the state unless it is final. Returns whether it changed."""
        with self.lock:
            if self.state in _FINAL:
                return False
            self.record["Status"].update(State=state, **status)
        if state in _FINAL:
            ended.announce()
        return True


def earlier(request: dict[str, Any]) -> str | None:
    """The id that this ClientRequestToken got before. Raises InvalidRequestError if the request was another one then."""
    known = _queries.get(_ids_by_token.get(request["ClientRequestToken"], ""))
    if known is None:
        return None
    if _identity(request) != _identity(known.request):
        raise InvalidRequestError("Idempotent parameters do not match", "IDEMPOTENT_PARAMETER_MISMATCH")
    return known.id


def start(request: dict[str, Any], statement: Statement, settings: Settings, caller: Caller) -> str:
    """Take a query and let it run. Returns its id at once; the same ClientRequestToken gives the same id."""
    with _starting:
        known = earlier(request)
        if known is not None:
            return known
        query_id = str(uuid.uuid4())
        query = Query(
            record=_record(query_id, request, statement, settings),
            request=request,
            statement=statement,
            settings=settings,
            run=Run(caller, settings.cutoff),
        )
        _queries[query_id] = query
        _ids_by_token[request["ClientRequestToken"]] = query_id
    ministack_athena._executions[query_id] = query.record
    # Daemons: a query under way does not keep a server from ending.
    threading.Thread(target=_run, args=(query,), name=f"athena-{query_id}", daemon=True).start()
    return query_id


def find(query_id: str) -> Query | None:
    """The query, or None if this module did not start it."""
    return _queries.get(query_id)


def stop(query: Query) -> None:
    """Cancel a query that has not ended; one that has stays as it is."""
    if query.move("CANCELLED", StateChangeReason="Query cancelled by user", CompletionDateTime=time.time()):
        query.run.stopped.set()
        query.run.interrupt()


def rows_of(query: Query, caller: Caller) -> pa.Table:
    """The result as texts, read from where it was written, with the caller's permissions."""
    bucket, key = split_uri(query.record["ResultConfiguration"]["OutputLocation"])
    try:
        content = caller.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            raise InvalidRequestError("Could not find results", "RESULT_NOT_FOUND") from None
        raise InvalidRequestError(
            f"{error.response['Error'].get('Message')} (Service: Amazon S3; Status Code: 403; Error Code: "
            f"{error.response['Error']['Code']})"
        ) from None
    return results.from_csv(content, query.columns)


def _run(query: Query) -> None:
    queued = time.monotonic()
    query.run.stopped.wait(_QUEUED_SECONDS)
    with _slots:
        started = time.monotonic()
        if not query.move("RUNNING"):
            return
        state, status = _outcome(query)
    ended = time.monotonic()
    with query.lock:
        query.record["Statistics"].update(
            DataScannedInBytes=query.run.scanned,
            QueryQueueTimeInMillis=round((started - queued) * 1000),
            EngineExecutionTimeInMillis=round((ended - started) * 1000),
            TotalExecutionTimeInMillis=round((ended - queued) * 1000),
            ServiceProcessingTimeInMillis=0,
        )
    query.move(state, CompletionDateTime=time.time(), **status)


def _outcome(query: Query) -> tuple[str, dict[str, Any]]:
    """Run the query and write its result. Returns the final state and what Status says besides."""
    database = (query.request.get("QueryExecutionContext") or {}).get("Database")
    try:
        bind(query.statement, query.request.get("ExecutionParameters") or [])
        if query.statement.kind == "UNLOAD":
            unload.check(query.statement, query.run.caller)
        with engine.execute(query.statement, database, query.run) as rows, tempfile.TemporaryDirectory() as folder:
            (_unload if query.statement.kind == "UNLOAD" else _save_rows)(query, rows, Path(folder))
    except QueryCancelledError as cancelled:
        return "CANCELLED", {"StateChangeReason": str(cancelled)}
    except QueryFailedError as failed:
        return "FAILED", _failure(str(failed), USER_ERROR, failed.error_type)
    except Exception as error:
        logger.exception("query %s", query.id)
        reason = f"GENERIC_INTERNAL_ERROR: {type(error).__name__}: {error}"
        return "FAILED", _failure(reason, INTERNAL_ERROR, INTERNAL_ERROR_TYPE)
    return "SUCCEEDED", {}


def _save_rows(query: Query, rows: Rows, folder: Path) -> None:
    query.columns = results.columns_of(rows.schema)
    results.write_csv(rows.schema, rows.parts, folder / "rows.csv")
    location = query.record["ResultConfiguration"]["OutputLocation"]
    _put(query, location, folder / "rows.csv")
    _put(query, f"{location}.metadata", results.to_metadata(_engine_id(), query.columns))


def _unload(query: Query, rows: Rows, folder: Path) -> None:
    unload.check_names(rows.schema.names)
    engine_id = _engine_id()
    written = unload.files(query.statement, rows, engine_id, folder)
    for uri, path in written:
        _put(query, uri, path)
    location = query.record["ResultConfiguration"]["OutputLocation"]
    # docs.aws.amazon.com/athena/latest/ug/querying-finding-output-files.html
    manifest = f"{location}-manifest.csv"
    _put(query, manifest, "".join(f"{uri}\n" for uri, _ in written).encode())
    _put(query, f"{location}.metadata", results.to_metadata(engine_id, [ResultColumn("rows", "bigint", 19, 0)]))
    with query.lock:
        query.record["Statistics"]["DataManifestLocation"] = manifest


def _put(query: Query, uri: str, content: Path | bytes) -> None:
    query.run.check()
    bucket, key = split_uri(uri)
    try:
        with content.open("rb") if isinstance(content, Path) else io.BytesIO(content) as body:
            query.run.caller.client("s3").put_object(
                Bucket=bucket, Key=key, Body=body, ContentType=_OCTETS, **query.settings.put_options()
            )
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("AccessDenied", "403"):
            raise QueryFailedError(f"Unable to write {uri}: {error.response['Error'].get('Message')}") from None
        raise QueryFailedError(
            f"Access denied when writing output to url: {uri} . Please ensure you are allowed to access the S3 bucket. "
            "If you are encrypting query results with KMS key, please ensure you are allowed to access your KMS key"
        ) from None


def _record(query_id: str, request: dict[str, Any], statement: Statement, settings: Settings) -> dict[str, Any]:
    result: dict[str, Any] = {
        "OutputLocation": f"{settings.output}{query_id}" + (".csv" if statement.kind == "SELECT" else "")
    }
    if settings.encryption:
        result["EncryptionConfiguration"] = settings.encryption
    context = dict(request.get("QueryExecutionContext") or {})
    if "Catalog" in context:
        context["Catalog"] = context["Catalog"].lower()  # Athena answers so
    record = {
        "QueryExecutionId": query_id,
        "Query": statement.text,
        "StatementType": "DML",
        "SubstatementType": statement.kind,
        "ResultConfiguration": result,
        "ResultReuseConfiguration": {"ResultReuseByAgeConfiguration": {"Enabled": False}},
        "QueryExecutionContext": context,
        "Status": {"State": "QUEUED", "SubmissionDateTime": time.time()},
        "Statistics": {"ResultReuseInformation": {"ReusedPreviousResult": False}},
        "WorkGroup": settings.work_group,
        "EngineVersion": {
            "SelectedEngineVersion": "AUTO",
            "EffectiveEngineVersion": "Athena engine version 3",
        },
    }
    if request.get("ExecutionParameters"):
        record["ExecutionParameters"] = request["ExecutionParameters"]
    return record


def _identity(request: dict[str, Any]) -> tuple[Any, ...]:
    """What Athena compares when a ClientRequestToken comes again: neither parameters nor work group."""
    context = request.get("QueryExecutionContext") or {}
    return (
        request["QueryString"],
        context.get("Catalog"),
        context.get("Database"),
        (request.get("ResultConfiguration") or {}).get("OutputLocation"),
    )


def _failure(reason: str, category: int, error_type: int) -> dict[str, Any]:
    return {
        "StateChangeReason": reason,
        "AthenaError": {
            "ErrorCategory": category,
            "ErrorType": error_type,
            "Retryable": False,
            "ErrorMessage": reason,
        },
    }


def _engine_id() -> str:
    """The engine's own name of a query, such as 20260917_085344_00007_k6s5b."""
    letters = random.choices(string.ascii_lowercase + string.digits, k=5)
    return f"{time.strftime('%Y%m%d_%H%M%S', time.gmtime())}_{next(_counter) % 100000:05d}_{''.join(letters)}"
