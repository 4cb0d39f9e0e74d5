"""What a service may do with a role: whether the role trusts it, and what the role's policies allow.

MiniStack checks the policies of callers, but not that a role handed to a service can be assumed by that service, nor
what a rule's or schedule's role allows. On AWS both end in errors that a template's author must see before deploying.
"""

from __future__ import annotations

import json
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import error_response_json, get_account_id, get_region
from ministack.services import iam, lambda_svc, stepfunctions

from local.aws import ministack_patches

# Names a file to which each permission that a role was granted is written, once: `python -m tests.contract.record`.
PERMISSIONS_VARIABLE = "LOCAL_CLOUD_PERMISSIONS"
LAMBDA = "lambda.amazonaws.com"
STATES = "states.amazonaws.com"


def install() -> None:
    """Refuse functions and machines whose role the caller may not pass, or whose role does not trust the service."""
    _count_requests_as_secure()
    _parse_policies_once()
    if os.environ.get(PERMISSIONS_VARIABLE):
        _write_down_permissions(Path(os.environ[PERMISSIONS_VARIABLE]))
    for operation in ("_create_function", "_update_config"):
        ministack_patches.refuse_first(lambda_svc, operation, lambda data: _refusal(data.get("Role"), LAMBDA))
    for operation in ("_create_state_machine", "_update_state_machine"):
        ministack_patches.refuse_first(stepfunctions, operation, lambda data: _refusal(data.get("roleArn"), STATES))


def _count_requests_as_secure() -> None:
    """The local cloud's one plain port stands for AWS's HTTPS endpoints: policies that ask for TLS must not refuse it."""
    resolve = iam_evaluator._resolve_condition_key
    ministack_patches.replace(
        iam_evaluator,
        "_resolve_condition_key",
        lambda key, context: "true" if key.lower() == "aws:securetransport" else resolve(key, context),
    )


def _parse_policies_once() -> None:
    """Each request has all policies of its role read. What was read is only looked at."""
    parse = iam_evaluator.parse_policy_document
    parsed = lru_cache(maxsize=1024)(parse)
    ministack_patches.replace(
        iam_evaluator,
        "parse_policy_document",
        lambda document: parsed(document) if isinstance(document, str) else parse(document),
    )


def _write_down_permissions(path: Path) -> None:
    """Write the role, the statement's Sid and the action of everything that a statement allowed, as JSON Lines."""
    first_match = iam_evaluator._first_match
    written: set[tuple[str, str, str]] = set()

    def first_match_written(context: iam_evaluator.EvalContext, statements: Any, effect: str) -> Any:
        statement = first_match(context, statements, effect)
        if effect == "Allow" and statement:
            # arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION or arn:aws:iam::ACCOUNT:role/NAME
            name = [*context.principal_arn.split("/"), ""][1]
            found = (name, statement.sid or "", context.action)
            if found not in written:
                written.add(found)
                with path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(found) + "\n")
        return statement

    ministack_patches.replace(iam_evaluator, "_first_match", first_match_written)


def _refusal(role_arn: str | None, service: str) -> Any:
    """The error that the service answers with, or None. Without a role there is nothing to refuse here."""
    if not role_arn:
        return None
    problem = pass_role_problem(role_arn, service)
    if problem:
        return error_response_json("AccessDeniedException", problem, 403)
    problem = trust_problem(role_arn, service)
    if problem:
        code = "InvalidParameterValueException" if service == LAMBDA else "AccessDeniedException"
        return error_response_json(code, problem, 400)
    return None


def pass_role_problem(role_arn: str, service: str) -> str | None:
    """Why this request's caller may not hand the role to the service; None if it may. Root may."""
    return caller_problem("iam:PassRole", role_arn, **{"iam:passedtoservice": service})


