"""CloudFormation errors that AWS gives and MiniStack 1.5.33 does not, and properties that it drops.

A template with a misspelt reference, a missing archive, a role that Lambda cannot assume, or a taken name deploys there
without a word. What is checked here is what is cheap to check; properties unknown to AWS are cfn-lint's business.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from ministack.services import iam, lambda_svc, sns, stepfunctions
from ministack.services.cloudformation import engine, provisioners, stacks

from local.aws import ministack_patches
from local.aws.awslambda import environment
from local.aws.cloudformation import buckets, machines
from local.aws.events import targets
from local.aws.iam import roles

Properties = dict[str, Any]
Handler = Callable[..., Any]

_UNZIPPED_LIMIT_BYTES = 262_144_000


def install() -> None:
    """Put the checks in front of MiniStack's resource handlers and complete what those leave out."""
    _refuse_undefined_references()
    handlers = provisioners._RESOURCE_HANDLERS
    _before(handlers["AWS::Lambda::Function"], ("create", "update"), _check_function)
    _before(handlers["AWS::Lambda::LayerVersion"], ("create",), _check_layer)
    _before(handlers["AWS::Scheduler::Schedule"], ("create", "update"), _check_schedule)
    machines.install(handlers["AWS::StepFunctions::StateMachine"])
    _refuse_taken_names(handlers)
    buckets.install(handlers["AWS::S3::Bucket"])
    _keep_topic_encryption(handlers["AWS::SNS::Topic"])
    _keep_schedule_time_zone(handlers["AWS::Scheduler::Schedule"])


def undefined_references(template: dict[str, Any]) -> list[str]:
    """Names in Ref, Fn::GetAtt and Fn::Sub that are neither a parameter, a resource nor AWS's own."""
    known = {*(template.get("Parameters") or {}), *(template.get("Resources") or {})}
    sections = (template.get("Resources"), template.get("Outputs"), template.get("Conditions"))
    names = {name for section in sections for name, _ in engine._intrinsic_references(section or {})}
    return sorted(name for name in names if name not in known and not name.startswith("AWS::"))


def active_references(value: Any, conditions: dict[str, bool]) -> Iterator[str]:
    """Names that a value refers to, without those in branches of Fn::If that are not taken."""
    if isinstance(value, dict) and list(value) == ["Fn::If"]:
        name, then, otherwise = value["Fn::If"]
        yield from active_references(then if conditions.get(name) else otherwise, conditions)
    elif isinstance(value, dict) and not {"Ref", "Fn::GetAtt", "Fn::Sub"} & value.keys():
        for part in value.values():
            yield from active_references(part, conditions)
    elif isinstance(value, list):
        for part in value:
            yield from active_references(part, conditions)
    else:
        yield from (name for name, _ in engine._intrinsic_references(value))


def _refuse_undefined_references() -> None:
    statics, resolve = engine._validate_template_statics, stacks._resolve_refs

    def validate(template: dict[str, Any]) -> None:
        unknown = undefined_references(template)
        if unknown and not template.get("Transform"):
            names = ", ".join(unknown)
            raise ValueError(
                f"Template format error: Unresolved resource dependencies [{names}] "
                "in the Resources block of the template"
            )
        statics(template)

    def resolve_existing(
        value: Any, resources: dict[str, Any], parameters: dict[str, Any], conditions: dict[str, bool], *others: Any
    ) -> Any:
        missing = {name for name in active_references(value, conditions) if not name.startswith("AWS::")}
        missing -= {*resources, *parameters}
        if missing:
            names = ", ".join(sorted(missing))
            raise ValueError(f"Unresolved resource dependencies [{names}]: not created under this stack's conditions")
        return resolve(value, resources, parameters, conditions, *others)

    ministack_patches.replace(engine, "_validate_template_statics", validate)
    ministack_patches.replace(stacks, "_resolve_refs", resolve_existing)


def _before(handler: dict[str, Any], operations: tuple[str, ...], check: Callable[[Properties], None]) -> None:
    """Run the check on the new properties before MiniStack creates or updates the resource."""
    for operation in operations:
        original: Handler = handler[operation]
        position = 1 if operation == "create" else 2

        def checked(*args: Any, _original: Handler = original, _position: int = position, **named: Any) -> Any:
            check(args[_position])
            return _original(*args, **named)

        handler[operation] = checked


