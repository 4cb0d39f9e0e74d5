"""Every operation of the local cloud's SageMaker refuses what AWS would, and names the field: generated from AWS's model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from local.aws import api_model
from local.aws.api_model import ApiError
from local.aws.sagemaker import handler

MODEL = api_model.service_model("sagemaker")


def smallest(shape: Any, depth: int = 0) -> Any:
    """A value that is not refused, if its members are not looked at too closely."""
    kind = shape.type_name
    if kind == "structure":
        return {name: smallest(shape.members[name], depth + 1) for name in shape.required_members}
    if kind == "list":
        return [smallest(shape.member, depth + 1)] * max(1, shape.metadata.get("min", 0))
    if kind == "map":
        return {}
    if kind == "string":
        return shape.enum[0] if shape.enum else "a" * max(1, shape.metadata.get("min", 1))
    return {"boolean": True, "integer": 1, "long": 1, "float": 1.0, "double": 1.0}.get(kind, 0)


def bad_fields() -> Iterator[tuple[str, str, Any]]:
    """Operation, member of its request, a value for it that AWS refuses (None: leave it out)."""
    for operation in sorted(handler.OPERATIONS):
        shape = MODEL.operation_model(operation).input_shape
        for name, member in shape.members.items():
            if name in shape.required_members:
                yield operation, name, None
            if member.type_name == "string":
                if member.enum:
                    yield operation, name, "NotOneOfThem"
                if "max" in member.metadata:
                    yield operation, name, "a" * (member.metadata["max"] + 1)
                if "pattern" in member.metadata and not api_model._compiled(member.metadata["pattern"]).fullmatch(
                    "\n!"
                ):
                    yield operation, name, "\n!"
            elif member.type_name in ("structure", "list", "map", "integer", "boolean"):
                yield operation, name, "a text"
        yield operation, "NoSuchMember", "x"


@pytest.mark.parametrize(
    ("operation", "name", "value"),
    [pytest.param(*case, id=f"{case[0]}-{case[1]}-{number}") for number, case in enumerate(bad_fields())],
)
def test_refused_naming_the_field(operation: str, name: str, value: Any) -> None:
    request = smallest(MODEL.operation_model(operation).input_shape)
    request.pop(name, None)
    if value is not None:
        request[name] = value
    with pytest.raises(ApiError) as refused:
        handler._operate(operation, request)
    assert refused.value.code == "ValidationException"
    assert f"'{name[0].lower()}{name[1:]}'" in refused.value.message


def test_all_problems_are_named_at_once() -> None:
    with pytest.raises(ApiError) as refused:
        handler._operate("CreateEndpoint", {"EndpointName": "under_score"})
    assert refused.value.message.startswith("2 validation errors detected: ")
    assert "'endpointConfigName'" in refused.value.message


def test_characters_outside_the_basic_plane_are_read_as_java_does() -> None:
    request = {"QueryString": "SELECT 1", "QueryExecutionContext": {"Catalog": "AwsData😀Catalog"}}
    assert api_model.problems("athena", "StartQueryExecution", request) == []
