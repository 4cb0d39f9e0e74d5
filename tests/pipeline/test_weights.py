"""Weights of rows and classes: from the input of a run to Autopilot's request, the training rows and the report."""

from __future__ import annotations

import io
import json
from typing import Any

import pandas
import pytest

from .conftest import Cloud
from .feature_group import ROWS, WITHOUT_MODEL, Group, customers

ASKED = {
    "column": {"sample_weight_attribute_name": "Worth"},
    "classes": {"class_weights": "Balanced", "objective_metric_name": "F1"},
}
COLUMNS = {"column": "worth", "classes": "automl_class_weight"}


@pytest.fixture(scope="module")
def runs(cloud: Cloud) -> dict[str, dict[str, Any]]:
    """What two runs on the same customers answered: weighed by what they pay, and by their classes."""
    frame = customers(ROWS)
    group = Group(cloud, "customers-of-worth", frame.assign(Worth=frame.MonthlyCharges))
    group.put(frame.assign(Worth=frame.MonthlyCharges))
    started = {
        name: cloud.start(feature_group_name=group.name, **WITHOUT_MODEL, **settings)
        for name, settings in ASKED.items()
    }
    ended = {name: cloud.ended(execution) for name, execution in started.items()}
    failed = {name: described["cause"] for name, described in ended.items() if described["status"] != "SUCCEEDED"}
    assert not failed
    return {name: json.loads(described["output"]) for name, described in ended.items()}


@pytest.mark.parametrize("kind", [*ASKED])
def test_autopilot_is_given_the_weights_and_no_one_else(
    cloud: Cloud, runs: dict[str, dict[str, Any]], kind: str
) -> None:
    prefix = runs[kind]["run_prefix"]
    info = json.loads(cloud.object(f"{prefix}/model/model_info.json"))
    job = cloud.client("sagemaker").describe_auto_ml_job_v2(AutoMLJobName=info["automl_job_name"])
    config = job["AutoMLProblemTypeConfig"]["TabularJobConfig"]
    assert config["SampleWeightAttributeName"] == COLUMNS[kind]
    train = pandas.read_csv(io.BytesIO(cloud.object(f"{prefix}/data/train/train.csv")))
    assert (train[COLUMNS[kind]] > 0).all()
    if kind == "classes":
        assert train.groupby("churn")[COLUMNS[kind]].sum().tolist() == pytest.approx([len(train) / 2] * 2)
    assert COLUMNS[kind] not in pandas.read_csv(io.BytesIO(cloud.object(f"{prefix}/data/test/test.csv"))).columns
    tested = cloud.object(f"{prefix}/evaluation/input/part-00000.jsonl")
    assert COLUMNS[kind] not in json.loads(tested.splitlines()[0])


def test_balanced_classes_find_more_of_the_rare_one(cloud: Cloud, runs: dict[str, dict[str, Any]]) -> None:
    found = {
        kind: json.loads(cloud.object(f"{run['run_prefix']}/evaluation/evaluation.json")) for kind, run in runs.items()
    }
    assert found["classes"]["recall"] > found["column"]["recall"] + 0.1


@pytest.mark.parametrize(("kind", "said"), [("column", "column worth; the"), ("classes", "balanced by class (No 0.")])
def test_report_names_the_weights(cloud: Cloud, runs: dict[str, dict[str, Any]], kind: str, said: str) -> None:
    page = cloud.object(f"{runs[kind]['run_prefix']}/evaluation/report.html").decode()
    assert said in page
