"""Captured requests lie in S3 where and as SageMaker writes them."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

from . import small_models
from .conftest import BUCKET, Endpoint, until
from .small_models import Trained

Models = tuple[Trained, Trained]
BOTH = [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}]
CSV = {"CsvContentTypes": ["text/csv"]}


def capturing(prefix: str, options: list[dict[str, str]] = BOTH, percent: int = 100, **more: Any) -> dict[str, Any]:
    config = {
        "EnableCapture": True,
        "InitialSamplingPercentage": percent,
        "DestinationS3Uri": f"s3://{BUCKET}/{prefix}",
        "CaptureOptions": options,
        **more,
    }
    return {"DataCaptureConfig": config}


def captured(endpoint: Endpoint) -> dict[str, list[dict[str, Any]]]:
    """Key → records of everything captured from the endpoint's variant."""
    s3 = endpoint.cloud.client("s3")
    listed = s3.list_objects_v2(Bucket=BUCKET, Prefix=f"captured/{endpoint.name}/AllTraffic/").get("Contents", [])
    return {
        item["Key"]: [json.loads(line) for line in endpoint.cloud.object(f"s3://{BUCKET}/{item['Key']}").splitlines()]
        for item in listed
    }


def test_request_and_answer_are_written_soon(endpoint: Endpoint, models: Models) -> None:
    endpoint.create(models[0], **capturing("captured/", CaptureContentTypeHeader=CSV))
    endpoint.ask(InferenceId="order-17")
    (key, records), *others = until(lambda: captured(endpoint)).items()
    assert others == []
    folder = f"captured/{endpoint.name}/AllTraffic"
    assert re.fullmatch(rf"{folder}/\d{{4}}/\d\d/\d\d/\d\d/\d\d-\d\d-\d{{3}}-[0-9a-f-]{{36}}\.jsonl", key)
    (record,) = records
    metadata = record.pop("eventMetadata")
    assert record == {
        "captureData": {
            "endpointInput": {
                "observedContentType": "text/csv",
                "mode": "INPUT",
                "data": small_models.request().decode(),
                "encoding": "CSV",
            },
            "endpointOutput": {
                "observedContentType": "text/csv",
                "mode": "OUTPUT",
                "data": models[0].answer.decode(),
                "encoding": "CSV",
            },
        },
        "eventVersion": "0",
    }
    assert metadata["inferenceId"] == "order-17"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", metadata["inferenceTime"])
    assert endpoint.describe()["DataCaptureConfig"]["CaptureStatus"] == "Started"


def test_without_named_content_types_it_is_base64(endpoint: Endpoint, models: Models) -> None:
    endpoint.create(models[0], **capturing("captured", [{"CaptureMode": "Output"}]))
    endpoint.ask()
    ((record,),) = until(lambda: list(captured(endpoint).values()))
    assert list(record["captureData"]) == ["endpointOutput"]
    output = record["captureData"]["endpointOutput"]
    assert (base64.b64decode(output["data"]), output["encoding"]) == (models[0].answer, "BASE64")


def test_a_part_is_captured_and_the_rest_is_written_at_the_end(endpoint: Endpoint, models: Models) -> None:
    endpoint.create(models[0], **capturing("captured", percent=40))
    for _ in range(60):
        endpoint.ask()
    endpoint.sagemaker.delete_endpoint(EndpointName=endpoint.name)
    until(lambda: not endpoint.sagemaker.list_endpoints(NameContains=endpoint.name)["Endpoints"])
    # Of sixty with 40 %, under 5 or over 50 come less than once in a hundred million runs.
    assert 5 <= sum(map(len, captured(endpoint).values())) <= 50


def test_none_is_captured_of_nought_percent_or_when_off(endpoint: Endpoint, models: Models) -> None:
    off = capturing("captured")
    off["DataCaptureConfig"]["EnableCapture"] = False
    endpoint.create(models[0], **off)
    endpoint.ask()
    assert endpoint.describe()["DataCaptureConfig"]["CaptureStatus"] == "Stopped"
    endpoint.update(endpoint.config(models[1], **capturing("captured", percent=0)))
    endpoint.settled()
    endpoint.ask()
    endpoint.update(endpoint.config(models[0]))
    endpoint.settled()
    assert captured(endpoint) == {}


def test_what_cannot_be_written_does_not_fail_the_answer(endpoint: Endpoint, models: Models) -> None:
    endpoint.create(models[0], **capturing("not-allowed"))
    assert endpoint.ask()["Body"].read() == models[0].answer
    log = endpoint.cloud.deployed.server.state / "logs" / "server.log"
    until(lambda: f"not written to s3://{BUCKET}/not-allowed/{endpoint.name}/" in log.read_text())
    assert endpoint.ask()["Body"].read() == models[0].answer
