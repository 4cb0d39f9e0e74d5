"""Prints the AWS CLI lines of a command in place of running it: they are the calls that the command really makes.

What a command reads on its way is read, as later calls depend on it. The first call that would change something is
printed and not made, and nothing after it is known.
"""

from __future__ import annotations

import json
import os
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from botocore import xform_name
from botocore.model import OperationModel

_READING = ("Describe", "Get", "List", "Filter", "Head")
# Of answers in pages the AWS CLI asks for the later ones by itself.
_PAGES = ("NextToken", "nextToken", "ContinuationToken", "Marker")
_SERVICES = {"s3": "s3api"}


class Explained(Exception):  # noqa: N818 - it ends a command, as typer.Exit does
    """The command would now change something, or repeat itself."""


# What is asked more often is looked at until something has changed.
_MOST_LOOKS = 3

_lines: list[str] | None = None
_asked: Counter[str] = Counter()


@contextmanager
def explaining() -> Iterator[list[str]]:
    """Within it calls are noted, and only those that read are made. Gives the lines, which fill meanwhile."""
    global _lines  # noqa: PLW0603
    _lines = []
    _asked.clear()
    try:
        yield _lines
    except Explained:
        pass
    finally:
        _lines = None


def attach(client: Any) -> None:
    """Have a new boto3 client note its calls, if a command is being explained."""
    if _lines is not None:
        client.meta.events.register(
            "provide-client-params.*.*",
            lambda params, model, **_: _note(params, model, client.meta.region_name),
        )


def _note(params: Mapping[str, Any], model: OperationModel, region: str) -> None:
    assert _lines is not None
    line = command_line(params, model, region)
    reading = str(model.name).startswith(_READING)
    if not any(token in params for token in _PAGES):
        _asked[line] += 1
    if line not in _lines:
        _lines.append(line)
    if not reading or _asked[line] > _MOST_LOOKS:
        raise Explained


def command_line(params: Mapping[str, Any], model: OperationModel, region: str) -> str:
    """A call as the AWS CLI makes it. Its binary input is a file, its binary answer goes into one."""
    service = model.service_model.service_name
    words = ["aws", _SERVICES.get(service, service), xform_name(model.name, "-")]
    shapes: dict[str, Any] = getattr(model.input_shape, "members", {})
    for name, value in params.items():
        if name not in _PAGES:
            words += _option(f"--{xform_name(name, '-')}", value, shapes[name].type_name)
    words += ["--region", region]
    if profile := os.environ.get("AWS_PROFILE"):
        words += ["--profile", profile]
    if model.has_streaming_output:
        words.append(str(params.get("Key", "answer")).rsplit("/", 1)[-1])
    return shlex.join(words)


def _option(option: str, value: Any, kind: str) -> list[str]:
    if kind == "boolean":
        return [option if value else option.replace("--", "--no-", 1)]
    if kind == "blob":
        return [option, "fileb://FILE"]
    if isinstance(value, datetime):
        return [option, value.isoformat()]
    return [option, json.dumps(value, default=str) if isinstance(value, dict | list | tuple) else str(value)]
