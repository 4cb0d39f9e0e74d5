"""What drives the answers: SageMaker Clarify's analysis.json, wherever it lies below the prefix, and why there is none."""

from __future__ import annotations

import json
from typing import Any

import explanation
import pytest

from .conftest import BUCKET

# The form of Clarify's report: "Analysis results" in SageMaker's guide.
ANALYSIS = {
    "version": "1.0",
    "explanations": {
        "kernel_shap": {
            "label0": {"global_shap_values": {"tenure": 0.02, "contract": 0.06}, "expected_value": 0.26},
            "label1": {"global_shap_values": {"tenure": 0.04, "contract": 0.06, "plan": 0.02}, "expected_value": 0.74},
        }
    },
}


def put(s3: Any, key: str, content: Any) -> str:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    return f"s3://{BUCKET}/{key}"


def test_columns_come_by_mean_size_over_the_classes(s3: Any) -> None:
    uri = put(s3, "one/explainability/output/WeightedEnsemble-L2/analysis.json", ANALYSIS)
    put(s3, "one/explainability/output/WeightedEnsemble-L2/report.pdf", b"%PDF")
    found = explanation.read(s3, f"s3://{BUCKET}/one/explainability/output")
    assert (found["report_uri"], found["error"]) == (uri, None)
    assert [row["column"] for row in found["columns"]] == ["contract", "tenure", "plan"]
    assert [row["value"] for row in found["columns"]] == pytest.approx([0.06, 0.03, 0.01])
    assert [row["share"] for row in found["columns"]] == pytest.approx([0.6, 0.3, 0.1])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json",
        b"[]",
        {"explanations": {}},
        {"explanations": {"kernel_shap": {"label0": {"global_shap_values": {"a": "b"}}}}},
        b'{"explanations": {"kernel_shap": {"label0": {"global_shap_values": {"a": NaN}}}}}',
    ],
)
def test_another_form_is_a_sentence(s3: Any, content: Any) -> None:
    uri = put(s3, "two/analysis.json", content)
    found = explanation.read(s3, f"s3://{BUCKET}/two/")
    assert (found["columns"], found["report_uri"]) == ([], None)
    assert found["error"] == f"{uri} is not in the form of SageMaker Clarify's analysis.json."


@pytest.mark.parametrize(
    ("prefix", "sentence"),
    [
        (None, "Autopilot wrote no explainability report."),
        (f"s3://{BUCKET}/nothing/", "has no analysis.json under"),
        ("s3://no-such-bucket/x/", "could not be read"),
    ],
)
def test_no_report_is_a_sentence(s3: Any, prefix: str | None, sentence: str) -> None:
    found = explanation.read(s3, prefix)
    assert found["columns"] == []
    assert sentence in found["error"]


def test_columns_that_move_nothing_have_no_share(s3: Any) -> None:
    still = {"explanations": {"kernel_shap": {"label0": {"global_shap_values": {"a": 0.0}, "expected_value": 1}}}}
    put(s3, "three/analysis.json", still)
    assert explanation.read(s3, f"s3://{BUCKET}/three/")["columns"] == [{"column": "a", "value": 0.0, "share": 0.0}]
