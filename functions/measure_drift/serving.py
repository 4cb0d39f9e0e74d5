"""Which version serves, with which rows it was trained, and where its requests are captured."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError


@dataclass(frozen=True)
class Serving:
    """`version` of the registry and the run that trained it, `since`: when its endpoint configuration was created.

    `distributions`: the URI of its training rows' distributions.json, `captured`: of the folder with its variant's requests.
    """

    version: int
    run_id: str
    since: datetime
    distributions: str
    captured: str


def find(sagemaker: Any, endpoint_name: str, model_packages: str) -> Serving | str:
    """What the endpoint serves, or the sentence that says why its requests cannot be compared.

    `model_packages`: the ARN of the registry's versions, without their number.
    """
    try:
        endpoint = sagemaker.describe_endpoint(EndpointName=endpoint_name)
    except ClientError as error:
        if "Could not find" not in str(error):
            raise
        return "There is no endpoint."
    capture = endpoint.get("DataCaptureConfig") or {}
    if not capture.get("EnableCapture"):
        return "The endpoint captures no requests (DataCapturePercentage)."
    # As deployment.asl.yaml names what it deploys.
    named = re.fullmatch(rf"{re.escape(endpoint_name)}-v([0-9]+)-[0-9a-f]{{8}}-.*", endpoint["EndpointConfigName"])
    if not named:
        return "The endpoint serves no version of this pipeline."
    package = sagemaker.describe_model_package(ModelPackageName=f"{model_packages}/{named[1]}")
    quality = package.get("DriftCheckBaselines", {}).get("ModelDataQuality", {})
    if "Statistics" not in quality:
        return f"The registry has no distributions of the rows that version {named[1]} was trained on."
    config = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
    variant = endpoint["ProductionVariants"][0]["VariantName"]
    return Serving(
        int(named[1]),
        package["CustomerMetadataProperties"]["run_id"],
        config["CreationTime"],
        quality["Statistics"]["S3Uri"],
        f"{capture['DestinationS3Uri'].rstrip('/')}/{endpoint_name}/{variant}/",
    )
