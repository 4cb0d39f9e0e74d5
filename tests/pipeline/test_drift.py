"""A run compares its rows with those of the newest registered one, and stops before AutoML costs money if it must."""

from __future__ import annotations

import json
from typing import Any

from .conftest import Cloud


def test_rows_that_drifted_since_the_newest_registered_run_stop_a_run(cloud: Cloud, deployed: dict[str, Any]) -> None:
    outputs = cloud.deployed.outputs
    latest = json.loads(cloud.object(f"s3://{outputs['BucketName']}/{outputs['Prefix']}/latest.json"))
    package = cloud.client("sagemaker").describe_model_package(ModelPackageName=latest["model_package_arn"])
    statistics = package["ModelMetrics"]["ModelDataQuality"]["Statistics"]
    assert package["DriftCheckBaselines"]["ModelDataQuality"]["Statistics"] == statistics
    before = cloud.object(statistics["S3Uri"])
    distributions = json.loads(before)
    assert distributions["dataset"]["item_count"] > 0
    (tenure,) = (feature for feature in distributions["features"] if feature["name"] == "tenure_months")
    for bucket in tenure["numerical_statistics"]["distribution"]["kll"]["buckets"]:
        bucket["upper_bound"] += 60
    s3, key = cloud.client("s3"), statistics["S3Uri"].removeprefix(f"s3://{outputs['BucketName']}/")
    s3.put_object(Bucket=outputs["BucketName"], Key=key, Body=json.dumps(distributions).encode())
    try:
        described = cloud.run(data_checks="Require")
    finally:
        s3.put_object(Bucket=outputs["BucketName"], Key=key, Body=before)
    assert described["status"] == "FAILED"
    assert f"Since run {latest['run_id']} these columns have drifted strongly" in described["cause"]
    assert "'tenure_months'" in described["cause"]
