"""The schedule that starts runs by themselves: an EventBridge Scheduler schedule of the stack."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from cli import next_start
from cli.stack import RefusedError, Stack, client

# https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
_EXPRESSION = re.compile(
    r"cron\(\S+( \S+){5}\)|rate\([1-9][0-9]* (minute|hour|day)s?\)|at\(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\)"
)
_EXAMPLES = "Write it like 'cron(0 6 ? * MON *)', 'rate(7 days)' or 'at(2027-01-31T06:00:00)'."
# UpdateSchedule replaces all of a schedule: what is left out goes back to its default.
# https://docs.aws.amazon.com/scheduler/latest/APIReference/API_UpdateSchedule.html
_KEPT = (
    "Name",
    "GroupName",
    "ScheduleExpression",
    "ScheduleExpressionTimezone",
    "FlexibleTimeWindow",
    "Target",
    "State",
    "Description",
    "StartDate",
    "EndDate",
    "KmsKeyArn",
    "ActionAfterCompletion",
)


def read(stack: Stack) -> Mapping[str, Any]:
    """GetSchedule's answer for the stack's schedule."""
    formation = client("cloudformation")
    found = formation.describe_stack_resource(StackName=stack.name, LogicalResourceId="Schedule")
    return client("scheduler").get_schedule(Name=found["StackResourceDetail"]["PhysicalResourceId"])


def change(stack: Stack, **changes: str) -> Mapping[str, Any]:
    """Change State, ScheduleExpression or ScheduleExpressionTimezone. Returns the schedule. Raises RefusedError."""
    expression = changes.get("ScheduleExpression")
    if expression is not None and not _EXPRESSION.fullmatch(expression):
        raise RefusedError(f"{expression!r} is no schedule. {_EXAMPLES}")
    before = read(stack)
    wanted: Any = {name: before[name] for name in _KEPT if name in before} | changes
    try:
        client("scheduler").update_schedule(**wanted)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationException":
            raise
        zones = " A time zone is a name like Europe/Berlin." if "ScheduleExpressionTimezone" in changes else ""
        raise RefusedError(f"{error.response['Error']['Message']} {_EXAMPLES}{zones}") from None
    return read(stack)


def document(schedule: Mapping[str, Any]) -> dict[str, Any]:
    """The schedule as JSON. `next` is when it starts its next run, null if it is off or that cannot be known."""
    expression, timezone = schedule["ScheduleExpression"], schedule.get("ScheduleExpressionTimezone", "UTC")
    coming = next_start.after(datetime.now(UTC), expression, timezone) if schedule["State"] == "ENABLED" else None
    return {
        "name": schedule["Name"],
        "state": schedule["State"],
        "expression": expression,
        "timezone": timezone,
        "next": coming.isoformat() if coming else None,
        "input": schedule["Target"].get("Input", "{}"),
    }


def in_words(schedule: Mapping[str, Any]) -> str:
    """The schedule in one line."""
    known = document(schedule)
    state = "on" if known["state"] == "ENABLED" else "off"
    coming = f", next start {datetime.fromisoformat(known['next']):%Y-%m-%d %H:%M} UTC" if known["next"] else ""
    return f"Schedule: {state}, {known['expression']} {known['timezone']}{coming}"
