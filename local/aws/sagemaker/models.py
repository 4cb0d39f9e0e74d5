"""Models, model packages and their groups."""

from __future__ import annotations

from typing import Any

from local.aws.api_model import ApiError
from local.aws.sagemaker import events
from local.aws.sagemaker.state import STATE, arn, check_role, named, now, page, tag


def find(name: str) -> dict[str, Any]:
    """A model. Raises ApiError."""
    model = STATE.models.get(name)
    if model is None:
        raise ApiError("ValidationException", f'Could not find model "{arn("model", name)}".')
    return model


def containers(model: dict[str, Any]) -> list[dict[str, Any]]:
    """A model's containers, those of model packages put in their place."""
    given = model.get("Containers") or [model["PrimaryContainer"]]
    found: list[dict[str, Any]] = []
    for one in given:
        if "ModelPackageName" in one:
            found += find_package(one["ModelPackageName"])["InferenceSpecification"]["Containers"]
        else:
            found.append(one)
    return found


def create_model(request: dict[str, Any]) -> dict[str, Any]:
    name = request["ModelName"]
    given = request.get("Containers") or ([request["PrimaryContainer"]] if "PrimaryContainer" in request else [])
    if not given:
        raise ApiError("ValidationException", "Either PrimaryContainer or Containers must be provided.")
    if "PrimaryContainer" in request and "Containers" in request:
        raise ApiError("ValidationException", "PrimaryContainer and Containers cannot both be provided.")
    check_role(request["ExecutionRoleArn"])
    for one in given:
        if "ModelPackageName" in one:
            package = find_package(one["ModelPackageName"])
            if package["ModelApprovalStatus"] != "Approved":
                raise ApiError("ValidationException", f"Model package {package['ModelPackageArn']} is not approved.")
        elif "Image" not in one:
            raise ApiError("ValidationException", "Each container needs an Image or a ModelPackageName.")
    with STATE.lock:
        if name in STATE.models:
            raise ApiError("ValidationException", f'Cannot create already existing model "{arn("model", name)}".')
        STATE.models[name] = {**request, "ModelArn": arn("model", name), "CreationTime": now()}
    tag(arn("model", name), request.get("Tags"))
    return {"ModelArn": arn("model", name)}


def delete_model(request: dict[str, Any]) -> dict[str, Any]:
    with STATE.lock:
        find(request["ModelName"])
        del STATE.models[request["ModelName"]]
    return {}


def list_models(request: dict[str, Any]) -> dict[str, Any]:
    rows = [{key: model[key] for key in ("ModelName", "ModelArn", "CreationTime")} for model in STATE.models.values()]
    return page(named(rows, request, "ModelName"), request, "Models")


# -- registry


def find_group(name: str) -> dict[str, Any]:
    """A model package group, by name or ARN. Raises ApiError."""
    short = name.rsplit("/", 1)[-1]
    group = STATE.package_groups.get(short)
    if group is None:
        raise ApiError("ValidationException", f"ModelPackageGroup {arn('model-package-group', short)} does not exist.")
    return group


def find_package(name: str) -> dict[str, Any]:
    """A model package, by ARN or `group/version`. Raises ApiError."""
    key = name.split("model-package/", 1)[-1] if name.startswith("arn:") else name
    package = STATE.packages.get(key.lower())
    if package is None:
        raise ApiError("ValidationException", f"ModelPackage {arn('model-package', key)} does not exist.")
    return package


def create_group(request: dict[str, Any]) -> dict[str, Any]:
    name = request["ModelPackageGroupName"]
    group_arn = arn("model-package-group", name)
    with STATE.lock:
        if name in STATE.package_groups:
            raise ApiError("ValidationException", f"Model Package Group already exists: {group_arn}")
        STATE.package_groups[name] = {
            **{key: value for key, value in request.items() if key != "Tags"},
            "ModelPackageGroupArn": group_arn,
            "ModelPackageGroupStatus": "Completed",
            "CreationTime": now(),
            "CreatedBy": {},
        }
    tag(group_arn, request.get("Tags"))
    return {"ModelPackageGroupArn": group_arn}


def delete_group(request: dict[str, Any]) -> dict[str, Any]:
    group = find_group(request["ModelPackageGroupName"])
    name = group["ModelPackageGroupName"]
    with STATE.lock:
        if any(package["ModelPackageGroupName"] == name for package in STATE.packages.values()):
            raise ApiError(
                "ConflictException",
                f"Model Package Group {group['ModelPackageGroupArn']} still contains model packages. Delete them first.",
            )
        STATE.package_groups.pop(name, None)
    return {}


def list_groups(request: dict[str, Any]) -> dict[str, Any]:
    members = ("ModelPackageGroupName", "ModelPackageGroupArn", "ModelPackageGroupStatus", "CreationTime")
    rows = [{key: group[key] for key in members} for group in STATE.package_groups.values()]
    return page(named(rows, request, "ModelPackageGroupName"), request, "ModelPackageGroupSummaryList")


