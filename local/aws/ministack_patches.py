"""Every private name of MiniStack that the local cloud replaces, with what it would do without.

The replacements are beside the services that they belong to; each goes through `replace`, which takes only names of this
table. They are written for MiniStack `VERSION`: another one may have other names, or need no patch any more.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

VERSION = "1.5.33"
"""The pinned version (pyproject.toml) that these names were read in."""

PATCHES = {
    # Routing and permissions
    "ministack.core.router._is_aws_service_name": "the first request of a service without routes waits four seconds",
    "ministack.core.iam_actions.extract_iam_action": "SageMaker's and Application Auto Scaling's actions are unknown to IAM",
    "ministack.core.iam_actions.extract_resource_arn": "their resources, and Athena's work group of a query, are '*' to IAM",
    "ministack.core.iam_actions.request_tag_context": "their condition keys are absent",
    "ministack.core.iam_evaluator._resolve_condition_key": "policies that ask for TLS refuse every request, as the one port is plain",
    "ministack.core.iam_evaluator.parse_policy_document": "a role's policies are parsed anew at each of its requests",
    "ministack.core.iam_evaluator._first_match": "which statement allowed a call is not written down (recordings only)",
    "ministack.core.iam_actions._load_botocore_model": "each API's model is read again, for its tags and its routes",
    "ministack.core.responses._service_model": "the same, in a session for each",
    # Lambda
    "ministack.core.lambda_runtime._worker_class_for": "functions see every package of this project, not Lambda's alone",
    "ministack.services.lambda_svc._execute_function_warm": "an invocation has neither Lambda's limits nor its error names",
    "ministack.services.lambda_svc._create_function": "roles and environments that Lambda refuses are accepted",
    "ministack.services.lambda_svc._update_config": "the same, of a change",
    # Step Functions
    "ministack.services.stepfunctions._run_execution": "machines run in MiniStack's interpreter and not in moto's",
    "ministack.services.stepfunctions._get_execution_history": "the history is that of MiniStack's interpreter",
    "ministack.services.stepfunctions._stop_execution": "an execution of moto's interpreter cannot be stopped",
    "ministack.services.stepfunctions._create_state_machine": "roles and definitions that AWS refuses are accepted",
    "ministack.services.stepfunctions._update_state_machine": "the same, of a change",
    "ministack.services.stepfunctions._validate_state_machine_definition": "ValidateStateMachineDefinition does not find what creating refuses",
    "ministack.services.stepfunctions._start_execution": "input that is no JSON, and bad names, are accepted",
    "ministack.services.cloudformation.provisioners._sfn_definition": "a definition in YAML is not read",
    # CloudFormation
    "ministack.services.cloudformation.engine._validate_template_statics": "a reference to nothing is accepted",
    "ministack.services.cloudformation.stacks._resolve_refs": "the same, under a stack's conditions",
    # Other services
    "ministack.services.cloudwatch._evaluate_alarm": "an alarm looks at all metrics of its name, whatever their dimensions, and only when data come",
    "ministack.services.cloudwatch._record_history": "an alarm that is soon over is missed",
    "ministack.services.eventbridge._invoke_target": "targets are called without their role, and what cannot be delivered is dropped",
    "ministack.services.scheduler._SCHEDULE_TICK_INTERVAL": "a schedule starts up to ten seconds late",
    "ministack.services.scheduler._create_schedule": "a universal target of no API action and a time zone of no name are accepted",
    "ministack.services.scheduler._update_schedule": "the same, of a change",
    "ministack.services.s3._atomic_write": "a file of metadata lies beside each object",
    "ministack.app._read_request_body": "memory holds an object that is written, several times, and its versions for good",
    "ministack.services.s3._get_object": "memory holds an object that is read",
    "ministack.services.s3._read_body": "the same, of one that is copied or replaced",
    "ministack.services.sns._fanout": "emails are not written",
    "ministack.services.sns._publish": "subjects that SNS refuses are accepted",
    "ministack.services.sns.publish_internal": "the same, of other services' messages",
}


def refuse_first(module: ModuleType, name: str, refusal: Callable[[Any], Any]) -> None:
    """Have a module's `name`, an operation, answer what `refusal` answers to its last argument, the request, unless that is None."""
    operate = getattr(module, name)
    replace(module, name, lambda *given: refusal(given[-1]) or operate(*given))


def replace(module: ModuleType, name: str, new: Any) -> None:
    """Put `new` in place of a module's `name`. Raises KeyError for one that the table lacks, AttributeError for none."""
    full = f"{module.__name__}.{name}"
    PATCHES[full]
    getattr(module, name)
    setattr(module, name, new)
