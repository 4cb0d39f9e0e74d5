"""Data that hurts, on real customers and under the image's versions: it trains right, or ends with one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest

from local.data import telco

from .athena import numbers, output, run_shipped, write

ROWS = 1000
BINARY, MULTICLASS, REGRESSION = "BinaryClassification", "MulticlassClassification", "Regression"
NASTY = 'a,b "q"\r\n\'; DROP TABLE x;-- =1+1 <b>é 你好 \x01 \u2028.'
NASTY_NAME = 'größe, "x"\ny'


@dataclass
class Case:
    """A table made from a thousand customers, and how a run asks for it."""

    change: Callable[[pandas.DataFrame], pandas.DataFrame]
    target: str = "churn"
    problem: str = BINARY


def cycle(*values: Any) -> list[Any]:
    """A column of these values, over and over."""
    return [values[row % len(values)] for row in range(ROWS)]


def count(form: str, most: int = ROWS) -> list[str]:
    """A column of texts with a number in them."""
    return [form.format(row % most) for row in range(ROWS)]


def many_columns(frame: pandas.DataFrame) -> pandas.DataFrame:
    values = numpy.random.default_rng(0).normal(size=(ROWS, 500)).round(6)
    return pandas.concat([frame, pandas.DataFrame({f"x{place}": values[:, place] for place in range(500)})], axis=1)


def many_categories(_: pandas.DataFrame) -> pandas.DataFrame:
    customers = telco.load().sample(12_000, replace=True, random_state=0, ignore_index=True)
    return customers.assign(street=[f"street {row % 10_000}" for row in range(len(customers))])


TRAINS = {
    "line breaks, quotes and commas": Case(lambda frame: frame.assign(note=count(NASTY + " {}", 7))),
    "such a column name": Case(lambda frame: frame.rename(columns={"tenure_months": NASTY_NAME})),
    "such classes": Case(lambda frame: frame.assign(churn=cycle("Größe  10 €", "a'b; <c> 你好"))),
    "mixed-case names": Case(lambda frame: frame.rename(columns=str.title), target="Churn"),
    "targets missing": Case(lambda frame: frame.assign(churn=cycle("Yes", "No", None, " ", "No", "No"))),
    "classes like numbers, kept apart": Case(
        lambda frame: frame.assign(churn=cycle("01", "1.10", "2")), problem=MULTICLASS
    ),
    "classes like numbers beside a text": Case(
        lambda frame: frame.assign(churn=cycle("007", "7", "none of them")), problem=MULTICLASS
    ),
    "625 rows": Case(lambda frame: frame.head(625)),
    "classes of five rows": Case(lambda frame: frame.assign(churn=count("class {}", 200)), problem=MULTICLASS),
    "columns of nothing": Case(lambda frame: frame.assign(null=None, blank="  ", infinite="-inf", same="x", seven=7)),
    "blanks among numbers": Case(lambda frame: frame.assign(total_charges=cycle(" ", "29.85", "", "1889.5"))),
    "infinities": Case(lambda frame: frame.assign(ratio=cycle("inf", "-Infinity", "1e999", "nan", "2", "4"))),
    "ends of a double's range": Case(lambda frame: frame.assign(far=cycle("1.7e308", "1.6e308", "-1.7e308", "5e-324"))),
    "huge integers": Case(lambda frame: frame.assign(big=count("1{:030}"), beyond=count("900719925474{:04}"))),
    "booleans": Case(lambda frame: frame.assign(a=cycle("true", "false"), b=cycle(True, False, None))),
    "boolean target": Case(lambda frame: frame.assign(churn=cycle("true", "false"))),
    "dates": Case(lambda frame: frame.assign(since=count("2026-01-01T00:{:02}:00Z", 60))),
    "500 columns": Case(many_columns),
    "10,000 categories": Case(many_categories),
    "quantity with blanks and words for missing": Case(
        lambda frame: frame.assign(churn=cycle("1.5", " ", "-2", "1e3", "NA", "+7", "0", "12")), problem=REGRESSION
    ),
}

UNUSABLE = {
    "no rows": (
        Case(lambda frame: frame.head(0)),
        "The query found no customer: the feature group has no record in the chosen range that is not deleted. "
        "Check customer_id_start and customer_id_end, and whether records have arrived in the offline store.",
    ),
    "no target": (
        Case(lambda frame: frame.filter(["customer_id", "tenure_months"])),
        "Target column 'churn' is not in the data, which has: customer_id, tenure_months. "
        "Set target_attribute_name to one of them.",
    ),
    "empty target": (
        Case(lambda frame: frame.assign(churn=" ")),
        "Target column 'churn' is empty in all 1000 rows; choose another target.",
    ),
    "half the targets missing": (
        Case(lambda frame: frame.assign(churn=cycle("Yes", None, "No", None))),
        "There are 500 rows with a value in target column 'churn' (500 more have none) and at least 625 are needed: "
        "Autopilot trains on 500 or more, and a fifth is kept for the test. "
        "Widen the range of customers or fill in the target.",
    ),
    "624 rows": (
        Case(lambda frame: frame.head(624)),
        "There are 624 rows with a value in target column 'churn' and at least 625 are needed: "
        "Autopilot trains on 500 or more, and a fifth is kept for the test. Widen the range of customers.",
    ),
    "one class": (
        Case(lambda frame: frame.assign(churn="No\n" * 1000)),
        r"Target column 'churn' has one class only ('No\nNo\nNo\nNo\nNo\nNo\nNo\nNo\nNo\n...); there is nothing to "
        "learn. Widen the range of customers or choose another target.",
    ),
    "class with one row": (
        Case(lambda frame: frame.assign(churn=["maybe", *frame.churn[1:]]), problem=MULTICLASS),
        "Class 'maybe' of target column 'churn' has 1 row, and 5 are needed to be in training and test. "
        "Add rows of it, merge it with another class, or leave its rows out.",
    ),
    "class with a NUL": (
        Case(lambda frame: frame.assign(churn=cycle("yes\0", "no"))),
        r"Class 'yes\x00' of target column 'churn' holds a NUL character, at which readers of CSV stop; fix the data.",
    ),
    "three classes for two": (
        Case(lambda frame: frame.assign(churn=cycle("a", "b", "x\ny"))),
        r"Target column 'churn' has 3 classes ('a', 'b', 'x\ny') and BinaryClassification takes 2; "
        "set problem_type to MulticlassClassification or fix the data.",
    ),
    "class with a comma": (
        Case(lambda frame: frame.assign(churn=cycle("yes, soon", "no"))),
        "Class 'yes, soon' of target column 'churn' holds a comma, a double quote or a line break, which does not survive "
        "in the CSV that the model answers with. Rename the class.",
    ),
    "class with a quote": (
        Case(lambda frame: frame.assign(churn=cycle('5" pipe', "no"))),
        "Class '5\" pipe' of target column 'churn' holds a comma, a double quote or a line break, which does not survive "
        "in the CSV that the model answers with. Rename the class.",
    ),
    **{
        f"classes {a} and {b}": (
            Case(lambda frame, a=a, b=b, other=other: frame.assign(churn=cycle(a, b, other)), problem=MULTICLASS),
            f"Classes '{a}' and '{b}' of target column 'churn' cannot be distinguished: Autopilot reads each of them as "
            f"{sense}. Use one spelling, or put a letter in front of every class.",
        )
        for a, b, other, sense in (
            ("007", "7", "8", "7"),
            ("01", "1", "2", "1"),
            ("1.1", "1.10", "2", "1.1"),
            ("TRUE", "True", "False", "True"),
        )
    },
    "classes beyond 2^53": (
        Case(lambda frame: frame.assign(churn=cycle("9007199254740993", "5"))),
        "Class '9007199254740993' of target column 'churn' is an integer beyond 2^53, which a double cannot hold exactly: "
        "Autopilot may confuse it with its neighbors. Put a letter in front of every class.",
    ),
    "quantity for classes": (
        Case(lambda frame: frame, target="monthly_charges", problem=MULTICLASS),
        "Target column 'monthly_charges' holds 656 different numbers, which is a quantity rather than classes; "
        "set problem_type to Regression and objective_metric_name to RMSE, or choose another target.",
    ),
    "text for a quantity": (
        Case(lambda frame: frame, target="contract_type", problem=REGRESSION),
        "Target column 'contract_type' must be numeric for Regression, and holds 'Month-to-month' in row 1 of data/raw/; "
        "set problem_type to a classification or fix the data.",
    ),
    "infinite quantity": (
        Case(lambda frame: frame.assign(churn=["1.5", "2", "inf", *cycle("3", "4")[3:]]), problem=REGRESSION),
        "Target column 'churn' must be numeric for Regression, and holds 'inf' in row 3 of data/raw/; "
        "set problem_type to a classification or fix the data.",
    ),
    "one quantity": (
        Case(lambda frame: frame.assign(churn="5"), problem=REGRESSION),
        "Target column 'churn' has one value only (5.0); there is nothing to learn. "
        "Widen the range of customers or choose another target.",
    ),
    "quantity out of reach": (
        Case(lambda frame: frame.assign(churn=cycle("1e200", "-3")), problem=REGRESSION),
        "Target column 'churn' reaches 1e+200, and models compute with numbers up to 1e+38; give it in a larger unit.",
    ),
    "empty features": (
        Case(lambda frame: frame[["customer_id", "churn"]].assign(null=None)),
        "No column besides ids, metadata and the target holds any value; there is nothing to learn from. "
        "Add features to the feature group.",
    ),
    "features without difference": (
        Case(lambda frame: frame[["customer_id", "churn"]].assign(a="x", b=3)),
        "The features ('a', 'b') have the same value in every row; there is nothing to learn from. "
        "Add features that differ between customers, or widen the range of customers.",
    ),
}

SCRIPT = """
import csv, io, json, sys
import csv_rows, inference, preprocess

