"""What an AutoML job runs: AutoGluon, the engine of Autopilot's ensembling mode, on the job's CSV.

Argument: a JSON file (see `local.aws.sagemaker.compute.automl`). Writes `result.json` beside the models; a line that begins with
`AutoMLJobSecondaryStatus=` reports the job's progress. Data that Autopilot would refuse end in a result with `failure`.
"""

from __future__ import annotations

import json
import logging
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import lifeline
import numpy as np
import pandas as pd
import shapley
from autogluon.core.metrics import compute_metric, get_metric
from autogluon.tabular import TabularPredictor
from pandas._libs.parsers import STR_NA_VALUES
from sklearn.model_selection import train_test_split

SEED = 42
MINIMUM_ROWS = 500
RESERVE_SECONDS, RESERVE_SHARE = 2.0, 0.1
"""Kept of the job's time for scoring and writing the candidates: the share where there are many rows to score."""
VALIDATION_FRACTION, MOST_VALIDATION_ROWS = 0.2, 20_000
"""Of DataSplitConfig, if the job has neither that nor a validation channel. With more rows scores get no better in the third
decimal place, and each round of each candidate is scored."""
FOLDS = 5
MOST_ROWS_BAGGED = 5_000
LEAST_SECONDS_BAGGED = 30.0
"""Autopilot cross-validates whatever the size; here only few rows are, for which it matters most and takes seconds."""
EXPLANATION_SECONDS = 20.0
MOST_ROWS, LEAST_ROWS_OF_A_CLASS, ROWS_AT_ONCE = 1_000_000, 100, 250_000
"""Of more rows a sample is trained on, in which rare classes are kept, as Autopilot does beyond 5 GB: AutoGluon takes 1 GB of
memory for each million rows of 20 columns."""

# Gradient boosting and a linear model. On churn tables forests add nothing to the ensemble's score, make a candidate's
# archive ten times larger and the prediction of one row four times slower; AutoGluon's networks would need PyTorch.
MODELS: list[tuple[str, dict[str, Any]]] = [
    ("GBM", {}),
    ("LR", {}),
    ("XGB", {}),
    ("GBM", {"extra_trees": True, "ag_args": {"name_suffix": "XT"}}),
]

# Autopilot's metric → AutoGluon's; None where AutoGluon has no such metric for the problem type
METRICS = {
    "Accuracy": "accuracy",
    "BalancedAccuracy": "balanced_accuracy",
    "F1": "f1",
    "Precision": "precision",
    "Recall": "recall",
    "AUC": "roc_auc",
    "F1macro": "f1_macro",
    "PrecisionMacro": "precision_macro",
    "RecallMacro": "recall_macro",
    "LogLoss": "log_loss",
    "MSE": "mean_squared_error",
    "MAE": "mean_absolute_error",
    "RMSE": "root_mean_squared_error",
    "R2": "r2",
}
UNWEIGHTED = {"BalancedAccuracy"}
"""For which weights of rows are ignored, in training, too: the developer guide's page "Metrics and validation"."""
LOWER_IS_BETTER = {"LogLoss", "MSE", "MAE", "RMSE"}
"""AutoGluon turns their sign so that higher is better."""

# problem type → (AutoGluon's name, default objective, all metrics of a candidate)
PROBLEMS = {
    "BinaryClassification": (
        "binary",
        "F1",
        ["Accuracy", "BalancedAccuracy", "F1", "Precision", "Recall", "AUC", "LogLoss"],
    ),
    "MulticlassClassification": (
        "multiclass",
        "Accuracy",
        ["Accuracy", "BalancedAccuracy", "F1macro", "PrecisionMacro", "RecallMacro", "LogLoss"],
    ),
    "Regression": ("regression", "MSE", ["MSE", "MAE", "RMSE", "R2"]),
}
MULTICLASS_LIMIT = 20
"""Without a given problem type, a numeric target with more values than this is a regression."""


# Autopilot's image has a pandas before 2.0 (autogluon 0.4.3), to which `None` is a word like any other.
READING: dict[str, Any] = {"na_values": STR_NA_VALUES - {"None"}, "keep_default_na": False}


class RefusedError(Exception):
    """The data cannot be trained on; the message is the job's failure reason."""


