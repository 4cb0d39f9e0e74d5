"""Settings files: the one of the SageMaker pipeline that this one follows, the schema for editors, and what is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
import yaml
from typer.testing import Result

from cli import config_import, runs
from cli.stack import RefusedError, Stack
from local.build import packaging

PROJECT = Path(__file__).parents[3]
CONFIG = PROJECT / "config" / "pipeline_config.yaml"
TEMPLATE = packaging.read_template(PROJECT / "template.yaml")["Parameters"]
Automl = Callable[..., Result]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The file of the SageMaker pipeline, where its owner has put in the account."""
    text = (Path(__file__).parent / "data" / "pipeline_config.yaml").read_text()
    path = tmp_path / "pipeline_config.yaml"
    path.write_text(text.replace("ACCOUNT_ID", "111122223333"))
    return path


@pytest.fixture
def deployed(file: Path) -> Stack:
    """The stack that the file's parameters deploy."""
    defaults = {name: str(parameter["Default"]) for name, parameter in TEMPLATE.items()}
    given = config_import.split(runs.read_input(file, None, None)).parameters
    machine = f"arn:aws:states:us-west-2:111122223333:stateMachine:{given['PipelineName']}"
    outputs = {"TrainingStateMachineArn": machine, "FailureTopicArn": given["SnsTopicArn"]}
    outputs |= {name: given[name] for name in ("ProjectName", "BucketName", "Prefix", "ModelPackageGroupName", "EndpointName")}  # fmt: skip
    return Stack("automl-pipeline", outputs, defaults | given)


def test_file_of_the_sagemaker_pipeline_starts_a_run_of_the_stack_it_deploys(file: Path, deployed: Stack) -> None:
    assert runs.changes(runs.read_input(file, None, None), deployed) == {}


def test_its_keys_that_differ_from_the_stack_are_refused_together(file: Path, deployed: Stack) -> None:
    deployed.outputs["EndpointName"] = "other"
    deployed.parameters["RoleArn"] = "arn:aws:iam::111122223333:role/other"
    with pytest.raises(RefusedError) as refused:
        runs.changes(runs.read_input(file, None, None), deployed)
    assert [line.split()[0] for line in str(refused.value).splitlines()] == ["role_arn", "endpoint_name"]


def test_its_parameters_are_what_the_template_takes(file: Path) -> None:
    for name, value in config_import.split(runs.read_input(file, None, None)).parameters.items():
        assert re.fullmatch(TEMPLATE[name].get("AllowedPattern", ".*"), value), name
        assert value in [str(one) for one in TEMPLATE[name].get("AllowedValues", [value])]


def test_schema_for_editors_is_current_and_named_in_the_configuration() -> None:
    published = CONFIG.with_name("pipeline_config.schema.json")
    assert CONFIG.read_text().startswith(f"# yaml-language-server: $schema={published.name}\n")
    assert json.loads(published.read_text()) == config_import.schema(), (
        "automl config schema > config/pipeline_config.schema.json"
    )


def test_schema_takes_both_files_and_refuses_a_wrong_value(file: Path) -> None:
    for path in (CONFIG, file):
        jsonschema.validate(yaml.safe_load(path.read_text()), config_import.schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"max_runtime_sec": "an hour"}, config_import.schema())


def test_problems_of_file_input_and_name_come_together(automl: Automl, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("problem_type: [")
    shown = automl("start", "--config", tmp_path / "c.yaml", "--input", "{", "--name", "a b")
    assert shown.exit_code == 1
    for part in ("is not YAML", "is not JSON", "--name 'a b'"):
        assert part in shown.stderr


def test_key_that_comes_twice_is_refused_with_its_lines(automl: Automl, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("max_candidates: 3\nsplit: time\nmax_candidates: 5\n")
    shown = automl("config", "check", tmp_path / "c.yaml")
    assert (shown.exit_code, "max_candidates is given twice, in lines 1 and 3" in shown.stderr) == (1, True)
