"""`automl doctor`: each check by itself, in an account that answers as a test wants it to."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from cli.doctor import access, account, data, examination, network, notification
from cli.doctor.finding import Check, Finding
from cli.doctor.target import Target, planned
from cli.doctor.template import Resolver

SUBNETS = "SubnetIds=subnet-11111111,subnet-22222222 SecurityGroupIds=sg-11111111 "
KEYS = (
    "KmsKeyArn=arn:aws:kms:us-west-2:123456789012:key/a FeatureStoreKmsKeyArn=arn:aws:kms:us-west-2:123456789012:key/b"
)
Answers = dict[str, Any]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answers]:
    """What AWS answers, by operation; an error is raised, a function called with the request. Else access is denied."""
    answers: Answers = {"GetCallerIdentity": {"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:user/me"}}

    def call(_: BaseClient, operation: str, request: dict[str, Any]) -> Any:
        found = answers.get(operation, denied(operation))
        if isinstance(found, Exception):
            raise found
        return found(request) if callable(found) else found

    monkeypatch.setattr(BaseClient, "_make_api_call", call)
    monkeypatch.setattr(boto3, "client", _client)
    for name, value in {"AWS_REGION": "us-west-2", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    yield answers


@cache
def _client(service: Any, region_name: str | None = None, **_: Any) -> BaseClient:
    return boto3.Session().client(service, region_name=region_name or "us-west-2")


def denied(operation: str) -> ClientError:
    return error("AccessDeniedException", operation, "User is not authorized")


def error(code: str, operation: str, message: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


def target(overrides: str = "", *, deployed: bool = True) -> Target:
    plan = planned("churn", "us-west-2", overrides)
    if not deployed:
        return plan
    outputs = {"BucketName": "churn-bucket", "FailureTopicArn": "arn:aws:sns:us-west-2:123456789012:failures"}
    return Target("churn", "us-west-2", plan.parameters, "UPDATE_COMPLETE", outputs)


def seen(ask: Callable[[Target], Iterator[Finding]], of: Target) -> list[tuple[str, str]]:
    return [(one.check, one.status) for one in ask(of)]


GROUP = {
    "FeatureGroupStatus": "Created",
    "RecordIdentifierFeatureName": "customer_id",
    "EventTimeFeatureName": "event_time",
    "FeatureDefinitions": [{"FeatureName": name, "FeatureType": "String"} for name in ("customer_id", "churn")],
    "OfflineStoreConfig": {
        "S3StorageConfig": {"S3Uri": "s3://features/store"},
        "DataCatalogConfig": {"Catalog": "AwsDataCatalog", "Database": "Store", "TableName": "Churn_1"},
    },
    "OfflineStoreStatus": {"Status": "Active"},
}


@pytest.mark.parametrize("check", examination.CHECKS, ids=lambda check: check[0])
def test_denied_check_names_the_permission_it_needs(aws: Answers, check: Any) -> None:
    title, actions, ask = check
    of = target(f"FeatureStoreBucket=features RoleArn= {SUBNETS}{KEYS}")
    found = Check(title, actions, lambda: ask(of)).findings()
    assert "problem" not in [one.status for one in found]
    blind = [one for one in found if one.status == "could not check"]
    assert bool(blind) == (title not in ("Stack", "Region: image"))  # these two are known already, or ask nobody
    for one in blind:
        assert re.search(r"needs [a-z0-9-]+:\w+", one.message), one.message


def test_one_denied_check_stops_no_other(aws: Answers) -> None:
    aws["ListSchedules"] = {"Schedules": []}
    found = {one.check: one.status for one in examination.examine("churn", "us-west-2")}
    assert found["Stack"] == found["Quotas"] == "could not check"
    assert (found["Credentials"], found["Region: EventBridge Scheduler"]) == ("ok", "ok")


def test_without_credentials_nothing_else_is_asked(aws: Answers) -> None:
    aws["GetCallerIdentity"] = error("ExpiredToken", "GetCallerIdentity")
    found = examination.examine("churn", "us-west-2")
    assert [(one.check, one.status) for one in found] == [("Credentials", "problem"), ("Region: image", "ok")]


@pytest.mark.parametrize(("value", "status"), [(0, "problem"), (1, "warning"), (2, "warning"), (5, "ok")], ids=str)
def test_quota_of_the_endpoint_must_hold_two_fleets_and_the_largest_capacity(
    aws: Answers, value: float, status: str
) -> None:
    of = target("InferenceInstanceType=ml.c5.large")
    name = "ml.c5.large for endpoint usage"
    aws["ListServiceQuotas"] = {"Quotas": [{"QuotaName": name, "Value": value}]}
    aws["ListAWSDefaultServiceQuotas"] = {
        "Quotas": [
            {"QuotaName": name, "Value": 100.0},  # the applied value counts, not the default
            *(
                {"QuotaName": f"ml.m5.xlarge for {use} usage", "Value": 3.0}
                for use in ("processing job", "transform job")
            ),
        ]
    }
    assert seen(account.quotas, of) == [
        ("Quota: ml.m5.xlarge for processing job usage", "ok"),
        ("Quota: ml.m5.xlarge for transform job usage", "ok"),
        (f"Quota: {name}", status),
    ]


@pytest.mark.parametrize(
    ("status", "expected"),
    [("UPDATE_COMPLETE", "ok"), ("ROLLBACK_COMPLETE", "problem"), ("UPDATE_IN_PROGRESS", "warning"), ("UPDATE_ROLLBACK_FAILED", "problem")],
)  # fmt: skip
def test_state_of_the_stack(status: str, expected: str) -> None:
    plan = target(deployed=False)
    assert seen(account.stack, Target("churn", "us-west-2", plan.parameters, status)) == [("Stack", expected)]


def test_stack_with_the_same_endpoint_is_named(aws: Answers) -> None:
    outputs = {"TrainingStateMachineArn": "arn:aws:states:us-west-2:1:stateMachine:other", "EndpointName": "scores"}
    aws["DescribeStacks"] = {
        "Stacks": [
            {"StackName": "theirs", "Outputs": [{"OutputKey": k, "OutputValue": v} for k, v in outputs.items()]},
            {"StackName": "not-ours", "Outputs": []},
        ]
    }
    (found,) = account.names(target("EndpointName=scores"))
    assert (found.status, found.message) == ("problem", "stack theirs has the endpoint scores too")
    assert seen(account.names, target()) == [("Names", "ok")]


def test_offline_store_in_a_bucket_that_roles_may_not_read(aws: Answers) -> None:
    aws["DescribeFeatureGroup"] = GROUP
    found = {one.check: one for one in data.feature_group(target())}
    assert found["Offline store"].remedy == "deploy with FeatureStoreBucket=features"
    assert seen(data.feature_group, target("FeatureStoreBucket=features"))[-1] == ("Offline store", "ok")


@pytest.mark.parametrize(
    ("group", "check"),
    [
        ({"OfflineStoreConfig": None}, "Offline store"),
        ({"OfflineStoreStatus": {"Status": "Blocked", "BlockedReason": "no bucket"}}, "Offline store"),
        ({"FeatureGroupStatus": "CreateFailed", "FailureReason": "no role"}, "Feature group"),
        ({"FeatureDefinitions": [{"FeatureName": "customer_id"}]}, "Target"),
    ],
)
def test_feature_group_that_cannot_be_trained_on(aws: Answers, group: dict[str, Any], check: str) -> None:
    aws["DescribeFeatureGroup"] = GROUP | group
    assert (check, "problem") in seen(data.feature_group, target("FeatureStoreBucket=features"))


@pytest.mark.parametrize(("deployed", "status"), [(True, "problem"), (False, "warning")])
def test_missing_feature_group_is_needed_only_by_runs(aws: Answers, deployed: bool, status: str) -> None:
    aws["DescribeFeatureGroup"] = error("ResourceNotFound", "DescribeFeatureGroup")
    assert seen(data.feature_group, target(deployed=deployed)) == [("Feature group", status)]


@pytest.mark.parametrize(
    ("overrides", "counts", "expected"),
    [
        ("", {"Yes": 300, "No": 700}, [("Rows", "ok"), ("Classes", "ok")]),
        ("", {}, [("Rows", "problem")]),
        ("", {"Yes": 100, "No": 500}, [("Rows", "problem"), ("Classes", "ok")]),
        ("", {"No": 900, None: 5}, [("Rows", "ok"), ("Classes", "problem")]),
        ("", {"a": 300, "b": 300, "c": 300}, [("Rows", "ok"), ("Classes", "problem")]),
        ("", {"No": 900, "Yes": 3}, [("Rows", "ok"), ("Classes", "warning")]),
        ("ProblemType=MulticlassClassification", {"a": 300, "b": 300, "c": 300}, [("Rows", "ok"), ("Classes", "ok")]),
        ("ProblemType=Regression", {"a number": 900}, [("Rows", "ok")]),
    ],
)
def test_rows_and_classes_in_the_range_of_ids(
    aws: Answers, overrides: str, counts: dict[str | None, int], expected: list[tuple[str, str]]
) -> None:
    of = target(overrides)
    of.__dict__["resources"] = {"WorkGroup": ("AWS::Athena::WorkGroup", "churn")}
    queries: list[dict[str, Any]] = []
    rows = [
        {"Data": [{"VarCharValue": label} if label else {}, {"VarCharValue": str(n)}]} for label, n in counts.items()
    ]
    aws |= {
        "DescribeFeatureGroup": GROUP,
        "StartQueryExecution": lambda request: queries.append(request) or {"QueryExecutionId": "1"},
        "GetQueryExecution": {"QueryExecution": {"Status": {"State": "SUCCEEDED"}}},
        "GetQueryResults": {"ResultSet": {"Rows": [{"Data": []}, *rows]}},
    }
    assert seen(data.rows, of) == expected
    assert queries[0]["ExecutionParameters"] == ["'CUST_000001'", "'CUST_004000'"]
    assert '"store"."churn_1"' in queries[0]["QueryString"]


def test_bucket_that_is_not_there_elsewhere_or_refuses(aws: Answers) -> None:
    of = target()
    aws["HeadBucket"] = error("404", "HeadBucket")
    assert seen(access.buckets, of) == [("Bucket", "problem")]
    aws["HeadBucket"] = {"BucketRegion": "eu-west-1"}
    assert seen(access.buckets, of) == [("Bucket", "problem")]
    aws["HeadBucket"] = {"BucketRegion": "us-west-2"}
    aws["GetBucketPolicy"] = error("NoSuchBucketPolicy", "GetBucketPolicy")
    assert seen(access.buckets, of) == [("Bucket", "ok")]
    deny = {"Effect": "Deny", "Sid": "OnlyOurVpc", "Condition": {"StringNotEquals": {"aws:SourceVpc": "vpc-1"}}}
    aws["GetBucketPolicy"] = {"Policy": json.dumps({"Statement": [deny]})}
    (found,) = access.buckets(of)
    assert (found.status, "OnlyOurVpc" in found.message) == ("warning", True)


@pytest.mark.parametrize(
    ("state", "principals", "status"),
    [
        (
            "Enabled",
            ["arn:aws:iam::123456789012:root", "logs.us-west-2.amazonaws.com", "cloudwatch.amazonaws.com"],
            "ok",
        ),
        ("Enabled", ["arn:aws:iam::123456789012:root", "cloudwatch.amazonaws.com"], "problem"),
        ("Enabled", ["logs.us-west-2.amazonaws.com", "cloudwatch.amazonaws.com"], "problem"),
        ("PendingDeletion", [], "problem"),
    ],
)
def test_key_must_be_enabled_and_let_the_account_and_the_services(
    aws: Answers, state: str, principals: list[str], status: str
) -> None:
    aws["DescribeKey"] = {"KeyMetadata": {"KeyState": state}}
    statements = [{"Effect": "Allow", "Principal": {"AWS": one}} for one in principals]
    aws["GetKeyPolicy"] = {"Policy": json.dumps({"Statement": statements})}
    assert seen(access.keys, target(KEYS.split(maxsplit=1)[0])) == [("Key", status)]


def test_role_that_an_organization_limits_is_reported_with_the_action(aws: Answers) -> None:
    of = target("ModelApprovalStatus=PendingManualApproval KmsKeyArn= RoleArn=arn:aws:iam::123456789012:role/ours")
    asked: list[dict[str, Any]] = []

    def simulated(request: dict[str, Any]) -> dict[str, Any]:
        asked.append(request)
        denied = {"EvalDecision": "implicitDeny", "OrganizationsDecisionDetail": {"AllowedByOrganizations": False}}
        return {
            "EvaluationResults": [
                {"EvalActionName": action, "EvalResourceName": resource}
                | (denied if action == "sagemaker:CreateAutoMLJobV2" else {"EvalDecision": "allowed"})
                for action in request["ActionNames"]
                for resource in request["ResourceArns"]
            ]
        }

    aws["SimulatePrincipalPolicy"] = simulated
    aws["GetRole"] = lambda request: {"Role": {"Arn": f"arn:aws:iam::123456789012:role/{request['RoleName']}"}}
    of.__dict__["resources"] = _resources(of)
    found = {one.check: one for one in access.roles(of)}
    assert {one.status for name, one in found.items() if name != "Role: TrainingRole"} == {"ok"}
    training = found["Role: TrainingRole"]
    assert training.status == "problem"
    assert "by a policy of the organization: sagemaker:CreateAutoMLJobV2" in training.message
    # One's own role stands in for those that the stack does not create.
    assert found["Role: JobRole"].status == "ok"
    assert "arn:aws:iam::123456789012:role/ours" in {request["PolicySourceArn"] for request in asked}
    # Without the status that is deployed, the stack's own Deny would seem to forbid registering.
    (register,) = [request for request in asked if "sagemaker:CreateModelPackage" in request["ActionNames"]]
    given = {entry["ContextKeyName"]: entry["ContextKeyValues"] for entry in register["ContextEntries"]}
    assert given["sagemaker:ModelApprovalStatus"] == ["PendingManualApproval"]
    assert not re.search(r"\$\{|Fn::|AWS::", json.dumps(asked))


def _resources(of: Target) -> dict[str, tuple[str, str]]:
    """Every resource of the template that the stack has, under made-up names as CloudFormation gives them."""
    resolver = Resolver(of)
    prefix = "arn:aws:states:us-west-2:123456789012:stateMachine:"
    return {
        name: (
            resource["Type"].replace("Serverless::Function", "Lambda::Function"),
            f"{prefix}{name}" if "StateMachine" in resource["Type"] else f"churn-{name}-1A2B",
        )
        for name, resource in resolver.template["Resources"].items()
        if resolver.holds(resource.get("Condition"))
    }


def _network(aws: Answers, *endpoints: str, nat: bool) -> None:
    aws["DescribeSubnets"] = {
        "Subnets": [
            {
                "SubnetId": f"subnet-{n * 8}",
                "VpcId": "vpc-1",
                "AvailabilityZone": f"us-west-2{n}",
                "AvailableIpAddressCount": 99,
            }
            for n in "12"
        ]
    }
    aws["DescribeSecurityGroups"] = {"SecurityGroups": [{"VpcId": "vpc-1"}]}
    aws["DescribeVpcEndpoints"] = {
        "VpcEndpoints": [{"ServiceName": f"com.amazonaws.us-west-2.{name}", "State": "available"} for name in endpoints]
    }
    gateway = {"NatGatewayId": "nat-1"} if nat else {"GatewayId": "igw-1"}
    aws["DescribeRouteTables"] = {
        "RouteTables": [{"Associations": [{"Main": True}], "Routes": [{"DestinationCidrBlock": "0.0.0.0/0"} | gateway]}]
    }


@pytest.mark.parametrize(
    ("endpoints", "nat", "expected"),
    [
        ((), False, [("VPC", "ok"), ("VPC endpoint: s3", "problem"), ("VPC endpoints", "problem")]),
        ((), True, [("VPC", "ok"), ("VPC endpoint: s3", "warning"), ("VPC endpoints", "ok")]),
        (("s3",), False, [("VPC", "ok"), ("VPC endpoint: s3", "ok"), ("VPC endpoints", "problem")]),
        (
            ("s3", "logs", "ecr.api", "ecr.dkr", "sagemaker.api", "sts"),
            False,
            [("VPC", "ok"), ("VPC endpoint: s3", "ok"), ("VPC endpoints", "ok")],
        ),
    ],
)
def test_subnets_need_endpoints_or_nat(
    aws: Answers, endpoints: tuple[str, ...], nat: bool, expected: list[tuple[str, str]]
) -> None:
    _network(aws, *endpoints, nat=nat)
    assert seen(network.subnets, target(SUBNETS)) == expected


def test_no_network_is_asked_about_without_one(aws: Answers) -> None:
    assert seen(network.subnets, target()) == []


@pytest.mark.parametrize(
    ("arns", "expected"),
    [
        (["PendingConfirmation"], ["warning"]),
        (["arn:aws:sns:us-west-2:1:failures:1"], ["ok"]),
        (["PendingConfirmation", "arn:aws:sns:us-west-2:1:failures:1"], ["warning", "ok"]),
        (["Deleted"], ["warning"]),
        ([], ["warning"]),
    ],
)
def test_subscription_must_be_confirmed(aws: Answers, arns: list[str], expected: list[str]) -> None:
    rows = [{"SubscriptionArn": arn, "Endpoint": "me@example.com", "Protocol": "email"} for arn in arns]
    aws["ListSubscriptionsByTopic"] = {"Subscriptions": rows}
    assert [one.status for one in notification.email(target())] == expected


def test_command_exits_with_1_where_there_is_a_problem(
    aws: Answers, automl: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(*_: Any) -> list[Finding]:
        return [Finding("Bucket", "problem", "there is no bucket b", "create it"), Finding("Names", "warning", "two")]

    monkeypatch.setattr(examination, "examine", found)
    shown = automl("doctor", "--stack-name", "churn")
    assert (shown.exit_code, "1 problem, 1 warning." in shown.stdout) == (1, True)
    assert "Bucket: there is no bucket b" in shown.stdout
    assert "→ create it" in shown.stdout
    expected = automl("doctor", "--stack-name", "churn", "--json")
    assert [one["status"] for one in json.loads(expected.stdout)["findings"]] == ["problem", "warning"]
    monkeypatch.setattr(examination, "examine", lambda *_: found()[1:])
    assert automl("doctor", "--stack-name", "churn").exit_code == 0


def test_every_action_is_one_of_a_client(aws: Answers) -> None:
    """The permissions that the page lists are operations of their services, or S3's own names of them."""
    services = {"cloudformation", "sagemaker", "scheduler", "glue", "athena", "kms", "iam", "ec2", "sns"}
    for _, actions, _ in examination.CHECKS:
        for action in actions:
            service, _, operation = action.partition(":")
            if service in services:
                assert operation in _client(service).meta.service_model.operation_names, action
