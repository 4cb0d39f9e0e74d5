"""Four models that look good and are not: the first line that a person sees says so, and where it is required none passes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import evaluation
import numpy
import pandas
import preprocess
import pytest
import report
import unusable_data
from positive_class import positive_class
from predictions import Answers

from local.data import telco
from tests.evaluations import whole
from tests.unit.processing.athena import write

from .test_report import Page


def judged(
    truth: numpy.ndarray, said: numpy.ndarray, labels: list[str], positive: str, **more: Any
) -> tuple[dict[str, Any], str]:
    """evaluation.json of a model that is fairly sure of its answers, and the first line of its report."""
    score = numpy.where(said == 1, 0.8, 0.2)
    answers = Answers(said, None, numpy.column_stack([1 - score, score]))
    evaluated = evaluation.of_classes(truth, answers, labels, labels.index(positive))
    document = whole(evaluated, labels, len(truth), **more)
    return document, Page(report.render(document, target="outcome")).title


def test_model_that_finds_nobody_and_is_worse_than_always_no() -> None:
    truth = numpy.repeat([1, 0], [60, 940])
    said = numpy.zeros(1000, dtype=int)
    said[100:102] = 1
    document, title = judged(truth, said, ["no", "yes"], "yes")
    assert title == "Finds 0 of the 60 rows whose outcome is yes; no better than always answering no."
    assert "But the model is worse than always answering 'no' (accuracy 0.9380 against 0.9400)." in document["verdict"]
    assert judged(truth, said, ["no", "yes"], "yes", beat_baseline="Require")[0]["passed"] is False


def copied() -> tuple[pandas.DataFrame, str]:
    frame = telco.load().head(1000)
    return frame.assign(copy=frame.churn.map({"Yes": "1", "No": "0"})), "column 'copy' alone gives the target away"


def repeated() -> tuple[pandas.DataFrame, str]:
    frame = pandas.concat([telco.load().head(700)] * 2, ignore_index=True)
    frame["customer_id"] = [f"CUST_{number:06d}" for number in range(len(frame))]
    return frame, "are also among the training rows, with the same values and target, so the metrics are too good"


@pytest.mark.parametrize("case", [copied, repeated])
def test_table_whose_metrics_are_too_good(tmp_path: Path, case: Any) -> None:
    frame, doubt = case()
    write(tmp_path, frame)
    asked = (str(tmp_path), "churn", "BinaryClassification", ["customer_id"], 42)
    note = preprocess.run(*asked, preprocess.Choices())["data_note"]
    truth = numpy.repeat([0, 1], [100, 40])
    document, title = judged(truth, truth, ["No", "Yes"], "Yes", note=note)
    assert title.startswith("Finds 40 of the 40 rows whose outcome is Yes; 40 of the 40 that it flags are right; but ")
    assert title.endswith(("(balanced accuracy 1.000).", doubt + "."))
    assert doubt in title
    assert doubt in document["verdict"].split(" But ")[1]
    with pytest.raises(unusable_data.UnusableDataError, match="data_checks: Require stopped the run"):
        preprocess.run(*asked, preprocess.Choices(require_checks=True))


def test_model_that_is_good_at_the_class_nobody_asks_about() -> None:
    labels, truth = ["late", "on time"], numpy.repeat([0, 1], [200, 800])
    said = truth.copy()
    said[:145] = 1  # finds 55 of 200 that are late
    said[200:235] = 0  # and 765 of 800 that are on time
    positive, reason = positive_class(labels, numpy.bincount(truth), None, "outcome")
    assert (positive, reason) == ("late", "guessed by its name; positive_class sets it")
    document, title = judged(truth, said, labels, positive)
    assert title.startswith("Finds 55 of the 200 rows whose outcome is late; ")
    assert document["recall"] == 0.275
    condition = [{"metric": "recall", "at_least": 0.6}]
    refused = judged(truth, said, labels, positive, quality_gate=condition)[0]
    assert refused["verdict"] == "Does not pass the gate: recall 0.2750 is below 0.6 by 0.3250."
    assert judged(truth, said, labels, "on time", quality_gate=condition)[0]["passed"] is True