def create_package(request: dict[str, Any]) -> dict[str, Any]:
    group = request.get("ModelPackageGroupName")
    if not group:
        raise ApiError(
            "ValidationException", "The local cloud keeps versioned model packages: give a ModelPackageGroupName."
        )
    name = find_group(group)["ModelPackageGroupName"]
    if not request.get("InferenceSpecification"):
        raise ApiError("ValidationException", "InferenceSpecification is needed.")
    token = request.get("ClientToken")
    with STATE.lock:
        earlier = STATE.package_tokens.get((name, token)) if token else None
        if earlier:
            return {"ModelPackageArn": STATE.packages[earlier]["ModelPackageArn"]}
        versions = [p["ModelPackageVersion"] for p in STATE.packages.values() if p["ModelPackageGroupName"] == name]
        version = max(versions, default=0) + 1
        key = f"{name.lower()}/{version}"
        package = {
            "ModelApprovalStatus": "PendingManualApproval",
            **{member: value for member, value in request.items() if member not in ("Tags", "ClientToken")},
            "ModelPackageGroupName": name,
            "ModelPackageVersion": version,
            "ModelPackageArn": arn("model-package", key),
            "ModelPackageStatus": "Completed",
            "ModelPackageStatusDetails": {"ValidationStatuses": []},
            "CertifyForMarketplace": False,
            "CreationTime": now(),
            "LastModifiedTime": now(),
        }
        STATE.packages[key] = package
        if token:
            STATE.package_tokens[name, token] = key
    _tell(package)
    return {"ModelPackageArn": package["ModelPackageArn"]}


def describe_package(request: dict[str, Any]) -> dict[str, Any]:
    return find_package(request["ModelPackageName"])


_CHANGEABLE = ("ModelApprovalStatus", "ApprovalDescription", "CustomerMetadataProperties")


def update_package(request: dict[str, Any]) -> dict[str, Any]:
    package = find_package(request["ModelPackageArn"])
    with STATE.lock:
        other = [
            key for key in request if key not in (*_CHANGEABLE, "ModelPackageArn", "CustomerMetadataPropertiesToRemove")
        ]
        if other:
            raise ApiError("ValidationException", f"{', '.join(other)} of a model package cannot be changed here.")
        for key in _CHANGEABLE:
            if key in request:
                package[key] = (
                    {**package.get(key, {}), **request[key]} if key == "CustomerMetadataProperties" else request[key]
                )
        for name in request.get("CustomerMetadataPropertiesToRemove", []):
            package.get("CustomerMetadataProperties", {}).pop(name, None)
        package["LastModifiedTime"] = now()
    _tell(package)
    return {"ModelPackageArn": package["ModelPackageArn"]}


def delete_package(request: dict[str, Any]) -> dict[str, Any]:
    package = find_package(request["ModelPackageName"])
    with STATE.lock:
        STATE.packages.pop(f"{package['ModelPackageGroupName'].lower()}/{package['ModelPackageVersion']}", None)
    return {}


def list_packages(request: dict[str, Any]) -> dict[str, Any]:
    group = request.get("ModelPackageGroupName")
    name = find_group(group)["ModelPackageGroupName"] if group else None
    approval = request.get("ModelApprovalStatus")
    members = (
        "ModelPackageGroupName",
        "ModelPackageVersion",
        "ModelPackageArn",
        "ModelPackageDescription",
        "CreationTime",
        "ModelPackageStatus",
        "ModelApprovalStatus",
    )
    rows = [
        {key: package[key] for key in members if key in package}
        for package in STATE.packages.values()
        if name in (None, package["ModelPackageGroupName"]) and approval in (None, package["ModelApprovalStatus"])
    ]
    return page(rows, request, "ModelPackageSummaryList")


def _tell(package: dict[str, Any]) -> None:
    members = (
        "ModelPackageGroupName",
        "ModelPackageVersion",
        "ModelPackageArn",
        "ModelPackageDescription",
        "ModelPackageStatus",
        "ModelApprovalStatus",
        "CustomerMetadataProperties",
    )
    detail = {key: package[key] for key in members if key in package}
    events.emit(
        "SageMaker Model Package State Change",
        {**detail, "CreationTime": package["CreationTime"].isoformat()},
        package["ModelPackageArn"],
    )


OPERATIONS = {
    "CreateModel": create_model,
    "DescribeModel": lambda request: find(request["ModelName"]),
    "DeleteModel": delete_model,
    "ListModels": list_models,
    "CreateModelPackageGroup": create_group,
    "DescribeModelPackageGroup": lambda request: find_group(request["ModelPackageGroupName"]),
    "DeleteModelPackageGroup": delete_group,
    "ListModelPackageGroups": list_groups,
    "CreateModelPackage": create_package,
    "DescribeModelPackage": describe_package,
    "UpdateModelPackage": update_package,
    "DeleteModelPackage": delete_package,
    "ListModelPackages": list_packages,
}
