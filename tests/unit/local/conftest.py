"""One local cloud with the sample stack, for all tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.build import deploy
from local.server import clients, process

SAMPLE = Path(__file__).parent / "sample" / "template.yaml"

ClientFor = Callable[[Any], Any]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[process.Server]:
    """A running server with a state directory of its own."""
    with process.running(state=tmp_path_factory.mktemp("state") / "server") as running:
        yield running


@pytest.fixture(scope="session")
def client(server: process.Server) -> ClientFor:
    """Makes boto3 clients of the account's root user."""
    return lambda service: clients.client(server.endpoint_url, service)


@pytest.fixture(scope="session")
def stack(server: process.Server) -> deploy.Stack:
    """The sample stack, deployed."""
    return deploy.deploy(server.endpoint_url, "sample", template=SAMPLE)
