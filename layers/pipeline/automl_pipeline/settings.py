"""Settings of a run: the deployed defaults and what an execution's input changes of them.

The vocabulary is that of `config/pipeline_config.yaml`. All problems are reported at once, each in one
line that a person can act on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from automl_pipeline import contradictions, objectives, quality, wording

MAX_INPUT_CHARACTERS = 64 * 1024
ENVIRONMENT_PREFIX = "PIPELINE_"

_NAME = r"^[a-z0-9](-*[a-z0-9]){0,%d}$"
PROJECT_NAME = _NAME % 33  # names of jobs have 63 characters, of which run and attempt take 29
_INSTANCE = r"^ml\.[a-z0-9-]+\.[a-z0-9]+$"
_SEGMENT = r"[a-zA-Z0-9_-]+"
_IDS = r"^%s-[0-9a-f]{8,17}(,%s-[0-9a-f]{8,17}){0,%d}$"
GROUP_NAME = r"[a-zA-Z0-9]([_-]*[a-zA-Z0-9]){0,63}"  # and that of a feature
_TAG = r"[A-Za-z0-9 _.:/+@-]{1,128}=[A-Za-z0-9 _.:/+@-]{0,256}"

Whole = Annotated[int, Field(strict=True)]
Text = Annotated[str, Field(strict=True)]
InstanceType = Annotated[str, StringConstraints(strict=True, pattern=_INSTANCE, max_length=60)]
Bucket = Annotated[
    str, StringConstraints(strict=True, pattern=r"^[a-z0-9](\.?[a-z0-9-])+$", min_length=3, max_length=63)
]
FeatureName = Annotated[str, StringConstraints(strict=True, pattern=rf"^{GROUP_NAME}$")]
ColumnName = Annotated[
    str, StringConstraints(strict=True, pattern=r"^[^\x00-\x1f\x7f]*$", min_length=1, max_length=200)
]
ProblemType = Literal["BinaryClassification", "MulticlassClassification", "Regression"]

# Permissions and names of deployed things depend on these, so a run cannot change them.
DEPLOY_TIME = frozenset(
    [
        "project_name",
        "region",
        "bucket",
        "prefix",
        "pipeline_name",
        "model_package_group",
        "role_arn",
        "endpoint_name",
        "athena_query_results",
        "sns_topic_arn",
        "notification_email",
        "feature_store_bucket",
        "subnet_ids",
        "security_group_ids",
        "network_isolation",
        "kms_key_arn",
        "resource_tags",
        "allowed_instance_types",
        "allowed_feature_groups",
        "automl_instance_type",
    ]
)
# Values from the loosest to the strictest: a run may move to the right of what was deployed, never to the left.
STRICTNESS: Mapping[str, tuple[str, ...]] = {
    "model_approval_status": ("Approved", "PendingManualApproval"),
    "beat_baseline": ("Off", "Warn", "Require"),
    "champion": ("Off", "Report", "Require"),
    "data_checks": ("Warn", "Require"),
}
_INSTANCE_TYPES = ("processing_instance_type", "transform_instance_type", "inference_instance_type")


class InvalidInputError(Exception):
    """Settings that cannot be used. The message has one line for each problem; `problems` is the list of them."""

    def __init__(self, problems: list[str]):
        super().__init__("\n".join(problems))
        self.problems = problems


class Settings(BaseModel):
    """Every setting of a run, with the defaults of the deployed template. Field names are the configuration's keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    project_name: Annotated[str, StringConstraints(strict=True, pattern=PROJECT_NAME)] = "classification-model-automl"
    region: Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")] = "us-west-2"
    bucket: Bucket
    prefix: Annotated[str, StringConstraints(strict=True, pattern=rf"^{_SEGMENT}(/{_SEGMENT})*$", max_length=150)] = (
        "mlops/automl_training"
    )
    pipeline_name: Annotated[str, StringConstraints(strict=True, pattern=_NAME % 60)] = (
        "classification-model-automl-pipeline"
    )
    model_package_group: Annotated[str, StringConstraints(strict=True, pattern=_NAME % 62)] = (
        "classification-model-automl-group"
    )
    role_arn: (
        Annotated[
            str, StringConstraints(strict=True, pattern=r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+$")
        ]
        | None
    ) = None

    processing_instance_type: InstanceType = "ml.m5.xlarge"
    # CreateProcessingJob takes 1 to 16,384 (ProcessingClusterConfig in its API reference).
    processing_volume_gb: Annotated[Whole, Field(ge=10, le=16_384)] = 30
    # InstanceCount in the same place: at most 100.
    processing_instance_count: Annotated[Whole, Field(ge=1, le=100)] = 1
    # `resolve` puts one of the other two in for Auto.
    processing_engine: Literal["Auto", "Python", "Spark"] = "Auto"
    transform_instance_type: InstanceType = "ml.m5.xlarge"
    # CreateTransformJob takes 1 to 100 (TransformResources in its API reference).
    transform_instance_count: Annotated[Whole, Field(ge=1, le=100)] = 1

    endpoint_name: Annotated[str, StringConstraints(strict=True, pattern=_NAME % 43)] = "automl-classification-endpoint"
    inference_instance_type: InstanceType = "ml.m5.xlarge"
    enable_autoscaling: Annotated[bool, Field(strict=True)] = True
    autoscaling_min_capacity: Annotated[Whole, Field(ge=1, le=1000)] = 1
    autoscaling_max_capacity: Annotated[Whole, Field(ge=1, le=1000)] = 5
    autoscaling_target_value: Annotated[Whole, Field(ge=1, le=10_000_000)] = 1000
    data_capture_percentage: Annotated[Whole, Field(ge=0, le=100)] = 0

    target_attribute_name: FeatureName = "churn"
    problem_type: ProblemType = "BinaryClassification"
    objective_metric_name: Text = "Accuracy"
    max_runtime_sec: Annotated[Whole, Field(ge=1, le=2_592_000)] = 3600
    automl_max_runtime_sec: Annotated[Whole, Field(ge=1, le=2_592_000)] | None = None
    max_candidates: Annotated[Whole, Field(ge=1, le=750)] | None = None
    # What Autopilot's training jobs run on, which it chooses itself: for estimates and for max_cost_usd.
    automl_instance_type: InstanceType | None = None
    max_cost_usd: Annotated[float, Field(strict=True, ge=0, le=1_000_000)] | None = None
    skip_if_unchanged: Annotated[bool, Field(strict=True)] = False
    capacity_patience_minutes: Annotated[Whole, Field(ge=0, le=720)] = 240
    resume_from: Annotated[str, StringConstraints(strict=True, pattern=r"^[0-9]{8}-[0-9]{6}-[0-9a-f]{8}$")] | None = (
        None
    )
    # None: by problem type (quality.DEFAULT_THRESHOLDS), which `resolve` puts in.
    accuracy_threshold: Annotated[float, Field(strict=True, ge=-1000, le=1)] | None = None
    quality_gate: Annotated[list[quality.Condition], Field(max_length=20)] | None = None
    beat_baseline: Literal["Off", "Warn", "Require"] = "Warn"
    # What serves now, evaluated on the same test rows; the margin is in units of the gate's metric.
    champion: Literal["Off", "Report", "Require"] = "Report"
    champion_margin: Annotated[float, Field(strict=True, ge=0, le=1_000_000_000)] = 0.0
    decision_threshold: Annotated[float, Field(strict=True, ge=0, le=1)] | None = None
    cost_false_positive: Annotated[float, Field(strict=True, ge=0, le=1_000_000_000)] | None = None
    cost_false_negative: Annotated[float, Field(strict=True, ge=0, le=1_000_000_000)] | None = None
    model_approval_status: Literal["Approved", "PendingManualApproval"] = "Approved"

    # The rows: what is left out, what F1 and its kind are about, how the test rows are chosen, what the checks may stop.
    positive_class: (
        Annotated[str, StringConstraints(strict=True, pattern=r"^[^\x00-\x1f\x7f]*$", min_length=1, max_length=200)]
        | None
    ) = None
    exclude_columns: Annotated[list[FeatureName], Field(max_length=100)] = []
    column_names: Annotated[dict[FeatureName, ColumnName], Field(max_length=500)] = {}
    split: Literal["stratified", "time", "group"] = "stratified"
    split_group_column: FeatureName | None = None
    data_checks: Literal["Warn", "Require"] = "Warn"
    report_slices: Annotated[list[FeatureName], Field(max_length=6)] = []
    # How much each row counts in training: by a column of the data, or so that each class counts alike.
    sample_weight_attribute_name: FeatureName | None = None
    class_weights: Literal["Balanced"] | None = None

    feature_group_name: FeatureName = "mlops_poc_churn_classification_feature"
    feature_store_bucket: Bucket | None = None
    customer_id_start: Annotated[Whole, Field(ge=1, le=999_999)] | None = 1
    customer_id_end: Annotated[Whole, Field(ge=1, le=999_999)] | None = 4000
    athena_query_results: (
        Annotated[
            str, StringConstraints(strict=True, pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[^\x00-\x1f\x7f'\"]*$")
        ]
        | None
    ) = None

    sns_topic_arn: (
        Annotated[
            str, StringConstraints(strict=True, pattern=r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_.-]+$")
        ]
        | None
    ) = None
    notification_email: (
        Annotated[
            str,
            StringConstraints(
                strict=True, pattern=r"^[^@\s\x00-\x1f\x7f\"'\\]+@[^@\s\x00-\x1f\x7f\"'\\]+\.[^@\s\x00-\x1f\x7f\"'\\]+$"
            ),
        ]
        | None
    ) = None

    subnet_ids: Annotated[str, StringConstraints(strict=True, pattern=_IDS % ("subnet", "subnet", 15))] | None = None
    security_group_ids: Annotated[str, StringConstraints(strict=True, pattern=_IDS % ("sg", "sg", 4))] | None = None
    network_isolation: Annotated[bool, Field(strict=True)] = False
    kms_key_arn: (
        Annotated[
            str, StringConstraints(strict=True, pattern=r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$")
        ]
        | None
    ) = None
    resource_tags: (
        Annotated[str, StringConstraints(strict=True, pattern=rf"^{_TAG}(,{_TAG}){{0,19}}$", max_length=1000)] | None
    ) = None
    # What a run may choose from, with commas between; None allows everything.
    allowed_instance_types: (
        Annotated[
            str,
            StringConstraints(
                strict=True, pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+(,ml\.[a-z0-9-]+\.[a-z0-9]+)*$", max_length=500
            ),
        ]
        | None
    ) = None
    allowed_feature_groups: (
        Annotated[str, StringConstraints(strict=True, pattern=rf"^{GROUP_NAME}(,{GROUP_NAME})*$", max_length=700)]
        | None
    ) = None


def deployed(environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """The deployed defaults, from the function's environment: PIPELINE_<KEY>, where an empty text means "not set"."""
    texts = {name: environment.get(ENVIRONMENT_PREFIX + name.upper()) for name in Settings.model_fields}
    # Numbers and booleans arrive as texts, too.
    return {
        name: (_value(text) if name in _NOT_TEXTS else text) if text else None
        for name, text in texts.items()
        if text is not None
    }


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:  # a parameter that is no JSON: `resolve` says so, by the setting's name
        return text


_NOT_TEXTS = frozenset(
    [
        "enable_autoscaling",
        "network_isolation",
        "autoscaling_min_capacity",
        "autoscaling_max_capacity",
        "autoscaling_target_value",
        "data_capture_percentage",
        "max_runtime_sec",
        "automl_max_runtime_sec",
        "max_candidates",
        "max_cost_usd",
        "accuracy_threshold",
        "quality_gate",
        "champion_margin",
        "customer_id_start",
        "customer_id_end",
    ]
)


def resolve(given: Any, defaults: Mapping[str, Any]) -> Settings:
    """The settings of a run: `defaults` with what `given` (an execution's input) changes.

    Raises InvalidInputError with every problem there is.
    """
    if not isinstance(given, dict):
        raise InvalidInputError([f"The input must be a JSON object such as {{}}, and is {wording.kind_of(given)}."])
    if wording.larger_than(given, MAX_INPUT_CHARACTERS):
        raise InvalidInputError(
            [f"The input is larger than {MAX_INPUT_CHARACTERS // 1024} KB; settings are all it takes."]
        )
    known = {name: value for name, value in given.items() if name in Settings.model_fields}
    unknown = [name for name in given if name not in Settings.model_fields]
    problems = wording.unknown_keys(unknown, Settings.model_fields)
    merged = {**defaults, **known}
    if isinstance(known.get("quality_gate"), list) and isinstance(defaults.get("quality_gate"), list):
        merged["quality_gate"] = [*defaults["quality_gate"], *known["quality_gate"]]  # a run may add conditions
    wrong: set[str] = set()
    settings = None
    try:
        settings = Settings(**merged)
    except ValidationError as error:
        for detail in error.errors():
            name = str(detail["loc"][0])
            if name not in wrong:  # a union reports each of its members
                wrong.add(name)
                is_inside = isinstance(merged.get(name), (list, dict)) and len(detail["loc"]) > 1
                problems.append(wording.explain(name, detail["input"] if is_inside else merged.get(name), detail))
    problems += [
        f"{name} is set when the stack is deployed (to {wording.show(defaults.get(name))}), not for one run: "
        "leave it out, or deploy again with another value."
        for name, value in known.items()
        if name in DEPLOY_TIME and name not in wrong and defaults and value != defaults.get(name)
    ]
    values = {**{n: f.default for n, f in Settings.model_fields.items()}, **merged}
    problems += _loosened(values, defaults, wrong) + contradictions.of(values, wrong)
    if problems or settings is None:
        raise InvalidInputError(problems)
    return settings.model_copy(
        update={
            "accuracy_threshold": _threshold(settings.accuracy_threshold, settings.problem_type),
            "objective_metric_name": objectives.of(settings.objective_metric_name, settings.problem_type),
            "processing_engine": contradictions.engine(settings.processing_engine, settings.processing_instance_count),
        }
    )


def _threshold(given: float | None, problem_type: str) -> float:
    return quality.DEFAULT_THRESHOLDS[problem_type] if given is None else given


def _loosened(values: Mapping[str, Any], defaults: Mapping[str, Any], wrong: set[str]) -> list[str]:
    """A sentence for each setting by which a run would loosen what was deployed: that is not for those who start runs."""

    def comparable(name: str) -> bool:
        return name not in wrong and defaults.get(name) is not None

    problems = []
    for name, order in STRICTNESS.items():
        if comparable(name) and order.index(values[name]) < order.index(defaults[name]):
            problems.append(
                f"{name}: the stack was deployed with {defaults[name]}, which a run cannot loosen to {values[name]}. "
                "Leave it out, or deploy the stack with another value."
            )
    if comparable("quality_gate") and values["quality_gate"] is None:
        problems.append("quality_gate: the stack was deployed with conditions, which a run may only add to.")
    limits = {"autoscaling_max_capacity": (defaults.get("autoscaling_max_capacity"), "lower", -1)}
    if values["max_cost_usd"] is not None:
        limits["max_cost_usd"] = (defaults.get("max_cost_usd"), "lower", -1)
    elif comparable("max_cost_usd"):
        problems.append(
            f"max_cost_usd: the stack was deployed with {wording.show(defaults['max_cost_usd'])}, which a run may only lower."
        )
    if defaults.get("champion") == "Require":
        limits["champion_margin"] = (defaults.get("champion_margin") or 0.0, "lower", -1)
    if not wrong.intersection(["problem_type", "accuracy_threshold"]):
        of_stack = _threshold(defaults.get("accuracy_threshold"), values["problem_type"])
        limits["accuracy_threshold"] = (of_stack, "raise", 1)
        values = {**values, "accuracy_threshold": _threshold(values["accuracy_threshold"], values["problem_type"])}
    for name, (limit, word, sign) in limits.items():
        if name not in wrong and limit is not None and sign * values[name] < sign * limit:
            problems.append(
                f"{name}: the stack was deployed with {wording.show(limit)}, which a run may only {word}, "
                f"got {wording.show(values[name])}. Leave it out, or deploy the stack with another value."
            )
    for allowed, parameter, names in (
        ("allowed_instance_types", "AllowedInstanceTypes", _INSTANCE_TYPES),
        ("allowed_feature_groups", "AllowedFeatureGroups", ("feature_group_name",)),
    ):
        if comparable(allowed):
            choice = str(defaults[allowed]).split(",")
            problems += [
                f"{name}: the stack does not allow {wording.show(values[name])}. Use one of {', '.join(choice)}, "
                f"or deploy the stack with another {parameter}."
                for name in names
                if name not in wrong and values[name] not in choice
            ]
    return problems
