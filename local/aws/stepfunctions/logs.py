"""Events of executions in CloudWatch Logs, in the group and on the level that the machine's logging configuration names.

Levels, stream names and the form of an event: https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from local.server import sessions

# Of the levels below ALL: what is logged, by how an event's type ends.
_LOGGED = {
    "ERROR": ("Failed", "TimedOut", "Aborted", "FailStateEntered"),
    "FATAL": ("ExecutionFailed", "ExecutionTimedOut", "ExecutionAborted"),
}
_DATA = ("input", "output", "inputDetails", "outputDetails", "assignedVariables", "parameters")


def write(execution: Mapping[str, Any], machine: Mapping[str, Any]) -> None:
    """Write an ended execution's events. `execution` has MiniStack's record, with GetExecutionHistory's events."""
    settings = machine.get("loggingConfiguration") or {}
    level = settings.get("level", "OFF")
    if level == "OFF" or not settings.get("destinations"):
        return
    logged = [event for event in execution["events"] if level == "ALL" or event["type"].endswith(_LOGGED[level])]
    if not logged:
        return
    group = settings["destinations"][0]["cloudWatchLogsLogGroup"]["logGroupArn"].split(":log-group:")[1].split(":")[0]
    stream = f"states/{machine['name']}/{datetime.now(UTC):%Y-%m-%d-%H-%M}/{execution['executionArn'][-8:]}"
    lines = [
        {"timestamp": _milliseconds(event["timestamp"]), "message": json.dumps(_line(event, execution, settings))}
        for event in logged
    ]
    client = sessions.client("logs")
    client.create_log_stream(logGroupName=group, logStreamName=stream)
    client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=lines)


def _line(event: Mapping[str, Any], execution: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    details = next((value for name, value in event.items() if name.endswith("EventDetails")), {})
    whole = settings.get("includeExecutionData", False)
    return {
        "id": str(event["id"]),
        "type": event["type"],
        "details": {name: value for name, value in details.items() if whole or name not in _DATA},
        "previous_event_id": str(event.get("previousEventId", 0)),
        "event_timestamp": str(_milliseconds(event["timestamp"])),
        "execution_arn": execution["executionArn"],
        "redrive_count": "0",
    }


def _milliseconds(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp() * 1000)
