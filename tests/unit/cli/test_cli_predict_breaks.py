"""`automl predict` after a break, and beside an endpoint that changes: no row twice, none lost, no two models in one file."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from typer.testing import Result

from cli import predict, predict_endpoint
from tests.examples import examples

from .endpoint_server import Endpoint, label
from .test_cli_predict import table

Automl = Callable[..., Result]
ROWS = 95  # in requests of ten


@pytest.fixture(autouse=True)
def kept_after_every_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict, "KEEP_EVERY_SECONDS", 0.0)


def break_at(patch: pytest.MonkeyPatch, request: int, error: BaseException) -> None:
    """The person or the machine ends it, once, where the request with this number would be answered."""
    count, asked = itertools.count(1), predict_endpoint.ask

    def ask(*arguments: Any) -> Any:
        if next(count) == request:
            raise error
        return asked(*arguments)

    patch.setattr(predict_endpoint, "ask", ask)


def broken_off(automl: Automl, request: int, file: Path) -> Result:
    """The command, ended with Ctrl-C at this request."""
    with pytest.MonkeyPatch.context() as patch:
        break_at(patch, request, KeyboardInterrupt())
        return automl("predict", "--input-csv", file)


def made(file: Path) -> str:
    return file.with_name("customers.predictions.csv").read_text()


def expected(version: int = 3) -> str:
    rows = "".join(f"CUST_{row},{row},One year,{label(row, version)},{float(row)}\n" for row in range(ROWS))
    return "customer_id,tenure,plan,prediction,probability\n" + rows


def asked_for(endpoint: Endpoint) -> list[int]:
    return [int(row) for body in endpoint.bodies for row in re.findall(rb"^(\d+),", body, re.MULTILINE)]


class Killed(BaseException):
    """As kill -9: nothing is tidied up."""


@hypothesis_settings(
    max_examples=examples(15), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.tuples(st.integers(1, 10), st.sampled_from([KeyboardInterrupt, Killed])), max_size=4),
    st.binary(max_size=30),
)
def test_whenever_it_is_ended_the_same_command_goes_on(
    automl: Automl, endpoint: Endpoint, file: Path, breaks: list[tuple[int, type[BaseException]]], torn: bytes
) -> None:
    file.write_text(table(ROWS))
    file.with_name("customers.predictions.csv").unlink(missing_ok=True)
    endpoint.bodies.clear()
    partial = file.with_name("customers.predictions.csv.partial")
    for request, error in breaks:
        with pytest.MonkeyPatch.context() as patch, contextlib.suppress(Killed):
            break_at(patch, request, error())
            automl("predict", "--input-csv", file)
        if file.with_name("customers.predictions.csv").exists():  # it came to its end before
            break
        with partial.open("ab") as half_a_line:
            half_a_line.write(torn)
    else:
        assert automl("predict", "--input-csv", file).exit_code == 0
    assert made(file) == expected()
    assert asked_for(endpoint) == list(range(ROWS))  # each once, in their order
    assert {path.name for path in file.parent.iterdir()} == {"customers.csv", "customers.predictions.csv"}


def test_ctrl_c_says_what_is_kept(automl: Automl, endpoint: Endpoint, file: Path) -> None:
    file.write_text(table(ROWS))
    stopped = broken_off(automl, 1, file)
    assert (stopped.exit_code, stopped.stderr) == (130, "Stopped. Nothing was predicted yet.\n")
    stopped = broken_off(automl, 4, file)
    assert stopped.exit_code == 130
    assert "30 of 95 rows are done and kept in" in stopped.stderr
    assert not file.with_name("customers.predictions.csv").exists()
    shown = automl("predict", "--input-csv", file)
    assert "Going on after row 30 of 95." in shown.output
    assert "95 rows, of which 65 rows in" in shown.output
    assert "Predicted: Yes 84, No 11" in shown.output


def test_lost_connection_says_what_is_kept(
    automl: Automl, endpoint: Endpoint, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(table(ROWS))
    monkeypatch.setattr(predict_endpoint, "PATIENT", predict_endpoint.PATIENT.merge(IMPATIENT))
    endpoint.faults.append(lambda body: (503, "{}") if b"\n50," in body else None)
    shown = automl("predict", "--input-csv", file)
    assert shown.exit_code == 1
    assert "ServiceUnavailable" in shown.stderr
    assert "50 of 95 rows are done and kept in" in shown.stderr


IMPATIENT = predict_endpoint.Config(retries={"mode": "standard", "max_attempts": 1})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda endpoint, file: file.write_text(table(ROWS).replace("CUST_29,29", "CUST_29,30")),
         "the input file is another one, or the rows that are done have changed in it"),
        (lambda endpoint, file: endpoint.deploy(4), "the endpoint served version 3 of group and serves version 4 of group"),
    ],
)  # fmt: skip
def test_what_has_changed_is_not_continued(
    automl: Automl, endpoint: Endpoint, file: Path, change: Callable[[Endpoint, Path], Any], said: str
) -> None:
    file.write_text(table(ROWS))
    broken_off(automl, 4, file)
    change(endpoint, file)
    shown = automl("predict", "--input-csv", file)
    assert shown.exit_code == 1
    assert f"holds 30 rows of an earlier attempt that cannot be continued: {said}." in shown.stderr
    assert "--start-over begins again at the first row." in shown.stderr
    endpoint.bodies.clear()
    assert automl("predict", "--input-csv", file, "--start-over").exit_code == 0
    assert len(asked_for(endpoint)) >= ROWS


def test_file_whose_later_rows_were_fixed_is_continued(automl: Automl, endpoint: Endpoint, file: Path) -> None:
    file.write_text(table(ROWS).replace("One year", "Two years"))
    broken_off(automl, 4, file)
    file.write_text(table(30).replace("One year", "Two years") + table(ROWS).partition("CUST_29,29,One year\n")[2])
    endpoint.bodies.clear()
    shown = automl("predict", "--input-csv", file)
    assert shown.exit_code == 0, shown.stderr
    assert asked_for(endpoint) == list(range(30, ROWS))
    assert made(file).count("\n") == ROWS + 1


def test_another_endpoint_is_not_continued(automl: Automl, endpoint: Endpoint, file: Path) -> None:
    file.write_text(table(ROWS))
    broken_off(automl, 4, file)
    assert ":endpoint/mine" in automl("predict", "--input-csv", file, "--endpoint-name", "mine").stderr


def deploys_at(endpoint: Endpoint, request: int, version: int) -> None:
    """While the request with this number is answered, a version takes the place of what served."""
    count = itertools.count(1)
    endpoint.after_answer = lambda: endpoint.deploy(version) if next(count) == request else None


def test_model_that_changes_on_the_way_stops_it(automl: Automl, endpoint: Endpoint, file: Path) -> None:
    file.write_text(table(ROWS))
    deploys_at(endpoint, 5, 4)
    shown = automl("predict", "--input-csv", file)
    assert shown.exit_code == 1
    assert "The endpoint served version 3 of group and now serves version 4 of group." in shown.stderr
    assert "40 of 95 rows are done and kept in" in shown.stderr
    endpoint.deploy(3)
    assert automl("predict", "--input-csv", file).exit_code == 0
    assert made(file) == expected()


def test_model_that_changes_on_the_way_starts_it_over(automl: Automl, endpoint: Endpoint, file: Path) -> None:
    file.write_text(table(ROWS))
    deploys_at(endpoint, 5, 4)
    shown = automl("predict", "--input-csv", file, "--start-over")
    assert shown.exit_code == 0
    assert "The endpoint now serves version 4 of group: starting over." in shown.output
    assert made(file) == expected(4)


@pytest.mark.parametrize("request_number", [1, 5, 10])
def test_new_instances_of_the_same_model_do_not_stop_it(
    automl: Automl, endpoint: Endpoint, file: Path, request_number: int
) -> None:
    file.write_text(table(ROWS))
    deploys_at(endpoint, request_number, 3)
    shown = automl("predict", "--input-csv", file)
    assert shown.exit_code == 0
    assert "Going on" not in shown.output
    assert made(file) == expected()


def test_deployment_that_begins_on_the_way_stops_it(automl: Automl, endpoint: Endpoint, file: Path) -> None:
    file.write_text(table(ROWS))
    count = itertools.count(1)

    def begin() -> None:
        endpoint.pending = endpoint.pending or next(count) == 5

    endpoint.after_answer = begin
    shown = automl("predict", "--input-csv", file)
    assert shown.exit_code == 1
    assert "is changing to another model" in shown.stderr
    assert "40 of 95 rows are done and kept in" in shown.stderr


CHANGED = {
    "rewritten": table(ROWS).replace("CUST_90", "CUST_XX"),
    "shorter": table(40),
    "cut": table(ROWS)[:-40],
    "broken": table(60) + '"',
    "other columns": "a\n" * 200,
    "empty": "",
}


@pytest.mark.parametrize("how", CHANGED)
@pytest.mark.parametrize("request_number", [1, 4])
def test_file_that_changes_on_the_way_is_noticed(
    automl: Automl, endpoint: Endpoint, file: Path, how: str, request_number: int
) -> None:
    file.write_text(table(ROWS))
    count = itertools.count(1)
    endpoint.after_answer = lambda: file.write_text(CHANGED[how]) if next(count) == request_number else None
    shown = automl("predict", "--input-csv", file)
    assert shown.exit_code == 1
    assert "was changed while it was read. Use the same command again." in shown.stderr
    assert {path.name for path in file.parent.iterdir()} == {"customers.csv"}


def test_two_at_once_are_kept_apart(automl: Automl, endpoint: Endpoint, file: Path) -> None:
    file.write_text(table(ROWS))
    with file.with_name("customers.predictions.csv.partial").open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        shown = automl("predict", "--input-csv", file)
    assert shown.exit_code == 1
    assert "Another `automl predict` is writing" in shown.stderr
    assert endpoint.bodies == []


@pytest.mark.parametrize("notes", ["", "{}", "[]", json.dumps({"format": 1, "identity": {}, "progress": {}}), "\0"])
def test_notes_that_cannot_be_read_are_no_notes(automl: Automl, endpoint: Endpoint, file: Path, notes: str) -> None:
    file.write_text(table(ROWS))
    file.with_name("customers.predictions.csv.partial").write_text("half")
    file.with_name("customers.predictions.csv.progress.json").write_text(notes)
    assert automl("predict", "--input-csv", file).exit_code == 0
    assert made(file) == expected()
