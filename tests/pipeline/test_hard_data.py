"""Groups and records that hurt, through query, training and test: the run ends well, or with one sentence."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from local.data import telco

from .conftest import Cloud
from .feature_group import FIRST, Group, customers

LATER, LAST = "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"
NASTY = 'a,b "q"\n\'; DROP TABLE x;-- =1+1 <b>é 你好'
# No model of these tables is ever right throughout, so that none is registered and other tests keep their endpoint.
UNREACHABLE = {"accuracy_threshold": 1}
NOBODY = (
    "The query found no customer: the feature group has no record in the chosen range that is not deleted. "
    "Check customer_id_start and customer_id_end, and whether records have arrived in the offline store."
)


def reported(cloud: Cloud, before: int) -> str:
    """What the one email says that came."""
    [email] = cloud.emails()[before:]
    assert email["Subject"] == "[SageMaker Pipeline Failed] PreprocessData"
    return str(email.get_payload())


def raw_rows(cloud: Cloud, run_prefix: str) -> dict[str, dict[str, str]]:
    """What the query left, by customer."""
    bucket, _, prefix = run_prefix.removeprefix("s3://").partition("/")
    listed = cloud.client("s3").list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/data/raw/")["Contents"]
    [key] = [item["Key"] for item in listed if item["Key"].endswith(".csv")]
    text = cloud.object(f"s3://{bucket}/{key}").decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert len({row["customerid"] for row in rows}) == len(rows)
    return {row["customerid"]: row for row in rows}


def test_empty_group_and_group_of_deleted_customers(cloud: Cloud) -> None:
    frame = customers(10)
    group = Group(cloud, "hard-nobody", frame)
    for deleted in (False, True):
        if deleted:
            group.put(frame, FIRST)
            group.put(frame, LATER, deleted=True)
        before = len(cloud.emails())
        assert group.run(target_attribute_name="Churn")["error"] == "PreprocessDataFailed"
        assert NOBODY in reported(cloud, before)


def test_nobody_in_range(cloud: Cloud) -> None:
    before = len(cloud.emails())
    assert cloud.run(customer_id_start=900_000, customer_id_end=999_999)["error"] == "PreprocessDataFailed"
    assert NOBODY in reported(cloud, before)


@pytest.fixture(scope="module")
def updated(cloud: Cloud) -> dict[str, Any]:
    """What a run on customers who were changed, deleted and ingested late answered."""
    frame = customers(1000).assign(
        Churn=lambda table: table.Churn.map({"Yes": "true", "No": "false"}),
        Note=[f"{NASTY} {row % 5}" for row in range(1000)],
        Joined=[f"2026-01-{row % 28 + 1:02}" for row in range(1000)],
        Big=[2**63 - 1 - row for row in range(1000)],
        Ratio=[[float("inf"), float("-inf"), None, 0.5, 2.5][row % 5] for row in range(1000)],
    )
    group = Group(cloud, "Hard-Customers", frame)
    group.put(frame, LATER)
    group.put(frame[:100].assign(TenureMonths=1001), LAST)  # newer
    group.put(frame[100:200].assign(TenureMonths=1002), FIRST)  # older, and late
    group.put(frame[200:300].assign(TenureMonths=1003), LATER)  # a correction of the same moment
    group.put(frame.iloc[300:350], LAST, deleted=True)
    group.put(frame.iloc[350:400], FIRST, deleted=True)  # deleted before the record that counts
    described = group.run(
        target_attribute_name="Churn", customer_id_start=1, customer_id_end=990, max_candidates=2, **UNREACHABLE
    )
    assert described["status"] == "SUCCEEDED", described
    return json.loads(described["output"])


def test_newest_record_of_each_customer_counts(cloud: Cloud, updated: dict[str, Any]) -> None:
    rows = raw_rows(cloud, updated["run_prefix"])
    changed = {1: "1001", 101: None, 201: "1003", 351: None}
    assert len(rows) == 940
    assert not [f"CUST_{number:06d}" for number in range(301, 351) if f"CUST_{number:06d}" in rows]
    for first, expected in changed.items():
        for number in (first, first + 49):
            tenure = expected or str(telco.load().tenure_months[number - 1])
            assert rows[f"CUST_{number:06d}"]["tenuremonths"] == tenure


def test_records_that_do_not_count_are_counted(cloud: Cloud, updated: dict[str, Any]) -> None:
    counted = json.loads(cloud.object(f"{updated['run_prefix']}/evaluation/evaluation.json"))["data_note"]["rows"]
    # Of 990 customers in the range, 300 have a second record, and 100 a record that says that they are deleted.
    assert (counted["source"], counted["superseded"], counted["deleted"]) == (940, 400, 50)


def test_values_of_any_kind_are_learned_from(cloud: Cloud, updated: dict[str, Any]) -> None:
    assert updated["outcome"] == "BelowThreshold"
    assert raw_rows(cloud, updated["run_prefix"])["CUST_000002"]["note"] == f"{NASTY} 1"
    learned = json.loads(cloud.object(f"{updated['run_prefix']}/preprocessing/preprocessing.json"))
    kinds = {feature["name"]: feature["kind"] for feature in learned["features"]}
    assert (learned["target"], learned["labels"]) == ("churn", ["false", "true"])
    assert kinds | {"big": "numeric", "ratio": "numeric", "note": "categorical", "joined": "categorical"} == kinds
    answers = cloud.object(f"{updated['run_prefix']}/evaluation/predictions/part-00000.jsonl.out").decode().splitlines()
    assert {answer.split(",")[0] for answer in answers} == {"False", "True"}  # as Autopilot spells them
    assert updated["metrics"]["accuracy"] > 0.7


def test_classes_called_anything_are_told_apart(cloud: Cloud) -> None:
    classes = {"Month-to-month": "<script>alert(1)</script>", "One year": "None", "Two year": "01 x; a</b>"}
    frame = customers(800).assign(ContractType=lambda table: table.ContractType.map(classes))
    group = Group(cloud, "hard-classes", frame)
    group.put(frame, FIRST)
    described = group.run(
        target_attribute_name="ContractType", problem_type="MulticlassClassification",
        customer_id_start=None, customer_id_end=None, max_candidates=2, **UNREACHABLE,
    )  # fmt: skip
    assert described["status"] == "SUCCEEDED", described
    run = json.loads(described["output"])
    evaluation = json.loads(cloud.object(f"{run['run_prefix']}/evaluation/evaluation.json"))
    assert evaluation["labels"] == sorted(classes.values())
    assert evaluation["accuracy"] > evaluation["baseline_accuracy"]
    page = cloud.object(f"{run['run_prefix']}/evaluation/report.html").decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page