csv_rows.PIECE, csv_rows.SAMPLE = 1 << 16, 1 << 12  # so that tables of this size are read in pieces, too
for root, target, problem in json.load(open(sys.argv[1])):
    job = ["--root", root, "--target", target, "--problem-type", problem, "--drop-columns", "customer_id,Customer_Id"]
    if preprocess.main(job):
        continue
    with open(root + "/processing/output/evaluation_input/part-00000.jsonl", "rb") as file:
        lines = file.read()
    rows = [json.loads(line) for line in lines.splitlines()]
    table = io.StringIO()
    writer = csv.DictWriter(table, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    requests = {"application/jsonlines": lines, "application/json": json.dumps(rows).encode()}
    requests["text/csv"] = table.getvalue().encode()
    encoder = inference.model_fn(root + "/processing/output/preprocessing")
    for kind, body in requests.items():
        with open(root + "/" + kind.split("/")[1], "wb") as file:
            file.write(inference.encode(encoder, body, kind))
"""


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder under which every case's job has run, each in the folder of its place in the list of all cases."""
    folder = tmp_path_factory.mktemp("hard-data")
    cases = [*TRAINS.values(), *(case for case, _ in UNUSABLE.values())]
    asked = [(str(folder / str(place)), case.target, case.problem) for place, case in enumerate(cases)]
    for (root, _, _), case in zip(asked, cases, strict=True):
        write(Path(root), case.change(telco.load().head(ROWS)))
    (folder / "jobs.json").write_text(json.dumps(asked))
    run_shipped(folder, SCRIPT, str(folder / "jobs.json"))
    return folder


def job(jobs: Path, name: str) -> Path:
    return jobs / str([*TRAINS, *UNUSABLE].index(name))


def specification(jobs: Path, name: str) -> dict[str, Any]:
    return json.loads((job(jobs, name) / "processing/output/preprocessing/preprocessing.json").read_bytes())


def features(jobs: Path, name: str) -> dict[str, dict[str, Any]]:
    return {feature["name"]: feature for feature in specification(jobs, name)["features"]}


@pytest.mark.parametrize("name", UNUSABLE)
def test_unusable_data_ends_with_one_sentence_and_no_output(jobs: Path, name: str) -> None:
    folder = job(jobs, name)
    assert (folder / "output/message").read_text(encoding="utf-8") == UNUSABLE[name][1]
    assert not (folder / "processing/output").exists()


@pytest.mark.parametrize("kind", ["jsonlines", "json", "csv"])
@pytest.mark.parametrize("name", TRAINS)
def test_held_out_rows_are_served_as_they_were_encoded(jobs: Path, name: str, kind: str) -> None:
    expected = output(job(jobs, name), "test").drop(columns=TRAINS[name].target)
    assert numbers((job(jobs, name) / kind).read_bytes()) == expected.to_numpy(dtype=float).tolist()


@pytest.mark.parametrize("name", TRAINS)
def test_a_fifth_is_held_out_and_every_class_is_on_both_sides(jobs: Path, name: str) -> None:
    case, rows = TRAINS[name], specification(jobs, name)["rows"]
    train, test = (output(job(jobs, name), part, dtype=str)[case.target] for part in ("train", "test"))
    source = case.change(telco.load().head(ROWS))
    assert (len(train), len(test)) == (rows["train"], rows["test"])
    assert len(train) + len(test) + rows["without_target"] == len(source)
    assert 0 <= len(test) - 0.2 * (len(train) + len(test)) < 1
    if case.problem != REGRESSION:
        labels = {str(label).strip() for label in source[case.target].dropna() if str(label).strip()}
        assert set(train) == set(test) == labels == set(specification(jobs, name)["labels"])


def test_rows_without_a_target_are_counted_and_left_out(jobs: Path) -> None:
    assert specification(jobs, "targets missing")["rows"]["without_target"] == sum(
        row % 6 in (2, 3) for row in range(ROWS)
    )


def test_columns_without_any_value_are_left_out_and_named(jobs: Path) -> None:
    assert specification(jobs, "columns of nothing")["dropped_columns"]["without_values"] == [
        "null",
        "blank",
        "infinite",
    ]
    assert features(jobs, "columns of nothing")["seven"] == {"name": "seven", "kind": "numeric", "median": 7.0}


def test_numbers_stay_numbers_beside_blanks_and_infinities(jobs: Path) -> None:
    for name, column, known in (
        ("blanks among numbers", "total_charges", {29.85, 1889.5}),
        ("infinities", "ratio", {2.0, 4.0}),
    ):
        feature = features(jobs, name)[column]
        assert feature["kind"] == "numeric"
        assert set(output(job(jobs, name), "train")[column]) == known | {feature["median"]}


def test_huge_integers_keep_what_a_double_can_hold(jobs: Path) -> None:
    beyond = output(job(jobs, "huge integers"), "train").beyond
    assert set(beyond) <= {float(f"900719925474{row:04}") for row in range(ROWS)}
    assert output(job(jobs, "huge integers"), "train").big.between(1e30, 2e30).all()


def test_column_called_anything_can_be_asked_for(jobs: Path) -> None:
    assert features(jobs, "such a column name")[NASTY_NAME]["kind"] == "numeric"
    assert NASTY_NAME in output(job(jobs, "such a column name"), "train")


def test_categories_are_those_of_the_training_rows(jobs: Path) -> None:
    streets = features(jobs, "10,000 categories")["street"]["categories"]
    test = output(job(jobs, "10,000 categories"), "test").street
    assert test.max() == len(streets)  # the code of a street that no training row has
    assert 7000 < len(streets) < 10_000
    assert len(features(jobs, "dates")["since"]["categories"]) == 60
    assert features(jobs, "booleans")["b"]["categories"] == ["False", "True", "Unknown"]
