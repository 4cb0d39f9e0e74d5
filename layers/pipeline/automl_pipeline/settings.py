"""Settings of a run: the deployed defaults and what an execution's input changes of them.

The vocabulary is that of `config/pipeline_config.yaml`. All problems are reported at once, each in one
line that a person can act on.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from automl_pipeline import quality, wording

MAX_INPUT_CHARACTERS = 64 * 1024
ENVIRONMENT_PREFIX = "PIPELINE_"
BURSTABLE = re.compile(r"ml\.(t2|t3|t3a|t4g)\.")

_NAME = r"^[a-z0-9](-*[a-z0-9]){0,%d}$"
PROJECT_NAME = _NAME % 33  # names of jobs have 63 characters, of which run and attempt take 29
_INSTANCE = r"^ml\.[a-z0-9-]+\.[a-z0-9]+$"
_SEGMENT = r"[a-zA-Z0-9_-]+"
_IDS = r"^%s-[0-9a-f]{8,17}(,%s-[0-9a-f]{8,17}){0,%d}$"
_GROUP = r"[a-zA-Z0-9]([_-]*[a-zA-Z0-9]){0,63}"
_TAG = r"[A-Za-z0-9 _.:/+@-]{1,128}=[A-Za-z0-9 _.:/+@-]{0,256}"

Whole = Annotated[int, Field(strict=True)]
Text = Annotated[str, Field(strict=True)]
InstanceType = Annotated[str, StringConstraints(strict=True, pattern=_INSTANCE, max_length=60)]
Bucket = Annotated[
    str, StringConstraints(strict=True, pattern=r"^[a-z0-9](\.?[a-z0-9-])+$", min_length=3, max_length=63)
]
FeatureName = Annotated[str, StringConstraints(strict=True, pattern=r"^[a-zA-Z0-9]([_-]*[a-zA-Z0-9]){0,63}$")]
ColumnName = Annotated[
    str, StringConstraints(strict=True, pattern=r"^[^\x00-\x1f\x7f]*$", min_length=1, max_length=200)
]
# Characters of JSON, in a third of the arguments that a processing job takes; see run_layout.
MOST_COLUMN_NAMES = 12_000
ProblemType = Literal["BinaryClassification", "MulticlassClassification", "Regression"]

# Each objective of Autopilot with the problem types it is for.
_BINARY, _MULTI = "BinaryClassification", "MulticlassClassification"
OBJECTIVES: Mapping[str, tuple[str, ...]] = {
    "Accuracy": (_BINARY, _MULTI),
    "BalancedAccuracy": (_BINARY, _MULTI),
    # With more than two classes these three stand for the macro averages below.
    "F1": (_BINARY, _MULTI),
    "Precision": (_BINARY, _MULTI),
    "Recall": (_BINARY, _MULTI),
    "AUC": (_BINARY,),
    "F1macro": (_MULTI,),
    "PrecisionMacro": (_MULTI,),
    "RecallMacro": (_MULTI,),
    "MSE": ("Regression",),
    "MAE": ("Regression",),
    "RMSE": ("Regression",),
    "R2": ("Regression",),
}
# Weights do not count for it: docs.aws.amazon.com/sagemaker/latest/dg/autopilot-metrics-validation.html, weighted metrics.
UNWEIGHTED = "BalancedAccuracy"
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
        Annotated[str, StringConstraints(strict=True, pattern=rf"^{_GROUP}(,{_GROUP})*$", max_length=700)] | None
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
    problems += _loosened(values, defaults, wrong) + _contradictions(values, wrong)
    if problems or settings is None:
        raise InvalidInputError(problems)
    return settings.model_copy(
        update={
            "accuracy_threshold": _threshold(settings.accuracy_threshold, settings.problem_type),
            "objective_metric_name": _objective(settings.objective_metric_name, settings.problem_type),
            "processing_engine": _engine(settings.processing_engine, settings.processing_instance_count),
        }
    )


def _threshold(given: float | None, problem_type: str) -> float:
    return quality.DEFAULT_THRESHOLDS[problem_type] if given is None else given


def _engine(asked: str, instances: int) -> str:
    if asked != "Auto":
        return asked
    return "Spark" if instances > 1 else "Python"


# What Autopilot calls these with more than two classes.
_AVERAGED = {"F1": "F1macro", "Precision": "PrecisionMacro", "Recall": "RecallMacro"}


def _objective(name: str, problem_type: str) -> str:
    return _AVERAGED.get(name, name) if problem_type == _MULTI else name


def objective_note(name: str, problem_type: str) -> str | None:
    """What a run takes for the objective that was asked for, if that is another one."""
    taken = _objective(name, problem_type)
    if taken == name:
        return None
    return f"{name} of {problem_type} is {taken}: the mean over the classes, each of the same weight."


def _loosened(values: Mapping[str, Any], defaults: Mapping[str, Any], wrong: set[str]) -> list[str]:
    """Where a run would weaken what the stack was deployed with: who may start runs does not thereby decide on it."""

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


def _contradictions(values: Mapping[str, Any], wrong: set[str]) -> list[str]:
    """Settings that are each right and do not go together."""

    def usable(*names: str) -> bool:
        return not wrong.intersection(names)

    problems = []
    start, end = values["customer_id_start"], values["customer_id_end"]
    if usable("customer_id_start", "customer_id_end"):
        if (start is None) != (end is None):
            problems.append(
                "customer_id_start and customer_id_end go together: give both, or null for both to take every customer."
            )
        elif start is not None and start > end:
            problems.append(
                f"customer_id_start ({start}) is after customer_id_end ({end}): no customer lies between them."
            )
    problem, objective = values["problem_type"], values["objective_metric_name"]
    if usable("objective_metric_name", "problem_type"):
        if objective not in OBJECTIVES:
            problems.append(
                f"objective_metric_name: {wording.show(objective)} is not a metric of Autopilot. Use one of {', '.join(OBJECTIVES)}."
            )
        elif problem not in OBJECTIVES[objective]:
            fitting = [name for name, problem_types in OBJECTIVES.items() if problem in problem_types]
            problems.append(
                f"objective_metric_name: {objective} does not fit {problem}. Use one of {', '.join(fitting)}."
            )
    problems += _contradictory_quality(values, usable)
    low, high = values["autoscaling_min_capacity"], values["autoscaling_max_capacity"]
    if usable("autoscaling_min_capacity", "autoscaling_max_capacity") and low > high:
        problems.append(f"autoscaling_min_capacity ({low}) is more than autoscaling_max_capacity ({high}).")
    each, whole = values["max_runtime_sec"], values["automl_max_runtime_sec"]
    if usable("max_runtime_sec", "automl_max_runtime_sec") and whole is not None and each > whole:
        problems.append(
            f"max_runtime_sec ({each}, one training job) is more than automl_max_runtime_sec ({whole}, all of them)."
        )
    problems += _contradictory_rows(values, usable)
    problems += _contradictory_engine(values, usable)
    if usable("transform_instance_type") and BURSTABLE.match(values["transform_instance_type"]):
        problems.append(
            f"transform_instance_type: batch transform does not run on burstable instances ({values['transform_instance_type']}). Use ml.m5.large or larger."
        )
    return problems


def _contradictory_quality(values: Mapping[str, Any], usable: Callable[..., bool]) -> list[str]:
    """Likewise, in what makes a model good enough."""
    problems, problem_type = [], values["problem_type"]
    if not usable("problem_type"):
        return problems
    costs = [values["cost_false_positive"], values["cost_false_negative"]]
    if usable("quality_gate"):
        conditions = [quality.Condition.model_validate(condition) for condition in values["quality_gate"] or []]
        asked = dict.fromkeys(condition.metric for condition in conditions)
        problems += [
            f"quality_gate: {metric} is not a metric of {problem_type}. Use one of {', '.join(quality.METRICS[problem_type])}."
            for metric in asked
            if metric not in quality.METRICS[problem_type]
        ]
        if "cost_per_row" in asked and problem_type == _BINARY and None in costs:
            problems.append("quality_gate: cost_per_row needs cost_false_positive and cost_false_negative.")
    if usable("cost_false_positive", "cost_false_negative"):
        if (costs[0] is None) != (costs[1] is None):
            problems.append("cost_false_positive and cost_false_negative go together: give both, or neither.")
        elif costs == [0, 0]:
            problems.append("cost_false_positive and cost_false_negative are both 0: then every answer is as good.")
    if problem_type != _BINARY:
        problems += [
            f"{name} goes with {_BINARY}, and problem_type is {problem_type}: leave it out."
            for name in ("decision_threshold", "cost_false_positive", "cost_false_negative")
            if usable(name) and values[name] is not None
        ]
    return problems


def _contradictory_engine(values: Mapping[str, Any], usable: Callable[..., bool]) -> list[str]:
    """Likewise, in how the data is prepared."""
    if not usable("processing_engine", "processing_instance_count"):
        return []
    problems, instances = [], values["processing_instance_count"]
    if values["processing_engine"] == "Python" and instances > 1:
        problems.append(
            f"processing_engine: Python runs on one instance, and processing_instance_count is {instances}. Use Spark, or 1 instance."
        )
    elif _engine(values["processing_engine"], instances) == "Spark":
        if usable("skip_if_unchanged") and values["skip_if_unchanged"]:
            problems.append(
                "skip_if_unchanged goes with processing_engine: Python, as Spark is given the rows in no order, in which they have "
                "no fingerprint before they are read: leave it out."
            )
        if usable("network_isolation") and values["network_isolation"] and instances > 1:
            problems.append(
                f"processing_instance_count: the {instances} instances of a Spark job must reach each other, which network_isolation "
                "forbids. Use 1."
            )
    return problems


def _contradictory_rows(values: Mapping[str, Any], usable: Callable[..., bool]) -> list[str]:
    """Likewise, in the choice of rows and columns."""
    problems, positive, excluded = [], values["positive_class"], values["exclude_columns"]
    target, group, split = (values[name] for name in ("target_attribute_name", "split_group_column", "split"))
    if usable("positive_class", "problem_type") and positive is not None and values["problem_type"] != _BINARY:
        problems.append(
            f"positive_class goes with {_BINARY}, and problem_type is {values['problem_type']}: leave it out."
        )
    if usable("split", "split_group_column") and (split == "group") != (group is not None):
        problems.append(
            "split: group needs split_group_column, the column whose rows must stay together."
            if group is None
            else f"split_group_column goes with split: group, and split is {split}."
        )
    if usable("split_group_column", "target_attribute_name") and group is not None and group.lower() == target.lower():
        problems.append(
            f"split_group_column is the target ({target}): choose the column whose rows must stay together."
        )
    problems += _contradictory_weights(values, usable)
    if usable("column_names") and len(json.dumps(values["column_names"])) > MOST_COLUMN_NAMES:
        problems.append(
            f"column_names is longer than {MOST_COLUMN_NAMES:,} characters of JSON, which is what the processing job can be "
            "given: leave some out. The endpoint finds columns by the Feature Store's rule all the same."
        )
    slices = [name.lower() for name in values["report_slices"]] if usable("report_slices") else []
    if usable("target_attribute_name") and target.lower() in slices:
        problems.append(f"report_slices names the target ({target}): choose features to see the metrics by.")
    if usable("exclude_columns"):
        problems += [
            f"report_slices: {name} is in exclude_columns, and metrics are shown by columns that the model uses."
            for name in slices
            if name in [column.lower() for column in excluded]
        ]
    if usable("exclude_columns", "target_attribute_name") and target.lower() in [name.lower() for name in excluded]:
        problems.append(f"exclude_columns names the target ({target}), which is what the model learns: leave it out.")
    return problems


def _contradictory_weights(values: Mapping[str, Any], usable: Callable[..., bool]) -> list[str]:
    """Likewise, in how much each row counts."""
    names = ("sample_weight_attribute_name", "class_weights")
    given = [name for name in names if usable(name) and values[name] is not None]
    problems = []
    if len(given) == 2:
        problems.append(f"{names[0]} and {names[1]} both weigh the rows: give one of them.")
    if "class_weights" in given and usable("problem_type") and values["problem_type"] == "Regression":
        problems.append("class_weights goes with a classification, and problem_type is Regression: leave it out.")
    if given and usable("objective_metric_name") and values["objective_metric_name"] == UNWEIGHTED:
        fitting = [name for name, kinds in OBJECTIVES.items() if name != UNWEIGHTED and values["problem_type"] in kinds]
        problems.append(
            f"{given[0]}: Autopilot ignores weights where objective_metric_name is {UNWEIGHTED}. "
            f"Use one of {', '.join(fitting)}, or leave {given[0]} out."
        )
    column = values[names[0]] if names[0] in given else None
    for name in ("target_attribute_name", "split_group_column", "exclude_columns", "report_slices"):
        if column is None or not usable(name) or not values[name]:
            continue
        taken = values[name] if isinstance(values[name], list) else [values[name]]
        if column.lower() in [one.lower() for one in taken]:
            problems.append(
                f"{names[0]}: {column} is {name}, too. A column of weights is nothing else: choose another."
            )
    return problems
