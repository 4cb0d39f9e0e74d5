"""Watching an execution: each event once, plain text where there is no terminal."""

from __future__ import annotations

import io
import types
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from rich.console import Console

from cli import results, watching
from cli.steps import STEPS, steps_in


class Playback:
    """Step Functions playing a recording: at every look some more events have happened."""

    meta = types.SimpleNamespace(endpoint_url="http://127.0.0.1:4566")

    def __init__(self, recording: Any, at_once: int):
        self._recording, self._at_once, self._seen = recording, at_once, 0
        self.sent: list[int] = []

    def describe_execution(self, executionArn: str) -> dict[str, Any]:
        self._seen += self._at_once
        done = self._seen >= len(self._recording.events)
        return self._recording.described if done else {"status": "RUNNING"}

    def get_paginator(self, operation: str) -> Playback:
        assert operation == "get_execution_history"
        return self

    def paginate(self, executionArn: str, reverseOrder: bool) -> Any:
        assert reverseOrder
        happened = self._recording.events[: self._seen][::-1]
        for start in range(0, len(happened), 10):
            self.sent += [event["id"] for event in happened[start : start + 10]]
            yield {"events": happened[start : start + 10]}


def watch(monkeypatch: pytest.MonkeyPatch, recording: Any, at_once: int) -> tuple[watching.Finished, str, Playback]:
    monkeypatch.setattr(watching, "_POLL_SECONDS", 0)
    shown, states = io.StringIO(), Playback(recording, at_once)
    finished = watching.follow(states, "arn", Console(file=shown, highlight=False, soft_wrap=True))
    return finished, shown.getvalue(), states


@pytest.mark.parametrize("at_once", [1, 7, 1000])
def test_every_step_is_shown_once_however_it_is_polled(
    monkeypatch: pytest.MonkeyPatch, deployed: Any, at_once: int
) -> None:
    finished, text, _ = watch(monkeypatch, deployed, at_once)
    done = [line.split()[1] for line in text.splitlines() if line.startswith("  done")]
    assert done == [step.name for step in finished.steps]
    assert finished.events == deployed.events


def test_output_without_a_terminal_has_no_control_codes(monkeypatch: pytest.MonkeyPatch, deployed: Any) -> None:
    _, text, _ = watch(monkeypatch, deployed, 5)
    assert all(character == "\n" or character.isprintable() for character in text)


def test_step_that_failed_is_marked(monkeypatch: pytest.MonkeyPatch, failed: Any) -> None:
    finished, text, _ = watch(monkeypatch, failed, 3)
    assert text.splitlines()[-1].split()[:2] == ["failed", "DataSource"]
    assert finished.status == "FAILED"


def test_long_history_is_not_read_again_at_every_look(monkeypatch: pytest.MonkeyPatch, deployed: Any) -> None:
    _, _, states = watch(monkeypatch, deployed, 5)
    looks = len(deployed.events) / 5
    # Of what was seen before, a look reads at most the rest of one page.
    assert len(states.sent) <= len(deployed.events) + 10 * looks


def test_server_that_has_ended_ends_the_watch(deployed: Any) -> None:
    def check() -> None:
        raise RuntimeError("gone")

    with pytest.raises(RuntimeError, match="gone"):
        watching.follow(Playback(deployed, 1), "arn", Console(file=io.StringIO()), check=check)


def test_result_shows_outcome_metrics_gate_and_places(deployed: Any) -> None:
    shown = io.StringIO()
    results.show(deployed.finished(), Console(file=shown, highlight=False, soft_wrap=True))
    for part in (
        "Deployed: Version 1",
        "accuracy               0.7733",
        "Passes the gate: accuracy 0.7733 is at least 0.5.",
    ):
        assert part in shown.getvalue()
    for part in ("model-package/classification-model-automl-group/1", "automl-classification-endpoint (InService)"):
        assert part in shown.getvalue()


def test_warnings_come_before_the_metrics(deployed: Any) -> None:
    shown = io.StringIO()
    results.show(deployed.finished(), Console(file=shown, highlight=False, soft_wrap=True))
    lines = shown.getvalue().splitlines()
    (warning,) = [number for number, line in enumerate(lines) if line.startswith("Warning: The model is better than")]
    assert warning < next(number for number, line in enumerate(lines) if "metric  accuracy" in line)


