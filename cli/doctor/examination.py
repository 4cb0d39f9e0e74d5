"""All checks of a stack, each by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from botocore.exceptions import BotoCoreError, ClientError

from cli import athena_query
from cli.doctor import access, account, data, network, notification
from cli.doctor.finding import Check, Finding, unseen
from cli.doctor.target import Target, examined, planned

_FIND_STACK = ("cloudformation:DescribeStacks",)
_FIND_GROUP = ("sagemaker:DescribeFeatureGroup",)

# Name, IAM actions, question; in the order of the answer.
CHECKS: tuple[tuple[str, tuple[str, ...], Callable[[Target], Iterator[Finding]]], ...] = (
    ("Stack", _FIND_STACK, account.stack),
    ("Region: image", (), account.image),
    ("Region: Autopilot", ("sagemaker:ListAutoMLJobs",), account.autopilot),
    ("Region: EventBridge Scheduler", ("scheduler:ListSchedules",), account.scheduler),
    ("Quotas", ("servicequotas:ListServiceQuotas", "servicequotas:ListAWSDefaultServiceQuotas"), account.quotas),
    ("Names", _FIND_STACK, account.names),
    ("Feature group", _FIND_GROUP, data.feature_group),
    ("Offline table", (*_FIND_GROUP, "glue:GetTable"), data.offline_table),
    ("Rows", (*_FIND_GROUP, *athena_query.ACTIONS, "cloudformation:ListStackResources", "glue:GetTable", "s3:GetObject", "s3:PutObject"), data.rows),
    ("Buckets", ("s3:ListBucket", "s3:GetBucketPolicy"), access.buckets),
    ("Keys", ("kms:DescribeKey", "kms:GetKeyPolicy"), access.keys),
    ("Roles", access.ROLE_ACTIONS, access.roles),
    (
        "VPC",
        ("ec2:DescribeSubnets", "ec2:DescribeSecurityGroups", "ec2:DescribeVpcEndpoints", "ec2:DescribeRouteTables"),
        network.subnets,
    ),
    ("Notification", ("sns:ListSubscriptionsByTopic",), notification.email),
)  # fmt: skip


def examine(name: str, region: str, overrides: str | Mapping[str, str] = "") -> list[Finding]:
    """Every finding about the deployed stack of this name, or about the one that would be deployed.

    `overrides` are parameters that differ from the template's defaults, as in samconfig.toml; what is deployed wins.
    """
    me = account.credentials()
    if me.status == "problem":
        return [me, *account.image(planned(name, region, overrides))]
    found, checks = [me], CHECKS
    try:
        target = examined(name, region, overrides)
    except (ClientError, BotoCoreError) as error:
        found.append(unseen("Stack", error, _FIND_STACK))
        target, checks = planned(name, region, overrides), CHECKS[1:]
    asked = [Check(title, actions, partial(ask, target)) for title, actions, ask in checks]
    with ThreadPoolExecutor(max_workers=6) as pool:
        for findings in pool.map(Check.findings, asked):
            found += findings
    return found
