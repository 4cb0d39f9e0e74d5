"""Pyright sees what is wrong with a call of AWS, as cli.stack.client has the types of boto3's own clients (boto3-stubs)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from local.server import paths

RIGHT = 'client("sagemaker").list_model_packages(ModelPackageGroupName="churn", ModelApprovalStatus="Approved")'
WRONG = {
    "unknown parameter": RIGHT.replace("ModelPackageGroupName", "GroupName"),
    "unknown value": RIGHT.replace('"Approved"', '"Accepted"'),
    "missing parameter": 'client("sagemaker").describe_endpoint()',
    "unknown operation": 'client("sagemaker").describe_endpoints()',
    "unknown service": 'client("sagemakers").describe_endpoint(EndpointName="churn")',
    "wrong type": 'client("s3").list_objects_v2(Bucket="data", MaxKeys="10")',
    "unknown member of the answer": 'client("s3").list_objects_v2(Bucket="data")["Content"]',
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[int, str]:
    """The errors by line of a file with one call a line, the right one first."""
    file = tmp_path_factory.mktemp("types") / "calls.py"
    file.write_text("\n".join(["from cli.stack import client", RIGHT, *WRONG.values()]))
    options = {
        "venvPath": str(paths.PROJECT),
        "venv": ".venv",
        "extraPaths": [str(paths.PROJECT)],
        "include": [str(file)],
    }
    file.with_name("pyrightconfig.json").write_text(json.dumps({**options, "typeCheckingMode": "basic"}))
    pyright = str(Path(sys.executable).with_name("pyright"))
    ran = subprocess.run(
        [pyright, "--outputjson", "--project", str(file.parent)], capture_output=True, text=True, check=False
    )
    rows = json.loads(ran.stdout)["generalDiagnostics"]
    return {row["range"]["start"]["line"]: row["message"] for row in rows if row["severity"] == "error"}


def test_right_call_has_no_error(found: dict[int, str]) -> None:
    assert 1 not in found


@pytest.mark.parametrize("what", WRONG)
def test_wrong_call_has_one(found: dict[int, str], what: str) -> None:
    assert 2 + list(WRONG).index(what) in found
