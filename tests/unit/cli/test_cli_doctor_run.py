"""`automl doctor --run`: what a run shows of the checklist, and the report, from recorded executions."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from cli.doctor import checklist, trial
from cli.doctor.checklist import Evidence
from cli.doctor.finding import Finding
from cli.stack import Stack

from .conftest import Recording


def test_every_line_of_the_checklist_that_a_run_can_show_is_on_the_page_once() -> None:
    for start in checklist.SHOWN_BY:
        assert sum(one.text.startswith(start) for one in checklist.beliefs()) == 1, start
    assert len(checklist.beliefs()) == checklist.PAGE.read_text().count("- [ ] ")


def answers(evidence: Evidence) -> dict[str, str]:
    return {item.belief.text: item.answer for item in checklist.items(evidence)}


def of(found: dict[str, str], start: str) -> str:
    (answer,) = [answer for text, answer in found.items() if text.startswith(start)]
    return answer


def test_run_that_is_deployed_shows_what_it_came_through(deployed: Recording) -> None:
    found = answers(Evidence(deployed.finished(), {"KmsKeyArn": ""}, served_before=False))
    for start in ("Athena needs the three", "It takes `SAGEMAKER", "`ListModelPackages` is allowed"):
        assert of(found, start) == "seen"
    for start in ("With `KmsKeyArn`, grants", "The alarms of an update", "A scheduled start that is refused"):
        assert of(found, start) == "not shown"


def test_step_that_failed_is_pointed_at(failed: Recording, stack: Stack) -> None:
    finished = failed.finished()
    evidence = Evidence(finished, {}, served_before=False)
    assert "wrong" not in answers(evidence).values()  # no belief is about a feature group that does not exist
    events = [event for event in finished.events if event["type"] != "TaskStateExited"]
    failing = {
        "type": "PassStateExited",
        "stateExitedEventDetails": {"name": "x", "assignedVariables": {"failure": '{"state": "ExtractFeatures"}'}},
    }
    evidence = replace(evidence, finished=replace(finished, events=[*events, failing]))
    assert of(answers(evidence), "Athena needs the three") == "wrong"
    assert "**The run failed here.** Wrong if:" in trial.markdown(stack, "us-west-2", [], evidence)


def test_report_can_be_attached_to_an_issue(deployed: Recording, stack: Stack) -> None:
    finding = Finding("Credentials", "ok", "account 111122223333, arn:aws:iam::111122223333:user/me")
    text = trial.markdown(stack, "us-west-2", [finding], Evidence(deployed.finished(), {}, served_before=False))
    assert "- ok: Credentials: account ACCOUNT, arn:aws:iam::ACCOUNT:user/me" in text
    assert not re.search(r"\b[0-9]{12}\b", text)
    assert "It ended as SUCCEEDED, Deployed: Version 1 is registered" in text
    assert re.search(r"^\| AutoMLTraining \| [0-9]+ \| done \|$", text, re.MULTILINE)
    assert len(re.findall(r"^- \[x\] ", text, re.MULTILINE)) >= 10


@pytest.mark.parametrize("serves", [True, False])
def test_run_never_replaces_what_serves(stack: Stack, serves: bool) -> None:
    given = trial.given(stack, serves=serves)
    assert given["customer_id_end"] - stack.defaults()["customer_id_start"] < 2000
    assert given.get("model_approval_status") == ("PendingManualApproval" if serves else None)
