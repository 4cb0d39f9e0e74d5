"""docs/tutorial.md, typed line by line, on a local cloud where other versions serve already."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local.server import paths

from .conftest import Cloud

PAGE = (paths.PROJECT / "docs" / "tutorial.md").read_text(encoding="utf-8")


def lines(*numbers: int) -> list[str]:
    """The commands of the tutorial's numbered sections."""
    sections = re.split(r"^## (?=\d)", PAGE, flags=re.MULTILINE)
    text = "".join(section for section in sections if section.startswith(tuple(f"{number}. " for number in numbers)))
    blocks = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


class Reader:
    """Somebody who types what the tutorial says, in a folder with the table in it."""

    def __init__(self, cloud: Cloud, folder: Path):
        self._folder = folder
        own = Path(sys.executable).parent
        self._environment = {
            **cloud.deployed.server.environment(),
            "PATH": f"{own}:{os.environ['PATH']}",
            "HOME": str(folder),
            "BROWSER": "true",  # a program that does nothing
        }

    def types(self, line: str) -> str:
        """What the command prints."""
        run = subprocess.run(
            ["sh", "-ec", line],
            env=self._environment,
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert run.returncode == 0, f"{line}\n{run.stdout}{run.stderr}"
        return run.stdout


@pytest.fixture
def reader(cloud: Cloud, tmp_path: Path) -> Reader:
    table = subprocess.run(
        [sys.executable, paths.PROJECT / "docs/examples/customers.py"], capture_output=True, text=True, check=True
    )
    (tmp_path / "customers.csv").write_text(table.stdout, encoding="utf-8")
    return Reader(cloud, tmp_path)


def test_table_becomes_an_approved_model_that_answers(
    cloud: Cloud, deployed: dict[str, Any], reader: Reader, tmp_path: Path
) -> None:
    (load,) = lines(3)
    assert "1,000 rows loaded" in reader.types(load)
    (start,) = lines(4)
    assert "PendingApproval" in reader.types(start)
    version = max(package["ModelPackageVersion"] for package in cloud.packages())
    for line in lines(5):
        assert "accuracy" in reader.types(line)
    approve, *watch = lines(6)
    assert approve == "automl approve 1"
    before = cloud.deployments()
    try:
        reader.types(f"automl approve {version}")
        cloud.deployed_since(before)
        for line in watch:
            assert "DeployEndpoint" in reader.types(line)
        served = [row["version"] for row in json.loads(reader.types("automl versions --json")) if row["serves"]]
        assert served == [version]
        for line in lines(7):
            reader.types(line)
        with (tmp_path / "customers.predictions.csv").open(encoding="utf-8") as file:
            predicted = list(csv.DictReader(file))
        assert len(predicted) == 1000
        assert sum(row["prediction"] == row["Churn"] for row in predicted) > 650
    finally:
        first = deployed["model_package_arn"].rsplit("/", 1)[1]
        reader.types(f"automl deploy --version {first} --watch")


def test_from_a_clone_to_predictions_in_ten_commands() -> None:
    typed = [line for line in lines(1, 2, 3, 4, 5, 6, 7) if not line.startswith("export ")]
    assert len(typed) <= 10
