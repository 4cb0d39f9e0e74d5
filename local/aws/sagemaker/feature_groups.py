"""Feature groups, with the Glue table of their offline store."""

from __future__ import annotations

import contextlib
from typing import Any

from botocore.exceptions import ClientError

from local.aws.api_model import ApiError
from local.aws.athena import handler as athena
from local.aws.featurestore import offline_table
from local.aws.sagemaker.state import STATE, arn, check_role, named, now, page, tag
from local.server import sessions
from local.server.address import ACCOUNT_ID, REGION


def find(name: str) -> dict[str, Any]:
    """A feature group, by name or ARN. Raises ApiError."""
    short = name.rsplit("/", 1)[-1]
    group = STATE.feature_groups.get(short)
    if group is None:
        raise ApiError(
            "ResourceNotFound", f"Resource Not Found: Amazon SageMaker can't find a FeatureGroup with name {short}"
        )
    return group


def create(request: dict[str, Any]) -> dict[str, Any]:
    name = request["FeatureGroupName"]
    names = [item["FeatureName"] for item in request["FeatureDefinitions"]]
    for member in ("RecordIdentifierFeatureName", "EventTimeFeatureName"):
        if request[member] not in names:
            raise ApiError(
                "ValidationException",
                f"Validation Error: {member} {request[member]} is not among the FeatureDefinitions",
            )
    store = request.get("OfflineStoreConfig")
    if store:
        if not request.get("RoleArn"):
            raise ApiError("ValidationException", "Validation Error: RoleArn is needed for an offline store")
        check_role(request["RoleArn"])
    created = now()
    with STATE.lock:
        if name in STATE.feature_groups:
            raise ApiError(
                "ResourceInUse",
                f"Resource Already Exists: FeatureGroup with name {name} already exists. Choose a different name.",
            )
        group = {
            **request,
            "FeatureGroupArn": arn("feature-group", name),
            "CreationTime": created,
            "FeatureGroupStatus": "Creating",
        }
        STATE.feature_groups[name] = group
    if store:
        athena.prepare()
        table, folder = offline_table.offline_names(name, created.timestamp())
        location = offline_table.offline_location(store["S3StorageConfig"]["S3Uri"], ACCOUNT_ID, REGION, folder)
        try:
            offline_table.create_offline_table(
                sessions.client("glue"), table_name=table, location=location, definitions=request["FeatureDefinitions"]
            )
        except ClientError as error:
            group.update(FeatureGroupStatus="CreateFailed", FailureReason=str(error))
            return {"FeatureGroupArn": group["FeatureGroupArn"]}
        catalog = {"Catalog": offline_table.CATALOG, "Database": offline_table.DATABASE, "TableName": table}
        group["OfflineStoreConfig"] = {
            "DisableGlueTableCreation": False,
            "TableFormat": "Glue",
            **store,
            "S3StorageConfig": {**store["S3StorageConfig"], "ResolvedOutputS3Uri": location},
            "DataCatalogConfig": catalog,
        }
        group["OfflineStoreStatus"] = {"Status": "Active"}
    group["FeatureGroupStatus"] = "Created"
    tag(group["FeatureGroupArn"], request.get("Tags"))
    return {"FeatureGroupArn": group["FeatureGroupArn"]}


def delete(request: dict[str, Any]) -> dict[str, Any]:
    group = find(request["FeatureGroupName"])
    catalog = group.get("OfflineStoreConfig", {}).get("DataCatalogConfig")
    if catalog:
        with contextlib.suppress(ClientError):
            sessions.client("glue").delete_table(DatabaseName=catalog["Database"], Name=catalog["TableName"])
    with STATE.lock:
        STATE.feature_groups.pop(group["FeatureGroupName"], None)
    return {}


def listing(request: dict[str, Any]) -> dict[str, Any]:
    members = ("FeatureGroupName", "FeatureGroupArn", "CreationTime", "FeatureGroupStatus", "OfflineStoreStatus")
    rows = [{key: group[key] for key in members if key in group} for group in STATE.feature_groups.values()]
    return page(named(rows, request, "FeatureGroupName"), request, "FeatureGroupSummaries")


OPERATIONS = {
    "CreateFeatureGroup": create,
    "DescribeFeatureGroup": lambda request: find(request["FeatureGroupName"]),
    "DeleteFeatureGroup": delete,
    "ListFeatureGroups": listing,
}
