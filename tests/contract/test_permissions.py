"""No role is granted what nothing needs: recorded executions used each action, or it was reviewed with a reason."""

from __future__ import annotations

from tests.contract import permissions, permissions_page
from tests.contract.permissions import Permission

_LOGS = "Lambda writes a function's log; the local cloud keeps it in a file"
_CONTAINER_LOGS = "SageMaker's agent beside the container writes logs and metrics; the local cloud keeps logs in files"
_IMAGES = "SageMaker pulls the containers' images; the local cloud has no registry"
_AUTOPILOT = "Autopilot's documented minimum: what it calls between start and end of a job is its own"
_SYNC = "Step Functions' documented policy for .sync calls: its own rules, tags and stopping when a run is aborted"
_ATHENA = "Athena's documented policy for its caller; the local cloud's engine reads catalog and bucket itself"
_NIGHTS = "The recorded stack has no EndpointNightHours; tests/pipeline/endpoints/test_nights.py makes the call"
_DRIFT = "No machine starts it: its rule does once a day; tests/pipeline/test_drift_of_requests.py makes the calls"
_SCALING = "Application Auto Scaling checks it of its caller behind RegisterScalableTarget and PutScalingPolicy"
_MISSING_OBJECT = "S3 requires it to answer that an object does not exist; the local cloud does not"

# Only AWS itself makes these calls, never a state or a function of ours. By role, statement: actions and the reason.
REVIEWED = {
    ("PrepareRunRole", "WriteOwnLog"): ({"logs:CreateLogStream", "logs:PutLogEvents"}, _LOGS),
    ("MeasureDriftRole", "WriteOwnLog"): ({"logs:CreateLogStream", "logs:PutLogEvents"}, _LOGS),
    **{
        ("MeasureDriftRole", sid): ({action}, _DRIFT)
        for sid, action in (
            ("FindWhatServes", "sagemaker:DescribeEndpoint"),
            ("FindSinceWhenItServes", "sagemaker:DescribeEndpointConfig"),
            ("FindItsTrainingRows", "sagemaker:DescribeModelPackage"),
            ("ReadCapturedTrafficAndDistributions", "s3:GetObject"),
            ("ListCapturedTraffic", "s3:ListBucket"),
            ("WriteDrift", "s3:PutObject"),
        )
    },
    ("MeasureDriftRole", "KeepFailedMeasurement"): (
        {"sqs:SendMessage"},
        "Lambda sends an event there that failed three times",
    ),
    ("EvaluateModelRole", "WriteOwnLog"): ({"logs:CreateLogStream", "logs:PutLogEvents"}, _LOGS),
    ("DeploymentRole", "CheckForDeploymentDocument"): (
        {"s3:ListBucket"},
        _MISSING_OBJECT,
    ),
    **{
        (role, sid): (actions, reason)
        for role in ("JobRole", "ServingRole", "AutoMLRole")
        for sid, actions, reason in (
            (
                "WriteEndpointLog" if role == "ServingRole" else "WriteLogs",
                {"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"},
                _CONTAINER_LOGS,
            ),
            ("WriteMetrics", {"cloudwatch:PutMetricData"}, _CONTAINER_LOGS),
            (
                "PullImages",
                {"ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"},
                _IMAGES,
            ),
            ("LogInToRegistry", {"ecr:GetAuthorizationToken"}, _IMAGES),
        )
    },
    ("AutoMLRole", "OwnModelsAndEndpoints"): (
        {
            "sagemaker:DescribeEndpointConfig",
            "sagemaker:DescribeModel",
            "sagemaker:InvokeEndpoint",
            "sagemaker:ListTags",
            "sagemaker:DescribeEndpoint",
            "sagemaker:CreateModel",
            "sagemaker:CreateEndpoint",
            "sagemaker:CreateEndpointConfig",
            "sagemaker:DeleteModel",
            "sagemaker:DeleteEndpoint",
            "sagemaker:DeleteEndpointConfig",
        },
        _AUTOPILOT,
    ),
    ("TrainingRole", "ExtractFeatures"): ({"athena:StopQueryExecution"}, _SYNC),
    ("TrainingRole", "FollowNestedExecutions"): ({"states:StopExecution"}, _SYNC),
    ("DeploymentRole", "FollowFailureReport"): ({"states:StopExecution"}, _SYNC),
    ("DeploymentRole", "FollowNestedExecutions"): (
        {"events:PutTargets", "events:PutRule", "events:DescribeRule"},
        _SYNC,
    ),
    ("TrainingRole", "ReceiveEventsOfJobs"): ({"events:PutTargets", "events:PutRule", "events:DescribeRule"}, _SYNC),
    ("TrainingRole", "ReadDataCatalog"): ({"athena:GetDataCatalog"}, _ATHENA),
    ("TrainingRole", "FindOfflineTable"): (
        {"glue:GetPartitions", "glue:GetPartition", "glue:BatchGetPartition"},
        _ATHENA,
    ),
    ("TrainingRole", "WriteQueryResult"): ({"s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"}, _ATHENA),
    ("TrainingRole", "ResumeQueryResult"): ({"s3:ListBucketMultipartUploads"}, _ATHENA),
    ("TrainingRole", "ReadRegisteredImages"): (
        {"ecr:BatchGetImage", "ecr:DescribeImages"},
        "The registry reads the images of a new version with its caller's permissions",
    ),
    ("TrainingRole", "UseLakeFormation"): (
        {"lakeformation:GetDataAccess"},
        "Lake Formation asks it of Athena's caller where it governs the offline store; the local cloud has none",
    ),
    ("TrainingRole", "ReadWhatIsRegistered"): (
        {"s3:GetObject"},
        "The registry reads the models and metrics of a new version with its caller's permissions",
    ),
    ("DeploymentRole", "AutoscaleVariant"): ({"sagemaker:UpdateEndpointWeightsAndCapacities"}, _SCALING),
    ("DeploymentRole", "ScalingAlarms"): (
        {"cloudwatch:PutMetricAlarm", "cloudwatch:DescribeAlarms", "cloudwatch:DeleteAlarms"},
        _SCALING,
    ),
    ("DeploymentRole", "CreateScalingRole"): ({"iam:CreateServiceLinkedRole"}, _SCALING),
    ("NightRole", "SetMinimumCapacity"): ({"application-autoscaling:RegisterScalableTarget"}, _NIGHTS),
    ("NightRole", "ScaleVariant"): (
        {"sagemaker:DescribeEndpoint", "sagemaker:UpdateEndpointWeightsAndCapacities"},
        _SCALING,
    ),
    ("ScheduleRole", "KeepMissedRuns"): (
        {"sqs:SendMessage"},
        "EventBridge Scheduler sends a start there that failed for an hour",
    ),
}


