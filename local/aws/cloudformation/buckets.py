"""Bucket properties that MiniStack 1.5.33 drops (encryption, lifecycle, tags), and the deletion of full buckets."""

from __future__ import annotations

from typing import Any

from botocore.serialize import create_serializer
from ministack.services import s3

from local.aws import api_model

Properties = dict[str, Any]

_TAG_NAMES = {"Key", "Value"}


def install(handler: dict[str, Any]) -> None:
    """Complete the handler of AWS::S3::Bucket."""
    create, update, delete = handler["create"], handler["update"], handler["delete"]

    def created(logical_id: str, properties: Properties, stack_name: str) -> Any:
        result = create(logical_id, properties, stack_name)
        apply(result[0], properties)
        return result

    def updated(physical_id: str, old: Properties, new: Properties, stack_name: str) -> Any:
        result = update(physical_id, old, new, stack_name)
        apply(result[0], new)
        return result

    def deleted(physical_id: str, properties: Properties) -> None:
        bucket = s3._buckets.get(physical_id)
        if bucket and bucket["objects"]:
            raise ValueError("The bucket you tried to delete is not empty (Service: S3, Status Code: 409)")
        delete(physical_id, properties)

    handler.update(create=created, update=updated, delete=deleted)


def apply(bucket: str, properties: Properties) -> None:
    """Store the properties as the S3 API would. Raises ValueError with S3's answer."""
    encryption = properties.get("BucketEncryption")
    if encryption:
        rules = [_encryption_rule(rule) for rule in encryption["ServerSideEncryptionConfiguration"]]
        request = {"ServerSideEncryptionConfiguration": {"Rules": rules}}
        _put(s3._put_bucket_encryption, bucket, "PutBucketEncryption", request)
    lifecycle = properties.get("LifecycleConfiguration")
    if lifecycle:
        request = {"LifecycleConfiguration": {"Rules": [_lifecycle_rule(rule) for rule in lifecycle["Rules"]]}}
        _put(s3._put_bucket_lifecycle, bucket, "PutBucketLifecycleConfiguration", request)
    tags = properties.get("Tags")
    if tags:
        request = {"Tagging": {"TagSet": [{name: str(tag[name]) for name in _TAG_NAMES} for tag in tags]}}
        _put(s3._put_bucket_tagging, bucket, "PutBucketTagging", request)


def _put(store: Any, bucket: str, operation: str, request: dict[str, Any]) -> None:
    model = api_model.service_model("s3")
    serializer = create_serializer("rest-xml")
    body = serializer.serialize_to_request({"Bucket": bucket, **request}, model.operation_model(operation))["body"]
    status, _, answer = store(bucket, body if isinstance(body, bytes) else str(body).encode())
    if status >= 300:
        raise ValueError(f"{operation} of bucket {bucket}: {answer!r}")


def _encryption_rule(rule: Properties) -> dict[str, Any]:
    default = rule.get("ServerSideEncryptionByDefault", {})
    converted: dict[str, Any] = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": default.get("SSEAlgorithm")}}
    if default.get("KMSMasterKeyID"):
        converted["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"] = default["KMSMasterKeyID"]
    if "BucketKeyEnabled" in rule:
        converted["BucketKeyEnabled"] = str(rule["BucketKeyEnabled"]).lower() == "true"
    return converted


def _lifecycle_rule(rule: Properties) -> dict[str, Any]:
    converted: dict[str, Any] = {"Status": rule["Status"], "Filter": {"Prefix": rule.get("Prefix", "")}}
    if rule.get("Id"):
        converted["ID"] = rule["Id"]
    if "ExpirationInDays" in rule:
        converted["Expiration"] = {"Days": int(rule["ExpirationInDays"])}
    elif "ExpiredObjectDeleteMarker" in rule:
        converted["Expiration"] = {
            "ExpiredObjectDeleteMarker": str(rule["ExpiredObjectDeleteMarker"]).lower() == "true"
        }
    if "Transitions" in rule:
        converted["Transitions"] = [
            {"Days": int(step["TransitionInDays"]), "StorageClass": step["StorageClass"]}
            for step in rule["Transitions"]
        ]
    if "NoncurrentVersionExpiration" in rule:
        days = int(rule["NoncurrentVersionExpiration"]["NoncurrentDays"])
        converted["NoncurrentVersionExpiration"] = {"NoncurrentDays": days}
    if "AbortIncompleteMultipartUpload" in rule:
        days = int(rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"])
        converted["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": days}
    return converted
