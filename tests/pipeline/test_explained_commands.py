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
_AWS_CLI = """
import contextlib, io, json, shlex, sys
from awscli.clidriver import create_clidriver

failed = []
for line in json.load(sys.stdin):
    said = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
        try:
            status = create_clidriver().main(shlex.split(line)[1:])
        except SystemExit as ended:
            status = ended.code
    if status:
        failed.append(f"{line}: {status} {said.getvalue()}")
print(json.dumps(failed))
"""


class Shell:
    """A terminal in an empty folder, with what `automl local up` prints in the environment."""

    def __init__(self, cloud: Cloud, folder: Path):
        self.folder = folder
        path = f"{_BIN}{os.pathsep}{os.environ['PATH']}"
        self._environment = {"PATH": path, "HOME": str(folder), **cloud.deployed.server.environment()}

    def run(self, line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            line, shell=True, cwd=self.folder, env=self._environment, capture_output=True, text=True, timeout=120, check=False
        )  # fmt: skip

    def run_all(self, lines: list[str]) -> list[str]:
        """Runs lines of the AWS CLI in one process of it. Returns those that fail, each with what it said."""
        process = subprocess.run(
            [sys.executable, "-c", _AWS_CLI], cwd=self.folder, env=self._environment, input=json.dumps(lines),
            capture_output=True, text=True, timeout=240, check=True,
        )  # fmt: skip
        return json.loads(process.stdout.splitlines()[-1])

    def explained(self, command: str) -> list[str]:
        reported = self.run(f"automl {command} --explain")
        assert reported.returncode == 0, reported.stderr
        return reported.stdout.splitlines()


@pytest.fixture
def shell(cloud: Cloud, tmp_path: Path) -> Shell:
    return Shell(cloud, tmp_path)


@pytest.mark.parametrize(
    ("command", "operations"),
    [
        ("runs --limit 2", ["describe-stacks", "list-executions", "describe-execution"]),
        ("show", ["describe-stacks", "list-executions", "get-execution-history"]),
        ("watch", ["describe-stacks", "list-executions", "get-execution-history"]),
        ("logs", ["describe-stacks", "filter-log-events"]),
        ("status", ["describe-stacks", "get-schedule", "describe-endpoint", "describe-alarms"]),
        ("versions", ["describe-stacks", "list-model-packages"]),
        ("report", ["describe-stacks", "get-object"]),
        ("schedule show", ["describe-stacks", "get-schedule"]),
        ("schedule off", ["describe-stacks", "get-schedule", "update-schedule"]),
        ("start --name explained", ["describe-stacks", "start-execution"]),
        ("deploy", ["describe-stacks", "list-model-packages", "start-execution"]),
        ("reject 1", ["describe-stacks", "describe-model-package", "update-model-package"]),
    ],
)
def test_lines_run_as_they_are_printed(
    shell: Shell, deployed: dict[str, Any], command: str, operations: list[str]
) -> None:
    lines = shell.explained(command)
    made = [line.split()[2] for line in lines]
    assert [name for name in dict.fromkeys(made) if name in operations] == operations
    # What changes something is only read by the AWS CLI, so that other tests find the cloud as it was.
    skeleton = " --generate-cli-skeleton output"
    changing = [name.startswith(("start-", "update-")) for name in made]
    assert shell.run_all([line + skeleton * changes for line, changes in zip(lines, changing, strict=True)]) == []


def test_nothing_is_changed(shell: Shell, cloud: Cloud, deployed: dict[str, Any]) -> None:
    before = cloud.packages()
    shell.explained("reject 1")
    shell.explained("start --name explained")
    assert cloud.packages() == before
    assert "explained" not in shell.run("automl runs --json").stdout


def test_prediction_is_one_request(shell: Shell, deployed: dict[str, Any]) -> None:
    (shell.folder / "rows.csv").write_text("tenure_months\n1\n")
    assert shell.explained("predict --input-csv rows.csv")[-1].startswith("aws sagemaker-runtime invoke-endpoint ")
    assert [path.name for path in shell.folder.iterdir()] == ["rows.csv"]
