"""An endpoint behind AWS's own protocols, with the real preprocess container and a model that can be computed by hand.

Its last container answers `Yes` where the first feature is over 10, with the sum of a row's numbers as the probability of
that and twice as much as the other class's, in the form of Autopilot's.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[3] / "processing"))

import encoding
import inference

SPECIFICATION: dict[str, Any] = {
    "format": 1,
    "problem_type": "BinaryClassification",
    "columns": ["customer_id", "tenure", "plan", "churn"],
    "dropped_columns": {"ids_and_metadata": ["customer_id"], "without_values": []},
    "features": [
        {"name": "tenure", "kind": "numeric", "median": 28.0},
        {"name": "plan", "kind": "categorical", "categories": ["One year", "Two\nyears", "x,y"]},
    ],
}
# Of one request: the status and body to answer with instead, or None
Fault = Callable[[bytes], "tuple[int, str] | None"]


class Endpoint:
    """What is served, and what has been asked. `version` is the model's in the registry."""

    def __init__(self) -> None:
        self.version, self.changes, self.status, self.pending = 3, 0, "InService", False
        self.specification = SPECIFICATION
        self.metadata: dict[str, str] = {}
        self.faults: list[Fault] = []
        self.bodies: list[bytes] = []
        self.after_answer: Callable[[], object] = lambda: None

    def deploy(self, version: int) -> None:
        """Another version takes the place of the one that serves."""
        self.version, self.changes = version, self.changes + 1

    def operation(self, name: str, asked: dict[str, Any]) -> dict[str, Any]:
        region = "arn:aws:sagemaker:us-west-2:000000000000:"
        package = f"{region}model-package/group/{self.version}"
        if name == "DescribeEndpoint":
            return {
                "EndpointName": asked["EndpointName"], "EndpointArn": f"{region}endpoint/{asked['EndpointName']}",
                "EndpointConfigName": f"config-v{self.version}", "EndpointStatus": self.status,
                "CreationTime": 1.0, "LastModifiedTime": 1.0 + self.changes,
                **({"PendingDeploymentSummary": {"EndpointConfigName": "next"}} if self.pending else {}),
            }  # fmt: skip
        if name == "DescribeEndpointConfig":
            return {"ProductionVariants": [{"VariantName": "v", "ModelName": "m"}]}
        if name == "DescribeModel":
            return {"ModelName": "m", "Containers": [{"ModelPackageName": package}]}
        archive = f"s3://bucket/mlops/automl_training/runs/run-{self.version}/preprocessing/model.tar.gz"
        return {
            "ModelPackageArn": package,
            "CustomerMetadataProperties": self.metadata,
            "InferenceSpecification": {"Containers": [{"Image": "i", "ModelDataUrl": archive}]},
        }

    def invoke(self, body: bytes, content_type: str) -> tuple[int, str]:
        self.bodies.append(body)
        for fault in self.faults:
            if (said := fault(body)) is not None:
                return said
        try:
            encoded = inference.encode(encoding.Encoder(self.specification), body, content_type).decode()
        except inference.BadRequestError as refused:
            return 424, json.dumps({"OriginalStatusCode": 400, "OriginalMessage": str(refused), "Message": "no"})
        rows = [[float(cell) for cell in line.split(",")] for line in encoded.splitlines()]
        answer = "".join(line(label(row[0], self.version), sum(row), self.version) for row in rows)
        self.after_answer()
        return 200, answer


def label(tenure: float, version: int = 3) -> str:
    """What the model says; from version 4 on it says it otherwise."""
    return ("Yes" if tenure > 10 else "No") if version < 4 else ("Ja" if tenure > 10 else "Nein")


def line(predicted: str, number: float, version: int = 3) -> str:
    """An answer as Autopilot's program writes it."""
    classes = [label(0, version), label(11, version)]
    numbers = [number if one == predicted else 2 * number for one in classes]
    return f'{predicted},"{numbers}","{classes}"\n'


@contextmanager
def serving(endpoint: Endpoint) -> Iterator[str]:
    """Serves on a free port. Yields the address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else an answer waits 40 ms for the acknowledgement of its own headers

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path.endswith("/invocations"):
                status, text = endpoint.invoke(body, self.headers["Content-Type"])
                kinds = {424: "ModelError", 400: "ThrottlingException", 503: "ServiceUnavailable"}
                self._answer(status, text.encode(), {"x-amzn-errortype": kinds[status]} if status in kinds else {})
            else:
                name = self.headers["X-Amz-Target"].rpartition(".")[2]
                self._answer(200, json.dumps(endpoint.operation(name, json.loads(body))).encode())

        def do_GET(self) -> None:
            key = self.path.partition("?")[0]
            if key == f"/bucket/mlops/automl_training/runs/run-{endpoint.version}/preprocessing/preprocessing.json":
                self._answer(200, json.dumps(endpoint.specification).encode())
            else:
                self._answer(404, b"<Error><Code>NoSuchKey</Code><Message>There is none.</Message></Error>")

        def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()  # seconds until it sees its end
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
