"""`automl predict`: every row answered once in its order, whatever the file, the endpoint or the person does meanwhile."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from typer.testing import Result

from tests.examples import examples

from . import endpoint_server
from .endpoint_server import Endpoint, label

Automl = Callable[..., Result]


def table(rows: int) -> str:
    return "customer_id,tenure,plan\n" + "".join(f"CUST_{row},{row},One year\n" for row in range(rows))


def predicted(file: Path) -> list[list[str]]:
    text = file.with_name("customers.predictions.csv").read_bytes().decode()
    return list(csv.reader(io.StringIO(text, newline="")))


def left(file: Path) -> set[str]:
    return {path.name for path in file.parent.iterdir()}


def test_every_row_comes_back_as_it_was_with_its_answer(automl: Automl, endpoint: Endpoint, file: Path) -> None:
    file.write_text(table(95))
    shown = automl("predict", "--input-csv", file)
    assert shown.exit_code == 0, shown.output
    assert predicted(file) == [
        ["customer_id", "tenure", "plan", "prediction", "probability"],
        *([f"CUST_{row}", str(row), "One year", label(row), str(float(row))] for row in range(95)),
    ]
    assert left(file) == {"customers.csv", "customers.predictions.csv"}
    assert "serves version 3 of group" in shown.output
    assert "95 rows" in shown.output
    assert "Predicted: Yes 84, No 11" in shown.output
    assert "CUST_4" in shown.output  # the first rows are shown
    assert len(endpoint.bodies) == 10


def test_only_what_the_model_takes_is_sent(automl: Automl, endpoint: Endpoint, file: Path) -> None:
    file.write_text("email,Plan , tenure\na@example.com,One year,1\n")
    assert automl("predict", "--input-csv", file).exit_code == 0
    assert endpoint.bodies == [b"tenure,plan\r\n1,One year\r\n"]


AS_IT_IS = {
    "quotes and line breaks": (
        'tenure,"the ""note"", quoted",plan\r\n"1",a ,"x,y"\r\n 2,"two\r\nlines","Two\nyears"\r\n',
        'tenure,"the ""note"", quoted",plan,prediction,probability\r\n"1",a ,"x,y",No,3.0\r\n'
        ' 2,"two\r\nlines","Two\nyears",No,3.0\r\n',
    ),
    "byte order mark and accents": (
        "\ufefftenure,Größe,plan\n12,Ä\U0001f600,new\n,é,\n",
        "\ufefftenure,Größe,plan,prediction,probability\n12,Ä\U0001f600,new,Yes,15.0\n,é,,Yes,31.0\n",
    ),
    "line ends of old": (
        'tenure,plan\r5,x\r6,"x,y"\r',
        'tenure,plan,prediction,probability\r5,x,No,8.0\r6,"x,y",No,8.0\r',
    ),
    "empty lines, none at the end": (
        "tenure,plan\n5,x\n\n\n6,x",
        "tenure,plan,prediction,probability\n5,x,No,8.0\n6,x,No,9.0\n",
    ),
    "a formula": ("plan,tenure\n=1+1, 7 \n", "plan,tenure,prediction,probability\n=1+1, 7 ,No,10.0\n"),
}


@pytest.mark.parametrize("name", AS_IT_IS)
def test_text_of_a_row_is_kept(automl: Automl, endpoint: Endpoint, file: Path, name: str) -> None:
    before, after = AS_IT_IS[name]
    file.write_bytes(before.encode())
    shown = automl("predict", "--input-csv", file)
    assert shown.exit_code == 0, shown.output
    assert file.with_name("customers.predictions.csv").read_bytes().decode() == after


CELLS = st.text('",\n\r aé1', max_size=4) | st.sampled_from(["One year", "x,y", "12", "3.5", ""])


@hypothesis_settings(
    max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(st.integers(0, 40) | st.just(""), CELLS, CELLS), min_size=1, max_size=30), st.data())
def test_any_table(automl: Automl, endpoint: Endpoint, file: Path, rows: list[tuple[Any, ...]], data: Any) -> None:
    end = data.draw(st.sampled_from(["\n", "\r\n"]))
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator=end)
    writer.writerows([["tenure", "plan", "note"], *rows])
    file.write_bytes(text.getvalue().encode())
    assert automl("predict", "--input-csv", file).exit_code == 0
    body = predicted(file)[1:]
    assert [row[:3] for row in body] == [[str(cell) for cell in row] for row in rows]
    assert [row[3] for row in body] == [label(28.0 if row[0] == "" else row[0]) for row in rows]


def test_column_of_the_same_name_is_kept(automl: Automl, endpoint: Endpoint, file: Path) -> None:
    file.write_text("tenure,plan,Prediction,prediction_2\n1,x,old,older\n")
    shown = automl("predict", "--input-csv", file, "--output", file.with_name("o.csv"))
    assert "The file has a column prediction already; the model's is prediction_3." in shown.output
    assert file.with_name("o.csv").read_text() == (
        "tenure,plan,Prediction,prediction_2,prediction_3,probability\n1,x,old,older,No,4.0\n"
    )


def test_regression_has_one_column(automl: Automl, endpoint: Endpoint, file: Path) -> None:
    endpoint.specification = {**endpoint_server.SPECIFICATION, "problem_type": "Regression"}
    endpoint.faults.append(lambda body: (200, "1.5\n2.5\n"))
    file.write_text(table(2))
    shown = automl("predict", "--input-csv", file)
    assert [row[3:] for row in predicted(file)] == [["prediction"], ["1.5"], ["2.5"]]
    assert "Predicted: 1.5 to 2.5, on average 2" in shown.output


# -- what is refused before anything is sent

SEED = (
    "age,tenure_months,monthly_charges,total_charges,contract_type,payment_method,internet_service,phone_service,"
    "multiple_lines,online_security,tech_support,device_protection\n"
    "35,12,70.5,840.0,Month-to-month,Electronic check,DSL,Yes,No,Yes,No"
)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (SEED, "Row 1 has 11 values and the header names 12 (line 2)."),
        ("tenure,plan\n1,x\n\n2,x,y\n3\n", "Row 2 has 3 values and the header names 2 (line 4).\n       Row 3 has 1 value and"),
        ('tenure,plan\n1,"a\nb"\n2\n', "Row 2 has 1 value and the header names 2 (line 4)."),
        ("", "is empty."),
        ("\ufeff", "is empty."),
        ("tenure,plan\n", "has a header and no row."),
        ("age,size\n1,2\n", "names none of the model's features (tenure, plan). It must be a header."),
        ("sep=;\ntenure;plan\n", "line 1 is 'sep=;', a hint for Excel and not the header: remove that line, and save"),
        ("Export of May\ntenure,plan\n1,x\n", "line 1 looks like a title ('Export of May')"),
        ("tenure;plan\n1;x\n", "line 1 looks separated by semicolons"),
        ("tenure,Plan,PLAN\n1,x,y\n", "can be meant: 'plan' can be 'Plan' or 'PLAN'. Leave one out."),
        ("Tenure,tenure ,plan\n1,2,x\n", "More than one column of"),
        ("1,One year\n2,x\n", "It must be a header."),
        ('tenure,plan\n1,x\n2,"x\n3,x\n', "in the row that begins at line 3, a double quote is not closed."),
        ('tenure,plan\n1,"x"y\n', "in the row that begins at line 2, a value goes on behind its closing double quote"),
        ("tenure,plan\n1,x\0\n", "Row 1 holds a NUL character, at which readers of CSV stop (line 2)."),
        (b"tenure,plan\n1,x\n2,Gr\xf6\xdfe\n", "is not UTF-8 at line 3 (looks like Windows-1252, byte 0xf6)."),
        (b"a" * 9000 + b"\n" * 3 + b"\xff", "is not UTF-8 at line 4 ("),
        ("tenure,plan\n1,x\n".encode("utf-16"), "is UTF-16, not UTF-8."),
        (b"x" * (7 << 20), "line 1 is longer than 6 MB"),
    ],
)  # fmt: skip
def test_file_is_refused_in_words_before_anything_is_sent(
    automl: Automl, endpoint: Endpoint, file: Path, content: str | bytes, said: str
) -> None:
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    shown = automl("predict", "--input-csv", file)
    assert shown.exit_code == 1
    assert said in shown.stderr
    assert endpoint.bodies == []
    assert left(file) == {"customers.csv"}


def test_more_than_half_of_the_features_are_needed(automl: Automl, endpoint: Endpoint, file: Path) -> None:
    more = [{"name": name, "kind": "numeric", "median": 1.0} for name in ("age", "size")]
    features = [*endpoint_server.SPECIFICATION["features"], *more]
    endpoint.specification = {**endpoint_server.SPECIFICATION, "features": features}
    file.write_text("tenure\n1\n")
    assert (
        "lacks 3 of the model's 4 features, more than half: plan, age, size."
        in automl("predict", "--input-csv", file).stderr
    )
    file.write_text("tenure,plan\n1,x\n")
    shown = automl("predict", "--input-csv", file)
    assert "2 of the model's 4 features are not in the file and count as missing values: age, size." in shown.output
    assert predicted(file)[1] == ["1", "x", "No", "6.0"]


def test_output_that_cannot_be(automl: Automl, endpoint: Endpoint, file: Path) -> None:
    file.write_text(table(3))
    for output, said in (
        (file, "is the input file itself"),
        (file.parent, "is a folder"),
        ("/dev/null/x", "Cannot write"),
    ):
        shown = automl("predict", "--input-csv", file, "--output", output)
        assert shown.exit_code == 1
        assert said in shown.stderr
    assert (
        automl("predict", "--input-csv", file.with_name("none.csv")).stderr.count("cannot be read: No such file") == 1
    )
    assert endpoint.bodies == []


@pytest.mark.parametrize("status", ["Creating", "Failed", "OutOfService"])
def test_endpoint_that_does_not_answer(automl: Automl, endpoint: Endpoint, file: Path, status: str) -> None:
    endpoint.status = status
    file.write_text(table(3))
    assert f"is {status} and does not answer." in automl("predict", "--input-csv", file).stderr


def test_endpoint_that_is_changing(automl: Automl, endpoint: Endpoint, file: Path) -> None:
    endpoint.status, endpoint.pending = "Updating", True
    file.write_text(table(3))
    assert "is changing to another model" in automl("predict", "--input-csv", file).stderr
    endpoint.pending = False  # it only scales
    assert automl("predict", "--input-csv", file).exit_code == 0


def test_run_that_does_not_serve(automl: Automl, endpoint: Endpoint, file: Path) -> None:
    file.write_text(table(3))
    shown = automl("predict", "--input-csv", file, "--run", "run-2")
    assert "serves version 3 of group, of run run-3 and not run-2." in shown.stderr
    assert automl("predict", "--input-csv", file, "--run", "run-3", "--endpoint-name", "mine").exit_code == 0


# -- what the endpoint refuses


def test_all_rows_that_the_model_would_refuse_are_named_before_anything_is_sent(
    automl: Automl, endpoint: Endpoint, file: Path
) -> None:
    bad = table(60).replace("CUST_24,24", 'CUST_24,"row 3 of\n4"').replace("CUST_30,30", "CUST_30,n.a.")
    file.write_text(bad.replace("CUST_4,4,", "CUST_4,NA,"))
    shown = automl("predict", "--input-csv", file)
    assert shown.exit_code == 1
    assert "'tenure' must be a number, and is 'row 3 of\\n4' in row 25 (line 26)." in shown.stderr
    assert "'tenure' must be a number, and is 'n.a.' in row 31 (line 33)." in shown.stderr
    assert "CUST_4," not in shown.stderr
    assert endpoint.bodies == []
    file.write_text(table(60))
    assert automl("predict", "--input-csv", file).exit_code == 0
    file.write_text("tenure,plan\n" + "x,One year\n" * 25)
    assert "5 more rows are like that." in automl("predict", "--input-csv", file).stderr


def test_missing_and_unseen_values_are_counted_by_column(automl: Automl, endpoint: Endpoint, file: Path) -> None:
    file.write_text("tenure,Plan\n1,gold\nNA,gold\n,silver\n4,null\n5,One year\n6, One year\n")
    shown = automl("predict", "--input-csv", file)
    assert "plan: 3 of 6 rows hold a category that training never saw: 'gold' (2), 'silver' (1)." in shown.output
    assert "tenure: 2 of 6 values are missing." in shown.output
    assert "plan: 1 of 6 values are missing." in shown.output


def test_names_of_the_persons_own_table_are_found(automl: Automl, endpoint: Endpoint, file: Path) -> None:
    features = [
        {"name": "annual_income", "kind": "numeric", "median": 28.0},
        {"name": "plan_type", "kind": "categorical", "categories": ["One year"]},
    ]
    columns = ["customer_id", "annual_income", "plan_type", "churn"]
    endpoint.specification = {**endpoint_server.SPECIFICATION, "features": features, "columns": columns}
    file.write_text("customer_id,AnnualIncome,Plan Type\nC,12,One year\n")
    shown = automl("predict", "--input-csv", file)
    assert shown.exit_code == 0, shown.stderr
    assert "missing" not in shown.output
    assert endpoint.bodies == [b"annual_income,plan_type\r\n12,One year\r\n"]


def test_labels_come_back_as_the_table_spells_them(automl: Automl, endpoint: Endpoint, file: Path) -> None:
    endpoint.specification = {**endpoint_server.SPECIFICATION, "labels": ["01", "02"]}
    endpoint.faults.append(lambda body: (200, "1,\"[0.9, 0.1]\",\"['1', '2']\"\n2,\"[0.3, 0.7]\",\"['1', '2']\"\n"))
    file.write_text(table(2))
    assert automl("predict", "--input-csv", file).exit_code == 0
    assert [row[3:5] for row in predicted(file)[1:]] == [["01", "0.9"], ["02", "0.7"]]


def test_row_that_breaks_the_model_is_found(automl: Automl, endpoint: Endpoint, file: Path) -> None:
    endpoint.faults.append(
        lambda body: (
            (424, json.dumps({"OriginalStatusCode": 500, "OriginalMessage": "<html>"})) if b"27," in body else None
        )
    )
    file.write_text(table(30))
    said = automl("predict", "--input-csv", file).stderr
    assert (
        "The model does not answer row 28 (line 29) (status 500): See the log group /aws/sagemaker/Endpoints/" in said
    )


def test_container_that_was_out_of_breath_answers_smaller_requests(
    automl: Automl, endpoint: Endpoint, file: Path
) -> None:
    endpoint.faults.append(
        lambda body: (
            (424, json.dumps({"OriginalStatusCode": 0, "OriginalMessage": "timed out"})) if len(body) > 60 else None
        )
    )
    file.write_text(table(30))
    assert automl("predict", "--input-csv", file).exit_code == 0
    assert [row[0] for row in predicted(file)[1:]] == [f"CUST_{row}" for row in range(30)]


def test_throttling_and_faults_of_the_service_are_waited_out(automl: Automl, endpoint: Endpoint, file: Path) -> None:
    times = iter([(400, '{"message": "Rate exceeded"}'), (503, "{}")])
    endpoint.faults.append(lambda body: next(times, None))
    file.write_text(table(12))
    assert automl("predict", "--input-csv", file).exit_code == 0
    assert len(predicted(file)) == 13
    assert len(endpoint.bodies) == 4


def test_probability_of_the_positive_class_is_added_whichever_was_predicted(
    automl: Automl, endpoint: Endpoint, tmp_path: Path
) -> None:
    endpoint.specification = {**endpoint_server.SPECIFICATION, "positive_class": "Yes"}
    (tmp_path / "in.csv").write_text("tenure,plan,probability_yes\n5,x,-\n20,x,-\n")
    automl("predict", "--input-csv", tmp_path / "in.csv")
    assert (tmp_path / "in.predictions.csv").read_text() == (
        "tenure,plan,probability_yes,prediction,probability,probability_Yes_2\n"
        "5,x,-,No,8.0,16.0\n20,x,-,Yes,23.0,23.0\n"
    )


def test_version_that_answers_with_one_probability_is_read_too(
    automl: Automl, endpoint: Endpoint, tmp_path: Path
) -> None:
    endpoint.specification = {**endpoint_server.SPECIFICATION, "positive_class": "Yes"}
    endpoint.faults = [lambda _: (200, "No,0.75\nYes,0.625\n")]
    (tmp_path / "in.csv").write_text("tenure,plan\n5,x\n20,x\n")
    automl("predict", "--input-csv", tmp_path / "in.csv")
    assert (tmp_path / "in.predictions.csv").read_text() == (
        "tenure,plan,prediction,probability,probability_Yes\n5,x,No,0.75,0.25\n20,x,Yes,0.625,0.625\n"
    )


def test_wrong_number_of_answers_is_not_taken(automl: Automl, endpoint: Endpoint, file: Path) -> None:
    endpoint.faults.append(lambda body: (200, "Yes,1\n"))
    file.write_text(table(12))
    assert "gave 1 answers to rows 1 to 10" in automl("predict", "--input-csv", file).stderr
    assert left(file) == {"customers.csv"}


# -- for spreadsheets


def test_cells_that_a_spreadsheet_would_take_for_formulas_are_texts_if_asked(
    automl: Automl, endpoint: Endpoint, file: Path
) -> None:
    file.write_text('customer_id,tenure,plan\n=1+1,-5,"@a, b"\n+x,+5,-\n')
    assert automl("predict", "--input-csv", file, "--spreadsheet").exit_code == 0
    assert [row[:3] for row in predicted(file)[1:]] == [["'=1+1", "-5", "'@a, b"], ["'+x", "+5", "'-"]]
    assert automl("predict", "--input-csv", file).exit_code == 0
    assert [row[0] for row in predicted(file)[1:]] == ["=1+1", "+x"]


@pytest.mark.parametrize(("threshold", "said"), [("6.0", ["No", "Yes", "Yes"]), ("12.5", ["No", "No", "No"])])
def test_threshold_of_the_run_decides_which_class_is_predicted(
    automl: Automl, endpoint: Endpoint, file: Path, threshold: str, said: list[str]
) -> None:
    endpoint.specification = {**endpoint_server.SPECIFICATION, "positive_class": "Yes", "labels": ["No", "Yes"]}
    endpoint.metadata = {"decision_threshold": threshold}
    file.write_text("tenure,plan\n1,One year\n3,One year\n11,One year\n")
    shown = automl("predict", "--input-csv", file)
    assert shown.exit_code == 0, shown.output
    answered = [row[2:] for row in predicted(file)[1:]]
    assert [row[0] for row in answered] == said
    # The endpoint answers No with 1 and 3, Yes with twice as much, and the third row the other way round.
    by_class = [{"No": "1.0", "Yes": "2.0"}, {"No": "3.0", "Yes": "6.0"}, {"No": "22.0", "Yes": "11.0"}]
    assert answered == [[label, row[label], row["Yes"]] for label, row in zip(said, by_class, strict=True)]
    assert f"Yes is predicted where its probability is at least {float(threshold):g}" in shown.output
