"""Settings: all that is wrong is reported at once, in words; what is right gives a run whose names AWS takes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from automl_pipeline import run_layout, settings
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from local.aws import api_model

DEPLOYED = {"bucket": "a-bucket", "region": "us-west-2"}
ROOT = Path(__file__).parents[3]


def test_empty_input_takes_what_was_deployed() -> None:
    chosen = settings.resolve({}, {**DEPLOYED, "accuracy_threshold": 0.7})
    assert (chosen.bucket, chosen.accuracy_threshold, chosen.customer_id_end) == ("a-bucket", 0.7, 4000)


def test_configuration_file_is_a_valid_input() -> None:
    config = yaml.safe_load((ROOT / "config" / "pipeline_config.yaml").read_text())
    assert settings.resolve(config, DEPLOYED) == settings.resolve({}, DEPLOYED)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"acuracy_threshold": 1}, "Did you mean accuracy_threshold?"),
        ({"max_runtime_sec": "60"}, "max_runtime_sec must be a whole number without quotes, got the text"),
        ({"enable_autoscaling": 1}, "enable_autoscaling must be true or false"),
        ({"customer_id_start": 9, "customer_id_end": 3}, "customer_id_start (9) is after customer_id_end (3)"),
        ({"customer_id_start": None}, "go together"),
        ({"objective_metric_name": "RMSE"}, "RMSE does not fit BinaryClassification"),
        ({"autoscaling_min_capacity": 6}, "autoscaling_min_capacity (6) is more than"),
        ({"transform_instance_type": "ml.t3.medium"}, "burstable"),
        ({"bucket": "another"}, "bucket is set when the stack is deployed"),
        ({"bucket": 'a"b'}, "is not a bucket name"),
        ({"feature_group_name": "a'; DROP TABLE x"}, "feature_group_name"),
        ({"target_attribute_name": "../../x"}, "target_attribute_name"),
        ({"accuracy_threshold": 1.5}, "accuracy_threshold must be at most 1, got 1.5."),
        ({"accuracy_threshold": float("nan")}, "accuracy_threshold must be at most 1, got NaN."),
        ({"customer_id_end": 10**6}, "customer_id_end must be at most 999,999, got 1000000."),
        ({"max_candidates": 10**5000}, "max_candidates must be at most 750, got a number of thousands of digits."),
        ({"max_runtime_sec": 2.5}, "max_runtime_sec must be a whole number without quotes, got 2.5."),
        ({"endpoint_name": None}, "endpoint_name must be text in quotes, got null."),
        ({"feature_group_name": "x\x7f\n\x1b[31m"}, r'"x\u007f\n\u001b[31m" is not 1 to 64 letters'),
        ({"target_attribute_name": "\ud800"}, r'"\ud800" is not a feature'),
        ({"prefix": "a/../b"}, "is not folders of letters"),
        ({"prefix": "a" * 151}, "150 characters in all"),
        ({"region": "us-west-٢"}, "is not a region"),
        ({"role_arn": "arn:aws:iam::123456789012:role/é"}, "is not a role's ARN"),
        ({"notification_email": "a@b.c\nBcc: x@y.z"}, "is not an email address"),
        ({"positive_class": True}, "positive_class must be text in quotes, got true."),
        ({"positive_class": "yes", "problem_type": "MulticlassClassification"}, "positive_class goes with Binary"),
        ({"column_names": "age"}, "column_names must be a mapping of features to columns of the table"),
        ({"column_names": {"age": ""}}, "column_names: \"\" is not a feature's name with a column's name"),
        (
            {"column_names": {f"a{place}": "x" * 200 for place in range(90)}},
            "column_names is longer than 12,000 characters",
        ),
        ({"exclude_columns": "age"}, 'exclude_columns must be a list of texts, got the text "age".'),
        ({"exclude_columns": ["age", "b c"]}, 'exclude_columns: "b c" is not a feature\'s name'),
        ({"exclude_columns": ["a"] * 101}, "exclude_columns takes at most 100 entries, and has 101."),
        ({"exclude_columns": ["Churn"]}, "exclude_columns names the target (churn)"),
        ({"report_slices": ["Churn"]}, "report_slices names the target (churn)"),
        ({"report_slices": ["Age"], "exclude_columns": ["age"]}, "report_slices: age is in exclude_columns"),
        ({"report_slices": ["a"] * 7}, "report_slices takes at most 6 entries, and has 7."),
        ({"report_slices": ["b c"]}, 'report_slices: "b c" is not a feature\'s name'),
        ({"split": "group"}, "split: group needs split_group_column"),
        ({"split_group_column": "household"}, "split_group_column goes with split: group"),
        ({"split": "group", "split_group_column": "CHURN"}, "split_group_column is the target (churn)"),
        ({"sample_weight_attribute_name": "w", "class_weights": "Balanced"}, "both weigh the rows: give one of them."),
        ({"sample_weight_attribute_name": "b c"}, 'sample_weight_attribute_name: "b c" is not a feature\'s name'),
        ({"sample_weight_attribute_name": "CHURN"}, "CHURN is target_attribute_name, too"),
        ({"sample_weight_attribute_name": "w", "exclude_columns": ["W"]}, "w is exclude_columns, too"),
        ({"class_weights": "Even"}, 'class_weights: "Even" is not one of Balanced'),
        (
            {"class_weights": "Balanced", "problem_type": "Regression", "objective_metric_name": "RMSE"},
            "class_weights goes with a classification",
        ),
        (
            {"class_weights": "Balanced", "objective_metric_name": "BalancedAccuracy"},
            "Use one of Accuracy, F1, Precision, Recall, AUC, or leave class_weights out.",
        ),
        ({"objective_metric_name": "AUC", "problem_type": "MulticlassClassification"}, "AUC does not fit Multiclass"),
        ({"quality_gate": "recall"}, "quality_gate must be a list"),
        ({"quality_gate": ["recall"]}, 'each condition is an object such as {"metric": "recall", "at_least": 0.6}'),
        ({"quality_gate": [{"metric": "recal", "at_least": 1}]}, 'metric "recal" is not one of accuracy, precision'),
        ({"quality_gate": [{"metric": "recall", "above": 1}]}, '"above" is not a key of a condition'),
        ({"quality_gate": [{"metric": "auc"}]}, "the condition on auc takes either at_least or at_most"),
        ({"quality_gate": [{"metric": "auc", "at_least": 0, "at_most": 1}]}, "takes either at_least or at_most"),
        ({"quality_gate": [{"metric": "auc", "at_least": "0.7"}]}, 'limit of auc must be a number, and is "0.7"'),
        ({"quality_gate": [{"metric": "auc", "at_least": 10**400}]}, "the limit of auc must be a number"),
        ({"quality_gate": [{"metric": "auc", "at_least": 1, "bound": "low"}]}, 'bound "low" is not one of value'),
        ({"quality_gate": [{"metric": "rmse", "at_most": 1}]}, "rmse is not a metric of BinaryClassification"),
        ({"quality_gate": [{"metric": "cost_per_row", "at_most": 1}]}, "cost_per_row needs cost_false_positive"),
        ({"beat_baseline": "Maybe"}, 'beat_baseline: "Maybe" is not one of Off, Warn or Require.'),
        ({"champion": "Ask"}, 'champion: "Ask" is not one of Off, Report or Require.'),
        ({"champion_margin": -0.1}, "champion_margin must be at least 0, got -0.1."),
        ({"decision_threshold": 1.5}, "decision_threshold must be at most 1, got 1.5."),
        (
            {"decision_threshold": 0.5, "problem_type": "Regression", "objective_metric_name": "RMSE"},
            "decision_threshold goes with BinaryClassification, and problem_type is Regression",
        ),
        ({"cost_false_positive": 1}, "cost_false_positive and cost_false_negative go together"),
        ({"cost_false_positive": 0, "cost_false_negative": 0}, "are both 0"),
        (
            {"accuracy_threshold": 0.4},
            "accuracy_threshold: the stack was deployed with 0.5, which a run may only raise",
        ),
        ([], "must be a JSON object"),
        ({"comment": "x" * 70_000}, "larger than 64 KB"),
    ],
)
def test_what_is_wrong_is_said(asked: Any, said: str) -> None:
    with pytest.raises(settings.InvalidInputError) as refused:
        settings.resolve(asked, DEPLOYED)
    assert said in str(refused.value)


STRICT = {
    **DEPLOYED,
    "data_checks": "Require",
    "champion": "Require",
    "model_approval_status": "PendingManualApproval",
    "accuracy_threshold": 0.8,
    "autoscaling_max_capacity": 3,
    "allowed_instance_types": "ml.m5.large,ml.m5.xlarge",
    "allowed_feature_groups": "churn,mlops_poc_churn_classification_feature",
}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            {"model_approval_status": "Approved"},
            "model_approval_status: the stack was deployed with PendingManualApproval, which a run cannot loosen to "
            "Approved. Leave it out, or deploy the stack with another value.",
        ),
        (
            {"data_checks": "Warn"},
            "data_checks: the stack was deployed with Require, which a run cannot loosen to Warn. "
            "Leave it out, or deploy the stack with another value.",
        ),
        (
            {"champion": "Off"},
            "champion: the stack was deployed with Require, which a run cannot loosen to Off. "
            "Leave it out, or deploy the stack with another value.",
        ),
        (
            {"champion_margin": 0.1},
            "champion_margin: the stack was deployed with 0.0, which a run may only lower, got 0.1. "
            "Leave it out, or deploy the stack with another value.",
        ),
        (
            {"accuracy_threshold": -1000},
            "accuracy_threshold: the stack was deployed with 0.8, which a run may only raise, got -1000. "
            "Leave it out, or deploy the stack with another value.",
        ),
        (
            {"autoscaling_max_capacity": 4},
            "autoscaling_max_capacity: the stack was deployed with 3, which a run may only lower, got 4. "
            "Leave it out, or deploy the stack with another value.",
        ),
        (
            {"inference_instance_type": "ml.p4d.24xlarge"},
            'inference_instance_type: the stack does not allow "ml.p4d.24xlarge". Use one of ml.m5.large, '
            "ml.m5.xlarge, or deploy the stack with another AllowedInstanceTypes.",
        ),
        (
            {"feature_group_name": "salaries"},
            'feature_group_name: the stack does not allow "salaries". Use one of churn, '
            "mlops_poc_churn_classification_feature, or deploy the stack with another AllowedFeatureGroups.",
        ),
    ],
)
def test_a_run_cannot_loosen_what_was_deployed(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(settings.InvalidInputError) as refused:
        settings.resolve(asked, STRICT)
    assert refused.value.problems == [said]


def test_null_does_not_loosen_a_threshold() -> None:
    with pytest.raises(settings.InvalidInputError, match=r"deployed with 0\.8, which a run may only raise, got 0\.5"):
        settings.resolve({"accuracy_threshold": None}, STRICT)


def test_threshold_that_nobody_set_is_half_or_for_a_regression_as_good_as_the_mean() -> None:
    regression = {"problem_type": "Regression", "objective_metric_name": "RMSE"}
    assert settings.resolve({}, DEPLOYED).accuracy_threshold == 0.5
    assert settings.resolve(regression, DEPLOYED).accuracy_threshold == 0
    assert settings.resolve(regression, {**DEPLOYED, "accuracy_threshold": 0.5}).accuracy_threshold == 0.5
    with pytest.raises(settings.InvalidInputError, match="may only raise"):
        settings.resolve({**regression, "accuracy_threshold": -0.1}, DEPLOYED)


def test_run_adds_to_the_deployed_conditions() -> None:
    stack = settings.deployed({"PIPELINE_QUALITY_GATE": '[{"metric": "recall", "at_least": 0.6}]'})
    chosen = settings.resolve(
        {"quality_gate": [{"metric": "auc", "at_least": 0.7, "bound": "lower"}]}, stack | DEPLOYED
    )
    assert [condition.metric for condition in chosen.quality_gate or []] == ["recall", "auc"]
    assert [condition.metric for condition in settings.resolve({}, stack | DEPLOYED).quality_gate or []] == ["recall"]
    with pytest.raises(settings.InvalidInputError, match="deployed"):
        settings.resolve({"quality_gate": None}, stack | DEPLOYED)


def test_conditions_that_were_deployed_wrongly_are_explained() -> None:
    stack = settings.deployed({"PIPELINE_QUALITY_GATE": "[recall]"})
    with pytest.raises(settings.InvalidInputError, match="quality_gate must be a list"):
        settings.resolve({}, stack | DEPLOYED)


@pytest.mark.parametrize("name", ["F1", "Precision", "Recall"])
def test_objective_of_two_classes_is_averaged_over_more(name: str) -> None:
    several = settings.resolve({"objective_metric_name": name, "problem_type": "MulticlassClassification"}, DEPLOYED)
    assert several.objective_metric_name in (f"{name}macro", f"{name}Macro")
    assert several.objective_metric_name in api_model.service_model("sagemaker").shape_for("AutoMLMetricEnum").enum
    assert settings.resolve({"objective_metric_name": name}, DEPLOYED).objective_metric_name == name


def test_all_that_a_run_would_loosen_is_reported_with_its_other_problems() -> None:
    asked = {
        "model_approval_status": "Approved",
        "accuracy_threshold": 0.1,
        "autoscaling_max_capacity": 4,
        "processing_instance_type": "ml.p4d.24xlarge",
        "feature_group_name": "salaries",
        "allowed_instance_types": "ml.p4d.24xlarge",
        "nonsense": 1,
    }
    with pytest.raises(settings.InvalidInputError) as refused:
        settings.resolve(asked, STRICT)
    assert len(refused.value.problems) == len(asked)


def test_a_run_may_tighten_what_was_deployed() -> None:
    tighter = {"accuracy_threshold": 0.9, "autoscaling_max_capacity": 2, "feature_group_name": "churn"}
    chosen = settings.resolve({**tighter, "processing_instance_type": "ml.m5.large"}, STRICT)
    assert (chosen.accuracy_threshold, chosen.autoscaling_max_capacity) == (0.9, 2)
    assert chosen.model_approval_status == "PendingManualApproval"
    loose = {**DEPLOYED, "model_approval_status": "Approved"}
    assert settings.resolve({"model_approval_status": "PendingManualApproval"}, loose).model_approval_status == (
        "PendingManualApproval"
    )


def test_run_that_requires_more_than_the_stack_sets_its_own_margin() -> None:
    chosen = settings.resolve({"champion": "Require", "champion_margin": 0.02}, {**DEPLOYED, "champion_margin": 0.0})
    assert (chosen.champion, chosen.champion_margin) == ("Require", 0.02)


def test_margin_is_deployed_as_a_number() -> None:
    stack = settings.deployed({"PIPELINE_CHAMPION": "Require", "PIPELINE_CHAMPION_MARGIN": "0.5"})
    assert settings.resolve({}, stack | DEPLOYED).champion_margin == 0.5


def test_values_of_the_registry_hold_the_longest_place_of_a_run() -> None:
    """CustomerMetadataProperties takes 256 characters a value."""
    run = described(prefix="p" * 150, bucket="b" * 63)
    assert len(run["prefix_uri"]) <= 256
    assert len(max(run["uris"].values(), key=len)) <= 1024


def nested(depth: int) -> Any:
    inner: Any = "x"
    for _ in range(depth):
        inner = [inner]
    return inner


def endless() -> Any:
    """What YAML can say by reference: a list that holds itself."""
    loop: list[Any] = []
    loop.append(loop)
    return loop


def exploding() -> Any:
    """Likewise: a list that would be a million million texts if it were written out."""
    inner: Any = "x"
    for _ in range(12):
        inner = [inner] * 10
    return inner


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (nested(30_000), "customer_id_start must be a whole number without quotes, got a list."),
        (endless(), "The input is larger than 64 KB; settings are all it takes."),
        (exploding(), "The input is larger than 64 KB; settings are all it takes."),
    ],
    ids=["nested", "endless", "exploding"],
)
def test_value_that_cannot_be_written_down_is_refused(value: Any, said: str) -> None:
    with pytest.raises(settings.InvalidInputError) as refused:
        settings.resolve({"customer_id_start": value}, DEPLOYED)
    assert refused.value.problems == [said]


def test_thousands_of_unknown_keys_fit_into_a_message() -> None:
    with pytest.raises(settings.InvalidInputError) as refused:
        settings.resolve({f"k{number}": 0 for number in range(5000)}, DEPLOYED)
    assert refused.value.problems[-1] == "4,960 more keys are not settings."
    assert str(refused.value).count("docs/settings.md") == 1
    assert len(str(refused.value)) < 4000  # what an email shows of it


def test_all_problems_at_once() -> None:
    with pytest.raises(settings.InvalidInputError) as refused:
        settings.resolve({"nope": 1, "max_candidates": 0, "problem_type": "Guessing"}, DEPLOYED)
    assert len(refused.value.problems) == 3


def test_deployed_defaults_come_from_the_environment() -> None:
    found = settings.deployed(
        {"PIPELINE_BUCKET": "b-b", "PIPELINE_MAX_CANDIDATES": "", "PIPELINE_ENABLE_AUTOSCALING": "false"}
    )
    assert found == {"bucket": "b-b", "max_candidates": None, "enable_autoscaling": False}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@hypothesis_settings(deadline=None)  # the machine may be busy
@given(
    st.dictionaries(st.sampled_from(list(settings.Settings.model_fields)) | st.text(max_size=20), JSON, max_size=4)
    | JSON
)
def test_any_input_gives_a_run_or_a_refusal_on_printable_lines(asked: Any) -> None:
    try:
        chosen = settings.resolve(asked, DEPLOYED)
    except settings.InvalidInputError as refused:
        assert refused.problems
        assert all(line.isprintable() for line in refused.problems)
    else:
        check_names(chosen)


def check_names(chosen: settings.Settings) -> None:
    execution = run_layout.Execution(
        "arn:aws:states:us-west-2:000000000000:execution:m:e", "e", "2026-11-23T21:00:22.123Z"
    )
    run = run_layout.describe(
        chosen, execution, code_sha256="0" * 64, image="i", spark_image="s", job_role="r", automl_role="a", stack="s"
    )
    for service_member in (("CreateAutoMLJobV2", "AutoMLJobName", run["names"]["automl_job"]),
                           ("CreateProcessingJob", "ProcessingJobName", f"{run['names']['processing_job']}-86"),
                           # The last attempt after eight waits for capacity, of the champion's job, too.
                           ("CreateTransformJob", "TransformJobName", f"{run['names']['transform_job']}-c86"),
                           ("CreateModel", "ModelName", run["names"]["model"]),
                           ("CreateModelPackage", "ClientToken", run["client_token"])):  # fmt: skip
        operation, member, value = service_member
        problems = api_model.problems("sagemaker", operation, {member: value})
        assert not [problem for problem in problems if f"'{member[0].lower()}{member[1:]}'" in problem]


def test_longest_project_name_still_gives_names_that_fit() -> None:
    check_names(settings.resolve({}, {**DEPLOYED, "project_name": "p" * 34}))


def test_names_are_the_same_for_a_retry_and_others_for_another_execution() -> None:
    first = run_layout.Execution("arn:1", "e", "2026-11-23T21:00:22.123Z")
    assert first.run_id == run_layout.Execution("arn:1", "e", "2026-11-23T21:00:22.123Z").run_id
    assert first.run_id != run_layout.Execution("arn:2", "e", "2026-11-23T21:00:22.123Z").run_id
    assert first.run_id != run_layout.Execution("arn:1", "e", "2026-11-23T21:00:22.124Z").run_id


@pytest.mark.parametrize(
    ("asked", "engine"),
    [
        ({}, "Python"),
        ({"processing_instance_count": 2}, "Spark"),
        ({"processing_engine": "Spark"}, "Spark"),
        ({"processing_engine": "Python"}, "Python"),
    ],
)
def test_more_than_one_instance_means_spark(asked: dict[str, Any], engine: str) -> None:
    chosen = settings.resolve(asked, DEPLOYED)
    assert chosen.processing_engine == engine


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"processing_engine": "Python", "processing_instance_count": 3}, "Python runs on one instance"),
        ({"processing_engine": "Spark", "skip_if_unchanged": True}, "skip_if_unchanged goes with"),
        ({"processing_instance_count": 2, "skip_if_unchanged": True}, "skip_if_unchanged goes with"),
    ],
)
def test_engine_that_does_not_go_with_the_rest_is_refused_with_all_else(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(settings.InvalidInputError) as refusal:
        settings.resolve({**asked, "max_candidates": 0}, DEPLOYED)
    assert len(refusal.value.problems) == 2
    assert any(said in problem for problem in refusal.value.problems)


def test_instances_of_an_isolated_stack_cannot_form_a_cluster() -> None:
    isolated = {**DEPLOYED, "network_isolation": True}
    assert settings.resolve({"processing_engine": "Spark"}, isolated).processing_engine == "Spark"
    with pytest.raises(settings.InvalidInputError, match="which network_isolation forbids"):
        settings.resolve({"processing_instance_count": 2}, isolated)


def test_engine_is_data_of_the_run() -> None:
    python, spark = described(), described(processing_instance_count=4)
    assert python["unload_to"] is None
    rows = spark["uris"]["rows"]
    assert rows == spark["uris"]["raw"] + "rows/"
    assert spark["unload_to"].startswith(f"'{rows}' WITH ")
    jobs = [run["jobs"]["processing"] for run in (python, spark)]
    scripts = [job["AppSpecification"]["ContainerEntrypoint"][1].rsplit("/", 1)[1] for job in jobs]
    assert scripts == ["preprocess.py", "submit_spark.py"]
    assert [job["AppSpecification"]["ImageUri"] for job in jobs] == ["i", "s"]
    assert [job["ProcessingInputs"][0]["S3Input"]["S3Uri"] for job in jobs] == [python["uris"]["raw"], rows]
    assert [job["ProcessingResources"]["ClusterConfig"]["InstanceCount"] for job in jobs] == [1, 4]
    assert jobs[0]["ProcessingOutputConfig"] == jobs[1]["ProcessingOutputConfig"]


def described(**given: Any) -> dict[str, Any]:
    """A run of a stack that was deployed with these settings."""
    chosen = settings.resolve({}, {**DEPLOYED, **given})
    execution = run_layout.Execution("arn:1", "e", "2026-11-23T21:00:22.123Z")
    return run_layout.describe(
        chosen, execution, code_sha256="0", image="i", spark_image="s", job_role="r", automl_role="a", stack="s"
    )


def test_without_key_and_network_nothing_is_asked_of_either() -> None:
    run = described()
    assert run["network"] == {"EnableNetworkIsolation": False}
    assert run["jobs"]["automl"]["SecurityConfig"] == {"EnableInterContainerTrafficEncryption": False}
    assert not re.search(r"kms|EncryptionConfiguration|subnet", json.dumps(run["jobs"]), re.IGNORECASE)


@pytest.mark.parametrize(
    ("instance_type", "takes_key"),
    [("ml.m5.xlarge", True), ("ml.c6i.2xlarge", True), ("ml.m5d.xlarge", False), ("ml.g4dn.xlarge", False),
     ("ml.g5.xlarge", False), ("ml.r6gd.large", False), ("ml.p3.2xlarge", True), ("ml.t3.medium", True)],
)  # fmt: skip
def test_disks_that_encrypt_themselves_are_given_no_key(instance_type: str, takes_key: bool) -> None:
    key = "arn:aws:kms:us-west-2:000000000000:key/0123abcd"
    run = described(kms_key_arn=key, processing_instance_type=instance_type)
    processing = run["jobs"]["processing"]
    assert processing["ProcessingResources"]["ClusterConfig"].get("VolumeKmsKeyId") == (key if takes_key else None)
    assert processing["ProcessingOutputConfig"]["KmsKeyId"] == key


def test_tags_of_the_person_the_stack_and_the_run() -> None:
    run = described(resource_tags="project=churn,stage=")
    assert {tag["Key"]: tag["Value"] for tag in run["tags"]} == {
        "project": "churn", "stage": "", "automl:stack": "s", "automl:run": run["id"]
    }  # fmt: skip
    assert [tag for tag in run["tags"] if tag["Key"] != "automl:run"] == run["stack_tags"]
    assert (
        api_model.problems(
            "sagemaker",
            "AddTags",
            {"ResourceArn": "arn:aws:sagemaker:us-west-2:000000000000:model/m", "Tags": run["tags"]},
        )
        == []
    )


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("subnet_ids", "subnet-0123abcd, subnet-4567cdef", "1 to 16 subnets with commas between them"),
        ("security_group_ids", "default", "1 to 5 security groups with commas between them"),
        ("kms_key_arn", "alias/mine", "a key's ARN"),
        ("resource_tags", "project", "1 to 20 tags with commas between them"),
    ],
)
def test_impossible_network_key_and_tags_are_reported(key: str, value: str, said: str) -> None:
    with pytest.raises(settings.InvalidInputError) as refused:
        settings.resolve({}, {**DEPLOYED, key: value})
    (problem,) = refused.value.problems
    assert problem.startswith(f"{key}: ")
    assert said in problem


def test_arguments_of_the_processing_job_are_what_sagemaker_takes() -> None:
    columns = [f"{number:03d}".ljust(64, "x") for number in range(100)]
    longest = {"positive_class": "é" * 200, "split": "group", "split_group_column": "g" * 64}
    longest |= {"report_slices": [f"{number:03d}".ljust(64, "y") for number in range(6)]}
    names = {f"{number:03d}".ljust(64, "x"): "é" * 30 for number in range(45)}
    arguments = described(exclude_columns=columns, column_names=names, **longest)["jobs"]["processing"][
        "AppSpecification"
    ]["ContainerArguments"]
    answered = [argument.partition("=")[2] for argument in arguments if argument.startswith("--column-names=")]
    assert json.loads("".join(answered)) == names
    named = [argument.split("=")[1] for argument in arguments if argument.startswith("--exclude-columns=")]
    assert ",".join(named).split(",") == columns
    of_the_machine = 6
    given = {"ContainerArguments": ["x"] * of_the_machine + arguments}
    problems = api_model.problems("sagemaker", "CreateProcessingJob", {"AppSpecification": {"ImageUri": "i", **given}})
    assert not [problem for problem in problems if "containerArguments" in problem]
