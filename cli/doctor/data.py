"""The feature group, its offline store, and what rows a run would find there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from cli import athena_query
from cli.doctor.finding import Finding
from cli.doctor.target import Target
from cli.stack import client
from cli.terminal import typed

LEAST_ROWS = 500  # Autopilot's own minimum
_MOST_CLASSES = 100
_SAFE = re.compile(r"[A-Za-z0-9_-]+")


def feature_group(target: Target) -> Iterator[Finding]:
    """Whether it is there, active, with an offline store that the stack's roles read, and has the target."""
    name, group = target.settings["feature_group_name"], target.feature_group
    if group is None:
        remedy = f"{typed('features load')} creates one from a CSV file; or deploy with another FeatureGroupName"
        status = "problem" if target.deployed else "warning"
        yield Finding("Feature group", status, f"there is no feature group {name} in {target.region}", remedy)
        return
    if group.get("FeatureGroupStatus") != "Created":
        reason = group.get("FailureReason") or "wait until it is Created"
        yield Finding("Feature group", "problem", f"{name} is {group.get('FeatureGroupStatus')}", reason)
    else:
        yield Finding("Feature group", "ok", f"{name}, {len(group['FeatureDefinitions'])} features")
    features = [one["FeatureName"] for one in group["FeatureDefinitions"]]
    wanted = target.settings["target_attribute_name"]
    if wanted.lower() not in [one.lower() for one in features]:
        remedy = f"deploy with TargetAttributeName, one of: {', '.join(features)}"
        yield Finding("Target", "problem", f"{name} has no feature {wanted}", remedy)
    else:
        yield Finding("Target", "ok", f"{wanted} is a feature of {name}")
    yield from _offline_store(target, group)


def _offline_store(target: Target, group: Mapping[str, Any]) -> Iterator[Finding]:
    check = "Offline store"
    store = group.get("OfflineStoreConfig")
    if not store:
        remedy = "create the feature group with OfflineStoreConfig: a store cannot be added later"
        yield Finding(check, "problem", "the feature group has none, and runs read it", remedy)
        return
    status = group.get("OfflineStoreStatus", {}).get("Status")
    if status != "Active":
        reason = group.get("OfflineStoreStatus", {}).get("BlockedReason") or "wait until it is Active"
        yield Finding(check, "problem", f"is {status}", reason)
    place = store["S3StorageConfig"]["S3Uri"]
    bucket = place.split("/")[2]
    named = target.parameters["FeatureStoreBucket"] or target.bucket
    if bucket == named:
        yield Finding(check, "ok", f"{status}, at {place}")
    else:
        may = f"the stack's roles may read {named}" if named else "the stack's roles will read its own bucket only"
        yield Finding(check, "problem", f"lies in {bucket}, and {may}", f"deploy with FeatureStoreBucket={bucket}")
    key, known = store["S3StorageConfig"].get("KmsKeyId"), target.parameters["FeatureStoreKmsKeyArn"]
    if key and key.rpartition("/")[2] not in (
        known.rpartition("/")[2],
        target.parameters["KmsKeyArn"].rpartition("/")[2],
    ):
        yield Finding(
            "Offline store key", "problem", f"it is encrypted with {key}", f"deploy with FeatureStoreKmsKeyArn={key}"
        )


def offline_table(target: Target) -> Iterator[Finding]:
    """Whether Glue has the store's table, which Athena reads."""
    group = target.feature_group
    catalog = ((group or {}).get("OfflineStoreConfig") or {}).get("DataCatalogConfig")
    if not catalog:
        return
    database, table = catalog["Database"].lower(), catalog["TableName"].lower()
    try:
        client("glue").get_table(DatabaseName=database, Name=table)
    except ClientError as error:
        if error.response["Error"]["Code"] != "EntityNotFoundException":
            raise
        remedy = "with Lake Formation, grant the training role on it; otherwise create the feature group anew"
        yield Finding("Offline table", "problem", f"Glue has no table {database}.{table}", remedy)
        return
    yield Finding("Offline table", "ok", f"{database}.{table}")


