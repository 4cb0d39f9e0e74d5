"""Runs executions of MiniStack's state machines with moto's interpreter."""

from __future__ import annotations

import json
import logging
import threading
import time
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import stepfunctions as ministack_states
from moto.stepfunctions.parser.api import StateMachineType
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction
from moto.stepfunctions.parser.asl.eval.evaluation_details import (
    AWSExecutionDetails,
    EvaluationDetails,
    ExecutionDetails,
    StateMachineDetails,
)
from moto.stepfunctions.parser.asl.eval.program_state import ProgramError, ProgramStopped, ProgramTimedOut
from moto.stepfunctions.parser.asl.eval.variable_store import VariableStore
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker
from moto.stepfunctions.parser.backend.execution_worker_comm import ExecutionWorkerCommunication

from local.aws import ended, ministack_patches
from local.aws.stepfunctions import checks, expressions, integrations, logs, parsing, state_faults

logger = logging.getLogger("local.states")
_workers: dict[str, ExecutionWorker] = {}
_lock = threading.Lock()


def install(*, wait_scale: float = 1.0) -> None:
    """Give MiniStack this engine. Wait states and waits before retries take `wait_scale` of their time."""
    parsing.install()
    expressions.install()
    integrations.install(wait_scale)
    state_faults.install()
    checks.install()
    VariableStore.get_assigned_variables = _assigned_variables  # pyright: ignore[reportAttributeAccessIssue]
    retrier_decl.time = SimpleNamespace(  # pyright: ignore[reportPrivateImportUsage]
        sleep=lambda seconds: time.sleep(seconds * wait_scale)
    )
    WaitFunction._wait_interval = lambda self, env, wait_seconds: _wait(env, wait_seconds * wait_scale)
    history, stop = ministack_states._get_execution_history, ministack_states._stop_execution
    ministack_patches.replace(ministack_states, "_run_execution", _run)
    ministack_patches.replace(
        ministack_states,
        "_get_execution_history",
        lambda data: _refresh_history(data.get("executionArn")) or history(data),
    )
    ministack_patches.replace(ministack_states, "_stop_execution", lambda data: _stop(data, stop))


def _assigned_variables(store: VariableStore) -> dict[str, str]:
    """The history's `assignedVariables`, each as JSON; moto leaves quotes in a text as they are."""
    return {name: to_json_str(store.get(name), separators=(",", ":")) for name in store._declaration_tracing}


def _wait(env: Any, seconds: float) -> None:
    ends = time.monotonic() + seconds
    while env.is_running() and (left := ends - time.monotonic()) > 0:
        env.program_state_event.wait(min(left, 0.5))  # the event is set and cleared at once, and may be missed


class _Communication(ExecutionWorkerCommunication):
    def terminated(self) -> None:
        """The interpreter's last call; what it left behind is read when `_execution_logic` returns."""


def _run(execution_arn: str) -> None:
    """Replaces MiniStack's `_run_execution`: called in a thread of its own, with the request's account and region."""
    execution = ministack_states._executions.get(execution_arn)
    machine = execution and ministack_states._state_machines.get(execution["stateMachineArn"])
    if not execution or not machine:
        return
    role_arn = machine["roleArn"]
    worker = ExecutionWorker(
        EvaluationDetails(
            AWSExecutionDetails(get_account_id(), get_region(), role_arn),
            ExecutionDetails(
                execution_arn, execution["name"], role_arn, json.loads(execution["input"]), execution["startDate"]
            ),
            StateMachineDetails(
                machine["stateMachineArn"], machine["name"], StateMachineType.STANDARD, machine["definition"]
            ),
        ),
        _Communication(),
        None,
        {},
    )
    with _lock:
        _workers[execution_arn] = worker
    try:
        worker._execution_logic()
        _settle(execution, worker)
    except Exception as error:
        logger.exception("Execution %s broke the interpreter", execution_arn)
        execution.update(status="FAILED", error="States.Runtime", cause=str(error), stopDate=_now())
    finally:
        ended.announce()
        _refresh_history(execution_arn)
        with _lock:
            _workers.pop(execution_arn, None)
    try:
        logs.write(execution, machine)
    except Exception:  # as on AWS, an execution ends as it does, whether its log is written or not
        logger.exception("The events of %s were not logged", execution_arn)
    if execution["status"] != "ABORTED":  # reported when it was stopped
        ministack_states._emit_execution_status_event(execution)


def _settle(execution: dict[str, Any], worker: ExecutionWorker) -> None:
    """Write the interpreter's end into MiniStack's record, unless the execution was stopped before."""
    env = worker.env
    assert env is not None  # it has run
    state = env.program_state()
    execution["stopDate"] = execution.get("stopDate") or _now()
    if execution["status"] != "RUNNING" or isinstance(state, ProgramStopped):
        return
    if isinstance(state, ProgramTimedOut):
        execution.update(status="TIMED_OUT", error="States.Timeout")
    elif isinstance(state, ProgramError):
        error = state.error or {}
        execution.update(status="FAILED", error=error.get("error", ""), cause=error.get("cause", ""))
    else:
        execution.update(status="SUCCEEDED", output=json.dumps(env.states.get_input()))


def _stop(data: dict[str, Any], stop: Any) -> Any:
    answer = stop(data)
    with _lock:
        worker = _workers.get(data.get("executionArn", ""))
    if worker is not None and worker.env is not None:
        worker.stop(datetime.now(UTC), data.get("error"), data.get("cause"))
    ended.announce()
    return answer


def _refresh_history(execution_arn: str | None) -> None:
    """Copy the events that the interpreter has written so far into MiniStack's record."""
    execution = ministack_states._executions.get(execution_arn)
    with _lock:
        worker = _workers.get(execution_arn or "")
    if not execution or worker is None or worker.env is None:
        return
    # Not get_event_history, whose deep copy takes longer than all of this: events are only added, and _plain copies.
    events = list(worker.env.event_manager._history_event_list)
    execution["events"] = [_plain(event) for event in events]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return _iso(value)
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return str(value.value) if hasattr(value, "value") else value


def _now() -> str:
    return _iso(datetime.now(UTC))


def _iso(moment: datetime) -> str:
    moment = moment.astimezone(UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
