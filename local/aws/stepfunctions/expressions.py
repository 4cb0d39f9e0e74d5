"""JSONata for moto's interpreter, which brings none: the jsonata package, with AWS's own functions and its rules."""

from __future__ import annotations

from copy import copy
from functools import lru_cache
from typing import Any

from jsonata.jsonata import Jsonata
from jsonata.utils import Utils
from ministack.services import stepfunctions as ministack_states
from moto.stepfunctions.parser.api import EvaluationFailedEventDetails, HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent, FailureEventException
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
from moto.stepfunctions.parser.asl.component.common.string.string_expression import StringJSONata
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.jsonata.jsonata import extract_jsonata_variable_references

from local.aws.stepfunctions import recording

# AWS ends an expression that takes longer. Here two cores may be training at the same time.
LONGEST_EVALUATION_MILLISECONDS = 20_000


def install() -> None:
    """Evaluate expressions with variables bound as values, where moto writes them into the expression's source."""
    StringJSONata._eval_body = _evaluate


def _evaluate(self: StringJSONata, env: Environment) -> None:
    try:
        extract_jsonata_variable_references(self.expression)  # refuses $ and $$, which Step Functions does not allow
        value = recording.recorded(evaluate)(self.expression, _bindings(env))
    except Exception as error:
        raise _failure(env, self.expression, error) from error
    env.stack.append(value)


def _bindings(env: Environment) -> dict[str, Any]:
    # Relies on the stores' private dictionaries: values, where the public way gives them as source text.
    store, states = env.variable_store, dict(env.states._states_data)
    states = {key: value for key, value in states.items() if value is not None}
    return {**store._outer_scope, **store._inner_scope, "states": states}


def evaluate(expression: str, bindings: dict[str, Any]) -> Any:
    """The value of a JSONata expression (without its `{% %}`). Raises if it fails or yields nothing."""
    values = {name: Utils.NULL_VALUE if value is None else value for name, value in bindings.items()}
    value = _prepared(expression).evaluate(None, values)
    if value is None:  # a null would be Utils.NULL_VALUE
        raise ValueError("the expression returned nothing (undefined)")
    return Utils.convert_nulls(value)


def _prepared(expression: str) -> Jsonata:
    """The expression ready to be evaluated once: with a time limit that begins now, and AWS's own functions."""
    prepared = copy(_parsed(expression))
    prepared.environment = prepared.create_frame(Jsonata.static_frame)
    prepared.environment.set_runtime_bounds(LONGEST_EVALUATION_MILLISECONDS, None)
    prepared.set_output_convert_nulls(False)
    ministack_states._register_sfn_jsonata_functions(prepared)  # $partition, $range, $hash, $random, $uuid, $parse
    Jsonata.CURRENT.jsonata = prepared  # as its constructor does: the one that this thread evaluates
    return prepared


@lru_cache(maxsize=4096)
def _parsed(expression: str) -> Jsonata:
    # Parsing takes four times as long as evaluating does, and evaluating does not change what was parsed.
    return Jsonata.jsonata(expression)


def _failure(env: Environment, expression: str, error: Exception) -> FailureEventException:
    name = StatesErrorNameType.StatesQueryEvaluationError
    cause = f"The JSONata expression '{expression}' threw an error during evaluation. {error}"
    details = EvaluationFailedEventDetails(
        error=name.to_name(), cause=cause, location=env.next_field_name or "", state=env.next_state_name or ""
    )
    # moto's type asks for a member of every kind of event.
    event = EventDetails(evaluationFailedEventDetails=details)  # pyright: ignore[reportCallIssue]
    env.event_manager.add_event(
        context=env.event_history_context,
        event_type=HistoryEventType.EvaluationFailed,
        event_details=event,
    )
    return FailureEventException(
        FailureEvent(
            env=env,
            error_name=StatesErrorName(typ=name),
            event_type=HistoryEventType.EvaluationFailed,
            event_details=event,
        )
    )
