"""Columns keep the names that a person gave them, whatever the Feature Store calls them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import inference
import pytest
from typer.testing import Result

from tests.unit.cli import endpoint_server
from tests.unit.cli.endpoint_server import Endpoint

from .tables import BASE, DATA, Asked, features_only, texts, train

Automl = Callable[..., Result]


def test_names_of_the_training_table_work_at_endpoint_and_predict(
    automl: Automl, endpoint: Endpoint, tmp_path: Path
) -> None:
    asked = Asked(DATA / "names-train.csv")
    assert any("AnnualIncome → annual_income, Plan Type → plan_type" in note for note in asked.request().notes)
    trained = train(tmp_path, asked)
    assert trained.specification["renames"] == {"annual_income": "AnnualIncome", "plan_type": "Plan Type"}
    body = (DATA / "names-predict.csv").read_text()
    stored = body.replace("AnnualIncome", "annual_income").replace("Plan Type", "plan_type")
    assert trained.served(body) == trained.served(stored)
    rows = texts(body).to_dict("records")
    assert trained.served(json.dumps(rows), "application/json") == trained.served(stored)
    file = tmp_path / "customers.csv"
    file.write_text(body)
    endpoint.specification = trained.specification
    shown = automl("predict", "--input-csv", file)
    assert shown.exit_code == 0, shown.stderr
    assert "missing" not in shown.output
    [sent] = [endpoint.bodies[0] + b"".join(part.split(b"\n", 1)[1] for part in endpoint.bodies[1:])]
    assert trained.served(sent) == trained.served(stored)


@pytest.mark.parametrize("name", ["Größe (cm)", "年齢", "Year", "a" * 80, "customerAge", " Age? ", "Gro\u0308ße"])
def test_other_names_that_the_store_does_not_take(tmp_path: Path, name: str) -> None:
    content = BASE.replace("age", name, 1)
    file = tmp_path / "table.csv"
    file.write_text(content)
    trained = train(tmp_path, Asked(file))
    assert trained.served(features_only(content)) == trained.served(
        features_only(content.replace(name, trained.encoder.names[0], 1))
    )
    assert len({row[0] for row in trained.served(features_only(content))}) > 10  # it was not taken for missing


def test_name_that_can_be_two_columns_is_refused(tmp_path: Path) -> None:
    trained = train(tmp_path, Asked(DATA / "names-train.csv"))
    body = "Age,Annual Income,annual-income,region,Plan Type\n1,2,3,east,pro\n"
    with pytest.raises(inference.BadRequestError, match="Column 'AnnualIncome' appears twice: 'Annual Income' and"):
        trained.served(body)


def test_only_the_groups_own_identifier_is_left_out(tmp_path: Path) -> None:
    trained = train(tmp_path, Asked(DATA / "feature-called-customer_id.csv", id_column="kdnr"))
    assert "customer_id" in trained.encoder.names
    assert "kdnr" in trained.specification["dropped_columns"]["ids_and_metadata"]


@pytest.mark.parametrize("id_column", ["kdnr", "Kunden Nr", "event"])
def test_identifier_by_any_name(tmp_path: Path, id_column: str) -> None:
    file = tmp_path / "table.csv"
    file.write_text((DATA / "feature-called-customer_id.csv").read_text().replace("kdnr", id_column, 1))
    trained = train(tmp_path, Asked(file, id_column=id_column))
    assert sorted(trained.encoder.names) == ["age", "customer_id", "income", "region"]


def test_specification_of_the_test_endpoint_is_like_the_jobs(tmp_path: Path) -> None:
    written = train(tmp_path, Asked(DATA / "base.csv")).specification
    assert set(endpoint_server.SPECIFICATION) <= set(written)