def read(files: list[str], target: str, weights: str | None, problem: str | None) -> pd.DataFrame:
    """The job's CSV files as one table, or a sample; the target as texts, spelled as a reader that infers types leaves them.

    Autopilot reads its data so: `01` is the number 1 and is answered as `1`, `true` as `True`, and words for missing are.
    Rows without a valid weight are left out (SampleWeightAttributeName in the API reference of TabularJobConfig).
    """
    for file in files:
        header = pd.read_csv(file, nrows=0).columns
        for what, name in (("target", target), ("sample weight", weights)):
            if name is not None and name not in header:
                raise RefusedError(
                    f"ClientError: The {what} attribute {name!r} is not a column of {Path(file).name}. Columns: "
                    f"{', '.join(map(str, header[:40]))}. The first line must be a header."
                )
    chosen = sample(files, target, problem)
    parts: list[Any] = []
    begin = 0
    for file in files:
        for part in pieces(file) if chosen is not None else [pd.read_csv(file, **READING)]:
            parts.append(part if chosen is None else part[chosen[begin : begin + len(part)]])
            begin += len(part)
    table = pd.concat(parts, ignore_index=True).dropna(subset=[target])
    if weights is not None:
        table[weights] = numbers(table[weights])
        table = table[np.isfinite(table[weights]) & (table[weights] >= 0)]
    table = table.assign(**{target: table[target].astype(str)})
    truths = table.select_dtypes("bool").columns
    return table.astype(dict.fromkeys(truths, str))  # as their texts, which is how requests spell them


def sample(files: list[str], target: str, problem: str | None) -> Any:
    """Which rows are trained on, as truth values, if not all; the same of the same files."""
    if sum(Path(file).stat().st_size for file in files) < 2 * MOST_ROWS:  # a row has a character and an end of line
        return None
    parts = [part[target] for file in files for part in pieces(file, usecols=[target], dtype={target: "str"})]
    labels = pd.concat(parts, ignore_index=True)
    if len(labels) <= MOST_ROWS:
        return None
    order = np.random.default_rng(SEED).permutation(len(labels))
    chosen = np.zeros(len(labels), bool)
    chosen[order[:MOST_ROWS]] = True
    if (problem or problem_of(labels.dropna())) != "Regression":
        within_class = labels.iloc[order].groupby(labels.iloc[order], sort=False).cumcount()
        chosen[within_class.index[within_class < LEAST_ROWS_OF_A_CLASS]] = True
    print(
        f"Training on a sample of {chosen.sum():,} of {len(labels):,} rows, in which rare classes are kept.", flush=True
    )
    return chosen


def pieces(file: str, **given: Any) -> Any:
    """A CSV file's rows, some at a time."""
    return pd.read_csv(file, chunksize=ROWS_AT_ONCE, **READING, **given)


def numbers(texts: Any) -> Any:
    """The texts as numbers, missing where they are none."""
    return pd.to_numeric(texts, errors="coerce")


def problem_of(labels: Any) -> str:
    """The problem type that Autopilot would choose for these labels."""
    distinct = labels.nunique()
    if distinct == 2:
        return "BinaryClassification"
    numeric = numbers(labels).notna().all()
    return "Regression" if numeric and distinct > MULTICLASS_LIMIT else "MulticlassClassification"


def check(table: pd.DataFrame, target: str, weights: str | None, problem: str) -> pd.DataFrame:
    """The table with the target in the type the problem needs; raises RefusedError if Autopilot would refuse it."""
    if len(table) < MINIMUM_ROWS:
        raise RefusedError(
            f"ClientError: The dataset has {len(table)} rows with a target; Autopilot needs at least {MINIMUM_ROWS}."
        )
    features = [name for name in table.columns if name not in (target, weights)]
    if not features:
        raise RefusedError("ClientError: The dataset has no column besides the target.")
    if not any(table[name].nunique(dropna=False) > 1 for name in features):
        raise RefusedError(
            "ClientError: Every column besides the target has only one value; there is nothing to learn from."
        )
    distinct = table[target].nunique()
    if distinct < 2:
        raise RefusedError(
            f"ClientError: The target attribute {target!r} has only one value: {table[target].iloc[0]!r}."
        )
    if problem == "BinaryClassification" and distinct != 2:
        raise RefusedError(f"ClientError: BinaryClassification needs two classes; {target!r} has {distinct}.")
    if problem == "Regression":
        values = numbers(table[target])
        if values.isna().any():
            text = next(iter(table.loc[values.isna(), target]))
            raise RefusedError(f"ClientError: Regression needs numbers; {target!r} has {text!r}.")
        return table.assign(**{target: values.astype(float)})
    return table


