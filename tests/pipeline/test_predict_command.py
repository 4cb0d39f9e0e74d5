"""`automl predict` as it is typed, against the local cloud's endpoint."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas
import pytest
from automl_pipeline import answers

from local.data import telco

from .conftest import Cloud

COPIES = 20
Automl = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="module")
def automl(cloud: Cloud, deployed: dict[str, Any]) -> Automl:
    """Starts the command in a process of its own, with what `automl local up` prints in the environment."""
    environment = {"PATH": os.environ["PATH"], "HOME": os.devnull, **cloud.deployed.server.environment()}

    def start(*arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "cli.main", "predict", *map(str, arguments)]
        return subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
        )

    return start


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=180)
    return process.returncode, out, err


def rows_of(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def answered(cloud: Cloud, customers: pandas.DataFrame) -> list[list[str]]:
    """What the endpoint says of these customers, in one request."""
    said = cloud.client("sagemaker-runtime").invoke_endpoint(
        EndpointName="automl-pipeline", ContentType="text/csv", Body=customers.to_csv(index=False)
    )
    reported = [(answer.label, answer.probabilities()) for answer in answers.read(said["Body"].read())]
    return [[label, repr(each[label]), repr(each["Yes"])] for label, each in reported]


def test_customers_that_the_model_never_saw(automl: Automl, cloud: Cloud, tmp_path: Path) -> None:
    customers = telco.load().iloc[4000:]
    customers.to_csv(tmp_path / "customers.csv", index=False)
    status, out, err = ended(automl("--input-csv", tmp_path / "customers.csv"))
    assert status == 0, err
    header, *rows = rows_of(tmp_path / "customers.predictions.csv")
    assert header == [*customers.columns, "prediction", "probability", "probability_Yes"]
    assert [row[:-3] for row in rows] == rows_of(tmp_path / "customers.csv")[1:]
    assert [row[-3:] for row in rows] == answered(cloud, customers)
    right = sum(row[-3] == row[-4] for row in rows) / len(rows)
    assert right > 0.75  # `churn` is among the columns: the model does not read it
    assert "3,043 rows" in out
    assert "CUST_004001" in out
    assert f"Predicted: No {sum(row[-3] == 'No' for row in rows):,}, Yes" in out
    assert err == ""


def test_sample_row_that_does_not_match_its_header(automl: Automl, cloud: Cloud, tmp_path: Path) -> None:
    sample = (
        "age,tenure_months,monthly_charges,total_charges,contract_type,payment_method,internet_service,phone_service,"
        "multiple_lines,online_security,tech_support,device_protection\n"
        "35,12,70.5,840.0,Month-to-month,Electronic check,DSL,Yes,No,Yes,No"
    )
    (tmp_path / "sample.csv").write_text(sample)
    status, _, err = ended(automl("--input-csv", tmp_path / "sample.csv"))
    assert status == 1
    assert "Row 1 has 11 values and the header names 12 (line 2)." in err
    runtime = cloud.client("sagemaker-runtime")
    with pytest.raises(runtime.exceptions.ModelError) as refused:
        runtime.invoke_endpoint(EndpointName="automl-pipeline", ContentType="text/csv", Body=sample)
    assert refused.value.response["OriginalStatusCode"] == 400
    assert refused.value.response["OriginalMessage"] == "Row 1 has 11 values and the header names 12."
    (tmp_path / "sample.csv").write_text(sample + ",No\n")
    status, out, err = ended(automl("--input-csv", tmp_path / "sample.csv"))
    assert status == 0, err
    assert "8 of the model's 19 features are not in the file and count as missing values: gender" in out


def test_refused_row_is_named_by_its_place_in_the_file(automl: Automl, tmp_path: Path) -> None:
    customers = telco.load().iloc[:2500].astype({"monthly_charges": object})
    customers.iloc[2345, customers.columns.get_loc("monthly_charges")] = "a lot"
    customers.to_csv(tmp_path / "customers.csv", index=False)
    status, _, err = ended(automl("--input-csv", tmp_path / "customers.csv"))
    assert status == 1
    assert "'monthly_charges' must be a number, and is 'a lot' in row 2,346 (line 2,347)." in err


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Customers again and again, each row with a number of its own: asking takes longer than what is done goes unsaved."""
    customers = telco.load()
    path = tmp_path_factory.mktemp("many") / "many.csv"
    pandas.concat([customers] * COPIES, ignore_index=True).assign(number=range(COPIES * len(customers))).to_csv(
        path, index=False
    )
    return path


@pytest.mark.exhaustive
def test_ended_on_the_way_the_same_command_goes_on(automl: Automl, cloud: Cloud, many: Path, tmp_path: Path) -> None:
    output, notes = tmp_path / "out.csv", tmp_path / "out.csv.progress.json"
    kept = 0
    for how in (signal.SIGKILL, signal.SIGINT, signal.SIGTERM):
        process = automl("--input-csv", many, "--output", output)
        deadline = time.monotonic() + 120
        while (done := rows_done(notes)) <= kept:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(how)
        status, _, err = ended(process)
        kept = rows_done(notes)
        assert done <= kept < COPIES * telco.ROWS
        assert not output.exists()
        if how == signal.SIGKILL:
            assert status == -how
        else:
            assert status == 130
            assert f"{kept:,} of {COPIES * telco.ROWS:,} rows are done and kept" in err
    status, out, err = ended(automl("--input-csv", many, "--output", output))
    assert status == 0, err
    assert f"Going on after row {kept:,} of {COPIES * telco.ROWS:,}." in out
    _, *rows = rows_of(output)
    assert [row[:-3] for row in rows] == rows_of(many)[1:]
    assert [row[-3:] for row in rows] == answered(cloud, telco.load()) * COPIES
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv"]


def rows_done(notes: Path) -> int:
    """How many rows the command has kept; it replaces the file as a whole."""
    return json.loads(notes.read_text())["progress"]["rows"] if notes.exists() else 0


def test_endpoint_or_run_that_is_not_there(automl: Automl, tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text(telco.load().head(1).to_csv(index=False))
    status, _, err = ended(automl("--input-csv", tmp_path / "one.csv", "--endpoint-name", "nobody-made-this"))
    assert status == 1
    assert "There is no endpoint nobody-made-this." in err
    assert "leave out --endpoint-name" in err
    status, _, err = ended(automl("--input-csv", tmp_path / "one.csv", "--run", "20200101-000000-abcdefab"))
    assert status == 1
    assert "and not 20200101-000000-abcdefab." in err
