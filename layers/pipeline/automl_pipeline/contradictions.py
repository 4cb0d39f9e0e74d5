"""Settings that are valid on their own, but not together."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from automl_pipeline import quality, wording
from automl_pipeline.objectives import OBJECTIVES, UNWEIGHTED
from automl_pipeline.quality import BINARY, REGRESSION

BURSTABLE = re.compile(r"ml\.(t2|t3|t3a|t4g)\.")
# Characters of JSON, in a third of the arguments that a processing job takes; see jobs.
MOST_COLUMN_NAMES = 12_000


def engine(asked: str, instances: int) -> str:
    """The engine that prepares the data: `asked`, or for Auto the one that the number of instances needs."""
    if asked != "Auto":
        return asked
    return "Spark" if instances > 1 else "Python"


def of(values: Mapping[str, Any], wrong: set[str]) -> list[str]:
    """A sentence for each contradiction. `values`: by the settings' names; those in `wrong` are reported already."""

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
    """Contradictions between problem type, quality gate, decision threshold and costs of mistakes."""
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
        if "cost_per_row" in asked and problem_type == BINARY and None in costs:
            problems.append("quality_gate: cost_per_row needs cost_false_positive and cost_false_negative.")
    if usable("cost_false_positive", "cost_false_negative"):
        if (costs[0] is None) != (costs[1] is None):
            problems.append("cost_false_positive and cost_false_negative go together: give both, or neither.")
        elif costs == [0, 0]:
            problems.append("cost_false_positive and cost_false_negative are both 0: then every answer is as good.")
    if problem_type != BINARY:
        problems += [
            f"{name} goes with {BINARY}, and problem_type is {problem_type}: leave it out."
            for name in ("decision_threshold", "cost_false_positive", "cost_false_negative")
            if usable(name) and values[name] is not None
        ]
    return problems


def _contradictory_engine(values: Mapping[str, Any], usable: Callable[..., bool]) -> list[str]:
    """Contradictions in how the data is prepared."""
    if not usable("processing_engine", "processing_instance_count"):
        return []
    problems, instances = [], values["processing_instance_count"]
    if values["processing_engine"] == "Python" and instances > 1:
        problems.append(
            f"processing_engine: Python runs on one instance, and processing_instance_count is {instances}. Use Spark, or 1 instance."
        )
    elif engine(values["processing_engine"], instances) == "Spark":
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
    """Contradictions in the choice of rows and columns."""
    problems, positive, excluded = [], values["positive_class"], values["exclude_columns"]
    target, group, split = (values[name] for name in ("target_attribute_name", "split_group_column", "split"))
    if usable("positive_class", "problem_type") and positive is not None and values["problem_type"] != BINARY:
        problems.append(
            f"positive_class goes with {BINARY}, and problem_type is {values['problem_type']}: leave it out."
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
    """Contradictions in the weights of rows."""
    names = ("sample_weight_attribute_name", "class_weights")
    given = [name for name in names if usable(name) and values[name] is not None]
    problems = []
    if len(given) == 2:
        problems.append(f"{names[0]} and {names[1]} both weigh the rows: give one of them.")
    if "class_weights" in given and usable("problem_type") and values["problem_type"] == REGRESSION:
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
