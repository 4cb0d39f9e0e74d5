"""The functions as modules, with an S3 behind them."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest
from moto import mock_aws

FUNCTIONS = Path(__file__).parents[3] / "functions"
BUCKET = "a-bucket"

sys.path[:0] = [str(FUNCTIONS / name) for name in ("evaluate_model", "measure_drift")]
sys.path.append(str(FUNCTIONS.parent / "processing"))


def load(name: str) -> ModuleType:
    """functions/<name>/app.py under a name of its own, as every function's is called app."""
    spec = importlib.util.spec_from_file_location(f"{name}_app", FUNCTIONS / name / "app.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Context:
    """Lambda's."""

    function_name, memory_limit_in_mb, aws_request_id = "function", 512, "request"
    invoked_function_arn = "arn:aws:lambda:us-west-2:000000000000:function:function"


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    """S3 with one empty bucket, for a whole module."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-west-2")
        client = boto3.client("s3")
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
        yield client
