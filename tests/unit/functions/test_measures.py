"""What the functions publish arrives in CloudWatch with its name, unit and dimensions."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from automl_pipeline import measures

from local.aws.cloudwatch import embedded

DOCUMENT = {"passed": True, "gate_metric": "accuracy", "accuracy": 0.78, "rows": 800}
BEGAN = {
    "DataSource": "2026-11-25T10:00:05.500Z",
    "PrepareRun": "2026-11-25T10:00:00Z",
    "EvaluateModel": "2026-11-25T10:01:00+00:00",
}
NOW = datetime(2026, 11, 25, 10, 2, tzinfo=UTC)


def test_each_step_lasts_until_the_next_one_begins() -> None:
    assert measures.durations(BEGAN, NOW) == {"PrepareRun": 5.5, "DataSource": 54.5, "EvaluateModel": 60.0}
    assert measures.durations({}, NOW) == {}


@pytest.mark.parametrize("passed", [True, False])
def test_evaluation_is_published(capsys: pytest.CaptureFixture[str], passed: bool) -> None:
    measures.publish_evaluation("a-stack", "a-run", DOCUMENT | {"passed": passed}, BEGAN, NOW)
    log = capsys.readouterr().out
    found = [
        (namespace, datum["MetricName"], datum["Unit"], datum["Values"], {d["Name"]: d["Value"] for d in datum["Dimensions"]})
        for namespace, datum in embedded.data(log)
    ]  # fmt: skip
    here = {"service": "a-stack"}
    assert found == [
        (measures.NAMESPACE, "ModelsPassed" if passed else "ModelsNotPassed", "Count", [1.0], here),
        (measures.NAMESPACE, "GateValue", "None", [0.78], here | {"Metric": "accuracy"}),
        (measures.NAMESPACE, "TestRows", "Count", [800.0], here),
        (measures.NAMESPACE, "StepSeconds", "Seconds", [5.5], here | {"Step": "PrepareRun"}),
        (measures.NAMESPACE, "StepSeconds", "Seconds", [54.5], here | {"Step": "DataSource"}),
        (measures.NAMESPACE, "StepSeconds", "Seconds", [60.0], here | {"Step": "EvaluateModel"}),
    ]
    assert {json.loads(line)["run_id"] for line in log.splitlines()} == {"a-run"}


def test_lines_that_are_no_metrics_are_left_out() -> None:
    lines = ["START", '{"level": "INFO", "message": "_aws"}', '{"_aws": broken', '{"a": "\\"_aws\\""}']
    assert list(embedded.data("\n".join(lines))) == []
