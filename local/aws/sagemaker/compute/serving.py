"""Model containers as endpoints and batch transform run them: one, or a chain of up to 15 (an inference pipeline)."""

from __future__ import annotations

import contextlib
import http.client
import queue
import socket
import threading
import time
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.aws.sagemaker.compute import images, storage
from local.aws.sagemaker.compute.outcome import JobFailedError
from local.aws.sagemaker.compute.process import Container, Log, start

START_TIMEOUT_SECONDS = 120.0
INVOCATION_TIMEOUT_SECONDS = 60.0
"""A container must answer InvokeEndpoint within a minute (API reference of InvokeEndpoint)."""

_MODEL_DIR = "/opt/ml/model"
_LOG_TAIL = 20
_END_SECONDS = 0.5


def contents_of(definitions: list[dict[str, Any]], s3: Any) -> tuple[list[Any], list[tuple[str, bytes | Path]]]:
    """What a model's containers are made of, as `reuse.key` takes it: image and environment of each, and the archives.

    Raises JobFailedError if an archive cannot be read.
    """
    containers = [
        [one["Image"], str(images.interpreter(one["Image"])), one.get("Environment") or {}] for one in definitions
    ]
    return containers, [
        (f"model {number}", storage.archive(s3, one["ModelDataUrl"])) for number, one in enumerate(definitions)
    ]


class ContainerFailedError(Exception):
    """A container did not start, ended, or did not answer; the message is SageMaker's sentence about it."""


@dataclass(frozen=True)
class Answer:
    """What the chain answers: of the last container, or of the first one that did not answer with 2xx."""

    status: int
    body: bytes
    content_type: str
    container: int = 1
    """Which container answered, counted from 1."""


