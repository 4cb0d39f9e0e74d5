"""Captured requests are compared with the rows that the serving model was trained on, and an alarm says if they differ."""

from __future__ import annotations

import json
from typing import Any

import pytest
from automl_pipeline import stored

from local.data import telco

from .conftest import Cloud
from .endpoints.conftest import until

STACK = "automl-pipeline"
FUNCTION, ALARM = f"{STACK}-measure-drift", f"{STACK}-drift"


@pytest.fixture(scope="module")
def capturing(cloud: Cloud, deployed: dict[str, Any]) -> dict[str, Any]:
    """A run whose endpoint captures every request; its rows are those of an earlier run."""
    described = cloud.run(resume_from=deployed["run_id"], data_capture_percentage=100)
    assert described["status"] == "SUCCEEDED", described
    return json.loads(described["output"])


def ask(cloud: Cloud, customers: Any) -> None:
    """Some requests with these customers, and one row alone."""
    runtime = cloud.client("sagemaker-runtime")
    for body in (customers.iloc[:-1].to_csv(index=False), customers.iloc[-1:].to_csv(index=False)):
        runtime.invoke_endpoint(EndpointName=STACK, ContentType="text/csv", Body=body.encode())


def measured(cloud: Cloud, rows: int) -> dict[str, Any]:
    """What the function answers once that many rows have been captured, the one among them that the deployment asked."""

    def document() -> dict[str, Any] | None:
        answer = cloud.client("lambda").invoke(FunctionName=FUNCTION, Payload=b"{}")
        found = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, found
        return found if found.get("rows", 0) >= rows else None

    return until(document, 30)


@pytest.fixture(scope="module")
def alike(cloud: Cloud, capturing: dict[str, Any]) -> dict[str, Any]:
    """Of 400 customers that the model never saw, in the table's random order."""
    ask(cloud, telco.load().tail(400))
    return measured(cloud, 401)


@pytest.fixture(scope="module")
def shifted(cloud: Cloud, alike: dict[str, Any]) -> dict[str, Any]:
    """Besides them of all customers without internet, who have no online service either and pay less."""
    customers = telco.load()
    others = customers[customers["internet_service"] == "No"]
    assert len(others) == 1526
    ask(cloud, others)
    return measured(cloud, 1927)


def test_requests_like_the_training_rows_are_no_drift(
    cloud: Cloud, capturing: dict[str, Any], alike: dict[str, Any]
) -> None:
    assert alike["problem"] is None
    # Besides the row that the deployment asked.
    assert (alike["rows"], alike["requests"], alike["unreadable"]) == (401, 3, 0)
    assert f"/{alike['version']}" in capturing["model_package_arn"][-4:]
    assert (alike["drifted"], alike["largest"], alike["judged"]) == ([], 0.0, 19)
    state = cloud.client("cloudwatch").describe_alarms(AlarmNames=[ALARM])["MetricAlarms"][0]["StateValue"]
    assert state == "OK"


def test_other_customers_raise_the_alarm(cloud: Cloud, shifted: dict[str, Any]) -> None:
    assert {"internet_service", "online_security", "monthly_charges"} <= set(shifted["drifted"])
    assert {"gender", "senior_citizen"} & set(shifted["drifted"]) == set()
    stored = json.loads(cloud.object(f"s3://{cloud.deployed.outputs['BucketName']}/{STACK}/drift.json"))
    assert stored == shifted
    raised = until(lambda: [email for email in cloud.emails() if ALARM in str(email["Subject"])], 30)
    assert len(raised) == 1
    assert str(raised[0]["Subject"]).startswith("ALARM: ")


def test_status_names_what_has_drifted(cloud: Cloud, shifted: dict[str, Any]) -> None:
    (line,) = [line for line in cloud.automl("status").stdout.splitlines() if line.startswith("Drift:")]
    count = (
        f"{len(shifted['drifted'])} of 19 features differ from those that version {shifted['version']} was trained on"
    )
    assert line.startswith("Drift:    1,927 captured rows from ")
    assert f"{count}: {shifted['drifted'][0]} (" in line


def test_rule_of_the_stack_invokes_the_function(cloud: Cloud, shifted: dict[str, Any]) -> None:
    """Its time comes once a day; an event for the same rule takes the same way."""
    events = cloud.client("events")
    target = cloud.client("lambda").get_function(FunctionName=FUNCTION)["Configuration"]["FunctionArn"]
    (name,) = events.list_rule_names_by_target(TargetArn=target)["RuleNames"]
    assert events.describe_rule(Name=name)["ScheduleExpression"] == "cron(15 0 * * ? *)"
    events.put_rule(Name=name, EventPattern='{"source": ["tests"]}', ScheduleExpression="cron(15 0 * * ? *)")
    s3, bucket, key = cloud.client("s3"), cloud.deployed.outputs["BucketName"], f"{STACK}/drift.json"
    s3.delete_object(Bucket=bucket, Key=key)
    events.put_events(Entries=[{"Source": "tests", "DetailType": "early", "Detail": "{}"}])
    until(lambda: stored.exists(s3, bucket, key))
    assert json.loads(cloud.object(f"s3://{bucket}/{key}"))["rows"] == shifted["rows"]
