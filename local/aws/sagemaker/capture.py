"""Data capture: requests to an endpoint and their answers, as JSON Lines in S3.

The records and where they lie are SageMaker's own: docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture.html.
"""

from __future__ import annotations

import base64
import json
import logging
import random
import threading
import uuid
from datetime import datetime
from typing import Any

from local.aws.sagemaker.compute import storage
from local.aws.sagemaker.compute.serving import Answer
from local.aws.sagemaker.state import STATE, now
from local.server import sessions

logger = logging.getLogger("local.sagemaker")
# SageMaker delivers within a couple of minutes.
DELIVERY_SECONDS = 60.0
_MOST_BUFFERED_BYTES = 4 * 1024 * 1024


class Capture:
    """Collects what a DataCaptureConfig wants and writes it now and then; `close` writes the rest.

    It is written under the model's execution role. What cannot be written is lost and logged: the endpoint's answer
    never depends on it.
    """

    def __init__(self, config: dict[str, Any], endpoint: str, variant: str, role_arn: str) -> None:
        self._config = config
        self._bucket, prefix = storage.parse(config["DestinationS3Uri"])
        self._folder = "/".join(part for part in (prefix.rstrip("/"), endpoint, variant) if part)
        self._role = role_arn
        self._lines: list[tuple[datetime, bytes]] = []
        self._size = 0
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closed = False
        self._writer = threading.Thread(target=self._write_now_and_then, name=f"capture {endpoint}", daemon=True)
        self._writer.start()

    def add(self, body: bytes, content_type: str, answer: Answer, inference_id: str | None) -> None:
        """Keep a request and its answer, if it is one of the sample."""
        if random.random() * 100 >= self._config["InitialSamplingPercentage"]:
            return
        moment = now()
        modes = {option["CaptureMode"] for option in self._config["CaptureOptions"]}
        captured: dict[str, Any] = {}
        if modes & {"Input", "InputAndOutput"}:
            captured["endpointInput"] = self._side("INPUT", body, content_type)
        if modes & {"Output", "InputAndOutput"}:
            captured["endpointOutput"] = self._side("OUTPUT", answer.body, answer.content_type)
        metadata = {"eventId": str(uuid.uuid4()), "inferenceTime": f"{moment:%Y-%m-%dT%H:%M:%SZ}"}
        if inference_id:
            metadata["inferenceId"] = inference_id
        record = {"captureData": captured, "eventMetadata": metadata, "eventVersion": "0"}
        line = json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
        with self._lock:
            self._lines.append((moment, line))
            self._size += len(line)
            if self._size > _MOST_BUFFERED_BYTES:
                self._wake.set()

    def _side(self, mode: str, data: bytes, content_type: str) -> dict[str, str]:
        text, encoding = _encoded(data, content_type, self._config.get("CaptureContentTypeHeader") or {})
        return {"observedContentType": content_type, "mode": mode, "data": text, "encoding": encoding}

    def close(self) -> None:
        """Write what is left and end."""
        self._closed = True
        self._wake.set()
        self._writer.join()

    def _write_now_and_then(self) -> None:
        while True:
            self._wake.wait(DELIVERY_SECONDS * STATE.pace)
            self._wake.clear()
            ended = self._closed
            with self._lock:
                lines, self._lines, self._size = self._lines, [], 0
            hours: dict[str, list[tuple[datetime, bytes]]] = {}
            for moment, line in lines:
                hours.setdefault(f"{moment:%Y/%m/%d/%H}", []).append((moment, line))
            for hour, within in hours.items():
                self._write(hour, within)
            if ended:
                return

    def _write(self, hour: str, lines: list[tuple[datetime, bytes]]) -> None:
        first = lines[0][0]
        key = f"{self._folder}/{hour}/{first:%M-%S}-{first.microsecond // 1000:03d}-{uuid.uuid4()}.jsonl"
        encryption = {}
        if "KmsKeyId" in self._config:
            encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self._config["KmsKeyId"]}
        try:
            sessions.client("s3", self._role).put_object(
                Bucket=self._bucket, Key=key, Body=b"".join(line for _, line in lines), **encryption
            )
        except Exception as error:
            logger.warning(
                "%s captured requests were not written to s3://%s/%s: %s", len(lines), self._bucket, key, error
            )


def summary(config: dict[str, Any]) -> dict[str, Any]:
    """A DataCaptureConfig as DescribeEndpoint shows it."""
    return {
        "EnableCapture": config.get("EnableCapture", False),
        "CaptureStatus": "Started" if config.get("EnableCapture") else "Stopped",
        "CurrentSamplingPercentage": config["InitialSamplingPercentage"],
        "DestinationS3Uri": config["DestinationS3Uri"],
        "KmsKeyId": config.get("KmsKeyId", ""),
    }


def _encoded(data: bytes, content_type: str, headers: dict[str, list[str]]) -> tuple[str, str]:
    """The data as text and how: as it is for the content types that the configuration names, otherwise base64."""
    kind = content_type.partition(";")[0].strip().lower()
    for encoding, member in (("CSV", "CsvContentTypes"), ("JSON", "JsonContentTypes")):
        if kind in [named.lower() for named in headers.get(member, [])]:
            return data.decode("utf-8", "replace"), encoding
    return base64.b64encode(data).decode(), "BASE64"
