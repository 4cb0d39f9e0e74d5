"""Test rows that are newer than the training rows, or of other groups: from the input of a run to its report."""

from __future__ import annotations

import io
import json
from typing import Any

import pandas
import pytest

from .conftest import Cloud
from .feature_group import ROWS, WITHOUT_MODEL, Group, customers


@pytest.fixture(scope="module")
def runs(cloud: Cloud) -> dict[str, dict[str, Any]]:
    """What two runs on the same customers answered: `time`, by months with the company, and `group`, by these months."""
    frame = customers(ROWS)
    joined = pandas.PeriodIndex(["2026-11"] * ROWS, freq="M") - frame.TenureMonths.to_numpy()
    frame = frame.assign(EventTime=joined.strftime("%Y-%m-01T00:00:00Z"), Cohort=frame.TenureMonths.astype(str))
    group = Group(cloud, "customers-by-cohort", frame)
    group.put(frame)
    asked = {"time": {"split": "time"}, "group": {"split": "group", "split_group_column": "Cohort"}}
    started = {
        name: cloud.start(feature_group_name=group.name, **WITHOUT_MODEL, **settings)
        for name, settings in asked.items()
    }
    ended = {name: cloud.ended(execution) for name, execution in started.items()}
    failed = {name: described["cause"] for name, described in ended.items() if described["status"] != "SUCCEEDED"}
    assert not failed
    return {name: json.loads(described["output"]) for name, described in ended.items()}


def months(cloud: Cloud, run: dict[str, Any], part: str) -> pandas.Series:
    content = cloud.object(f"{run['run_prefix']}/data/{part}/{part}.csv")
    return pandas.read_csv(io.BytesIO(content)).tenuremonths


def test_newest_rows_are_the_test_and_the_next_newest_validate(cloud: Cloud, runs: dict[str, dict[str, Any]]) -> None:
    train, validation, test = (months(cloud, runs["time"], part) for part in ("train", "validation", "test"))
    # Whose months are fewest came last.
    assert test.max() < validation.min()
    assert validation.max() < train.min()


def test_no_group_is_on_two_sides(cloud: Cloud, runs: dict[str, dict[str, Any]]) -> None:
    train, validation, test = (set(months(cloud, runs["group"], part)) for part in ("train", "validation", "test"))
    assert not train & test
    assert not train & validation
    assert not validation & test


@pytest.mark.parametrize("split", ["time", "group"])
def test_autopilot_is_given_the_validation_rows(cloud: Cloud, runs: dict[str, dict[str, Any]], split: str) -> None:
    info = json.loads(cloud.object(f"{runs[split]['run_prefix']}/model/model_info.json"))
    job = cloud.client("sagemaker").describe_auto_ml_job_v2(AutoMLJobName=info["automl_job_name"])
    channels = {channel["ChannelType"]: channel for channel in job["AutoMLJobInputDataConfig"]}
    assert channels["validation"]["DataSource"]["S3DataSource"]["S3Uri"].startswith(runs[split]["run_prefix"])
    assert set(channels) == {"training", "validation"}


@pytest.mark.parametrize("split", ["time", "group"])
def test_evaluation_is_about_the_rows_held_out(cloud: Cloud, runs: dict[str, dict[str, Any]], split: str) -> None:
    evaluation = json.loads(cloud.object(f"{runs[split]['run_prefix']}/evaluation/evaluation.json"))
    counted = evaluation["data_note"]["rows"]
    assert evaluation["rows"] == counted["test"] == len(months(cloud, runs[split], "test"))
    assert counted["train"] + counted["validation"] + counted["test"] == ROWS
