"""State machines of a template: YAML definitions, logging, and the refusals that MiniStack 1.5.33 leaves out."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import yaml
from ministack.services import stepfunctions
from ministack.services.cloudformation import provisioners

from local.aws import ministack_patches
from local.aws.iam import roles

Properties = dict[str, Any]

# https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html#cloudwatch-iam-policy
_LOG_DELIVERY_ACTIONS = (
    "logs:CreateLogDelivery",
    "logs:GetLogDelivery",
    "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
)


def install(handler: dict[str, Any]) -> None:
    """Complete the handler of AWS::StepFunctions::StateMachine."""
    create, update = handler["create"], handler["update"]
    definition = provisioners._sfn_definition
    ministack_patches.replace(provisioners, "_sfn_definition", lambda properties: as_json(definition(properties)))

    def created(logical_id: str, properties: Properties, stack_name: str) -> Any:
        check(properties)
        result = create(logical_id, with_api_names(properties), stack_name)
        _keep_tracing(result[0], properties)
        return result

    def updated(physical_id: str, old: Properties, new: Properties, *others: Any, **named: Any) -> Any:
        check(new)
        result = update(physical_id, with_api_names(old), with_api_names(new), *others, **named)
        _keep_tracing(result[0], new)
        return result

    handler.update(create=created, update=updated)


@lru_cache(maxsize=64)
def as_json(definition: str) -> str:
    """A machine's definition as JSON; CloudFormation takes YAML as well. Raises ValueError."""
    try:
        json.loads(definition)
        return definition
    except ValueError:
        pass
    try:
        document = yaml.load(definition, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise ValueError(f"Invalid State Machine Definition: neither JSON nor YAML: {error}") from error
    if not isinstance(document, dict):
        raise ValueError("Invalid State Machine Definition: not an object")
    return json.dumps(document, separators=(",", ":"))  # the parser takes a fifth longer with spaces


def with_api_names(properties: Properties) -> Properties:
    """The properties with logging in the API's spelling, which is what MiniStack stores and describes."""
    logging = properties.get("LoggingConfiguration")
    if not logging:
        return properties
    converted = {
        "level": logging.get("Level", "OFF"),
        "includeExecutionData": str(logging.get("IncludeExecutionData", False)).lower() == "true",
        "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": arn}} for arn in _log_groups(logging)],
    }
    return {**properties, "LoggingConfiguration": converted}


def check(properties: Properties) -> None:
    """Raises ValueError where Step Functions would refuse the machine."""
    role = properties.get("RoleArn", "")
    if roles.trust_problem(role, roles.STATES):
        raise ValueError(
            "Neither the global service principal states.amazonaws.com, nor the regional one is authorized to assume "
            f"the provided role. ({role})"
        )
    logging = properties.get("LoggingConfiguration") or {}
    if _log_groups(logging) and logging.get("Level", "OFF") != "OFF":
        for action in _LOG_DELIVERY_ACTIONS:
            if roles.permission_problem(role, action, "*"):
                raise ValueError(
                    f"The state machine IAM Role is not authorized to access the Log Destination ({role}: {action})"
                )
    definition = provisioners._sfn_definition(properties)
    status, _, body = stepfunctions._validate_state_machine_definition({"definition": definition})
    answer = json.loads(body)
    if status >= 400 or answer.get("result") == "FAIL":
        problems = [
            f"{problem.get('code')}: {problem.get('message')} at {problem.get('location')}"
            for problem in answer.get("diagnostics", [])
        ]
        raise ValueError(f"Invalid State Machine Definition: '{', '.join(problems) or answer}'")


def _log_groups(logging: Properties) -> list[str]:
    return [entry["CloudWatchLogsLogGroup"]["LogGroupArn"] for entry in logging.get("Destinations") or []]


def _keep_tracing(arn: str, properties: Properties) -> None:
    enabled = (properties.get("TracingConfiguration") or {}).get("Enabled", False)
    machine = stepfunctions._state_machines.get(arn)
    if machine is not None:
        machine["tracingConfiguration"] = {"enabled": str(enabled).lower() == "true"}
