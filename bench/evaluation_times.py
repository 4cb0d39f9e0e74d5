"""Runs EvaluateModel's handler on the files of a folder (argument) in place of S3, in the project's own Python."""

import io
import sys
from pathlib import Path
from types import SimpleNamespace

from botocore.response import StreamingBody

PROJECT = Path(__file__).parents[1]
sys.path[:0] = [str(PROJECT / "functions/evaluate_model"), str(PROJECT / "layers/pipeline")]

import app  # noqa: E402


class Files:
    """What the function asks of S3."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def get_object(self, Bucket, Key):
        path = self.folder / Path(Key).name
        return {"Body": StreamingBody(path.open("rb"), path.stat().st_size)}

    def put_object(self, Body, **_):
        io.BytesIO(Body)

    def head_object(self, **_):
        return {"ETag": '"0"'}

    def get_paginator(self, _):
        return self

    def paginate(self, **_):
        return [{"Contents": [{"Key": "predictions.out"}]}]


files = Files(sys.argv[1])
app._s3 = lambda: files
print(
    app.handler.__wrapped__(
        {
            "run_id": "r1", "bucket": "b", "test_uri": "s3://b/", "predictions_uri": "s3://b/",
            "preprocessing_uri": "s3://b/", "evaluation_input_uri": "s3://b/", "evaluation_uri": "s3://b/evaluation.json",
            "report_uri": "s3://b/report.html", "deployment_uri": "s3://b/deployment.json", "deployment": {},
            "model_archives": [], "target_attribute_name": "churn", "problem_type": "BinaryClassification",
            "objective_metric_name": "Accuracy", "accuracy_threshold": 0.5,
        },
        SimpleNamespace(function_name="bench-evaluate-model"),
    )["metrics"]
)  # fmt: skip