def _reviewed() -> set[Permission]:
    return {Permission(*key, action) for key, (actions, _) in REVIEWED.items() for action in actions}


def _lines(found: set[Permission]) -> str:
    return "\n".join(map(str, sorted(found)))


def test_every_action_is_used_or_reviewed() -> None:
    unused = permissions.granted() - permissions.used() - _reviewed()
    assert not unused, f"Granted, and no recorded execution needed it:\n{_lines(unused)}"


def test_the_review_names_only_what_is_granted_and_not_used() -> None:
    gone = _reviewed() - permissions.granted()
    assert not gone, f"Reviewed, but not granted any more:\n{_lines(gone)}"
    seen = _reviewed() & permissions.used()
    assert not seen, f"Reviewed as AWS's own, but recorded executions used it:\n{_lines(seen)}"


def test_what_executions_used_is_still_granted() -> None:
    stale = {one for one in permissions.used() if one.sid != "LetMachinesPublish"} - permissions.granted()
    assert not stale, f"Record anew (python -m tests.contract.record): the template has changed\n{_lines(stale)}"


def test_every_statement_has_a_name() -> None:
    assert not {one for one in permissions.granted() if not one.sid}


def test_no_action_is_a_wildcard() -> None:
    assert not {one for one in permissions.granted() if "*" in one.action}


def test_the_page_about_permissions_is_the_templates() -> None:
    stale = "docs/permissions.md is not what the template says: python -m tests.contract.permissions_page"
    assert permissions_page.FILE.read_text(encoding="utf-8") == permissions_page.page(), stale
