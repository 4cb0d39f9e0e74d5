"""SageMaker's requests: is it well-formed, may it be made, what does it answer."""

from __future__ import annotations

import asyncio
import contextvars
import json
import logging
import threading
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from local import api_model
from local.api_model import ApiError
from local.compute import standby
from local.faults import Faults
from local.sagemaker import (
    authorization,
    endpoint_configs,
    endpoint_updates,
    endpoints,
    feature_groups,
    fleet,
    invocations,
    job_operations,
    jobs,
    metrics,
    models,
    prerequisites,
)
from local.sagemaker.state import STATE, tag

logger = logging.getLogger("laptop.sagemaker")
Answer = tuple[int, dict[str, str], bytes]
# Threads of their own: invocations that hang must not keep anybody from describing or deleting the endpoint.
_invoking = ThreadPoolExecutor(64, thread_name_prefix="invocation")


def _add_tags(request: dict[str, Any]) -> dict[str, Any]:
    tag(request["ResourceArn"], request["Tags"])
    return _list_tags(request)


def _delete_tags(request: dict[str, Any]) -> dict[str, Any]:
    for key in request["TagKeys"]:
        STATE.tags.get(request["ResourceArn"], {}).pop(key, None)
    return {}


def _list_tags(request: dict[str, Any]) -> dict[str, Any]:
    tags = STATE.tags.get(request["ResourceArn"], {})
    return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


OPERATIONS = {
    **job_operations.OPERATIONS,
    **models.OPERATIONS,
    **endpoint_configs.OPERATIONS,
    **endpoints.OPERATIONS,
    **endpoint_updates.OPERATIONS,
    **feature_groups.OPERATIONS,
    "AddTags": _add_tags,
    "DeleteTags": _delete_tags,
    "ListTags": _list_tags,
}


def install(state_dir: Path, faults: Faults, pace: float = 1.0) -> None:
    """Put SageMaker into MiniStack. Jobs work in folders under `state_dir`; waits take `pace` of their time."""
    from ministack import app

    STATE.folder, STATE.faults, STATE.pace = state_dir, faults, pace
    app.SERVICE_HANDLERS["sagemaker"] = handle
    authorization.install()
    metrics.install()
    # What Autopilot's stand-in needs is imported once, while nobody waits for it.
    threading.Thread(target=standby.prepare, daemon=True).start()


def shutdown() -> None:
    """Stop every job and container."""
    jobs.shutdown()
    endpoints.shutdown()
    fleet.WARM.close()
    standby.close()


async def handle(
    method: str, path: str, headers: Mapping[str, str], body: bytes, query_params: Mapping[str, Any]
) -> Answer:
    """Answer one request of the control plane or the runtime."""
    if path.startswith("/endpoints/"):
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(
            _invoking, lambda: context.run(_invoke, path, headers, body)
        )
    return await answer_json(_operate, "sagemaker", headers, body)


def _operate(operation: str, request: dict[str, Any]) -> dict[str, Any]:
    found = OPERATIONS.get(operation)
    if found is None:
        raise ApiError("UnknownOperationException", f"The laptop has no SageMaker operation {operation}.")
    api_model.check("sagemaker", operation, request)
    prerequisites.check(operation, request)
    refuse_by_fault("sagemaker", operation)
    return found(request)


def refuse_by_fault(service: str, operation: str) -> None:
    """Raises the ApiError that the faults file wants for this call, if any."""
    fault = STATE.faults.take_operation(service, operation)
    if fault:
        raise ApiError(fault.error, fault.message)


async def answer_json(operate: Any, service: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """The JSON protocol around an operation: errors as AWS writes them, times as seconds."""
    operation = headers.get("x-amz-target", "").rpartition(".")[2]
    answer_headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-requestid": str(uuid.uuid4())}
    try:
        try:
            request = json.loads(body or b"{}")
        except ValueError:
            raise ApiError("SerializationException", "The request is not JSON.") from None
        # Calls to S3 and Glue come back to this server: off its event loop.
        answer = await asyncio.to_thread(operate, operation, request)
        shape = api_model.service_model(service).operation_model(operation).output_shape
        known = shape.members if shape is not None else {}
        return 200, answer_headers, api_model.to_json({key: value for key, value in answer.items() if key in known})
    except ApiError as error:
        return error.status, answer_headers, json.dumps({"__type": error.code, "message": error.message}).encode()
    except Exception as error:
        logger.exception("%s failed", operation)
        return 500, answer_headers, json.dumps({"__type": "InternalFailure", "message": str(error)}).encode()


def _invoke(path: str, headers: Mapping[str, str], body: bytes) -> Answer:
    name = unquote(path.split("/")[2])
    request_id = {"x-amzn-requestid": str(uuid.uuid4())}
    try:
        answer, variant = invocations.invoke(
            name,
            body,
            headers.get("content-type", "application/octet-stream"),
            headers.get("accept") if headers.get("accept") != "*/*" else None,
            headers.get("x-amzn-sagemaker-inference-id"),
        )
    except ApiError as error:
        return (
            error.status,
            {**request_id, "Content-Type": "application/json", "x-amzn-errortype": error.code},
            json.dumps({"message": error.message, "Message": error.message}).encode(),
        )
    if 200 <= answer.status < 300:
        # In lower case: MiniStack would replace the JSON type of a model's answer by that of the control plane's.
        answer_headers = {"content-type": answer.content_type, "x-Amzn-Invoked-Production-Variant": variant}
        return 200, request_id | answer_headers, answer.body
    said = answer.body.decode(errors="replace")
    kind = "client" if answer.status < 500 else "server"
    error_body = {
        "OriginalStatusCode": answer.status,
        "OriginalMessage": said,
        "Message": f'Received {kind} error ({answer.status}) from container-{answer.container} with message "{said}". See the log group /aws/sagemaker/Endpoints/{name}.',
        "LogStreamArn": "",
    }
    return (
        424,
        {**request_id, "Content-Type": "application/json", "x-amzn-errortype": "ModelError"},
        json.dumps(error_body).encode(),
    )
