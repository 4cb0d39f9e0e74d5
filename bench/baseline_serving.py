"""Baseline of the preprocess container: the same step with pandas and LabelEncoder, as it is written by hand.

Takes what inference.py takes for a CSV with a header: `load(folder)` reads preprocessing.json, `encode(model, body)`
gives CSV lines. It infers types, as pandas does best; blanks and categories never seen are treated as ours are.
"""

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.preprocessing import LabelEncoder


def load(folder):
    features = json.loads(Path(folder, "preprocessing.json").read_text(encoding="utf-8"))["features"]
    model = {}
    for feature in features:
        if feature["kind"] == "numeric":
            model[feature["name"]] = feature["median"]
        else:
            encoder = LabelEncoder()
            encoder.classes_ = np.array(feature["categories"], dtype=object)
            model[feature["name"]] = encoder
    return model


def encode(model, body):
    frame = pd.read_csv(io.BytesIO(body))[list(model)]
    for name, fitted in model.items():
        if isinstance(fitted, float):
            frame[name] = pd.to_numeric(frame[name], errors="coerce").astype(float).fillna(fitted)
        else:
            values = frame[name].fillna("Unknown").astype(str)
            known = values.isin(fitted.classes_)
            if known.all():
                frame[name] = fitted.transform(values)
            else:
                codes = np.full(len(values), len(fitted.classes_))
                codes[known] = fitted.transform(values[known])
                frame[name] = codes
    return frame.to_csv(index=False, header=False).encode()
