"""Weights of rows are a column of what Autopilot reads, and of nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy
import pandas
import preprocess
import pytest
import unusable_data

from local.data import telco

from .athena import output, write

BALANCED = {"weight_column": "automl_class_weight", "balance_classes": True}


def prepared(folder: Path, frame: pandas.DataFrame, problem: str = "BinaryClassification", **choices: Any) -> Any:
    write(folder, frame)
    return preprocess.run(str(folder), "churn", problem, ["customer_id"], 42, preprocess.Choices(**choices))


def weighted() -> pandas.DataFrame:
    frame = telco.load().head(1000)
    # A weight that says which row it is of: the sum of what else is in the row.
    return frame.assign(w=(frame.tenure_months + frame.monthly_charges).round(2))


def test_column_is_written_as_it_is_and_nowhere_else(tmp_path: Path) -> None:
    specification = prepared(tmp_path, weighted(), weight_column="w")
    train = output(tmp_path, "train")
    assert list(train.columns[-2:]) == ["w", "churn"]
    assert numpy.allclose(train.w, (train.tenure_months + train.monthly_charges).round(2))
    assert "w" not in output(tmp_path, "test").columns
    lines = (tmp_path / "processing/output/evaluation_input/part-00000.jsonl").read_text().splitlines()
    assert not any("w" in json.loads(line) for line in lines)
    assert "w" not in [feature["name"] for feature in specification["features"]]
    assert specification["sample_weight"] == {"column": "w", "class_weights": None}
    [note] = [column for column in specification["data_note"]["columns"] if column["name"] == "w"]
    assert (note["kind"], note["reason"]) == ("left out", "weighs the rows")


def test_validation_rows_have_weights_too(tmp_path: Path) -> None:
    prepared(tmp_path, weighted(), weight_column="w", split="group", group_column="payment_method")
    check = output(tmp_path, "validation")
    assert numpy.allclose(check.w, (check.tenure_months + check.monthly_charges).round(2))


def test_rows_without_a_target_shift_no_weight(tmp_path: Path) -> None:
    frame = weighted()
    frame.loc[::7, "churn"] = None
    frame.loc[::7, "w"] = -1  # and need no valid one
    prepared(tmp_path, frame, weight_column="w")
    train = output(tmp_path, "train")
    assert numpy.allclose(train.w, (train.tenure_months + train.monthly_charges).round(2))


@pytest.mark.parametrize("target", ["churn", "contract_type"])
def test_balanced_weights_are_scikit_learns(tmp_path: Path, target: str) -> None:
    from sklearn.utils.class_weight import compute_class_weight

    frame = telco.load().head(1000)
    labels = frame[target]
    problem = "BinaryClassification" if target == "churn" else "MulticlassClassification"
    specification = prepared(
        tmp_path, frame.drop(columns=list({target, "churn"})).assign(churn=labels), problem, **BALANCED
    )
    train = output(tmp_path, "train")
    expected = compute_class_weight("balanced", classes=numpy.array(specification["labels"]), y=train.churn.to_numpy())
    by_class = dict(zip(specification["labels"], expected, strict=True))
    assert specification["sample_weight"] == {"column": "automl_class_weight", "class_weights": pytest.approx(by_class)}
    assert numpy.allclose(train.automl_class_weight, train.churn.map(by_class))
    assert train.automl_class_weight.sum() == pytest.approx(len(train))


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (["-1"], "'w' holds '-1.0' in row 4 of data/raw/ .rows without a valid weight: 1."),
        ([None, None], "'w' has no value in row 4 of data/raw/ .rows without a valid weight: 2."),
        (["heavy"], "'w' holds 'heavy' in row 4"),
        (["inf"], "'w' holds 'inf' in row 4"),
    ],
)
def test_invalid_weights_are_refused_by_row(tmp_path: Path, wrong: list[Any], sentence: str) -> None:
    frame = weighted().astype({"w": object})
    frame.loc[3 : 2 + len(wrong), "w"] = wrong
    with pytest.raises(unusable_data.UnusableDataError, match=sentence):
        prepared(tmp_path, frame, weight_column="w")
    assert not (tmp_path / "processing/output").exists()


@pytest.mark.parametrize(
    ("frame", "choices", "sentence"),
    [
        (weighted(), {"weight_column": "wt"}, "names 'wt', which is not a column of numbers in the data. Columns: "),
        (weighted(), {"weight_column": "customer_id"}, "names 'customer_id', which is not a column of numbers"),
        (weighted().assign(w=0), {"weight_column": "w"}, "'w' is 0 in every row"),
        (weighted().assign(automl_class_weight=1), BALANCED, "'automl_class_weight' has the name that class_weights"),
    ],
)
def test_columns_that_are_no_weights_are_refused(
    tmp_path: Path, frame: pandas.DataFrame, choices: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(unusable_data.UnusableDataError, match=sentence):
        prepared(tmp_path, frame, **choices)