def _check_function(properties: Properties) -> None:
    code = properties.get("Code", {})
    archive = _archive(code) if "S3Bucket" in code else None
    problem = lambda_svc._reject_unreadable_zip(archive)
    if problem:
        raise ValueError(json.loads(problem[2])["message"])
    unzipped = lambda_svc._unzipped_size(archive) + sum(
        map(lambda_svc._layer_unzipped_size, properties.get("Layers") or [])
    )
    if unzipped > _UNZIPPED_LIMIT_BYTES:
        raise ValueError(
            f"Function code combined with layers exceeds the maximum allowed size of {_UNZIPPED_LIMIT_BYTES} bytes. "
            f"The actual size is {unzipped} bytes."
        )
    variables = (properties.get("Environment") or {}).get("Variables") or {}
    problem = environment.problem_with({name: str(value) for name, value in variables.items()})
    if problem:
        raise ValueError(problem)
    if roles.trust_problem(properties.get("Role", ""), roles.LAMBDA):
        raise ValueError("The role defined for the function cannot be assumed by Lambda.")


def _check_layer(properties: Properties) -> None:
    archive = _archive(properties.get("Content", {}))
    problem = lambda_svc._reject_unreadable_zip(archive) or lambda_svc._validate_unzipped_size(archive)
    if problem:
        raise ValueError(json.loads(problem[2])["message"])


def _archive(location: Properties) -> bytes:
    bucket, key = location.get("S3Bucket", ""), location.get("S3Key", "")
    archive = lambda_svc._fetch_code_from_s3(bucket, key, version_id=location.get("S3ObjectVersion"))
    if archive is None:
        raise ValueError(
            "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: "
            f"The specified key does not exist. (s3://{bucket}/{key})"
        )
    return archive


def _check_schedule(properties: Properties) -> None:
    role = (properties.get("Target") or {}).get("RoleArn", "")
    if roles.trust_problem(role, "scheduler.amazonaws.com"):
        raise ValueError("The execution role you provide must allow AWS EventBridge Scheduler to assume the role.")
    if problem := targets.call_problem((properties.get("Target") or {}).get("Arn", "")):
        raise ValueError(problem)


def _refuse_taken_names(handlers: dict[str, dict[str, Any]]) -> None:
    """A name that exists already is refused by AWS; MiniStack would adopt the resource and delete it with the stack."""
    names: dict[str, tuple[str, Callable[[str], bool]]] = {
        "AWS::IAM::Role": ("RoleName", lambda name: name in iam._roles),
        "AWS::Lambda::Function": ("FunctionName", lambda name: name in lambda_svc._functions),
        "AWS::StepFunctions::StateMachine": (
            "StateMachineName",
            lambda name: any(machine["name"] == name for machine in stepfunctions._state_machines.values()),
        ),
        "AWS::SNS::Topic": ("TopicName", lambda name: any(topic["name"] == name for topic in sns._topics.values())),
    }
    for resource_type, (property_name, exists) in names.items():

        def refuse(
            properties: Properties, _type: str = resource_type, _name: str = property_name, _exists: Any = exists
        ) -> None:
            name = properties.get(_name)
            if name and _exists(name):
                raise ValueError(f"{name} already exists (Resource type {_type}, HandlerErrorCode: AlreadyExists)")

        _before(handlers[resource_type], ("create",), refuse)


def _keep_topic_encryption(handler: dict[str, Any]) -> None:
    create, update = handler["create"], handler["update"]

    def keep(topic_arn: str, properties: Properties) -> None:
        topic = sns._topics.get(topic_arn)
        if topic is not None:
            topic["attributes"]["KmsMasterKeyId"] = properties.get("KmsMasterKeyId", "")

    def created(logical_id: str, properties: Properties, stack_name: str) -> Any:
        result = create(logical_id, properties, stack_name)
        keep(result[0], properties)
        return result

    def updated(physical_id: str, old: Properties, new: Properties, *others: Any, **named: Any) -> Any:
        result = update(physical_id, old, new, *others, **named)
        keep(result[0], new)
        return result

    handler.update(create=created, update=updated)


def _keep_schedule_time_zone(handler: dict[str, Any]) -> None:
    from ministack.services import scheduler

    for operation, position in (("create", 1), ("update", 2)):
        original: Handler = handler[operation]

        def keep(*args: Any, _original: Handler = original, _position: int = position, **named: Any) -> Any:
            result = _original(*args, **named)
            properties = args[_position]
            stored = scheduler._schedules.get(f"{properties.get('GroupName', 'default')}/{result[0]}")
            if stored is not None:
                stored["ScheduleExpressionTimezone"] = properties.get("ScheduleExpressionTimezone", "UTC")
                stored["StartDate"], stored["EndDate"] = properties.get("StartDate"), properties.get("EndDate")
            return result

        handler[operation] = keep
