"""`automl cleanup` before it asks AWS, and when AWS refuses in the middle."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError

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
        ("automl-pipeline-1795475453-b8653242", True),
        ("automl-pipeline-1795475453-00000000", False),
        ("someone-elses-1795475453-b8653242", False),
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