def split(table: pd.DataFrame, target: str, fraction: float, problem: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Training and validation rows, in the classes' proportions where each has rows enough."""
    labels = table[target]
    stratify = labels if problem != "Regression" and labels.value_counts().min() >= 2 else None
    return train_test_split(table, test_size=fraction, random_state=SEED, stratify=stratify)  # pyright: ignore


def hyperparameters(
    max_candidates: int | None, seconds_per_model: int | None, stopping_metric: str | None = None
) -> dict[str, list[dict[str, Any]]]:
    """AutoGluon's models: all, or as many as leave room for the ensemble among the candidates.

    `stopping_metric`: by which boosting ends, if not by the objective.
    """
    count = len(MODELS) if max_candidates is None else max(1, min(len(MODELS), max_candidates - 1))
    given = {"max_time_limit": seconds_per_model, "stopping_metric": stopping_metric}
    limits = {name: value for name, value in given.items() if value is not None}
    chosen: dict[str, list[dict[str, Any]]] = {}
    for kind, options in MODELS[:count]:
        chosen.setdefault(kind, []).append({**options, "ag_args_fit": limits})
    return chosen


def train(job: dict[str, Any], started: float) -> dict[str, Any]:
    """Trains, scores and writes the candidates; returns the result file's content."""
    status("AnalyzingData")
    target, weights, output = job["target"], job["weights"], Path(job["output"])
    table = read(job["training"], target, weights, job["problem_type"])
    problem = job["problem_type"] or (problem_of(table[target]) if len(table) else "BinaryClassification")
    table = check(table, target, weights, problem)
    limit = job["max_runtime"]
    reserve = (
        RESERVE_SECONDS
        if limit is None or len(table) <= MOST_ROWS_BAGGED
        else max(RESERVE_SECONDS, RESERVE_SHARE * limit)
    )
    seconds = None if limit is None else max(1.0, limit - (time.monotonic() - started) - reserve)
    bagged = (
        not job["validation"]
        and job["validation_fraction"] is None
        and len(table) <= MOST_ROWS_BAGGED
        and (seconds is None or seconds >= LEAST_SECONDS_BAGGED)
    )
    if bagged:
        training, validation = table, None
    elif job["validation"]:
        training, validation = table, check_types(read(job["validation"], target, weights, problem), target, problem)
    else:
        fraction = job["validation_fraction"] or min(VALIDATION_FRACTION, MOST_VALIDATION_ROWS / len(table))
        training, validation = split(table, target, fraction, problem)
    engine_problem, default_objective, metrics = PROBLEMS[problem]
    objective = job["metric"] or default_objective
    features = table.drop(columns=[target, *([weights] if weights else [])])
    if weights is not None and objective in UNWEIGHTED:
        training, weights = training.drop(columns=weights), None

    status("TrainingModels")
    predictor = TabularPredictor(
        target,
        problem_type=engine_problem,
        eval_metric=METRICS[objective],
        path=str(output / "work"),
        verbosity=2,
        sample_weight=weights,  # pyright: ignore[reportArgumentType] - None: each row counts once
        weight_evaluation=weights is not None,
    )
    try:
        predictor.fit(
            training,
            tuning_data=validation,  # pyright: ignore[reportArgumentType] - None where rows are bagged
            # Shares of few rows that are right go up and down from round to round; probabilities do not, and the engines
            # compute their loss themselves.
            hyperparameters=hyperparameters(
                job["max_candidates"], job["max_runtime_per_job"], None if problem == "Regression" else "log_loss"
            ),
            time_limit=seconds,  # pyright: ignore[reportArgumentType] - None is no limit
            fit_weighted_ensemble=job["max_candidates"] != 1,
            calibrate_decision_threshold=False,  # `probability` is that of the predicted label: above 0.5 of two
            dynamic_stacking=False,
            num_bag_folds=FOLDS if bagged else 0,
            num_stack_levels=0,
            num_gpus=0,
            # Of few rows, threads that wait for one another take longer than one thread alone.
            num_cpus=1 if len(table) <= MOST_ROWS_BAGGED else "auto",
            ag_args_ensemble={"fold_fitting_strategy": "sequential_local"},
        )
    except RuntimeError as error:
        if limit is None:
            raise
        print(error, flush=True)  # AutoGluon's words belong into the job's log
        raise RefusedError(
            f"ClientError: No candidate could be trained within MaxAutoMLJobRuntimeInSeconds={limit}."
        ) from error

    best = predictor.model_best
    status("GeneratingExplainabilityReport")
    explanation = explain(predictor, features, started, limit)
    status("GeneratingModelInsightsReport")
    if validation is None:
        board: Any = predictor.leaderboard(silent=True)
        found = [out_of_fold(predictor, name, training, metrics) for name in board["model"]]
        board = board.assign(**{METRICS[name]: [scored[name] for scored in found] for name in metrics})
    else:
        known: Any = validation
        if problem != "Regression":  # AutoGluon leaves out classes with very few rows
            known = validation[validation[target].isin(predictor.class_labels)]
        board = predictor.leaderboard(known, extra_metrics=[METRICS[name] for name in metrics], silent=True)
    board = board.sort_values("score_val", ascending=False, kind="stable")
    board = pd.concat([board[board["model"] == best], board[board["model"] != best]])
    board.to_csv(output / "leaderboard.csv", index=False)
    write_model(predictor, features, output / "model")
    return {
        "problem_type": problem,
        "objective": objective,
        "validation_rows": len(table if validation is None else validation),
        "folds": FOLDS if bagged else 0,
        "explanation": explanation,
        "candidates": [
            {
                "model": row["model"],
                "value": signed(objective, row["score_val"]),
                "metrics": scores(row, metrics),
                "seconds": float(row["fit_time"]),
            }
            for row in board.to_dict(orient="records")
        ],
    }


def out_of_fold(predictor: TabularPredictor, model: str, training: Any, metrics: list[str]) -> dict[str, float]:
    """A bagged model's scores, by AutoGluon's sign, on the rows that it was trained on: each answered by the fold without it."""
    labels, weights = training[predictor.label], predictor.sample_weight

    def score(name: str, rows: Any, truth: Any, answers: Any, shares: Any = None) -> float:
        metric = get_metric(METRICS[name], predictor.problem_type)
        counted = {} if weights is None or name in UNWEIGHTED else {"weights": training.loc[rows, weights].to_numpy()}
        return compute_metric(truth, metric, y_pred=answers, y_pred_proba=shares, **counted)

    if predictor.problem_type == "regression":
        answers: Any = predictor.predict_oof(model)
        return {name: score(name, answers.index, labels[answers.index], answers) for name in metrics}
    shares: Any = predictor.predict_proba_oof(model, transformed=True)
    rows = shares.index  # AutoGluon leaves out classes with very few rows
    truth = predictor.transform_labels(labels[rows]).to_numpy()
    shares = shares.to_numpy()
    probability = shares[:, 1] if predictor.problem_type == "binary" else shares
    return {name: score(name, rows, truth, shares.argmax(axis=1), probability) for name in metrics}


def explain(predictor: TabularPredictor, features: pd.DataFrame, started: float, limit: float | None) -> dict[str, Any]:
    """SageMaker Clarify's analysis.json of the best model, of which it has the global SHAP values.

    A label for each class but, of two, the positive one alone; one of a regression.
    """

    def answer(rows: pd.DataFrame) -> np.ndarray:
        if predictor.problem_type == "regression":
            return np.asarray(predictor.predict(rows))[:, None]
        shares = np.asarray(predictor.predict_proba(rows))
        return shares[:, 1:] if predictor.problem_type == "binary" else shares

    left = EXPLANATION_SECONDS if limit is None else min(EXPLANATION_SECONDS, (limit - time.monotonic() + started) / 2)
    predictor.persist(max_memory=None)  # pyright: ignore[reportArgumentType] - None: its size need not be known
    sizes, expected = shapley.mean_sizes(answer, features, seed=SEED, seconds=left)
    of_labels = {
        f"label{label}": {
            "global_shap_values": dict(zip(features.columns, map(float, sizes[:, label]), strict=True)),
            "expected_value": float(expected[label]),
        }
        for label in range(len(expected))
    }
    return {"version": "1.0", "explanations": {"kernel_shap": of_labels}}


def check_types(table: pd.DataFrame, target: str, problem: str) -> pd.DataFrame:
    """The validation channel's rows with the target in the type the problem needs."""
    if problem == "Regression":
        return table.assign(**{target: numbers(table[target])}).dropna(subset=[target])
    return table


def signed(metric: str, value: float) -> float:
    """A score of AutoGluon's in the metric's own sense."""
    return -float(value) if metric in LOWER_IS_BETTER else float(value)


def scores(row: dict[str, Any], metrics: list[str]) -> dict[str, float]:
    """A candidate's metrics on the validation rows."""
    return {name: signed(name, row[METRICS[name]]) for name in metrics}


def write_model(predictor: TabularPredictor, features: pd.DataFrame, folder: Path) -> None:
    """The content of the best candidate's archive: its predictor, its columns, and the program that serves it."""
    (folder / "code").mkdir(parents=True)
    predictor.clone_for_deployment(str(folder / "predictor"), model=predictor.model_best)
    kinds = [
        {"name": name, "kind": "number" if pd.api.types.is_numeric_dtype(features[name]) else "text"}
        for name in features.columns
    ]
    (folder / "features.json").write_text(json.dumps(kinds, indent=1), encoding="utf-8")
    shutil.copy(Path(__file__).with_name("tabular_serve.py"), folder / "code")


def status(name: str) -> None:
    """Reports progress to the job."""
    print(f"AutoMLJobSecondaryStatus={name}", flush=True)


def main() -> None:
    started = time.monotonic()
    lifeline.hold()
    # Its only message is that PyTorch is not there to look for a GPU with, before every model.
    logging.getLogger("autogluon.common.utils.resource_utils").setLevel(logging.CRITICAL)
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    try:
        result = train(job, started)
    except RefusedError as error:
        result = {"failure": str(error)}
    (Path(job["output"]) / "result.json").write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()
