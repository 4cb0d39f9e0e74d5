"""Checks a request against botocore's own model of an API: what AWS would refuse, the local cloud refuses, in AWS's words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Any

import regex
from botocore.exceptions import UnknownServiceError

from local.server.sessions import session

_MOST_SHOWN = 200


class ApiError(Exception):
    """An answer that is an error: its code (ValidationException), its sentence, its HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400):
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


@cache
def service_model(service: str) -> Any:
    """botocore's model of a service."""
    return session.get_service_model(service)


def install() -> None:
    """Have MiniStack use these models. It reads one from the disk for each of three purposes, two of them in new sessions."""
    from ministack.core import iam_actions, responses

    from local.aws import ministack_patches

    names = responses._BOTOCORE_NAME
    ministack_patches.replace(responses, "_service_model", lambda service: _known(names.get(service, service)))
    ministack_patches.replace(
        iam_actions, "_load_botocore_model", lambda name: session.get_service_data(name) if _known(name) else {}
    )


@cache
def _known(service: str) -> Any:
    try:
        return service_model(service)
    except UnknownServiceError:
        return None


def check(service: str, operation: str, request: Any) -> None:
    """Raises ApiError (ValidationException) that names every field the model does not allow."""
    found = problems(service, operation, request)
    if found:
        many = "error" if len(found) == 1 else "errors"
        raise ApiError("ValidationException", f"{len(found)} validation {many} detected: {'; '.join(found)}")


def problems(service: str, operation: str, request: Any) -> list[str]:
    """Everything in a request (as JSON values) that the model of the operation does not allow, a sentence each."""
    shape = service_model(service).operation_model(operation).input_shape
    if shape is None:
        return []
    return list(_problems(request, shape, ""))


def _problems(value: Any, shape: Any, path: str) -> Iterator[str]:
    kind = shape.type_name
    if _is_of_another_type(value, kind):
        yield f"{_value(value)} at '{path}' failed to satisfy constraint: Member must be a {kind}"
        return
    if kind == "structure":
        yield from _structure_problems(value, shape, path)
    elif kind == "list":
        yield from _range_problems(len(value), value, shape.metadata, path, "have length")
        for number, inner in enumerate(value, 1):
            yield from _problems(inner, shape.member, f"{path}.{number}.member")
    elif kind == "map":
        yield from _range_problems(len(value), value, shape.metadata, path, "have length")
        for key, inner in value.items():
            yield from _problems(key, shape.key, f"{path}.key")
            yield from _problems(inner, shape.value, f"{path}.{key}")
    elif kind == "string":
        yield from _text_problems(value, shape, path)
    elif kind in ("integer", "long", "float", "double"):
        yield from _range_problems(value, value, shape.metadata, path, "have value")


def _is_of_another_type(value: Any, kind: str) -> bool:
    wanted = _TYPES.get(kind)
    return wanted is not None and (not isinstance(value, wanted) or (isinstance(value, bool) and kind != "boolean"))


def _structure_problems(value: dict[str, Any], shape: Any, path: str) -> Iterator[str]:
    for name in shape.required_members:
        if value.get(name) is None:
            yield f"Value null at '{_join(path, name)}' failed to satisfy constraint: Member must not be null"
    for name, inner in value.items():
        if name not in shape.members:
            yield f"{_value(inner)} at '{_join(path, name)}' failed to satisfy constraint: Member must be one of the operation's parameters"
        elif inner is not None:
            yield from _problems(inner, shape.members[name], _join(path, name))


def _text_problems(value: str, shape: Any, path: str) -> Iterator[str]:
    start = f"{_value(value)} at '{path}' failed to satisfy constraint: Member must"
    if shape.enum and value not in shape.enum:
        yield f"{start} satisfy enum value set: [{', '.join(shape.enum)}]"
    yield from _range_problems(len(value), value, shape.metadata, path, "have length")
    pattern = shape.metadata.get("pattern")
    if pattern and not _compiled(pattern).fullmatch(value):
        yield f"{start} satisfy regular expression pattern: {pattern}"


def _range_problems(size: Any, value: Any, metadata: dict[str, Any], path: str, verb: str) -> Iterator[str]:
    start = f"{_value(value)} at '{path}' failed to satisfy constraint: Member must {verb}"
    if "min" in metadata and size < metadata["min"]:
        yield f"{start} greater than or equal to {metadata['min']}"
    if "max" in metadata and size > metadata["max"]:
        yield f"{start} less than or equal to {metadata['max']}"


@cache
def _compiled(pattern: str) -> Any:
    # Patterns are Java's: classes such as \p{L}, which `re` does not know, and astral characters as surrogate pairs.
    return regex.compile(pattern.replace(r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF"), regex.V0)


_TYPES: dict[str, Any] = {
    "structure": dict,
    "list": list,
    "map": dict,
    "string": str,
    "boolean": bool,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
}


def _join(path: str, name: str) -> str:
    lower = name[:1].lower() + name[1:]
    return f"{path}.{lower}" if path else lower


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return f"Value '{text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + '...'}'"


def to_json(answer: Any) -> bytes:
    """An answer as the JSON protocol writes it: times as seconds, members without a value left out."""
    return json.dumps(_plain(answer)).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return round(value.timestamp(), 3)
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value
