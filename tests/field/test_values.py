"""Values mean the same in training, at the endpoint, in CSV and in JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from tests.unit.cli.endpoint_server import Endpoint

from .tables import DATA, Asked, Trained, change, features_only, run_job, texts, train

Automl = Callable[..., Result]


def kinds(trained: Trained) -> dict[str, str]:
    return {note["name"]: note["kind"] for note in trained.specification["data_note"]["columns"]}


@pytest.mark.parametrize("word", ["NA", "n/a", "NULL", "?", "nan", "None", "\\N"])
def test_word_for_missing_in_a_column_of_numbers(automl: Automl, endpoint: Endpoint, tmp_path: Path, word: str) -> None:
    content = (
        (DATA / "number-column-with-NA.csv")
        .read_text()
        .replace(",NA,", f",{word},")
        .replace("C00000,NA", f"C00000,{word}")
    )
    assert word in content
    file = tmp_path / "table.csv"
    file.write_text(content)
    trained = train(tmp_path / "demo", Asked(file))
    assert kinds(trained)["age"] == "number"
    body = features_only(content)
    assert sorted(trained.served(body)) == trained.rows()
    rows = texts(body).to_dict("records")
    assert sorted(trained.served(json.dumps(rows), "application/json")) == trained.rows()
    # A feature group may hold the word itself.
    assert (
        run_job(tmp_path / "job", texts(file), "churn", "BinaryClassification", ["customer_id"]).rows()
        == trained.rows()
    )
    endpoint.specification = trained.specification
    file.write_text(body)
    shown = automl("predict", "--input-csv", file)
    assert shown.exit_code == 0, shown.stderr
    missing = sum(line.split(",")[1] in (word, "") for line in body.splitlines())
    assert f"age: {missing} of 800 values are missing." in shown.output


def test_digits_of_another_script_are_text_where_a_table_is_loaded_as_at_the_endpoint(tmp_path: Path) -> None:
    content = (DATA / "number-column-with-NA.csv").read_text().splitlines()
    arabic = [line.translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")) for line in content]
    rows = [",".join([plain.split(",")[0], *line.split(",")[1:]]) for plain, line in zip(content, arabic, strict=True)]
    file = tmp_path / "table.csv"
    file.write_text("\n".join(rows) + "\n")
    trained = train(tmp_path / "demo", Asked(file))
    assert kinds(trained)["age"] == "category"
    assert sorted(trained.served(features_only(file.read_text()))) == trained.rows()


@pytest.mark.parametrize("odd", [None, "unknown", "12 EUR", "n.d."])
def test_value_that_makes_a_column_text_is_named(tmp_path: Path, odd: str | None) -> None:
    file = DATA / "number-column-one-odd-value.csv"
    if odd:
        content = file.read_text().replace("n.a.", odd)
        file = tmp_path / "table.csv"
        file.write_text(content)
    warnings = train(tmp_path, Asked(file)).specification["data_note"]["warnings"]
    assert any(f"'income' is read as text because of {odd or 'n.a.'!r} in row 401" in warning for warning in warnings)


@pytest.mark.parametrize("spelled", [None, ("false", "true"), ("False", "True"), ("0", "1"), ("fALSE", "True ")])
def test_booleans_are_alike_in_any_spelling(
    automl: Automl, endpoint: Endpoint, tmp_path: Path, spelled: tuple[str, str] | None
) -> None:
    trained = train(tmp_path, Asked(DATA / "boolean-train.csv"))
    assert kinds(trained)["vip"] == "boolean"
    body = (DATA / "boolean-predict.csv").read_text()
    if spelled:
        body = change("vip", lambda value, _: spelled[value == "TRUE"], body)
    trained_as = change("vip", lambda value, _: value.strip().replace("0", "False").replace("1", "True").title(), body)
    assert trained.served(body) == trained.served(trained_as)
    assert {trained.served(body)[row][-1] for row in range(20)} == {0.0, 1.0}
    rows = [{**row, "vip": row["vip"] == "True"} for row in texts(trained_as).to_dict("records")]
    assert trained.served(json.dumps(rows), "application/json") == trained.served(body)
    file = tmp_path / "customers.csv"
    file.write_text(body)
    endpoint.specification = trained.specification
    shown = automl("predict", "--input-csv", file)
    assert shown.exit_code == 0, shown.stderr
    assert "never saw" not in shown.output


def test_unseen_categories_are_counted_by_column(automl: Automl, endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint.specification = train(tmp_path, Asked(DATA / "base.csv")).specification
    file = tmp_path / "customers.csv"
    file.write_text(features_only(change("plan", lambda plan, row: "gold" if row % 8 == 0 else plan)))
    shown = automl("predict", "--input-csv", file)
    assert "plan: 100 of 800 rows hold a category that training never saw: 'gold' (100)." in shown.output


@pytest.mark.parametrize("code", ["{:05}", "0{}", "00{:04}"])
def test_codes_keep_their_leading_zeros(tmp_path: Path, code: str) -> None:
    content = change("region", lambda _, row: code.format(row % 7))
    file = tmp_path / "table.csv"
    file.write_text(content)
    trained = train(tmp_path, Asked(file))
    [region] = [feature for feature in trained.specification["features"] if feature["name"] == "region"]
    assert region["categories"] == sorted(code.format(row) for row in range(7))
    assert sorted(trained.served(features_only(content))) == trained.rows()
    unseen = trained.served(features_only(change("region", lambda _, row: str(row % 7))))
    assert {row[2] for row in unseen} == {7.0}


@pytest.mark.parametrize(
    ("trained_as", "asked_as"), [("caf\u00e9", "cafe\u0301"), ("\u212b", "A\u030a"), ("\uac00", "\u1100\u1161"), ("3", "3.0")]
)  # fmt: skip
def test_one_category_however_it_is_written(tmp_path: Path, trained_as: str, asked_as: str) -> None:
    content = change("region", lambda region, row: trained_as if row % 2 else region)
    file = tmp_path / "table.csv"
    file.write_text(content)
    trained = train(tmp_path, Asked(file))
    body = features_only(content)
    assert trained.served(body.replace(f",{trained_as},", f",{asked_as},")) == trained.served(body)
