"""Puts the project's handlers, checks and engines into MiniStack. Called once, before the server serves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.server import unused_services
from local.server.state import StateDirectory


class InvalidFaultsError(Exception):
    """The faults file cannot be read; the message says why."""


@dataclass(frozen=True)
class Installed:
    """The ASGI application, and what to call before the process ends."""

    app: Callable[..., Any]
    shutdown: Callable[[], None]


def install(state: StateDirectory, endpoint_url: str, faults: Path | None, wait_scale: float) -> Installed:
    """Import MiniStack (its environment must be set) and give it what it lacks. Raises InvalidFaultsError.

    Called within the event loop that serves.
    """
    from local.aws import faults as fault_rules

    try:  # before the imports, which take seconds
        rules = fault_rules.load(faults)
    except (OSError, ValueError) as error:
        raise InvalidFaultsError(f"{faults}: {error}") from error

    unused_services.install()
    from ministack import app as ministack_app

    from local.aws import api_model, routing
    from local.aws.applicationautoscaling import handler as autoscaling
    from local.aws.athena import handler as athena
    from local.aws.awslambda import runtime as awslambda
    from local.aws.cloudformation import stacks
    from local.aws.cloudwatch import alarms
    from local.aws.events import targets
    from local.aws.iam import roles
    from local.aws.pricing import handler as pricing
    from local.aws.s3 import objects
    from local.aws.sagemaker import handler as sagemaker
    from local.aws.sns import outbox
    from local.aws.stepfunctions import engine
    from local.server import in_process, sessions

    sessions.configure(endpoint_url, in_process.Session(ministack_app.app, asyncio.get_running_loop()))
    routing.install()
    api_model.install()
    objects.install(state.folder("tmp"))
    awslambda.install()
    roles.install()
    outbox.install(state.folder("outbox"))
    targets.install()
    stacks.install()
    alarms.install(wait_scale)
    athena.install()
    autoscaling.install()
    pricing.install()
    sagemaker.install(state.folder("sagemaker"), rules, wait_scale)
    engine.install(wait_scale=wait_scale)

    def shutdown() -> None:
        sagemaker.shutdown()
        awslambda.shutdown()

    return Installed(ministack_app.app, shutdown)
