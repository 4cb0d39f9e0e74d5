"""Plays the faults that name a state: the call of a Task is refused, answered wrongly, not answered, or its job ends badly.

The fault is played where the call leaves the interpreter's client, in the service's own wire format, so that everything
behind it (the error's name, retries, catches, timeouts) is what it is on AWS.
"""

from __future__ import annotations

import contextlib
import io
import json
import secrets
import threading
from copy import copy
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError
from moto.stepfunctions.parser.asl.component.common.timeouts.timeout import TimeoutSeconds
from moto.stepfunctions.parser.asl.component.state.exec.execute_state import ExecutionState
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service import StateTaskService

from local.aws.faults import GARBAGE, JobFault, StateFault
from local.aws.sagemaker.state import STATE
from local.aws.stepfunctions import sdk_shapes
from local.server import sessions
from local.server.in_process import Body

HELD_SECONDS = 1.0
"""How long a task may take that is to time out, whatever its TimeoutSeconds."""

# By service: its wire protocol, and how it spells what any service may answer.
_SERVICES = {
    "sagemaker": ("json", "AccessDeniedException", "ThrottlingException", "InternalFailure", "ValidationException"),
    "sagemaker-runtime": ("rest-json", "AccessDeniedException", "ThrottlingException", "InternalFailure", "ValidationError"),
    "athena": ("json", "AccessDeniedException", "TooManyRequestsException", "InternalServerException", "InvalidRequestException"),
    "sfn": ("json", "AccessDeniedException", "ThrottlingException", "InternalFailure", "ValidationException"),
    "application-auto-scaling": ("json", "AccessDeniedException", "ThrottlingException", "InternalServiceException", "ValidationException"),
    "lambda": ("rest-json", "AccessDeniedException", "TooManyRequestsException", "ServiceException", "InvalidParameterValueException"),
    "s3": ("rest-xml", "AccessDenied", "SlowDown", "InternalError", "InvalidRequest"),
    "sns": ("query", "AuthorizationError", "Throttled", "InternalError", "InvalidParameter"),
}  # fmt: skip
_WORDS = ("AccessDenied", "Throttled", "ServiceError", "Invalid")
_MESSAGES = {
    "AccessDenied": "The role is not authorized to perform this action (injected by the faults file)",
    "Throttled": "Rate exceeded (injected by the faults file)",
    "ServiceError": "The service could not answer (injected by the faults file)",
    "Invalid": "1 validation error detected (injected by the faults file)",
}
# The jobs that operations start: their kind, and the member of the request with their name.
JOBS = {
    "CreateProcessingJob": ("processing", "ProcessingJobName"),
    "CreateTransformJob": ("transform", "TransformJobName"),
    "CreateAutoMLJobV2": ("automl", "AutoMLJobName"),
    "CreateEndpoint": ("endpoint", "EndpointName"),
    "UpdateEndpoint": ("endpoint", "EndpointName"),
}
_playing = threading.local()


class _Play:
    """A fault during one attempt of a task. `done` when its call has been met."""

    def __init__(self, fault: StateFault, task: StateTaskService, env: Any):
        self.fault, self.env = fault, env
        service = getattr(task.resource, "api_name", None) or task.resource.service_name
        self.operation = sdk_shapes.operation(service, task.resource.api_action).name
        self.waits = task.resource.condition is not None
        self.done = False
        self.arranged: JobFault | StateFault | None = None


def install() -> None:
    """Ask the faults file about every attempt of a Task state."""
    evaluate, within_time = StateTaskService._eval_execution, ExecutionState._evaluate_with_timeout

    def evaluate_with_timeout(self: Any, env: Any) -> None:
        fault = _take(env) if isinstance(self, StateTaskService) else None
        if fault is None:
            return within_time(self, env)
        task: Any = copy(self)  # other executions of the machine have the same task
        task.fault = fault
        if fault.outcome == "TimedOut":
            task.timeout = TimeoutSeconds(timeout_seconds=HELD_SECONDS)  # pyright: ignore[reportArgumentType]
        return within_time(task, env)

    def evaluate_call(self: StateTaskService, env: Any) -> None:
        fault = getattr(self, "fault", None)
        if fault is None:
            return evaluate(self, env)
        _playing.play = _Play(fault, self, env)
        try:
            return evaluate(self, env)
        finally:
            _playing.play = None

    ExecutionState._evaluate_with_timeout = evaluate_with_timeout
    StateTaskService._eval_execution = evaluate_call
    sessions.HANDLERS.extend([("before-send", _before_send), ("after-call", _after_call)])


def _take(env: Any) -> StateFault | None:
    context = env.states.context_object.context_object_data
    execution = context["Execution"]
    given = execution.get("Input")
    starter = given.get("started_by") if isinstance(given, dict) else None
    names = [execution["Name"], *([starter.rsplit(":", 1)[-1]] if isinstance(starter, str) else [])]
    return STATE.faults.take_state(context["StateMachine"]["Name"], names, context["State"]["Name"])