def test_doubt_about_the_model_stands_in_the_first_line_and_only_there(
    deployed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished, shown = deployed.finished(), io.StringIO()
    doubt = "the model is no better than always answering 'No' (accuracy 0.7367 against 0.7367)."
    said = {"verdict": f"Passes the gate: accuracy 0.7367 is at least 0.5. But {doubt}", "warnings": [f"T{doubt[1:]}"]}
    monkeypatch.setattr(watching.Finished, "variables", {"evaluation": said})
    results.show(finished, Console(file=shown, highlight=False, soft_wrap=True))
    first, message, verdict, *_ = shown.getvalue().strip().splitlines()
    assert first == f"Deployed, but {doubt}"
    assert message.startswith("Version 1")
    assert verdict == "Passes the gate: accuracy 0.7367 is at least 0.5."
    assert shown.getvalue().count("no better than") == 1


def test_what_next_leads_to_report_and_predictions_or_to_the_cause(deployed: Any, failed: Any) -> None:
    good, bad = results.what_next(deployed.finished(), "try-1"), results.what_next(failed.finished(), "try-2")
    assert [line.split()[-1] for line in good] == ["--open", "FILE"]
    assert bad[0].endswith("docs/runbook.md#datasource")
    assert bad[1].endswith(" logs try-2")
    assert bad[2].endswith(" retry try-2")


def test_failure_shows_step_error_and_cause(failed: Any) -> None:
    shown = io.StringIO()
    results.show(failed.finished(), Console(file=shown, highlight=False, soft_wrap=True))
    for part in ("Step:  DataSource", "Error: DataSourceFailed", "can't find a FeatureGroup with name nobody"):
        assert part in shown.getvalue()


class Flaky(Playback):
    """The connection is lost for some looks after the first."""

    losses = 3

    def describe_execution(self, executionArn: str) -> dict[str, Any]:
        if self._seen and self.losses:
            self.losses -= 1
            raise EndpointConnectionError(endpoint_url="https://states.us-west-2.amazonaws.com")
        return super().describe_execution(executionArn)


def test_watch_goes_on_after_a_lost_connection(monkeypatch: pytest.MonkeyPatch, deployed: Any) -> None:
    monkeypatch.setattr(watching, "_POLL_SECONDS", 0)
    finished = watching.follow(Flaky(deployed, 5), "arn", Console(file=io.StringIO()))
    assert (finished.status, finished.events) == ("SUCCEEDED", deployed.events)


def test_lost_connection_is_said_once_and_its_end_too(monkeypatch: pytest.MonkeyPatch, deployed: Any) -> None:
    monkeypatch.setattr(watching, "_POLL_SECONDS", 0)
    shown = io.StringIO()
    watching.follow(Flaky(deployed, 5), "arn", Console(file=shown))
    said = [line.split()[1:3] for line in shown.getvalue().splitlines() if "connect" in line]
    assert said == [["connection", "lost,"], ["connected", "again"]]


class Troubled(Flaky):
    """The service has an error of its own for some looks after the first."""

    status = 503

    def describe_execution(self, executionArn: str) -> dict[str, Any]:
        try:
            return super().describe_execution(executionArn)
        except EndpointConnectionError:
            answer = {"Error": {"Code": "x"}, "ResponseMetadata": {"HTTPStatusCode": self.status}}
            raise ClientError(answer, "DescribeExecution") from None  # pyright: ignore[reportArgumentType]


def test_watch_survives_an_error_of_the_service_and_ends_with_a_refusal(
    monkeypatch: pytest.MonkeyPatch, deployed: Any
) -> None:
    monkeypatch.setattr(watching, "_POLL_SECONDS", 0)
    assert watching.follow(Troubled(deployed, 5), "arn", Console(file=io.StringIO())).status == "SUCCEEDED"
    refused = Troubled(deployed, 5)
    refused.status = 400
    with pytest.raises(ClientError):
        watching.follow(refused, "arn", Console(file=io.StringIO()))


def test_connection_that_stays_lost_ends_the_watch(monkeypatch: pytest.MonkeyPatch, deployed: Any) -> None:
    monkeypatch.setattr(watching, "_POLL_SECONDS", 0)
    states = Flaky(deployed, 5)
    states.losses = 1000
    with pytest.raises(EndpointConnectionError):
        watching.follow(states, "arn", Console(file=io.StringIO()))
    assert states.losses == 1000 - watching._PATIENCE - 1


def test_moving_line_shows_the_steps_to_come(deployed: Any) -> None:
    entered = [i for i, event in enumerate(deployed.events) if "stateEnteredEventDetails" in event]
    steps = next(steps for i in entered if (steps := steps_in(deployed.events[: i + 1]))[-1].name == "AutoMLTraining")
    moving = watching._Moving(steps, "TrainingModels", "at least $0.26")
    first, *to_come = moving.__rich__().plain.splitlines()
    assert first.endswith(" in total · at least $0.26 so far")
    assert first.startswith("AutoMLTraining ")
    assert "· TrainingModels ·" in first
    assert tuple(line.split()[-1] for line in to_come) == STEPS[4:]


@pytest.mark.parametrize(("metric", "best"), [("Accuracy", "0.9000"), ("RMSE", "0.1000")])
def test_candidates_are_counted_with_the_best_metric(metric: str, best: str) -> None:
    done = [{"FinalAutoMLJobObjectiveMetric": {"MetricName": metric, "Value": value}} for value in (0.1, 0.9)]
    assert watching.candidates_in_words([*done, {}]) == f", 2 candidates, best {metric} {best}"
    assert watching.candidates_in_words([{}]) == ""
