"""EventBridge and Scheduler targets as on AWS: under the role that the rule names, with a dead-letter queue.

MiniStack 1.5.33 starts machines for rules and schedules without looking at any role, and functions without looking at
their policy and once only; it drops what cannot be delivered, leaves `<aws.scheduler.…>` in a schedule's input as it
stands, and has no universal targets.
"""

from __future__ import annotations

import json
import logging
import re
import uuid
from datetime import UTC, datetime
from typing import Any
from zoneinfo import available_timezones

from botocore.exceptions import ClientError
from botocore.model import OperationModel
from ministack.core.arn import ArnParseError, parse_arn
from ministack.services import eventbridge, lambda_svc, scheduler, sns, stepfunctions

from local.aws import ministack_patches
from local.aws.iam import roles
from local.aws.stepfunctions import sdk_shapes
from local.server import sessions
from local.server.address import ACCOUNT_ID

logger = logging.getLogger(__name__)

EVENTS = "events.amazonaws.com"
SCHEDULER = "scheduler.amazonaws.com"
_SCHEDULE_TICK_SECONDS = 1.0
# A universal target's API call: scheduler/latest/UserGuide/managing-targets-universal.html
_API_CALL = re.compile(r"arn:aws[a-z-]*:scheduler:::aws-sdk:(\w+):(\w+)")
_READ_ONLY = re.compile(
    "(get|describe|list|poll|receive|search|scan|query|select|read|lookup|discover|validate|batchGet|batchDescribe|batchRead"
    "|transactGet)(?![a-z])"
)
_AWS_MANAGED_SNS_KEY = "alias/aws/sns"


class DeliveryError(Exception):
    """A target did not take an event; the message says why."""


def install() -> None:
    """Deliver to machines, functions and topics by the rules above; other targets stay MiniStack's."""
    invoke_target = eventbridge._invoke_target

    def deliver(target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], view: Any = None) -> None:
        service = _service_of(target)
        if service not in ("states", "lambda", "sns", "scheduler"):
            invoke_target(target, event, rule, view)
            return
        payload = _payload(target, event, rule, view)
        scheduled = event.get("Source") == "aws.scheduler"
        source_arn = _group_of(rule) if scheduled else rule.get("Arn", "")
        try:
            if service == "states":
                start_machine(target, payload, SCHEDULER if scheduled else EVENTS, source_arn)
            elif service == "lambda":
                invoke(target, payload, scheduled, source_arn)
            elif service == "scheduler":
                call(target, payload, source_arn)
            else:
                publish(target, payload, scheduled, source_arn)
        except DeliveryError as failure:
            logger.error("Rule or schedule %s could not deliver: %s", rule.get("Name"), failure)
            _to_dead_letter_queue(target, payload)

    ministack_patches.replace(eventbridge, "_invoke_target", deliver)
    ministack_patches.replace(scheduler, "_SCHEDULE_TICK_INTERVAL", _SCHEDULE_TICK_SECONDS)
    for operation in ("_create_schedule", "_update_schedule"):
        ministack_patches.refuse_first(scheduler, operation, _refused)


def _refused(schedule: dict[str, Any]) -> Any:
    """The error of CreateSchedule and UpdateSchedule for a time zone or universal target that does not exist, or None."""
    timezone = schedule.get("ScheduleExpressionTimezone", "UTC")
    # https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#time-zones: names of IANA's database.
    unknown = f"Invalid schedule expression time zone {timezone}." if timezone not in available_timezones() else None
    problem = unknown or call_problem((schedule.get("Target") or {}).get("Arn", ""))
    return problem and scheduler._error(400, "ValidationException", problem)


def start_machine(target: dict[str, Any], payload: str, service: str, source_arn: str) -> None:
    """Start the target machine as `service` does with the target's role. Raises DeliveryError."""
    machine, role = target["Arn"], target.get("RoleArn", "")
    problem = (
        ("the target names no role" if not role else None)
        or roles.trust_problem(role, service, source_arn)
        or roles.permission_problem(role, "states:StartExecution", machine)
    )
    if problem:
        raise DeliveryError(problem)
    status, _, body = stepfunctions._start_execution({"stateMachineArn": machine, "input": payload})
    if status >= 400:
        raise DeliveryError(_text(body))


def invoke(target: dict[str, Any], payload: str, scheduled: bool, source_arn: str) -> None:
    """Invoke the target function asynchronously: rules by its policy, schedules by their role. Raises DeliveryError.

    Lambda then tries again what fails, and sends it to the function's destination in the end.
    """
    arn = target["Arn"]
    function, config, name = lambda_svc._get_func_record_for_ref(arn)
    if not function or not config:
        raise DeliveryError(f"the function {name} does not exist")
    role, action = target.get("RoleArn", ""), "lambda:InvokeFunction"
    problem = (
        roles.trust_problem(role, SCHEDULER, source_arn) or roles.permission_problem(role, action, arn)
        if scheduled
        else roles.resource_policy_problem(function["policy"], EVENTS, action, arn, source_arn)
    )
    if problem:
        raise DeliveryError(problem)
    lambda_svc.invoke_async_with_retry(lambda_svc._execution_record_for_config(function, config), json.loads(payload))


