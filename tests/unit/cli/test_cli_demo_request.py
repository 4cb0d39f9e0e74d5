"""`automl demo` with something wrong: one clear message, an exit code, and nothing started."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from cli import demo_request
from cli.demo_request import Options, check
from local.data import csv_table
from local.server import process

PROCESSING = Path(__file__).parents[3] / "processing"
Automl = Callable[..., Result]


@pytest.fixture(autouse=True)
def nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(**_: Any) -> None:
        pytest.fail("the local cloud was started")

    monkeypatch.setattr(process, "start", start)


def table(path: Path, targets: Iterable[object], name: str = "sold") -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "size", name])
        writer.writerows([f"r{number}", number % 17, target] for number, target in enumerate(targets))
    return path


def halves(rows: int) -> list[str]:
    return ["yes" if number % 2 else "no" for number in range(rows)]


def refused(result: Result, *said: str) -> None:
    assert result.exit_code == 1, result.output
    for part in said:
        assert part in result.stderr
    assert "Traceback" not in result.output


def test_csv_without_the_target_column(automl: Automl, tmp_path: Path) -> None:
    file = table(tmp_path / "t.csv", halves(700), "sold_it")
    refused(
        automl("demo", "--csv", file, "--target", "soldit", "--id-column", "id"), "soldit", "Did you mean 'sold_it'?"
    )


@pytest.mark.parametrize(("rows", "said"), [(450, "has 450 rows"), (600, "at least 625 are needed")])
def test_csv_with_too_few_rows(automl: Automl, tmp_path: Path, rows: int, said: str) -> None:
    file = table(tmp_path / "t.csv", halves(rows))
    refused(automl("demo", "--csv", file, "--target", "sold", "--id-column", "id"), said)


def test_csv_with_one_class(automl: Automl, tmp_path: Path) -> None:
    file = table(tmp_path / "t.csv", ["yes"] * 700)
    refused(automl("demo", "--csv", file, "--target", "sold", "--id-column", "id"), "'yes' in every row")


def test_csv_with_a_class_that_cannot_be_split(automl: Automl, tmp_path: Path) -> None:
    file = table(tmp_path / "t.csv", [*halves(700), "maybe"])
    refused(automl("demo", "--csv", file, "--target", "sold", "--id-column", "id"), "Class 'maybe'", "has 1 row(s)")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--csv", "t.csv"], "--csv needs --target COLUMN"),
        (["--csv", "t.csv", "--target", "sold"], "--id-column COLUMN"),
        (["--target", "sold"], "--target goes with --csv"),
        (["--id-column", "id"], "--id-column goes with --csv"),
        (["--objective", "RMSE"], "--objective: RMSE does not fit BinaryClassification"),
        (["--problem-type", "Binary"], "--problem-type: \"Binary\" is not one of"),
        (["--problem-type", "Regression"], "--problem-type Regression needs numbers, and 'churn' holds"),
        (["--threshold", "1.5"], "--threshold must be at most 1, got 1.5"),
        (["--threshold", "nan"], "--threshold"),
        (["--max-runtime", "0"], "--max-runtime must be at least 1, got 0"),
        (["--faults", "nowhere.yaml"], "nowhere.yaml cannot be read: No such file"),
        (["--summary", "nowhere/summary.json"], "there is no folder"),
    ],
)  # fmt: skip
def test_flags_that_do_not_go_together(automl: Automl, arguments: list[str], said: str) -> None:
    refused(automl("demo", *arguments), said)


def test_all_problems_are_reported_at_once(automl: Automl, tmp_path: Path) -> None:
    (tmp_path / "faults.yaml").write_text("- service: sagemaker\n  job: cooking\n")
    file = table(tmp_path / "t.csv", ["yes"] * 300)
    result = automl(
        "demo", "--csv", file, "--target", "sold", "--id-column", "id", "--threshold", 2, "--max-runtime", -1,
        "--faults", tmp_path / "faults.yaml",
    )  # fmt: skip
    refused(result, "has 300 rows", "in every row", "--threshold", "--max-runtime", "entry 1")


def test_summary_is_written_for_a_demo_that_was_refused(automl: Automl, tmp_path: Path) -> None:
    refused(automl("demo", "--target", "sold", "--summary", tmp_path / "s.json"), "--target goes with --csv")
    document = json.loads((tmp_path / "s.json").read_text())
    assert document["status"] == "NOT_STARTED"
    assert "--target goes with --csv" in document["cause"]


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        (halves(700), "BinaryClassification"),
        ([number % 2 for number in range(700)], "BinaryClassification"),
        ([("red", "green", "blue")[number % 3] for number in range(700)], "MulticlassClassification"),
        ([number % 7 for number in range(700)], "MulticlassClassification"),
        ([number * 1.5 for number in range(700)], "Regression"),
        ([*(number % 7 for number in range(700)), 99], "Regression"),
    ],
)
def test_problem_type_follows_from_the_target(tmp_path: Path, targets: list[object], expected: str) -> None:
    request = check(Options(csv=table(tmp_path / "t.csv", targets), target="sold", id_column="id"))
    assert request.given["problem_type"] == expected
    assert any(note.startswith(f"sold is learned as {expected}") for note in request.notes)


def test_own_table_trains_on_every_record(tmp_path: Path) -> None:
    request = check(Options(csv=table(tmp_path / "t.csv", halves(700)), target="sold", id_column="id", threshold=0.9))
    assert request.given == {
        "customer_id_start": None,
        "customer_id_end": None,
        "problem_type": "BinaryClassification",
        "objective_metric_name": "Accuracy",
        "accuracy_threshold": 0.9,
    }


def test_telco_needs_no_input() -> None:
    assert check(Options()).given == {}


def test_limits_are_those_of_the_processing_job() -> None:
    script = "".join((PROCESSING / name).read_text() for name in ("fitting.py", "splitting.py"))
    rows, share, of_a_class = (
        float(re.findall(rf"^{name} = ([\d.]+)", script, re.M)[0])
        for name in ("LEAST_TRAINING_ROWS", "TEST_SHARE", "LEAST_OF_A_CLASS")
    )
    assert rows / (1 - share) == csv_table.MIN_ROWS
    assert of_a_class == demo_request.LEAST_OF_A_CLASS


def test_objective_auc_is_suggested_for_a_rare_class(tmp_path: Path) -> None:
    rare = table(tmp_path / "rare.csv", ["yes" if number % 20 == 0 else "no" for number in range(1000)])
    options = Options(csv=rare, target="sold", id_column="id")
    note = (
        "Class 'yes' is 5.0% of the rows: a model that always answers 'no' has accuracy 0.950. --objective AUC chooses a "
        "model by how well it ranks the rows instead."
    )
    assert note in check(options).notes
    options.objective = "AUC"
    assert not [said for said in check(options).notes if "AUC" in said]
    even = Options(csv=table(tmp_path / "even.csv", halves(1000)), target="sold", id_column="id")
    assert not [said for said in check(even).notes if "AUC" in said]


def test_objective_of_two_classes_is_explained_for_more(tmp_path: Path) -> None:
    file = table(tmp_path / "t.csv", [("a", "b", "c")[number % 3] for number in range(1000)])
    options = Options(csv=file, target="sold", id_column="id", objective="F1")
    said = "F1 of MulticlassClassification is F1macro: the mean over the classes, each of the same weight."
    assert said in check(options).notes
