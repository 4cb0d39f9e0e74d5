"""Every row of docs/migration.md: what was there is listed, and what is here exists."""

from __future__ import annotations

import re
from typing import Any

import pytest
from automl_pipeline.settings import DEPLOY_TIME, Settings

from cli.config_import import parameter_of
from local.build import packaging
from local.server import paths
from tests.contract import machines, pages, settings_page

PAGE = (paths.PROJECT / "docs" / "migration.md").read_text(encoding="utf-8")
TEMPLATE: dict[str, Any] = packaging.read_template(paths.PROJECT / "template.yaml")
# What the SageMaker pipeline consisted of.
FILES = [
    "configs/pipeline_config.yaml",
    "src/data_source.py",
    "src/preprocessing.py",
    "src/create_model.py",
    "src/evaluate_automl.py",
    "src/register_model.py",
    "src/deploy_endpoint.py",
    "pipeline.py",
    "execute_pipeline.py",
    "test_automl_endpoint.py",
    "requirements.txt",
    "README.md",
]
KEYS = [
    "project_name",
    "region",
    "bucket",
    "prefix",
    "pipeline_name",
    "model_package_group",
    "role_arn",
    "processing_instance_type",
    "endpoint_name",
    "inference_instance_type",
    "enable_autoscaling",
    "autoscaling_min_capacity",
    "autoscaling_max_capacity",
    "target_attribute_name",
    "problem_type",
    "objective_metric_name",
    "max_runtime_sec",
    "accuracy_threshold",
    "feature_group_name",
    "customer_id_start",
    "customer_id_end",
    "athena_query_results",
    "sns_topic_arn",
    "notification_email",
]
COMMANDS = (
    "aws sts get-caller-identity",
    "aws sagemaker describe-feature-group",
    "python3 pipeline.py",
    "python3 execute_pipeline.py",
    "aws sagemaker start-pipeline-execution",
    "aws events put-rule",
    "aws events put-targets",
    "aws sagemaker list-pipeline-executions",
    "aws logs tail",
    "aws sagemaker describe-endpoint",
    "aws sagemaker describe-auto-ml-job",
    "aws sagemaker list-model-packages",
    "python3 test_automl_endpoint.py",
    "aws sagemaker delete-pipeline",
    "aws sagemaker delete-endpoint",
    "aws sagemaker delete-endpoint-config",
    "aws sagemaker delete-model-package-group",
    "aws s3 rm",
    "aws events remove-targets",
    "aws events delete-rule",
)


def table(title: str) -> list[list[str]]:
    """The cells of each row under a heading."""
    section = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    (found,) = [part for part in section if part.startswith(f"{title}\n")]
    rows = re.findall(r"^\| (.*?) ?\|$", found, re.MULTILINE)[2:]
    return [[cell.strip() for cell in row.split("|")] for row in rows]


def test_every_file_has_its_row_and_the_state_or_file_that_took_its_place() -> None:
    rows = dict(table("Files"))
    assert sorted(name.strip("`") for name in rows) == sorted(FILES)
    states = {state for name in machines.NAMES for state in machines.states(name)}
    for there, here in rows.items():
        named = set(re.findall(r"`([A-Z]\w+)`", here))
        assert named <= states, there
        assert named or "](../" in here or "`automl " in here, there


@pytest.mark.parametrize("key", KEYS)
def test_every_key_of_the_configuration_is_a_setting(key: str) -> None:
    rows = {
        name.strip("`"): (parameter.strip("`"), in_a_run)
        for name, parameter, in_a_run in table("Keys of the configuration")
    }
    parameter, in_a_run = rows[key]
    assert key in Settings.model_fields
    assert (parameter or None) == parameter_of(key, TEMPLATE["Parameters"])
    assert in_a_run.startswith("no") == (key in DEPLOY_TIME)
    limits = {"raise": "yes, higher", "lower": "yes, lower"}
    assert key in DEPLOY_TIME or in_a_run == limits.get(settings_page.LIMITS.get(key, ""), "yes")


def test_no_key_is_listed_that_the_configuration_did_not_have() -> None:
    assert [row[0].strip("`") for row in table("Keys of the configuration")] == KEYS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_one_that_took_its_place(command: str) -> None:
    (here,) = [here for there, here in table("Commands") if re.search(rf"`{re.escape(command)}(?![\w-])", there)]
    assert re.search(r"`(automl|make|aws) ", here)


def test_commands_named_in_the_tables_exist() -> None:
    """test_docs.py runs every command of every page past the program that takes it: these are among them."""
    shown = {command.words[:2] for command in pages.commands(paths.PROJECT / "docs" / "migration.md")}
    for _, here in table("Commands"):
        assert [
            words for words in re.findall(r"`((?:automl|make|aws) \w+)", here) if tuple(words.split()) not in shown
        ] == []


def test_every_page_of_the_console_has_its_name_in_an_output_of_the_stack() -> None:
    rows = table("Console")
    assert len(rows) > 5
    assert {name.split("`")[1] for _, _, name in rows} <= set(TEMPLATE["Outputs"])


def test_failure_emails_are_found_by_their_old_subject() -> None:
    (subject,) = re.findall(r"begin with `(\[.+?\])`", PAGE)
    assert subject in (paths.PROJECT / "statemachine" / "failure.asl.yaml").read_text(encoding="utf-8")
