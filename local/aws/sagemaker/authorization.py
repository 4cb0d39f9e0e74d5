"""Which IAM action on which resource a request to SageMaker or Application Auto Scaling is.

By AWS's service authorization reference. MiniStack asks for both before a request reaches its handler.
"""

from __future__ import annotations

import json
from typing import Any

from ministack.core import iam_actions

from local.aws import ministack_patches
from local.server.address import ACCOUNT_ID

SERVICES = ("sagemaker", "application-autoscaling")
# The member that names an operation's resource, and the resource's kind.
_NAMED_BY = (
    ("ProcessingJobName", "processing-job"),
    ("TransformJobName", "transform-job"),
    ("AutoMLJobName", "automl-job"),
    ("EndpointName", "endpoint"),
    ("EndpointConfigName", "endpoint-config"),
    ("ModelPackageGroupName", "model-package-group"),
    ("ModelPackageArn", "model-package"),
    ("ModelPackageName", "model-package"),
    ("FeatureGroupName", "feature-group"),
    ("ModelCardName", "model-card"),
    ("ModelName", "model"),
)


def install() -> None:
    """Answer for our services, leave all others to MiniStack."""
    action, resource = iam_actions.extract_iam_action, iam_actions.extract_resource_arn
    ministack_patches.replace(
        iam_actions,
        "extract_iam_action",
        lambda service, *rest: _action(service, *rest) if service in SERVICES else action(service, *rest),
    )
    context = iam_actions.request_tag_context
    ministack_patches.replace(
        iam_actions,
        "request_tag_context",
        lambda service, *rest: {**context(service, *rest), **_context(service, rest[1])},
    )
    ministack_patches.replace(
        iam_actions,
        "extract_resource_arn",
        lambda service, *rest: _resource(service, *rest) if service in SERVICES else resource(service, *rest),
    )


def _context(service: str, body: bytes) -> dict[str, Any]:
    """Condition keys of the request, in lower case as MiniStack's evaluator looks them up."""
    if service not in SERVICES:
        return {}
    try:
        request = json.loads(body or b"{}")
    except ValueError:
        return {}
    if service == "sagemaker":
        status = request.get("ModelApprovalStatus") if isinstance(request, dict) else None
        return {"sagemaker:modelapprovalstatus": status} if status else {}
    keys = {"service-namespace": "ServiceNamespace", "scalable-dimension": "ScalableDimension"}
    return {f"{service}:{key}": request[member] for key, member in keys.items() if member in request}


def _action(service: str, method: str, path: str, headers: dict, body: bytes, *_: Any) -> str | None:
    operation = headers.get("x-amz-target", "").rpartition(".")[2]
    if service == "sagemaker" and path.startswith("/endpoints/"):
        return "sagemaker:InvokeEndpoint"
    if service == "sagemaker" and path.startswith("/FeatureGroup/"):
        return "sagemaker:PutRecord"
    return f"{service}:{operation}" if operation else None


def _resource(
    service: str, method: str, path: str, headers: dict, body: bytes, query: Any, region: str, account: str
) -> str:
    if service == "application-autoscaling":
        return f"arn:aws:application-autoscaling:{region}:{account}:scalable-target/*"
    if path.startswith("/endpoints/"):
        return f"arn:aws:sagemaker:{region}:{account}:endpoint/{path.split('/')[2].lower()}"
    if path.startswith("/FeatureGroup/"):
        return f"arn:aws:sagemaker:{region}:{account}:feature-group/{path.split('/')[2].lower()}"
    try:
        request = json.loads(body or b"{}")
    except ValueError:
        return "*"
    operation = headers.get("x-amz-target", "").rpartition(".")[2]
    if not isinstance(request, dict) or (operation.startswith("List") and operation != "ListModelPackages"):
        return "*"
    if operation in ("AddTags", "ListTags", "DeleteTags"):
        return str(request.get("ResourceArn", "*"))
    named = resource_of(request)
    if named is None:
        return "*"
    kind, name = named
    if operation == "ListModelPackages":
        # The Service Authorization Reference has no other resource type for it.
        return f"arn:aws:sagemaker:{region}:{account or ACCOUNT_ID}:model-package/{name.rpartition('/')[2].lower()}/*"
    return (
        name if name.startswith("arn:") else f"arn:aws:sagemaker:{region}:{account or ACCOUNT_ID}:{kind}/{name.lower()}"
    )


def resource_of(request: dict[str, Any]) -> tuple[str, str] | None:
    """The kind of the resource that a request is about, and its name or ARN; None if it names none."""
    for member, kind in _NAMED_BY:
        name = request.get(member)
        if isinstance(name, str) and name:
            return kind, name
    return None
