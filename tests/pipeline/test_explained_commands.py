"""`--explain`: the AWS CLI lines that a command prints are run as they are, against the local cloud."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import Cloud

_BIN = Path(sys.executable).parent
# The AWS CLI's own entry point, once for each line: most of what a line takes is starting the program.
# It prints what each line that failed had to say.
_AWS_CLI = """
import contextlib, io, json, shlex, sys
from awscli.clidriver import create_clidriver

failed = {}
for line in json.load(sys.stdin):
    said = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
        try:
            status = create_clidriver().main(shlex.split(line)[1:])
        except SystemExit as ended:
            status = ended.code
    if status:
        failed[line] = f"{status} {said.getvalue()}"
print(json.dumps(failed))
"""


# The operations that a command's lines must have, in this order.
COMMANDS = {
    "runs --limit 2": ["describe-stacks", "list-executions", "describe-execution"],
    "show": ["describe-stacks", "list-executions", "get-execution-history"],
    "watch": ["describe-stacks", "list-executions", "get-execution-history"],
    "logs": ["describe-stacks", "filter-log-events"],
    "status": ["describe-stacks", "get-schedule", "describe-endpoint", "describe-alarms"],
    "versions": ["describe-stacks", "list-model-packages"],
    "report": ["describe-stacks", "get-object"],
    "schedule show": ["describe-stacks", "get-schedule"],
    "schedule off": ["describe-stacks", "get-schedule", "update-schedule"],
    "start --name explained": ["describe-stacks", "start-execution"],
    "deploy": ["describe-stacks", "list-model-packages", "start-execution"],
    "reject 1": ["describe-stacks", "describe-model-package", "update-model-package"],
}
# What changes something is only read by the AWS CLI, so that other tests find the cloud as it was.
SKELETON = " --generate-cli-skeleton output"


def run(cloud: Cloud, folder: Path, command: list[str], given: str | None = None) -> str:
    """What a program prints in a folder, with what `automl local up` prints in the environment."""
    path = f"{_BIN}{os.pathsep}{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(folder), **cloud.deployed.server.environment()}
    process = subprocess.run(
        command, cwd=folder, env=environment, input=given, capture_output=True, text=True, timeout=240, check=False
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


def explained(cloud: Cloud, command: str, folder: Path | None = None) -> list[str]:
    result = cloud.automl(*command.split(), "--explain", folder=folder)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


@pytest.fixture(scope="module")
def lines(cloud: Cloud, deployed: dict[str, Any]) -> dict[str, list[str]]:
    """What each command prints, of a stack whose requests were compared with the training rows."""
    assert deployed
    cloud.client("lambda").invoke(FunctionName="automl-pipeline-measure-drift", Payload=b"{}")
    return {command: explained(cloud, command) for command in COMMANDS}


def asked(line: str) -> str:
    return line + SKELETON * line.split()[2].startswith(("start-", "update-"))


@pytest.fixture(scope="module")
def failed(cloud: Cloud, lines: dict[str, list[str]], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The lines of all commands that the AWS CLI refuses, each with what it says."""
    every = [*dict.fromkeys(asked(line) for made in lines.values() for line in made)]
    printed = run(cloud, tmp_path_factory.mktemp("aws"), [sys.executable, "-c", _AWS_CLI], json.dumps(every))
    return json.loads(printed.splitlines()[-1])


@pytest.mark.parametrize("command", COMMANDS)
def test_lines_run_as_they_are_printed(lines: dict[str, list[str]], failed: dict[str, str], command: str) -> None:
    made = [line.split()[2] for line in lines[command]]
    assert [name for name in dict.fromkeys(made) if name in COMMANDS[command]] == COMMANDS[command]
    assert {line: failed[asked(line)] for line in lines[command] if asked(line) in failed} == {}


def test_a_line_that_aws_refuses_is_noticed(cloud: Cloud, tmp_path: Path) -> None:
    wrong = "aws sagemaker describe-endpoint --endpoint-name nowhere"
    printed = run(cloud, tmp_path, [sys.executable, "-c", _AWS_CLI], json.dumps([wrong]))
    assert "Could not find endpoint" in json.loads(printed.splitlines()[-1])[wrong]


def test_nothing_is_changed(cloud: Cloud, deployed: dict[str, Any], tmp_path: Path) -> None:
    before = cloud.packages()
    run(cloud, tmp_path, ["automl", "reject", "1", "--explain"])
    run(cloud, tmp_path, ["automl", "start", "--name", "explained", "--explain"])
    assert cloud.packages() == before
    assert "explained" not in cloud.automl("runs", "--json").stdout


def test_prediction_is_one_request(cloud: Cloud, deployed: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("tenure_months\n1\n")
    made = explained(cloud, "predict --input-csv rows.csv", tmp_path)
    assert made[-1].startswith("aws sagemaker-runtime invoke-endpoint ")
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]
