"""What is wrong with the data is found before AutoML costs money, named, and refused where that was asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy
import pandas
import preprocess
import pytest
import unusable_data

from local.data import telco

from .athena import output, write

ROWS = 1000
BINARY, MULTICLASS, REGRESSION = "BinaryClassification", "MulticlassClassification", "Regression"
Frame = pandas.DataFrame


def base() -> Frame:
    """A thousand customers with nothing to find fault with."""
    return telco.load().head(ROWS)


def prepared(folder: Path, frame: Frame, problem: str = BINARY, **choices: Any) -> dict[str, Any]:
    write(folder, frame)
    ignored = ["customer_id"]
    return preprocess.run(str(folder), "churn", problem, ignored, 42, preprocess.Choices(**choices))


def random() -> numpy.random.Generator:
    return numpy.random.default_rng(0)


def copy_with_slips(frame: Frame) -> Frame:
    """The target under another name, wrong in one row of two hundred, and empty where it is No."""
    slip = random().random(ROWS) < 0.005
    left = (frame.churn == "Yes") ^ slip
    return frame.assign(cancelled_on=[f"2026-01-{1 + row % 7:02}" if gone else None for row, gone in enumerate(left)])


def as_quantity(frame: Frame) -> Frame:
    price = random().lognormal(3, 1, ROWS).round(2)
    return frame.assign(churn=price, in_other_currency=(price * 1.08).round(2), noise=random().normal(size=ROWS))


FINDINGS = {
    "the target's copy": (
        lambda frame: frame.assign(copy=frame.churn.map({"Yes": "1", "No": "0"})),
        BINARY,
        "Column 'copy' alone gives the target away (balanced accuracy 1.000)",
    ),
    "a column that is filled in after the outcome": (copy_with_slips, BINARY, "Column 'cancelled_on' alone gives"),
    "a number that gives the outcome away": (
        lambda frame: frame.assign(score=(frame.churn == "Yes") + random().random(ROWS) * 0.9),
        BINARY,
        "Column 'score' alone gives the target away",
    ),
    "the quantity in another currency": (
        as_quantity,
        REGRESSION,
        "Column 'in_other_currency' alone orders the rows as the target does (rank correlation 1.000)",
    ),
    "rows on both sides": (
        lambda frame: pandas.concat([frame.head(500)] * 2, ignore_index=True),
        BINARY,
        "test rows (8",
    ),
    "texts that name the rows": (
        lambda frame: frame.assign(email=[f"p{row}@example.com" for row in range(ROWS)]),
        BINARY,
        "Column 'email' has about one value a row, as an identifier does",
    ),
    "a counter": (
        lambda frame: frame.assign(row=random().permutation(ROWS)),
        BINARY,
        "Column 'row' has about one value a row",
    ),
    "a number among words": (
        lambda frame: frame.assign(income=["unknown!" if row == 400 else str(30_000 + 7 * row) for row in range(ROWS)]),
        BINARY,
        "Column 'income' is read as text because of 'unknown!' in row 401; 999 values are numbers.",
    ),
    "labels spelled twice": (
        lambda frame: frame.assign(churn=["yes.", "yes", "no", "no"] * (ROWS // 4)),
        MULTICLASS,
        "'yes' (250 rows) and 'yes.' (250 rows) in target 'churn' look like one class",
    ),
    "a class too small to judge": (
        lambda frame: frame.assign(churn=["Yes" if row % 20 == 0 else "No" for row in range(ROWS)]),
        BINARY,
        "Too few test rows to judge 'Yes': the rarest has 10, and its recall is uncertain by about 0.31.",
    ),
}


@pytest.mark.parametrize("name", FINDINGS)
def test_finding_is_reported_and_with_require_nothing_is_written(name: str, tmp_path: Path) -> None:
    change, problem, said = FINDINGS[name]
    frame = change(base())
    warnings = prepared(tmp_path / "warn", frame, problem)["data_note"]["warnings"]
    assert [warning for warning in warnings if said in warning]
    with pytest.raises(unusable_data.UnusableDataError, match="data_checks: Require stopped the run") as refused:
        prepared(tmp_path / "require", frame, problem, require_checks=True)
    assert said[:60] in str(refused.value)
    assert not (tmp_path / "require/processing/output").exists()


def test_honest_table_passes_with_require(tmp_path: Path) -> None:
    assert prepared(tmp_path, base(), require_checks=True)["data_note"]["warnings"] == []


def test_rows_alike_by_chance_are_no_duplicates(tmp_path: Path) -> None:
    """A table of three switches has eight rows that differ, on whichever side they stand."""
    switches = pandas.DataFrame(random().integers(0, 2, (ROWS, 4)), columns=pandas.Index([*"abc", "churn"]))
    frame = switches.assign(customer_id=range(ROWS))
    assert prepared(tmp_path, frame)["data_note"]["warnings"] == []


def test_rows_alike_in_large_tables_are_no_duplicates(tmp_path: Path) -> None:
    """Customers of one flat tariff: the columns hang together, so that rows are alike, and differ in the target."""
    months = random().integers(0, 200, ROWS)
    left = random().random(ROWS) < 0.4
    frame = pandas.DataFrame({"customer_id": range(ROWS), "months": months, "paid": months * 20})
    note = prepared(tmp_path / "alike", frame.assign(churn=numpy.where(left, "Yes", "No")))["data_note"]
    assert [warning for warning in note["warnings"] if "also among the training rows" in warning] == []

    known = numpy.where(months % 3 == 0, "Yes", "No")  # the same rows, and each has one target
    note = prepared(tmp_path / "copies", frame.assign(churn=known))["data_note"]
    assert [warning for warning in note["warnings"] if "also among the training rows" in warning]


def test_many_findings_fit_into_the_jobs_message(tmp_path: Path) -> None:
    ids = {f"a_long_name_of_a_column_{place}": [f"{place} {row}" for row in range(ROWS)] for place in range(40)}
    write(tmp_path, base().assign(**ids))
    job = ["--root", str(tmp_path), "--target", "churn", "--problem-type", BINARY, "--drop-columns", "customer_id"]
    assert preprocess.main([*job, "--data-checks=Require"]) == 1
    message = (tmp_path / "output/message").read_bytes()
    assert len(message) <= 1024
    assert message.startswith(b"data_checks: Require stopped the run for 10 findings in the data.")
    assert b"(10) Column" in message


def test_note_says_how_each_column_was_read(tmp_path: Path) -> None:
    frame = base()[["customer_id", "contract_type", "tenure_months", "churn"]].assign(
        vip=["True", "False"] * (ROWS // 2), empty=None, secret=range(ROWS), same="x",
        income=[None, "n/k", *["7.5"] * (ROWS - 2)],
    )  # fmt: skip
    note = prepared(tmp_path, frame, exclude_columns=["secret"])["data_note"]
    columns = {column["name"]: column for column in note["columns"]}
    assert {name: column["kind"] for name, column in columns.items()} == {
        "contract_type": "category", "tenure_months": "number", "vip": "boolean", "income": "category",
        "same": "category", "empty": "left out", "secret": "left out", "customer_id": "left out",
    }  # fmt: skip
    assert columns["income"]["reason"] == "read as text because of 'n/k' in row 2; 998 values are numbers"
    assert (columns["income"]["missing"], columns["income"]["distinct"]) == (1, 2)
    assert columns["contract_type"]["distinct"] == frame.contract_type.nunique()
    assert columns["secret"]["reason"] == "named in exclude_columns"
    assert "Nothing can be learned from 'same': one value in every row." in note["warnings"]


def test_rows_are_those_of_the_source_where_targets_are_missing(tmp_path: Path) -> None:
    frame = base().assign(income=["odd" if row == 700 else str(row) for row in range(ROWS)])
    frame.loc[:99, "churn"] = None
    (column,) = [c for c in prepared(tmp_path, frame)["data_note"]["columns"] if c["name"] == "income"]
    assert column["reason"].startswith("read as text because of 'odd' in row 701; 899 values")


def test_excluded_columns_are_not_learned_from_and_must_exist(tmp_path: Path) -> None:
    specification = prepared(tmp_path / "a", base(), exclude_columns=["tenure_months", "total_charges"])
    assert not {"tenure_months", "total_charges"} & {feature["name"] for feature in specification["features"]}
    assert specification["dropped_columns"]["excluded"] == ["tenure_months", "total_charges"]
    with pytest.raises(
        unusable_data.UnusableDataError, match="exclude_columns names 'tenuer', not in the data, which has: "
    ):
        prepared(tmp_path / "b", base(), exclude_columns=["tenuer"])


@pytest.mark.parametrize(
    "choices",
    [
        {"exclude_columns": ["tenure_months", "gender", "customer_id"]},
        {"split": "group", "split_group_column": "tenure_months", "exclude_columns": ["gender"]},
    ],
)
def test_raw_test_rows_have_the_columns_that_another_model_may_use(tmp_path: Path, choices: dict[str, Any]) -> None:
    asked = {("group_column" if name == "split_group_column" else name): value for name, value in choices.items()}
    specification = prepared(tmp_path, base(), **asked)
    rows = [
        json.loads(line)
        for line in (tmp_path / "processing/output/evaluation_input/part-00000.jsonl").read_text().splitlines()
    ]
    known = base().drop(columns=["customer_id", "churn"])
    assert {*rows[0]} == {*known.columns}
    assert {feature["name"] for feature in specification["features"]} == {*known.columns} - {"tenure_months", "gender"}
    assert {(row["gender"], row["tenure_months"]) for row in rows} <= {
        *zip(known.gender, known.tenure_months, strict=True)
    }


@pytest.mark.parametrize("asked", ["tenuer", "customer_id", "churn_reason"])
def test_report_slices_must_be_features_of_the_model(tmp_path: Path, asked: str) -> None:
    frame = base().assign(churn_reason=None)
    sentence = rf"report_slices names '{asked}', not among the features that the model uses, which are: .*contract_type"
    with pytest.raises(unusable_data.UnusableDataError, match=sentence):
        prepared(tmp_path, frame, report_slices=["contract_type", asked])


# -- the positive class


@pytest.mark.parametrize(
    ("labels", "asked", "positive", "reason"),
    [
        (("No", "Yes"), None, "Yes", "guessed by its name; positive_class sets it"),
        (("Churned", "Stayed"), None, "Churned", "guessed by its name; positive_class sets it"),
        (("late", "on time"), None, "late", "guessed by its name; positive_class sets it"),
        (("0", "1"), None, "1", "guessed by its name; positive_class sets it"),
        (("common", "rare"), None, "rare", "guessed, as it is the rarer class; positive_class sets it"),
        (("Churned", "Stayed"), "Stayed", "Stayed", "set by positive_class"),
    ],
)
def test_positive_class_is_stated(
    labels: tuple[str, str], asked: str | None, positive: str, reason: str, tmp_path: Path
) -> None:
    often, rarely = labels if labels[1] == "rare" else labels[::-1]
    frame = base().assign(churn=[rarely if row % 3 == 0 else often for row in range(ROWS)])
    specification = prepared(tmp_path, frame, positive_class=asked)
    assert (specification["positive_class"], specification["positive_class_reason"]) == (positive, reason)
    written = json.loads((tmp_path / "processing/output/preprocessing/preprocessing.json").read_bytes())
    assert written["positive_class"] == positive


def test_positive_class_that_is_none_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(unusable_data.UnusableDataError) as refused:
        prepared(tmp_path, base(), positive_class="yes")
    assert str(refused.value) == (
        "positive_class is 'yes', and target column 'churn' has the classes 'No' and 'Yes'. "
        "Set positive_class to one of them, spelled as here, or leave it out."
    )


def test_without_two_classes_there_is_no_positive_one(tmp_path: Path) -> None:
    frame = base().assign(churn=["a", "b", "c", "d"] * (ROWS // 4))
    assert prepared(tmp_path, frame, MULTICLASS)["positive_class"] is None


# -- the split


def with_times(times: list[str]) -> Frame:
    return base().assign(event_time=times, place=range(ROWS))


@pytest.mark.parametrize(
    "time_of",
    [
        lambda row: f"2026-01-01T{row // 60:02}:{row % 60:02}:00Z",
        lambda row: f"2026-01-{1 + row // 40:02}",
        lambda row: f"2026-01-01T00:{row // 60:02}:{row % 60:02}" + (".5Z" if row % 2 else "Z"),
        lambda row: f"{1_700_000_000 + row}.25",
    ],
    ids=["ISO", "dates", "fractions", "epoch seconds"],
)
def test_newest_rows_are_the_test_and_the_next_ones_validate(time_of: Any, tmp_path: Path) -> None:
    shuffled = random().permutation(ROWS)
    frame = with_times([time_of(row) for row in range(ROWS)]).iloc[shuffled]
    specification = prepared(tmp_path, frame, split="time", event_time_column="event_time")
    train, validation, test = (sorted(output(tmp_path, part).place) for part in ("train", "validation", "test"))
    assert train + validation + test == list(range(ROWS))
    assert (len(train), len(validation), len(test)) == (640, 160, 200)
    assert specification["rows"]["validation"] == 160
    assert "event_time" not in {feature["name"] for feature in specification["features"]}


def test_groups_stand_on_one_side_whole(tmp_path: Path) -> None:
    frame = base().assign(household=[f"h{row // 3}" if row % 50 else None for row in range(ROWS)], place=range(ROWS))
    specification = prepared(tmp_path, frame, split="group", group_column="household")
    sides = [
        set(frame.household.iloc[output(tmp_path, part).place].dropna()) for part in ("train", "validation", "test")
    ]
    assert not (sides[0] & sides[1] or sides[0] & sides[2] or sides[1] & sides[2])
    assert sum(len(output(tmp_path, part)) for part in ("train", "validation", "test")) == ROWS
    assert abs(specification["rows"]["test"] - 200) <= 3
    assert "household" not in {feature["name"] for feature in specification["features"]}


SPLITS_REFUSED = {
    "one time": (
        lambda frame: frame.assign(event_time="2026-01-01T00:00:00Z"),
        {"split": "time", "event_time_column": "event_time"},
        "every row has the same one",
    ),
    "half of the rows at one time": (
        lambda frame: frame.assign(event_time=["2026-01-01", "2026-01-02"] * (ROWS // 2)),
        {"split": "time", "event_time_column": "event_time"},
        "many rows share one event time, and 50% is the nearest possible",
    ),
    "no times": (
        lambda frame: frame.assign(event_time=[f"01/{1 + row % 28}/2026" for row in range(ROWS)]),
        {"split": "time", "event_time_column": "event_time"},
        "split: time needs times in 'event_time', all written like 2026-11-23T21:00:00Z, and it holds '01/1/2026'",
    ),
    "two groups": (
        lambda frame: frame.assign(sex=["f", "m"] * (ROWS // 2)),
        {"split": "group", "group_column": "sex"},
        "there are 2 groups, the largest with 500 of 1000 rows",
    ),
    "no such column": (lambda frame: frame, {"split": "group", "group_column": "house"}, "needs column 'house'"),
    "a class of old rows alone": (
        lambda frame: frame.assign(
            event_time=[f"2026-01-01T{row // 60:02}:{row % 60:02}:00Z" for row in range(ROWS)],
            churn=["Yes" if row < 300 else "No" for row in range(ROWS)],
        ),
        {"split": "time", "event_time_column": "event_time"},
        "split: time leaves no row of class 'Yes' of target column 'churn' among the 160 validation rows",
    ),
    "too few to train on": (
        lambda frame: frame.head(700).assign(event_time=[f"{row}.0" for row in range(700)]),
        {"split": "time", "event_time_column": "event_time"},
        "split: time leaves 448 rows to train on, 112 to validate and 140 to test, and Autopilot trains on 500 or more",
    ),
}


@pytest.mark.parametrize("name", SPLITS_REFUSED)
def test_split_that_cannot_be_is_refused(name: str, tmp_path: Path) -> None:
    change, choices, said = SPLITS_REFUSED[name]
    with pytest.raises(unusable_data.UnusableDataError) as refused:
        prepared(tmp_path, change(base()), **choices)
    assert said in str(refused.value)
