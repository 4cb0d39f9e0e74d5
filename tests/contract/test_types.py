"""Pyright sees what is wrong with a call of AWS, as cli.stack.client has the types of boto3's own clients (boto3-stubs)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from local.server import paths

RIGHT = 'client("sagemaker").list_model_packages(ModelPackageGroupName="churn", ModelApprovalStatus="Approved")'
# Calls, and what pyright says of each.
WRONG = {
    RIGHT.replace("ModelPackageGroupName", "GroupName"): 'No parameter named "GroupName"',
    RIGHT.replace('"Approved"', '"Accepted"'): 'not assignable to type "ModelApprovalStatusType"',
    'client("sagemaker").describe_endpoint()': 'Argument missing for parameter "EndpointName"',
    'client("sagemaker").describe_endpoints()': 'Cannot access attribute "describe_endpoints"',
    'client("sagemakers").describe_endpoint(EndpointName="churn")': "Literal['sagemakers']",
    'client("s3").list_objects_v2(Bucket="data", MaxKeys="10")': 'parameter "MaxKeys" of type "int"',
    'client("s3").list_objects_v2(Bucket="data")["Content"]': '"Content" is not a defined key',
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[int, str]:
    """The errors by line of a file with one call a line, the right one first."""
    file = tmp_path_factory.mktemp("types") / "calls.py"
    file.write_text("\n".join(["from cli.stack import client", RIGHT, *WRONG]))
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


@pytest.mark.parametrize("call", WRONG)
def test_wrong_call_is_named(found: dict[int, str], call: str) -> None:
    assert WRONG[call] in found[2 + list(WRONG).index(call)]
