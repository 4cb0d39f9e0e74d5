"""SageMaker's requests: is it well-formed, may it be made, what does it answer."""

from __future__ import annotations

import asyncio
import contextvars
import json
import threading
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from local.aws import api_model
from local.aws.api_model import ApiError
from local.aws.faults import Faults
from local.aws.protocol import Answer, answer_json
from local.aws.sagemaker import (
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
    model_cards,
    models,
    prerequisites,
    records,
)
from local.aws.sagemaker.compute import standby
from local.aws.sagemaker.state import STATE, refuse_by_fault, tag

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
    **model_cards.OPERATIONS,
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
    if path.startswith("/FeatureGroup/") and method == "PUT":
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(_invoking, lambda: context.run(_put_record, path, body))
    return await answer_json(_operate, "sagemaker", headers, body)


@cache
def _prepare() -> None:
    """Have what Autopilot's stand-in needs imported while nobody waits for it, in a cloud whose SageMaker is used."""
    threading.Thread(target=standby.prepare, daemon=True).start()


def _operate(operation: str, request: dict[str, Any]) -> dict[str, Any]:
    _prepare()
    found = OPERATIONS.get(operation)
    if found is None:
        raise ApiError("UnknownOperationException", f"The local cloud has no SageMaker operation {operation}.")
    api_model.check("sagemaker", operation, request)
    prerequisites.check(operation, request)
    refuse_by_fault("sagemaker", operation)
    return found(request)


def _put_record(path: str, body: bytes) -> Answer:
    answered = {"x-amzn-requestid": str(uuid.uuid4()), "Content-Type": "application/json"}
    try:
        records.put(unquote(path.split("/")[2]), json.loads(body))
    except ApiError as error:
        return (
            error.status,
            {**answered, "x-amzn-errortype": error.code},
            json.dumps({"Message": error.message}).encode(),
        )
    return 200, answered, b""


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
