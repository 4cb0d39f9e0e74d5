"""Model cards of the local SageMaker: created once, found by name, listed and deleted; content must be JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from local.aws.api_model import ApiError
from local.aws.sagemaker import handler
from local.aws.sagemaker.state import STATE

CARD = {"ModelCardName": "p-r1", "ModelCardStatus": "Draft", "Content": json.dumps({"model_overview": {}})}


@pytest.fixture(autouse=True)
def _no_cards() -> Iterator[None]:
    STATE.model_cards.clear()
    yield
    STATE.model_cards.clear()


def ask(operation: str, **request: Any) -> dict[str, Any]:
    return handler._operate(operation, request)


def test_a_card_is_what_was_created() -> None:
    arn = ask("CreateModelCard", **CARD, Tags=[{"Key": "automl:run", "Value": "r1"}])["ModelCardArn"]
    described = ask("DescribeModelCard", ModelCardName="p-r1")
    assert CARD.items() <= described.items()
    assert (described["ModelCardArn"], described["ModelCardVersion"]) == (arn, 1)
    assert ask("ListTags", ResourceArn=arn) == {"Tags": [{"Key": "automl:run", "Value": "r1"}]}


def test_a_second_one_of_the_name_is_a_conflict() -> None:
    ask("CreateModelCard", **CARD)
    with pytest.raises(ApiError) as refused:
        ask("CreateModelCard", **CARD)
    assert refused.value.code == "ConflictException"


@pytest.mark.parametrize("content", ["", "no JSON", "[]"])
def test_content_must_be_an_object(content: str) -> None:
    with pytest.raises(ApiError, match="not a JSON object"):
        ask("CreateModelCard", **CARD | {"Content": content})


def test_cards_are_listed_by_part_of_the_name_and_deleted() -> None:
    for name in ("p-r1", "p-r2", "q-r1"):
        ask("CreateModelCard", **CARD | {"ModelCardName": name})
    listed = ask("ListModelCards", NameContains="p-r")["ModelCardSummaries"]
    assert {card["ModelCardName"] for card in listed} == {"p-r1", "p-r2"}
    ask("DeleteModelCard", ModelCardName="p-r1")
    with pytest.raises(ApiError) as gone:
        ask("DescribeModelCard", ModelCardName="p-r1")
    assert gone.value.code == "ResourceNotFound"
