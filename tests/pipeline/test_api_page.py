"""The examples of docs/api.md, run as they are printed there, against the local cloud's endpoint."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
from automl_pipeline import answers

from .conftest import Cloud

PAGE = (Path(__file__).parents[2] / "docs/api.md").read_text(encoding="utf-8")


def example(title: str) -> str:
    """The code under a heading of the page."""
    return re.findall(rf"#+ {re.escape(title)}\n.*?```\w+\n(.*?)```", PAGE, re.DOTALL)[0]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the page's request in it."""
    (tmp_path / "customers.csv").write_text(example("Examples"), encoding="utf-8")
    return tmp_path


def run(cloud: Cloud, folder: Path, command: list[str]) -> str:
    environment = {**cloud.deployed.server.environment(), "HOME": str(folder)}
    # `aws` and `automl` of this project, in whatever shell
    environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    ran = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def is_an_answer(text: str) -> bool:
    """Whether it is one of the form that the page shows."""
    [shown] = re.findall(r"^No,.*$", PAGE, re.MULTILINE)[:1]
    [answer] = answers.read(text.encode())
    [example_of] = answers.read(shown.encode())
    reported = answer.probabilities()
    return (
        reported.keys() == example_of.probabilities().keys() == {"No", "Yes"}
        and sum(reported.values()) == pytest.approx(1)
        and reported[answer.label] >= 0.5
    )


def test_aws_cli(cloud: Cloud, deployed: dict[str, Any], folder: Path) -> None:
    run(cloud, folder, ["sh", "-ec", example("AWS CLI")])
    assert is_an_answer((folder / "answer.csv").read_text())


def test_curl(cloud: Cloud, deployed: dict[str, Any], folder: Path) -> None:
    known = subprocess.run(["curl", "--help", "all"], capture_output=True, text=True, check=False)
    if "--aws-sigv4" not in known.stdout:
        warnings.warn("No curl 7.75 or newer here: the page's example was NOT run.", stacklevel=1)
        pytest.skip("no curl that signs requests")
    command = example("curl").replace("https://runtime.sagemaker.$AWS_REGION.amazonaws.com", "$AWS_ENDPOINT_URL")
    assert command != example("curl")
    assert is_an_answer(run(cloud, folder, ["sh", "-ec", command]))


def test_boto3(cloud: Cloud, deployed: dict[str, Any], folder: Path) -> None:
    shown = run(cloud, folder, [sys.executable, "-c", example("boto3")])
    assert re.fullmatch(r"(Yes|No) \{'No': 0\.\d+, 'Yes': 0\.\d+\}\n", shown)
    table = (folder / "customers.csv").read_text().replace("70.5", "a lot")
    (folder / "customers.csv").write_text(table)
    assert run(cloud, folder, [sys.executable, "-c", example("boto3")]) == (
        "400 'monthly_charges' must be a number, and is 'a lot' in row 1.\n"
    )


def test_sagemaker_sdk_example_is_python() -> None:
    compile(example("SageMaker SDK"), "docs/api.md", "exec")  # the SDK itself is not installed here


def test_whole_file(cloud: Cloud, deployed: dict[str, Any], folder: Path) -> None:
    run(cloud, folder, ["sh", "-ec", example("A whole file")])
    assert (folder / "customers.predictions.csv").read_text() == (folder / "out.csv").read_text()
    [row] = csv.DictReader((folder / "out.csv").read_text().splitlines())
    assert row["prediction"] in ("Yes", "No") and 0.5 <= float(row["probability"]) <= 1
