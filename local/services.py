"""Puts the project's handlers, checks and engines into MiniStack. Called once, before the server serves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.state import StateDirectory


class InvalidFaults(Exception):
    """The faults file cannot be read; the message says why."""


@dataclass(frozen=True)
class Installed:
    """The ASGI application, and what to call before the process ends."""

    app: Callable[..., Any]
    shutdown: Callable[[], None]


def install(state: StateDirectory, endpoint_url: str, faults: Path | None, wait_scale: float) -> Installed:
    """Import MiniStack (its environment must be set) and give it what it lacks. Raises InvalidFaults."""
    from ministack import app as ministack_app

    from local import (
        athena,
        autoscaling,
        cloudformation,
        cloudwatch,
        events,
        iam_roles,
        lambda_runtime,
        mail,
        objects,
        sagemaker,
        sessions,
        stepfunctions,
    )
    from local import faults as fault_rules

    try:
        rules = fault_rules.load(faults) if faults else fault_rules.load(None)
    except (OSError, ValueError) as error:
        raise InvalidFaults(f"{faults}: {error}") from error
    sessions.configure(endpoint_url)
    objects.install()
    lambda_runtime.install()
    iam_roles.install()
    mail.install(state.folder("outbox"))
    events.install()
    cloudformation.install()
    cloudwatch.install(wait_scale)
    athena.install()
    autoscaling.install()
    sagemaker.install(state.folder("sagemaker"), rules, wait_scale)
    stepfunctions.install(wait_scale=wait_scale)

    def shutdown() -> None:
        sagemaker.shutdown()
        lambda_runtime.shutdown()

    return Installed(ministack_app.app, shutdown)