def rows(target: Target) -> Iterator[Finding]:
    """How many customers a run would train on, and of which classes: one query over three or four columns."""
    check = "Rows"
    group = target.feature_group
    catalog = ((group or {}).get("OfflineStoreConfig") or {}).get("DataCatalogConfig")
    if not group or not catalog:
        yield Finding(check, "could not check", "there is no offline store to count them in")
        return
    if not target.deployed:
        yield Finding(check, "could not check", "counted once the stack, with its Athena work group, is deployed")
        return
    counts = _counts(target, group, catalog)
    total = sum(counts.values())
    labelled = {label: count for label, count in counts.items() if label}
    start, end = target.settings["customer_id_start"], target.settings["customer_id_end"]
    within = f"with ids CUST_{start:06d} to CUST_{end:06d}" if start and end else "in all"
    if total == 0:
        remedy = "customer_id_start and customer_id_end must span ids like CUST_000001; null for both takes every id"
        yield Finding(check, "problem", f"no customers {within}", remedy)
        return
    # A fifth is held out for the test.
    enough = sum(labelled.values()) * 0.8 >= LEAST_ROWS
    message = f"{total:,} customers {within}" + (f", {counts['']:,} without a target" if counts.get("") else "")
    remedy = f"Autopilot trains on at least {LEAST_ROWS} rows, beside the fifth that is held out: widen the id range"
    yield Finding(check, "ok" if enough else "problem", message, None if enough else remedy)
    if target.settings["problem_type"] != "Regression":
        yield _classes(target, labelled)


def _classes(target: Target, labelled: dict[str, int]) -> Finding:
    kind, shown = target.settings["problem_type"], ", ".join(f"{label} {count:,}" for label, count in labelled.items())
    if len(labelled) < 2:
        return Finding("Classes", "problem", f"only one class: {shown or 'none'}", "widen the id range")
    if kind == "BinaryClassification" and len(labelled) > 2:
        return Finding("Classes", "problem", f"{len(labelled)} classes ({shown}) for BinaryClassification",
                       "problem_type: MulticlassClassification")  # fmt: skip
    if len(labelled) > _MOST_CLASSES:
        return Finding(
            "Classes", "problem", f"more than {_MOST_CLASSES} classes", "problem_type: Regression, or another target"
        )
    rare = [label for label, count in labelled.items() if count < 10]
    if rare:
        return Finding("Classes", "warning", shown, f"fewer than 10 rows of {', '.join(rare)}: widen the id range")
    return Finding("Classes", "ok", shown)


def _counts(target: Target, group: Mapping[str, Any], catalog: dict[str, Any]) -> dict[str, int]:
    """Target value → customers, most frequent first; the key '' counts those without one."""
    names = {
        "id": group["RecordIdentifierFeatureName"].lower(),
        "moment": group["EventTimeFeatureName"].lower(),
        "target": target.settings["target_attribute_name"].lower(),
        "database": catalog["Database"].lower(),
        "table": catalog["TableName"].lower(),
    }
    unsafe = [name for name in names.values() if not _SAFE.fullmatch(name)]
    if unsafe:
        raise ValueError(f"names that are not put into a query: {', '.join(unsafe)}")
    start, end = target.settings["customer_id_start"], target.settings["customer_id_end"]
    bounds = [f"'CUST_{bound:06d}'" for bound in (start, end) if bound is not None]
    regression = target.settings["problem_type"] == "Regression"
    label = (
        """CASE WHEN "{target}" IS NULL THEN NULL ELSE 'a number' END"""
        if regression
        else 'CAST("{target}" AS varchar)'
    )
    # The newest record of each customer counts, as for a run (ExtractFeatures in training.asl.yaml).
    query = (
        "SELECT " + label + ', count(*) FROM (SELECT "{target}", is_deleted, row_number() OVER ('  # noqa: S608
        'PARTITION BY "{id}" ORDER BY "{moment}" DESC, api_invocation_time DESC, write_time DESC) AS automl_rank '
        'FROM "{database}"."{table}"' + (' WHERE "{id}" BETWEEN ? AND ?' if bounds else "") + ") "
        "WHERE automl_rank = 1 AND NOT is_deleted GROUP BY 1 ORDER BY 2 DESC LIMIT 102"
    ).format(**names)
    found = athena_query.rows(query, catalog, work_group=target.resources["WorkGroup"][1], parameters=bounds)
    return {(label or "").strip(): int(count or 0) for label, count in found}