def _before_send(request: Any, event_name: str, **_: Any) -> AWSResponse | None:
    play: _Play | None = getattr(_playing, "play", None)
    service, operation = event_name.split(".")[1:]
    if play is None or play.done or operation != play.operation:
        return None
    play.done = True
    fault = play.fault
    if fault.error:
        return _refusal(service, request.url, fault)
    if fault.outcome in ("Failed", "Stopped", "NothingWritten", "Garbage", "TimedOut"):
        play.arranged = _arranged(operation, request, fault)
        if play.arranged is not None:
            STATE.faults.add(play.arranged)
    if fault.outcome == "TimedOut" and play.waits and operation != "StartExecution":
        return None  # what it started does not end in time
    if fault.outcome in ("AnswerLost", "SentTwice", "TimedOut"):
        sessions.send(request)
        request.reset_stream()
    if fault.outcome == "AnswerLost":
        raise ConnectionClosedError(endpoint_url=request.url)
    if fault.outcome == "TimedOut":
        while play.env.is_running():
            play.env.program_state_event.wait(0.05)
        raise ConnectionClosedError(endpoint_url=request.url)
    return None


def _refusal(service: str, url: str, fault: StateFault) -> AWSResponse:
    """The answer of a service that refuses, as it comes over the wire."""
    protocol, *codes = _SERVICES[service]
    by_word: dict[str, str] = dict(zip(_WORDS, codes, strict=True))
    code = by_word.get(fault.error or "", fault.error or "")
    message = fault.message or _MESSAGES.get(fault.error or "", "injected by the faults file")
    status = (
        500 if fault.error == "ServiceError" else 403 if protocol != "json" and fault.error == "AccessDenied" else 400
    )
    request_id = secrets.token_hex(16)
    headers = {"x-amzn-requestid": request_id, "x-amz-request-id": request_id, "x-amzn-errortype": code}
    if protocol in ("json", "rest-json"):
        body = json.dumps({"__type": code, "message": message, "Message": message})
    else:
        body = f"<Error><Code>{code}</Code><Message>{message}</Message><RequestId>{request_id}</RequestId></Error>"
        if protocol == "query":
            body = f"<ErrorResponse>{body}<RequestId>{request_id}</RequestId></ErrorResponse>"
    return AWSResponse(url, status, headers, Body(body.encode()))  # pyright: ignore[reportArgumentType]


def _arranged(operation: str, request: Any, fault: StateFault) -> JobFault | StateFault | None:
    """The fault of what a call is about to start: it must be there before that is."""
    if operation in JOBS:
        kind, member = JOBS[operation]
        outcome = "InProgress" if fault.outcome == "TimedOut" else fault.outcome
        if kind != "endpoint" or outcome == "Failed":
            given = {"service": "sagemaker", "job": kind, "outcome": outcome, "reason": fault.reason}
            return JobFault.model_validate({**given, "name": json.loads(request.body)[member]})
    if operation == "StartExecution" and fault.outcome == "Failed":
        name = json.loads(request.body)["name"]
        return StateFault(state="*", execution=name, error="Invalid", message=fault.reason, times=99)
    return None


def _after_call(parsed: dict[str, Any], model: Any, event_name: str, **_: Any) -> None:
    play: _Play | None = getattr(_playing, "play", None)
    if play is None:
        return
    if parsed.get("ResponseMetadata", {}).get("HTTPStatusCode", 500) >= 300:
        if play.arranged is not None and model.name == play.operation:
            STATE.faults.withdraw(play.arranged)  # it has not been started
        return
    outcome = play.fault.outcome
    if model.name == play.operation and outcome == "Malformed":
        _leave_out_what_is_optional(parsed, model)
    elif model.name == "StartExecution" and outcome == "Stopped":
        sessions.client("stepfunctions").stop_execution(executionArn=parsed["executionArn"], cause=play.fault.reason)
    elif model.name == "GetQueryExecution":
        _end_query(parsed["QueryExecution"], play.fault)


def _leave_out_what_is_optional(parsed: dict[str, Any], model: Any) -> None:
    if model.name == "Invoke":
        parsed["Payload"] = io.BytesIO(b"{}")
        return
    shape = model.output_shape
    for member in shape.members if shape else ():
        if member not in shape.required_members:
            parsed.pop(member, None)


def _end_query(query: dict[str, Any], fault: StateFault) -> None:
    if query["Status"]["State"] != "SUCCEEDED":
        return
    if fault.outcome in ("Failed", "Stopped"):
        state = "FAILED" if fault.outcome == "Failed" else "CANCELLED"
        query["Status"] = {**query["Status"], "State": state, "StateChangeReason": fault.reason}
    elif fault.outcome in ("NothingWritten", "Garbage"):
        bucket, _, key = query["ResultConfiguration"]["OutputLocation"].removeprefix("s3://").partition("/")
        s3 = sessions.client("s3")
        with contextlib.suppress(Exception):
            if fault.outcome == "Garbage":
                s3.put_object(Bucket=bucket, Key=key, Body=GARBAGE)
            else:
                for name in (key, f"{key}.metadata"):
                    s3.delete_object(Bucket=bucket, Key=name)
    elif fault.outcome == "TimedOut":
        query["Status"] = {**query["Status"], "State": "RUNNING"}