class ContainerChain:
    """The containers of a model, each a process of its own, answering one after the other.

    Each gets the previous one's answer as its request, with that answer's content type. The client's Accept reaches the
    last one only: the others write what their SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT says. An answer that is not 2xx ends
    the chain (docs.aws.amazon.com/sagemaker/latest/dg/inference-pipelines.html).

    `containers` are ContainerDefinitions: Image, ModelDataUrl, Environment. Once `start`ed, `invoke` may be called from
    any number of threads. Use as a context manager, or `close` when done.
    """

    def __init__(self, containers: list[dict[str, Any]], *, s3: Any, workdir: Path, log: Log) -> None:
        self._servers = [
            _Server(
                definition, number, alone=len(containers) == 1, s3=s3, folder=workdir / f"container-{number}", log=log
            )
            for number, definition in enumerate(containers, start=1)
        ]

    def start(self, timeout: float = START_TIMEOUT_SECONDS) -> None:
        """Downloads the archives, starts every container at once and returns when all answer /ping with 200.

        Raises ContainerFailedError if one ends or does not answer in time, JobFailedError if an archive or image cannot be used;
        everything started is stopped then.
        """
        deadline = time.monotonic() + timeout
        with ThreadPoolExecutor(len(self._servers)) as pool:
            starts = [pool.submit(server.start, deadline) for server in self._servers]
            done, _ = wait(starts, return_when=FIRST_EXCEPTION)
            error = next((error for start in starts if start in done and (error := start.exception())), None)
            if error is not None:
                self.close()  # also those that still load, so that the first failure is reported at once
                raise error

    def invoke(
        self, body: bytes, content_type: str, accept: str | None = None, timeout: float = INVOCATION_TIMEOUT_SECONDS
    ) -> Answer:
        """Sends one request through the chain. Raises ContainerFailedError if a container is gone or takes too long."""
        answer = Answer(200, body, content_type)
        for server in self._servers:
            is_last = server is self._servers[-1]
            answer = server.invoke(answer.body, answer.content_type, accept if is_last else None, timeout)
            if not 200 <= answer.status < 300:
                break
        return answer

    def log_to(self, log: Log) -> None:
        """From now on lines go there."""
        for server in self._servers:
            server.log = log

    @property
    def alive(self) -> bool:
        """Whether all containers still run."""
        return all(server.alive for server in self._servers)

    def close(self) -> None:
        """Stops all containers; nothing of them is left running."""
        for server in self._servers:
            server.close()

    def __enter__(self) -> ContainerChain:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Server:
    """One model container: its process, and connections to it that are kept open between requests."""

    def __init__(
        self, definition: dict[str, Any], number: int, *, alone: bool, s3: Any, folder: Path, log: Log
    ) -> None:
        self._definition = definition
        self._number = number
        self._name = "primary" if alone else f"container-{number}"
        self._s3 = s3
        self._folder = folder
        self.log = log
        self._tail: list[str] = []
        self._container: Container | None = None
        self._port = 0
        self._idle: queue.SimpleQueue[http.client.HTTPConnection] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False

    def start(self, deadline: float) -> None:
        python = images.interpreter(self._definition["Image"])
        model = self._folder / "model"
        storage.extract_model(self._s3, self._definition["ModelDataUrl"], model)
        given = dict(self._definition.get("Environment") or {})
        submit_directory = given.get("SAGEMAKER_SUBMIT_DIRECTORY", f"{_MODEL_DIR}/code")
        program = given.get("SAGEMAKER_PROGRAM", "")
        if not program.endswith(".py"):
            raise JobFailedError(
                "ClientError: The container needs SAGEMAKER_PROGRAM, the name of a .py file, in its Environment."
            )
        environment = given | {
            "SAGEMAKER_PROGRAM": program,
            "SAGEMAKER_SUBMIT_DIRECTORY": submit_directory.replace(_MODEL_DIR, str(model), 1),
            "SM_MODEL_DIR": str(model),
            "PYTHONWARNINGS": "ignore",
        }
        with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
            self._port = listener.getsockname()[1]
            container = start(
                "serve.py",
                ["sagemaker-inference" if images.is_autopilot(self._definition["Image"]) else "sagemaker-containers"],
                python=python,
                environment=environment,
                folder=self._folder,
                log=self._read_line,
                listener=listener,
                needs_autogluon=images.is_autopilot(self._definition["Image"]),
            )
        with self._lock:
            self._container = container
            if self._closed:
                container.kill()
                raise ContainerFailedError("The container was stopped while it started.")
        self._ping(deadline)

    def _ping(self, deadline: float) -> None:
        """Waits for /ping: the listener accepts at once, and answers when the program has loaded its model."""
        remaining = max(0.1, deadline - time.monotonic())
        connection = self._connect(remaining)
        try:
            connection.request("GET", "/ping")
            response = connection.getresponse()
            response.read()
            if response.status == 200:
                self._idle.put(connection)
                return
        except (OSError, http.client.HTTPException):
            connection.close()
        if self._container is not None:
            self._container.kill()
        cause = next((line for line in reversed(self._tail) if line.strip()), "The container wrote nothing.")
        raise ContainerFailedError(
            f"The {self._name} container did not pass the ping health check. Please check CloudWatch logs for this "
            f"model. {cause}"
        )

    def invoke(self, body: bytes, content_type: str, accept: str | None, timeout: float) -> Answer:
        try:
            connection = self._idle.get_nowait()
        except queue.Empty:
            connection = self._connect(timeout)
        if connection.sock is not None:
            connection.sock.settimeout(timeout)
        headers = {"Content-Type": content_type}
        if accept:
            headers["Accept"] = accept
        try:
            connection.request("POST", "/invocations", body, headers)
            response = connection.getresponse()
            content = response.read()
        except TimeoutError as error:
            connection.close()
            raise ContainerFailedError(
                f"Your invocation timed out while waiting for a response from container {self._name}. Review the "
                "latency metrics for each container in Amazon CloudWatch, resolve the issue, and try again."
            ) from error
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            if self._container is not None:
                self._container.wait(_END_SECONDS)  # the connection closes a moment before the process has ended
            raise ContainerFailedError(
                f"Received server error (0) from {self._name}: the container ended or closed the connection."
            ) from error
        if response.will_close:
            connection.close()
        else:
            self._idle.put(connection)
        return Answer(response.status, content, response.getheader("Content-Type") or "", self._number)

    def _connect(self, timeout: float) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=timeout)
        with contextlib.suppress(OSError):
            connection.connect()
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def _read_line(self, line: str) -> None:
        self._tail = [*self._tail[1 - _LOG_TAIL :], line]
        self.log(f"[{self._name}] {line}")

    @property
    def alive(self) -> bool:
        return self._container is not None and self._container.wait(0) is None

    def close(self) -> None:
        with self._lock:
            self._closed = True
            container = self._container
        if container is not None:
            container.kill()
        while not self._idle.empty():
            with contextlib.suppress(queue.Empty):
                self._idle.get_nowait().close()
