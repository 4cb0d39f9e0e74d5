"""What starts a run is checked on this machine first; what was deployed is then taken into account."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from cli import report, runs
from cli import stack as stacks
from cli.stack import RefusedError, Stack

PROJECT = Path(__file__).parents[3]
Automl = Callable[..., Result]


@pytest.fixture
def no_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    def client(service: str) -> None:
        pytest.fail(f"{service} was called")

    for module in (stacks, runs):
        monkeypatch.setattr(module, "client", client)


@pytest.mark.usefixtures("no_aws")
def test_every_problem_of_a_file_is_reported_before_anything_is_called(automl: Automl, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(
        "acuracy_threshold: 0.8\nmax_runtime_sec: '60'\ncustomer_id_start: 9\ncustomer_id_end: 3\n"
        "problem_type: Regression\nobjective_metric_name: F1\nbucket: 'x\"/y'\n"
    )
    result = automl("start", "--config", file, "--name", "a b")
    assert result.exit_code == 1
    for part in (
        "Did you mean accuracy_threshold?",
        "max_runtime_sec must be a whole number",
        "no customer lies between them",
        "F1 does not fit Regression",
        "bucket",
        "--name 'a b'",
    ):
        assert part in result.stderr


@pytest.mark.usefixtures("no_aws")
@pytest.mark.parametrize(
    ("content", "said"),
    [("- a\n", "must hold settings"), ("a: [", "is not YAML"), (None, "cannot be read"), ("\udcff", "cannot be read")],
)
def test_file_that_is_no_configuration(automl: Automl, tmp_path: Path, content: str | None, said: str) -> None:
    file = tmp_path / "config.yaml"
    if content is not None:
        file.write_bytes(content.encode(errors="surrogateescape"))
    result = automl("start", "--config", file)
    assert (result.exit_code, said in result.stderr) == (1, True), result.stderr


@pytest.mark.usefixtures("no_aws")
@pytest.mark.parametrize(
    ("given", "said"),
    [("{", "is not JSON"), ("[]", "must be a JSON object"), ("@nowhere.json", "nowhere.json cannot be")],
)
def test_input_that_is_no_json_object(automl: Automl, given: str, said: str) -> None:
    result = automl("start", "--input", given)
    assert (result.exit_code, said in result.stderr) == (1, True), result.stderr


def test_input_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("accuracy_threshold: 0.7\nmax_runtime_sec: 60\n")
    (tmp_path / "input.json").write_text('{"accuracy_threshold": 0.9}')
    values = runs.read_input(tmp_path / "config.yaml", f"@{tmp_path}/input.json", None)
    assert values == {"accuracy_threshold": 0.9, "max_runtime_sec": 60}


@pytest.mark.parametrize("file", [None, PROJECT / "config" / "pipeline_config.yaml"])
def test_shipped_configuration_is_accepted(file: Path | None) -> None:
    assert isinstance(runs.read_input(file, None, "first-run"), dict)


@pytest.mark.parametrize("event", sorted((PROJECT / "events").glob("start*.json")), ids=lambda path: path.name)
def test_shipped_inputs_are_accepted(event: Path) -> None:
    assert runs.read_input(None, f"@{event}", None) == json.loads(event.read_text())


@pytest.mark.parametrize(
    "given",
    [
        {"objective_metric_name": "RMSE"},
        {"problem_type": "Regression"},
        {"customer_id_start": 5000},
        {"customer_id_end": None},
        {"autoscaling_min_capacity": 9},
        {"automl_max_runtime_sec": 60},
        {"bucket": "the-one-deployed"},
    ],
)
def test_half_of_a_pair_is_judged_with_what_is_deployed_and_not_before(given: dict[str, Any]) -> None:
    assert runs.read_input(None, json.dumps(given), None) == given


def test_defaults_are_the_deployed_ones(stack: Stack) -> None:
    defaults = stack.defaults()
    assert defaults["customer_id_end"] == 4000
    assert defaults["enable_autoscaling"] is True
    assert defaults["automl_max_runtime_sec"] is None
    assert defaults["bucket"] == stack.outputs["BucketName"]
    assert defaults["region"] == "us-west-2"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"objective_metric_name": "RMSE"}, "RMSE does not fit BinaryClassification"),
        ({"customer_id_start": 5000}, r"customer_id_start \(5000\) is after customer_id_end \(4000\)"),
        ({"bucket": "another-one"}, "bucket is set when the stack is deployed"),
        ({"pipeline_name": "other"}, "pipeline_name is set when the stack is deployed"),
    ],
)
@pytest.mark.usefixtures("no_aws")
def test_what_does_not_go_with_the_deployed_is_refused_before_the_start(
    stack: Stack, values: dict[str, Any], said: str
) -> None:
    with pytest.raises(RefusedError, match=said):
        runs.start(values, stack)


def test_dry_run_tells_what_the_objective_means_and_whether_another_suits_the_classes(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    classes = [{"label": "no", "support": 950}, {"label": "yes", "support": 50}]
    newest = report.Evaluation("r", "b", "k", {"per_class": classes}, has_report=True)
    monkeypatch.setattr(report, "find", lambda _: newest)
    (note,) = runs.notes({}, stack)
    assert note.startswith("Class 'yes' is 5.0% of the newest run's test rows: a model that always answers 'no' has")
    assert runs.notes({"objective_metric_name": "AUC"}, stack) == []
    (note,) = runs.notes({"objective_metric_name": "F1", "problem_type": "MulticlassClassification"}, stack)
    assert note == "F1 of MulticlassClassification is F1macro: the mean over the classes, each of the same weight."


@pytest.mark.parametrize("command", ["watch", "report", "deploy"])
def test_endpoint_that_nobody_serves_is_said_plainly(
    automl: Automl, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    environment = {"AWS_ENDPOINT_URL": url, "AWS_REGION": "us-west-2", "AWS_MAX_ATTEMPTS": "1"}
    for name, value in {**environment, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}.items():
        monkeypatch.setenv(name, value)
    result = automl(command)
    assert result.exit_code == 1
    assert f"Nothing answers at {url}: is `automl local up` running?" in result.stderr


def test_busy_port_is_said_plainly(automl: Automl) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        result = automl("local", "up", "--port", port)
    assert result.exit_code == 1
    assert f"Port {port} is in use" in result.stderr
