"""`automl cleanup` before it asks AWS, and when AWS refuses in the middle."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from cli import cleanup, run_folders
from cli.stack import RefusedError, Stack


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (cleanup.Wanted(), "--endpoint, --registry, --runs"),
        (cleanup.Wanted(keep=3), "--runs"),
        (cleanup.Wanted(endpoint=True, older_than=3), "--keep and --older-than choose runs: give --runs, too."),
        (cleanup.Wanted(runs=True, everything=True), "--all removes every run."),
    ],
)
def test_what_does_not_go_together_is_refused(stack: Stack, wanted: cleanup.Wanted, said: str) -> None:
    with pytest.raises(RefusedError, match=said):
        cleanup.plan(stack, wanted)


def refusing(code: str, message: str) -> Callable[[], None]:
    def remove() -> None:
        raise ClientError({"Error": {"Code": code, "Message": message}}, "Delete")

    return remove


def test_failure_is_reported_and_the_rest_is_removed() -> None:
    removed: list[str] = []
    steps = [
        cleanup.Step("model a", refusing("AccessDeniedException", "not authorized")),
        cleanup.Step("model b", refusing("ValidationException", 'Could not find model "b".')),
        cleanup.Step("model c", lambda: removed.append("c")),
    ]
    said: list[str] = []
    left = cleanup.carry_out(cleanup.Plan(steps), said.append)
    assert removed == ["c"]
    assert left == ["model a: not authorized"]
    assert said == ["Gone already: model b", "Removed model c"]


@pytest.mark.parametrize(
    ("model", "goes"),
    [
        ("automl-pipeline-1795475453-b8653242-0", True),
        ("automl-pipeline-1795475453-b8653242-12", True),
        ("automl-pipeline-1795475453-b8653242", False),
        ("automl-pipeline-1795475453-00000000-0", False),
        ("someone-elses-1795475453-b8653242-0", False),
        ("payments", False),
    ],
)
def test_only_a_model_with_a_name_of_this_run_is_removed(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, model: str, goes: bool
) -> None:
    """The name comes from a file in the bucket, which others may write, too."""
    stack.outputs["ProjectName"] = "automl-pipeline"
    monkeypatch.setattr(run_folders, "model_of", lambda _: model)
    monkeypatch.setattr(cleanup, "client", lambda _: None)
    found = cleanup.Plan()
    cleanup._plan_model(stack, run_folders.Run("20261123-231053-b8653242", "bucket", "runs/x/"), found)
    assert ([step.what for step in found.steps], len(found.kept)) == (
        ([f"model {model} of run 20261123-231053-b8653242"], 0) if goes else ([], 1)
    )


@pytest.mark.parametrize(
    ("cards", "goes"),
    [
        (["automl-pipeline-20261123-231053-b8653242"], True),
        (["another-automl-pipeline-20261123-231053-b8653242"], False),
        ([], False),
    ],
)
def test_the_model_card_of_the_run_is_removed(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, cards: list[str], goes: bool
) -> None:
    stack.outputs["ProjectName"] = "automl-pipeline"
    sagemaker = boto3.client("sagemaker", region_name="us-west-2", aws_access_key_id="x", aws_secret_access_key="x")
    monkeypatch.setattr(cleanup, "client", lambda _: sagemaker)
    name, now = "automl-pipeline-20261123-231053-b8653242", datetime.now(UTC)
    arn = "arn:aws:sagemaker:us-west-2:000000000000:model-card/x"
    summaries = [
        {"ModelCardName": card, "ModelCardArn": arn, "ModelCardStatus": "Draft", "CreationTime": now} for card in cards
    ]
    found = cleanup.Plan()
    with Stubber(sagemaker) as stubber:
        stubber.add_response("list_model_cards", {"ModelCardSummaries": summaries}, {"NameContains": name})
        cleanup._plan_card(stack, run_folders.Run("20261123-231053-b8653242", "bucket", "runs/x/"), found)
        assert [step.what for step in found.steps] == ["model card of run 20261123-231053-b8653242"] * goes
        if goes:
            stubber.add_response("delete_model_card", {}, {"ModelCardName": name})
            found.steps[0].remove()
        stubber.assert_no_pending_responses()
