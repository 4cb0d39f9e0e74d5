"""Runs EvaluateModel's handler on the files of a folder in place of S3, in the project's own Python.

Arguments: the folder, and whatever else is asked for: `champion`, and names of features to show the metric by.
"""

import io
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

from botocore.response import StreamingBody

PROJECT = Path(__file__).parents[1]
sys.path[:0] = [str(PROJECT / "functions/evaluate_model"), str(PROJECT / "layers/pipeline")]

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as template.yaml has it

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

    def paginate(self, Prefix, **_):
        """The objects of the folder, or the champion's answers alone."""
        return [
            {
                "Contents": [
                    {"Key": path.name, "Size": path.stat().st_size}
                    for path in self.folder.iterdir()
                    if path.name.startswith("champion") == Prefix.startswith("champion")
                ]
            }
        ]


folder, *asked = sys.argv[1:]
files = Files(folder)
app._s3 = lambda: files
labels = json.loads((files.folder / "preprocessing.json").read_text())["labels"]
problem_type = {0: "Regression", 2: "BinaryClassification"}.get(len(labels), "MulticlassClassification")
champion = {"version": 1, "model_name": "m", "endpoint_name": "e", "predictions_uri": "s3://b/champion/"}
print(
    app.handler.__wrapped__(
        {
            "run_id": "r1",
            "uris": {
                **dict.fromkeys(("test", "predictions", "preprocessing", "evaluation_input"), "s3://b/"),
                "evaluation": "s3://b/evaluation.json", "report": "s3://b/report.html",
                "deployment": "s3://b/deployment.json",
            },
            "deployment": {}, "model_archives": [], "target_attribute_name": "churn",
            "settings": {
                "problem_type": problem_type, "accuracy_threshold": 0.5,
                "objective_metric_name": "R2" if problem_type == "Regression" else "Accuracy",
                "report_slices": [name for name in asked if name != "champion"],
            },
            "champion": champion if "champion" in asked else None,
        },
        SimpleNamespace(function_name="bench-evaluate-model"),
    )["metrics"]
)  # fmt: skip