def caller_problem(action: str, resource_arn: str, **context_keys: str) -> str | None:
    """Why this request's caller may not do the action as well; None if it may. Root may."""
    caller = iam_evaluator.caller_arn()
    name = caller.split("/")[1] if "/" in caller else ""
    if ":assumed-role/" in caller:
        policies = iam_evaluator._gather_role_policies(name, get_account_id())
    elif ":user/" in caller:
        policies = iam_evaluator._gather_user_policies(caller.rsplit("/", 1)[-1], get_account_id())
    else:
        return None
    context = _context(caller, action, resource_arn, "")
    context.service_context.update(context_keys)
    if iam_evaluator.evaluate(context, policies).decision == "Allow":
        return None
    return (
        f"User: {caller} is not authorized to perform: {action} on resource: {resource_arn} "
        f"because no identity-based policy allows the {action} action"
    )


def trust_problem(role_arn: str, service: str, source_arn: str = "") -> str | None:
    """Why the service (`lambda.amazonaws.com`) cannot assume the role; None if it can."""
    role = _role(role_arn)
    if role is None:
        return f"The role {role_arn} does not exist"
    document = role["AssumeRolePolicyDocument"]
    policy = json.loads(document) if isinstance(document, str) else document
    context = _context(service, "sts:AssumeRole", role_arn, source_arn)
    verdicts = {
        statement["Effect"]
        for statement in _as_list(policy.get("Statement"))
        if _names(statement, service) and iam_evaluator._conditions_met(_conditions(statement, source_arn), context)
    }
    if verdicts == {"Allow"}:
        return None
    return f"{service} is not authorized to assume the role {role_arn}"


def permission_problem(role_arn: str, action: str, resource_arn: str, **context_keys: str) -> str | None:
    """Why the role may not do the action on the resource; None if it may. `context_keys`: lower-case condition keys."""
    role = _role(role_arn)
    if role is None:
        return f"The role {role_arn} does not exist"
    context = _context(role_arn, action, resource_arn, "")
    context.service_context.update(context_keys)
    policies = iam_evaluator._gather_role_policies(role["RoleName"], get_account_id())
    if iam_evaluator.evaluate(context, policies).decision == "Allow":
        return None
    return f"{role_arn} is not authorized to perform {action} on {resource_arn}"


def resource_policy_problem(
    policy: dict[str, Any], service: str, action: str, resource_arn: str, source_arn: str
) -> str | None:
    """Why a resource's own policy does not let the service do the action on behalf of `source_arn`; None if it does."""
    context = _context("*", action, resource_arn, source_arn)
    if iam_evaluator.evaluate_resource_policy(policy, context, service=service).decision == "Allow":
        return None
    return f"The policy of {resource_arn} does not allow {service} {action} on behalf of {source_arn}"


def _role(role_arn: str) -> dict[str, Any] | None:
    return iam._roles.get(role_arn.rsplit("/", 1)[-1])


def _context(principal: str, action: str, resource_arn: str, source_arn: str) -> iam_evaluator.EvalContext:
    keys = {"aws:sourceaccount": get_account_id()}
    if source_arn:
        keys["aws:sourcearn"] = source_arn
    return iam_evaluator.EvalContext(
        principal_arn=principal,
        principal_type="AssumedRole",
        principal_account=get_account_id(),
        action=action,
        resource_arn=resource_arn,
        region=get_region(),
        service_context=keys,
    )


def _names(statement: dict[str, Any], service: str) -> bool:
    principal = statement.get("Principal")
    services = _as_list(principal.get("Service")) if isinstance(principal, dict) else []
    return service in services and iam_evaluator._action_matches(
        "sts:AssumeRole", _as_list(statement.get("Action")), []
    )


def _conditions(statement: dict[str, Any], source_arn: str) -> dict[str, Any]:
    """The statement's conditions; without those on the source while that is not known (a machine to be created)."""
    conditions: dict[str, Any] = statement.get("Condition", {})
    if source_arn:
        return conditions
    return {
        operator: {key: value for key, value in keys.items() if key.lower() != "aws:sourcearn"}
        for operator, keys in conditions.items()
    }


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
