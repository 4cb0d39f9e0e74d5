"""The containers of one endpoint configuration. A fleet that is replaced answers what it has begun, then ends."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from local.aws.sagemaker import models
from local.aws.sagemaker.capture import Capture
from local.aws.sagemaker.compute.serving import Answer, ContainerChain
from local.aws.sagemaker.compute.warm import WarmContainers
from local.aws.sagemaker.logs import LogStream
from local.server import sessions

WARM = WarmContainers()
"""Containers of fleets that ended, where the local cloud reuses what it computed."""


class Fleet:
    """The running containers of one endpoint configuration."""

    def __init__(self, endpoint: str, config: dict[str, Any], folder: Path):
        self.config = config
        self.variant: dict[str, Any] = config["ProductionVariants"][0]
        self.identity = (endpoint, self.variant["VariantName"], config["EndpointConfigName"])
        """Endpoint, variant and configuration."""
        model = models.find(self.variant["ModelName"])
        self._folder = folder
        self._log = LogStream(
            f"/aws/sagemaker/Endpoints/{endpoint}", f"{self.variant['VariantName']}/{config['EndpointConfigName']}"
        )
        self._s3 = sessions.client("s3", model["ExecutionRoleArn"])
        self._containers = models.containers(model)
        self._chain: ContainerChain | None = None
        capture = config.get("DataCaptureConfig") or {}
        self.capture: Capture | None = None
        if capture.get("EnableCapture"):
            self.capture = Capture(capture, endpoint, self.variant["VariantName"], model["ExecutionRoleArn"])
        self._answering = 0
        self._idle = threading.Condition()

    def start(self) -> None:
        """Start the containers; returns when they answer. Raises ContainerFailedError or JobFailedError."""
        self._chain = WARM.start(self._containers, s3=self._s3, folder=self._folder, log=self._log)

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        try:
            yield
        finally:
            with self._idle:
                self._answering -= 1
                self._idle.notify_all()

    def begin(self) -> contextlib.AbstractContextManager[None]:
        """Count a request that is about to be made; leave the context when it is answered."""
        with self._idle:
            self._answering += 1
        return self._counted()

    def invoke(self, body: bytes, content_type: str, accept: str | None) -> Answer:
        """One request through the containers, between `begin` and its end."""
        assert self._chain is not None, "nothing is routed to a fleet before it has started"
        return self._chain.invoke(body, content_type, accept)

    def close(self, patience: float = 60.0) -> None:
        """End the containers when nothing is being answered any more, or after `patience` seconds."""
        with self._idle:
            answered = self._idle.wait_for(lambda: self._answering == 0, patience)
        if self._chain:
            WARM.give_back(self._chain, answered)
        if self.capture:
            self.capture.close()
        self._log.close()
