"""InvokeEndpoint: one request through one of the endpoint's fleets, counted and captured."""

from __future__ import annotations

import time

from local.aws.api_model import ApiError
from local.aws.sagemaker import metrics
from local.aws.sagemaker.compute.serving import Answer, ContainerFailedError
from local.aws.sagemaker.state import STATE, arn

MOST_PAYLOAD_BYTES = 6 * 1024 * 1024


def invoke(
    name: str, body: bytes, content_type: str, accept: str | None = None, inference_id: str | None = None
) -> tuple[Answer, str]:
    """The containers' answer and the variant that gave it. Raises ApiError."""
    began = time.perf_counter()
    if len(body) > MOST_PAYLOAD_BYTES:
        raise ApiError(
            "ValidationError",
            f"Request body has {len(body)} bytes, more than the {MOST_PAYLOAD_BYTES} that an endpoint takes.",
        )
    endpoint = STATE.endpoints.get(name)
    if endpoint is None:
        raise ApiError(
            "ValidationError", f"Endpoint {name} of account {arn('endpoint', name).split(':')[4]} not found."
        )
    chosen = endpoint.traffic.begin()
    if chosen is None:
        raise ApiError("ValidationError", f"Endpoint {name} is {endpoint.status} and does not serve.")
    fleet, answering = chosen
    with answering:
        asked = time.perf_counter()
        status = 500
        try:
            answer = fleet.invoke(body, content_type, accept)
            status = answer.status
        except ContainerFailedError as error:
            raise ApiError(
                "ModelError", f'Received server error (500) from model with message "{error}".', 424
            ) from error
        finally:
            latency = time.perf_counter() - asked
            metrics.record(fleet.identity, endpoint.instance_count, status, latency, asked - began)
        if fleet.capture and 200 <= status < 300:
            fleet.capture.add(body, content_type, answer, inference_id)
    return answer, fleet.identity[1]
