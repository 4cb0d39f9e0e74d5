"""Roles, buckets and keys: whether what a run and a deployment do is allowed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from cli.doctor.finding import Finding, unseen
from cli.doctor.target import Target
from cli.doctor.template import Resolver, Statement, context
from cli.stack import client

ROLE_ACTIONS = ("iam:SimulatePrincipalPolicy", "iam:GetRole", "cloudformation:ListStackResources")
# Roles that a role of the person's own replaces.
_REPLACED = ("JobRole", "AutoMLRole", "ServingRole")


def roles(target: Target) -> Iterator[Finding]:
    """Asks IAM whether each role may do what the template has it do.

    What the template grants can be taken away by an organization's policy, a permissions boundary, or by hand.
    """
    if not target.deployed:
        yield Finding("Roles", "could not check", "simulated once the stack, with its roles, is deployed")
        return
    statements = list(Resolver(target).statements())
    by_role: dict[str, list[Statement]] = {}
    for statement in statements:
        by_role.setdefault(statement.role, []).append(statement)
    own = target.parameters.get("RoleArn", "")
    for role, granted in by_role.items():
        if role not in target.resources and not (own and role in _REPLACED):
            continue
        check = f"Role: {role}"
        try:
            yield _simulated(check, target, own if role not in target.resources else None, role, granted)
        except ClientError as error:
            yield unseen(check, error, ROLE_ACTIONS)


def _simulated(check: str, target: Target, arn: str | None, role: str, granted: list[Statement]) -> Finding:
    iam = client("iam")
    source = arn or iam.get_role(RoleName=target.resources[role][1])["Role"]["Arn"]
    denied: dict[str, list[str]] = {}
    unweighed = 0
    for statement in granted:
        if not statement.allows:
            continue
        if os.environ.get("AWS_ENDPOINT_URL") and _conditional(granted, statement):
            unweighed += len(statement.actions)  # the local cloud's simulator weighs no conditions
            continue
        entries: Any = context(granted, statement)
        pages = iam.get_paginator("simulate_principal_policy").paginate(
            PolicySourceArn=source,
            ActionNames=statement.actions,
            ResourceArns=statement.resources,
            ContextEntries=entries,
        )
        for page in pages:
            for result in page["EvaluationResults"]:
                if result["EvalDecision"] != "allowed":
                    action = f"{result['EvalActionName']} on {result.get('EvalResourceName', '*')}"
                    denied.setdefault(_reason(result), []).append(action)
    if not denied and unweighed:
        return Finding(
            check,
            "ok",
            f"has the permissions it needs; {unweighed} of its actions not checked, because of conditions",
        )
    if not denied:
        return Finding(check, "ok", "has the permissions it needs")
    reasons = "; ".join(f"{reason}: {', '.join(actions)}" for reason, actions in denied.items())
    remedy = (
        "docs/permissions.md says what each is for; ask who owns the policy that denies it, or deploy the stack again"
    )
    return Finding(check, "problem", f"may not, {reasons}", remedy)


def _conditional(granted: list[Statement], one: Statement) -> bool:
    denying = {action for other in granted if not other.allows for action in other.actions}
    return bool(one.conditions) or not denying.isdisjoint(one.actions)


def _reason(result: Mapping[str, Any]) -> str:
    if not result.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations", True):
        return "by a policy of the organization"
    if not result.get("PermissionsBoundaryDecisionDetail", {}).get("AllowedByPermissionsBoundary", True):
        return "by its permissions boundary"
    return "by an explicit Deny" if result["EvalDecision"] == "explicitDeny" else "as none of its policies allows it"


def buckets(target: Target) -> Iterator[Finding]:
    """Whether the buckets are there, in the Region, and whether their policies refuse anyone."""
    named = {"Bucket": target.bucket, "Feature store bucket": target.parameters["FeatureStoreBucket"] or None}
    for check, bucket in named.items():
        if bucket is None:
            continue
        try:
            yield from _bucket(check, bucket, target)
        except ClientError as error:
            yield unseen(check, error, ("s3:ListBucket", "s3:GetBucketPolicy"))


def _bucket(check: str, bucket: str, target: Target) -> Iterator[Finding]:
    s3 = client("s3")
    try:
        place = s3.head_bucket(Bucket=bucket).get("BucketRegion", target.region)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "404":
            yield Finding(check, "problem", f"there is no bucket {bucket}", "create it, or deploy with another name")
        elif code == "301":
            yield _elsewhere(check, bucket, "another Region", target)
        elif code == "403":
            yield Finding(check, "could not check", f"{bucket}: needs s3:ListBucket, or is somebody else's")
        else:
            raise
        return
    if place != target.region:
        yield _elsewhere(check, bucket, place, target)
        return
    try:
        policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchBucketPolicy":
            raise
        policy = {"Statement": []}
    denials = [one for one in _statements(policy) if one["Effect"] == "Deny" and "aws:SecureTransport" not in str(one)]
    if denials:
        named = ", ".join(one.get("Sid") or json.dumps(one.get("Condition", {})) for one in denials)
        remedy = f"see that the roles of stack {target.name} are exempt: aws s3api get-bucket-policy --bucket {bucket}"
        yield Finding(check, "warning", f"the policy of {bucket} has statements that deny: {named}", remedy)
    else:
        yield Finding(check, "ok", f"{bucket} is in {place}, and its policy denies nothing over TLS")


def _elsewhere(check: str, bucket: str, place: str, target: Target) -> Finding:
    remedy = f"SageMaker and Athena want it in {target.region}: name a bucket there"
    return Finding(check, "problem", f"{bucket} is in {place}", remedy)


def keys(target: Target) -> Iterator[Finding]:
    """Whether the keys are enabled, and whether their policies let the account's roles and the services use them."""
    services = (f"logs.{target.region}.", "cloudwatch.")
    for check, name, needed in (("Key", "KmsKeyArn", services), ("Feature store key", "FeatureStoreKmsKeyArn", ())):
        arn = target.parameters[name]
        if not arn:
            continue
        try:
            yield _key(check, arn, needed)
        except ClientError as error:
            if error.response["Error"]["Code"] == "NotFoundException":
                yield Finding(check, "problem", f"there is no key {arn}", f"deploy with another {name}")
            else:
                yield unseen(check, error, ("kms:DescribeKey", "kms:GetKeyPolicy"))


def _key(check: str, arn: str, services: tuple[str, ...]) -> Finding:
    kms = client("kms")
    found = kms.describe_key(KeyId=arn)["KeyMetadata"]
    if found["KeyState"] != "Enabled":
        return Finding(check, "problem", f"{arn} is {found['KeyState']}", f"aws kms enable-key --key-id {arn}")
    policy = json.loads(kms.get_key_policy(KeyId=arn, PolicyName="default")["Policy"])
    allowed = [one for one in _statements(policy) if one["Effect"] == "Allow"]
    principals = json.dumps([one.get("Principal") for one in allowed])
    missing = [f"the service {service}…" for service in services if service not in principals]
    if f":{arn.split(':')[4]}:root" not in principals and '"*"' not in principals:
        missing.insert(0, "the account, so that the roles' own policies count")
    if missing:
        remedy = "docs/how-to/kms.md has the statements"
        return Finding(check, "problem", f"its policy does not name {' and '.join(missing)}", remedy)
    return Finding(check, "ok", f"{arn} is enabled, and its policy names whom it must")


def _statements(policy: dict[str, Any]) -> list[dict[str, Any]]:
    found = policy.get("Statement", [])
    return found if isinstance(found, list) else [found]
