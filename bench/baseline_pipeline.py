"""Baseline of the demo: preprocessing, training, test and metrics one after the other in a script, with nothing around.

Arguments: a folder to work in, the Python of the processing container. The training is the local cloud's own
(autopilot_fit.py, which must be importable), so that both compute the same.
"""

import csv
import subprocess
import sys
import time
from pathlib import Path

import autopilot_fit
import pandas as pd
import tabular_serve
from sklearn.metrics import accuracy_score

from local.data import telco

folder, python = Path(sys.argv[1]), sys.argv[2]
raw = folder / "raw.csv"
telco.load().head(4000).assign(event_time="2026-01-01T00:00:00Z").to_csv(raw, index=False, quoting=csv.QUOTE_ALL)
subprocess.run([python, str(Path(__file__).with_name("baseline_pandas.py")), str(raw), str(folder)], check=True)
autopilot_fit.train(
    {
        "training": [str(folder / "train.csv")], "validation": [], "validation_fraction": 0.2, "target": telco.TARGET, "weights": None,
        "problem_type": "BinaryClassification", "metric": "Accuracy", "max_candidates": None, "max_runtime": None,
        "max_runtime_per_job": 3600, "output": str(folder),
    },
    time.monotonic(),
)  # fmt: skip
test = pd.read_csv(folder / "test.csv")
model = tabular_serve.model_fn(str(folder / "model"))
rows = test.drop(columns=telco.TARGET).to_csv(index=False, header=False)
answers, _ = tabular_serve.transform_fn(model, rows, "text/csv", "text/csv")
labels = [line.split(",")[0] for line in answers.splitlines()]
print(accuracy_score(test[telco.TARGET], labels))
