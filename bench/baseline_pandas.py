"""Baseline of the preprocessing job: the same step with pandas, LabelEncoder and train_test_split.

Arguments: the raw CSV, the folder to write to.
"""

import sys

import pandas as pd
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import LabelEncoder

source, folder = sys.argv[1:]
frame = pd.read_csv(source).drop(columns=["customer_id", "event_time"])
for column in frame.columns.drop("churn"):
    if frame[column].dtype == object:
        frame[column] = LabelEncoder().fit_transform(frame[column].fillna("Unknown"))
    else:
        frame[column] = frame[column].fillna(frame[column].median())
train, test = train_test_split(frame, test_size=0.2, random_state=42, stratify=frame["churn"])
train.to_csv(f"{folder}/train.csv", index=False)
test.to_csv(f"{folder}/test.csv", index=False)
