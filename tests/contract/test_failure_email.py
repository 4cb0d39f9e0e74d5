"""What the email of a failure says, as the failure machine's own expressions put it."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import pytest
import typer

from cli.main import app
from cli.steps import STEPS, WAITING, states_of, step_of_states
from local.aws.stepfunctions import expressions
from local.server import paths
from tests.contract import machines

RUNBOOK = (paths.PROJECT / "docs" / "runbook.md").read_text(encoding="utf-8")
DEPLOYED = {
    "StackName": "churn-prod",
    "AccountId": "111122223333",
    "Region": "eu-central-1",
    "Options": "--stack-name churn-prod --region eu-central-1",
    "PipelineName": "churn",
    "EndpointName": "churn",
    "BucketName": "bucket",
    "Prefix": "prefix",
    "PrepareRunLogGroup": "/aws/lambda/churn-prod-prepare-run",
    "EvaluateModelLogGroup": "/aws/lambda/churn-prod-evaluate-model",
    "MachineLogGroup": "/aws/vendedlogs/states/churn-prod",
    "ConsoleLinks": "true",
    "ConsoleDomain": "aws.amazon.com",
    "RunbookUrl": "https://example.com/runbook/",
    "FailureTopicArn": "arn:aws:sns:eu-central-1:111122223333:topic",
    "Partition": "aws",
}
STATES = "arn:aws:states:eu-central-1:111122223333"
KNOWN_STATES = machines.source("failure")["States"]["ReadFailure"]["Assign"]["known_states"]
ADVICE = machines.source("failure")["States"]["ReadFailure"]["Assign"]["advice"]


def email(given: dict[str, Any], **deployed: str) -> tuple[str, str]:
    """Subject and text for an input of the machine, where nothing was left running."""
    states = machines.deployed("failure", DEPLOYED | deployed)["States"]
    variables: dict[str, Any] = {}
    name = "ReadFailure"
    while name != "NotifyFailure":
        state, scope = states[name], {**variables, "states": {"input": given}}
        rule = state
        if state["Type"] == "Choice":
            rules = [rule for rule in state["Choices"] if _evaluated(rule["Condition"], scope)]
            rule = rules[0] if rules else {"Next": state["Default"]}
        variables |= _evaluated(rule.get("Assign", {}), scope)
        name = rule["Next"]
        # Its jobs are not the concern of these tests.
        name = "WriteEmail" if name == "StopAutoMLJob" else name
    arguments = _evaluated(states[name]["Arguments"], variables)
    return arguments["Subject"], arguments["Message"]


def _evaluated(value: Any, scope: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        return {key: _evaluated(inner, scope) for key, inner in value.items()}
    if isinstance(value, list):
        return [_evaluated(inner, scope) for inner in value]
    if isinstance(value, str) and value.startswith("{%"):
        return expressions.evaluate(value[2:-2], scope)
    return value


def reported(state: str, error: str, cause: str = "because", machine: str = "churn") -> dict[str, Any]:
    """What a machine gives to the failure machine."""
    failure = {"state": state, "error": error, "cause": cause}
    return {
        "execution": f"{STATES}:execution:{machine}:night",
        "started": "2026-11-25T07:00:00.123Z",
        "failure": failure,
    }


def event(machine: str, status: str) -> dict[str, Any]:
    """What EventBridge gives to it."""
    return {
        "detail": {
            "executionArn": f"{STATES}:execution:{machine}:night",
            "stateMachineArn": f"{STATES}:stateMachine:{machine}",
            "status": status,
            "startDate": 1795467600123,
            "input": "{}",
            "error": None,
            "cause": None,
        }
    }


SITUATIONS = [
    *(reported(state, "SageMaker.SageMakerException") for state in KNOWN_STATES),
    reported("CheckApproved", "PackageNotApproved", machine="churn-deployment"),
    event("churn", "ABORTED"),
    event("churn", "TIMED_OUT"),
    event("churn-deployment", "ABORTED"),
]


def test_every_state_that_reports_its_failure_is_known_with_its_step() -> None:
    """A wait for capacity reports the failure of the state that waits."""
    states = states_of(machines.source("training"))
    waits = {name for name in states if step_of_states()[name] == WAITING}
    reporting = {
        name for name, state in states.items() if waits.union(["ReportFailure"]) & set(machines.targets(state))
    }
    steps = {name: step_of_states()[name] for name in reporting - waits}
    assert {name: known["step"] for name, known in KNOWN_STATES.items()} == steps


@pytest.mark.parametrize("given", SITUATIONS, ids=str)
def test_first_line_says_which_stack_account_region_and_step(given: dict[str, Any]) -> None:
    first = email(given)[1].splitlines()[0]
    assert first.startswith("Stack churn-prod, account 111122223333, region eu-central-1: ")
    assert any(word in first for word in (*STEPS, "a training run"))


@pytest.mark.parametrize("given", SITUATIONS, ids=str)
def test_commands_of_automl_can_be_typed_as_they_are(given: dict[str, Any]) -> None:
    commands = re.findall(r":  +automl (.*)$", email(given)[1], re.MULTILINE)
    assert len(commands) >= 2
    for command in commands:
        name, *arguments = shlex.split(command)
        found = typer.main.get_command(app).commands[name]  # pyright: ignore[reportAttributeAccessIssue]
        assert found.make_context(name, arguments).params["stack_name"] == "churn-prod"


@pytest.mark.parametrize("given", SITUATIONS, ids=str)
def test_runbook_has_the_section_that_is_linked(given: dict[str, Any]) -> None:
    found = re.search(r"^Runbook: https://example.com/runbook/#(\S+)$", email(given)[1], re.MULTILINE)
    sections = [re.sub(r"[^a-z -]", "", line[3:].lower()).replace(" ", "-") for line in RUNBOOK.splitlines()]
    assert found
    assert found[1] in sections


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("ExtractFeatures", "No version was registered by this run."),
        ("EvaluateModel", "No version was registered by this run."),
        ("RegisterModel", "A version may be registered."),
        ("PointToLatest", "The version is registered."),
        ("DeployEndpoint", "The version is registered."),
    ],
)
def test_email_says_whether_a_version_was_registered(state: str, said: str) -> None:
    assert f"\nModel: {said}" in email(reported(state, "x"))[1]


def test_a_change_of_the_endpoint_continues_only_if_the_deployment_was_interrupted() -> None:
    continues = "A change of the endpoint that had begun continues."
    assert continues in email(event("churn-deployment", "ABORTED"))[1]
    assert continues not in email(reported("CheckAnswer", "SmokeTestFailed", machine="churn-deployment"))[1]


def test_feature_group_that_does_not_exist_names_its_setting() -> None:
    text = email(reported("DescribeFeatureGroup", "SageMaker.ResourceNotFoundException"))[1]
    assert "What to do: Correct feature_group_name" in text


def test_advice_follows_from_the_reason_before_the_step() -> None:
    denied = json.dumps({"errorMessage": "User x is not authorized to perform: s3:PutObject"})
    assert "What to do: Give the role" in email(reported("PrepareRun", "ClientError", denied))[1]


@pytest.mark.parametrize(("status", "said"), [("ABORTED", "was aborted"), ("TIMED_OUT", "timed out")])
@pytest.mark.parametrize("machine", ["churn", "churn-deployment"])
def test_an_interrupted_execution_of_either_machine_is_explained_as_one(machine: str, status: str, said: str) -> None:
    text = email(event(machine, status))[1]
    assert text.splitlines()[0].endswith(f"{said}.")
    error = {"ABORTED": "Aborted", "TIMED_OUT": "TimedOut"}[status]
    assert f"What to do: {next(row['do'] for row in ADVICE if row.get('error') == error)}\n" in text
    assert "#aborted-timedout\n" in text


@pytest.mark.parametrize("row", ADVICE, ids=lambda row: f"{row.get('step')}-{row.get('error')}-{row.get('says')}")
def test_every_piece_of_advice_is_given(row: dict[str, str]) -> None:
    """None is hidden by one before it."""
    state = next((name for name, known in KNOWN_STATES.items() if known["step"] == row.get("step")), "PreprocessData")
    if row.get("error") in ("Aborted", "TimedOut"):
        given = event("churn", "ABORTED" if row["error"] == "Aborted" else "TIMED_OUT")
    elif "error" not in row and "step" not in row and "says" not in row:
        given = event("churn", "FAILED")
    else:
        given = reported(state, row.get("error", "Unknown"), row.get("says", "because"))
    said = machines.deployed("failure", DEPLOYED)["States"]["ReadFailure"]["Assign"]["advice"][ADVICE.index(row)]["do"]
    assert f"\nWhat to do: {said}\n" in email(given)[1]


@pytest.mark.parametrize("error", sorted({row["error"] for row in ADVICE if "error" in row}))
def test_runbook_has_every_error_that_advice_is_given_for(error: str) -> None:
    assert f"`{error}`" in RUNBOOK


@pytest.mark.parametrize(("given", "links"), [("true", 2), ("false", 0)])
def test_console_is_linked_where_there_is_one(given: str, links: int) -> None:
    text = email(reported("PreprocessData", "ProcessingJobFailed"), ConsoleLinks=given)[1]
    assert text.count("https://eu-central-1.console.aws.amazon.com/") == links


@pytest.mark.parametrize("given", SITUATIONS, ids=str)
def test_subject_is_what_sns_takes(given: dict[str, Any]) -> None:
    assert re.fullmatch(r"\[SageMaker Pipeline Failed\] [A-Za-z]{1,70}", email(given)[0])