def call(target: dict[str, Any], payload: str, source_arn: str) -> None:
    """Make the API call of a universal target under its role. Raises DeliveryError."""
    problem = call_problem(target["Arn"]) or roles.trust_problem(target["RoleArn"], SCHEDULER, source_arn)
    if problem:
        raise DeliveryError(problem)
    operation = _operation(target["Arn"])
    client = sessions.client(operation.service_model.service_name, target["RoleArn"])
    try:
        request = sdk_shapes.to_request(json.loads(payload), operation.input_shape)
        getattr(client, sdk_shapes.method(operation))(**request)
    except (ClientError, sdk_shapes.UnsupportedFieldError, ValueError) as error:
        raise DeliveryError(str(error)) from error


def call_problem(arn: str) -> str | None:
    """Why Scheduler does not take an ARN in its own name as a target; None for others, and if it does."""
    if not arn.startswith("arn:") or parse_arn(arn).service != "scheduler":
        return None
    found = _API_CALL.fullmatch(arn)
    if not found:
        return f"{arn} is no universal target"
    if _READ_ONLY.match(found[2]):
        return f"{found[2]} reads only, which EventBridge Scheduler does not support"
    try:
        _operation(arn)
    except ValueError as error:
        return str(error)
    return None


def _operation(arn: str) -> OperationModel:
    service, action = arn.split(":")[-2:]
    return sdk_shapes.operation(service, action)


def publish(target: dict[str, Any], payload: str, scheduled: bool, source_arn: str) -> None:
    """Publish to the target topic: rules by the topic's policy, schedules by their role. Raises DeliveryError."""
    arn = target["Arn"]
    topic = sns._topic_by_arn_any_scope(arn)
    if topic is None:
        raise DeliveryError(f"the topic {arn} does not exist")
    if scheduled:
        role = target.get("RoleArn", "")
        problem = roles.trust_problem(role, SCHEDULER, source_arn) or roles.permission_problem(role, "sns:Publish", arn)
        if problem:
            raise DeliveryError(problem)
    elif not sns.topic_policy_allows(arn, EVENTS, source_arn, ACCOUNT_ID):
        raise DeliveryError(f"the policy of topic {arn} does not let {EVENTS} publish")
    elif topic["attributes"].get("KmsMasterKeyId") == _AWS_MANAGED_SNS_KEY:
        raise DeliveryError(
            f"topic {arn} is encrypted with {_AWS_MANAGED_SNS_KEY}, whose policy does not name {EVENTS}"
        )
    try:
        sns.publish_internal(arn, payload)
    except sns.SnsPublishError as error:
        raise DeliveryError(str(error)) from error


def _payload(target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], view: Any) -> str:
    """The text that the target gets: its own input, a part of the event, a template filled from it, or the event."""
    view = view or eventbridge._pattern_event_view(event)
    if target.get("InputTransformer"):
        return eventbridge._apply_input_transformer(target["InputTransformer"], rule, view)
    if target.get("Input"):
        return _fill(target["Input"], rule) if event.get("Source") == "aws.scheduler" else target["Input"]
    whole = view.event_with_detail()
    if target.get("InputPath"):
        part: Any = whole
        for name in target["InputPath"].removeprefix("$").strip(".").split("."):
            if name and not (isinstance(part, dict) and name in part):
                return json.dumps(whole)
            part = part[name] if name else part
        return json.dumps(part)
    return json.dumps(whole)


def _fill(text: str, schedule: dict[str, Any]) -> str:
    """https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html"""
    values = {
        "schedule-arn": schedule.get("Arn", ""),
        "scheduled-time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "execution-id": str(uuid.uuid4()),
        "attempt-number": "1",
    }
    for name, value in values.items():
        text = text.replace(f"<aws.scheduler.{name}>", value)
    return text


def _to_dead_letter_queue(target: dict[str, Any], payload: str) -> None:
    queue = (target.get("DeadLetterConfig") or {}).get("Arn")
    if queue:
        eventbridge._dispatch_to_sqs(parse_arn(queue), payload, {})


def _group_of(schedule: dict[str, Any]) -> str:
    """The ARN that a role's trust policy sees as the source: not the schedule but its group."""
    return schedule.get("Arn", "").replace(":schedule/", ":schedule-group/").rpartition("/")[0]


def _service_of(target: dict[str, Any]) -> str:
    try:
        return parse_arn(target.get("Arn", "")).service
    except ArnParseError:
        return ""


def _text(body: Any) -> str:
    return body.decode() if isinstance(body, bytes) else str(body)
