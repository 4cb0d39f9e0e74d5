"""Baseline of EvaluateModel: predictions and labels read with pandas, metrics of scikit-learn, no intervals, no report.

Argument: the folder with test.csv and part-00000.jsonl.out.
"""

import ast
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_score, recall_score, roc_auc_score

folder = Path(sys.argv[1])
truth = pd.read_csv(folder / "test.csv")["churn"]
answers = pd.read_csv(folder / "part-00000.jsonl.out", header=None, names=["label", "probabilities", "labels"])
score = np.array([ast.literal_eval(text)[1] for text in answers["probabilities"]])
evaluation = {
    "accuracy": accuracy_score(truth, answers["label"]),
    "precision": precision_score(truth, answers["label"], pos_label="Yes"),
    "recall": recall_score(truth, answers["label"], pos_label="Yes"),
    "f1_score": f1_score(truth, answers["label"], pos_label="Yes"),
    "auc": roc_auc_score(truth == "Yes", score),
    "confusion_matrix": confusion_matrix(truth, answers["label"]).tolist(),
}
(folder / "evaluation.json").write_text(json.dumps(evaluation))
