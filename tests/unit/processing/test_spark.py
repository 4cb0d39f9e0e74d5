"""Several instances: PySpark makes the same files of Parquet as one instance makes of CSV, byte for byte."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy
import pyarrow
import pyarrow.parquet
import pytest

from local.aws.sagemaker.compute import images
from local.data import telco
from local.server import paths

from .athena import write

IMAGE = "153931337802.dkr.ecr.us-west-2.amazonaws.com/sagemaker-spark-processing:3.5-cpu-py312-v1.3"
CODE = paths.PROJECT / "processing"
BINARY = ["--target", "churn", "--problem-type", "BinaryClassification"]
NUMBERS = ["--target", "monthly_charges", "--problem-type", "Regression", "--test-parts", "3"]
CLASSES = ["--target", "contract_type", "--problem-type", "MulticlassClassification", "--exclude-columns", "gender"]
BY_TIME = ["--split", "time"]
BY_GROUP = ["--split", "group", "--split-group-column", "tenure_months"]
BALANCED = ["--class-weights", "Balanced", "--weight-column", "automl_class_weight"]

pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.skipif(shutil.which("java") is None, reason="no Java on this machine, which Spark needs"),
]


def both(folder: Path, asked: list[str]) -> tuple[tuple[int, dict[str, bytes]], tuple[int, dict[str, bytes]]]:
    """Exit code and files of the job on one instance and on Spark, for the same customers."""
    one, several = folder / "one", folder / "several"
    rows = telco.load().head(3000)
    rows["a_float"] = numpy.where(rows.tenure_months % 5 == 0, numpy.nan, rows.monthly_charges.astype(float) * 1e-7)
    rows["event_time"] = [f"2026-{1 + place % 12:02}-{1 + place % 28:02}T00:00:00Z" for place in range(len(rows))]
    write(one, rows)
    raw = several / "processing/input/raw"
    raw.mkdir(parents=True)
    mixed = rows.sample(frac=1, random_state=3)
    for place, part in enumerate(numpy.array_split(numpy.arange(len(mixed)), 3)):
        table = pyarrow.Table.from_pandas(mixed.iloc[part], preserve_index=False)
        pyarrow.parquet.write_table(table, raw / f"20261126_{place}_part")
    asked = [*asked, "--drop-columns", "customer_id", "--event-time-column", "event_time"]
    python = images.interpreter(IMAGE)
    (several / "config").mkdir()
    (several / "config/resourceconfig.json").write_text('{"hosts": ["algo-1", "algo-2"]}')
    shutil.copytree(
        CODE, several / "processing/input/code", ignore=lambda _, names: {n for n in names if not n.endswith(".py")}
    )
    (folder / "tmp").mkdir()
    image = {"OPT_ML": str(several), "PATH": f"{python.parent}:{os.environ['PATH']}", "TMPDIR": str(folder / "tmp")}
    interpreter = {"PYSPARK_PYTHON": str(python), "PYSPARK_DRIVER_PYTHON": str(python)}
    commands = (
        ([sys.executable, str(CODE / "preprocess.py")], os.environ),
        ([str(python), str(CODE / "submit_spark.py")], os.environ | image | interpreter),
    )
    left = []
    for root, (command, environment) in zip((one, several), commands, strict=True):
        code = subprocess.run([*command, "--root", str(root), *asked], check=False, env=environment).returncode
        files = [
            path
            for path in root.rglob("*")
            if path.is_file() and not path.is_relative_to(root / "processing/input") and path.parent != root / "config"
        ]
        left.append((code, {str(path.relative_to(root)): path.read_bytes() for path in files}))
    return left[0], left[1]


@pytest.mark.parametrize("asked", [BINARY, NUMBERS + BY_TIME, CLASSES + BY_GROUP + BALANCED])
def test_spark_leaves_the_files_that_one_instance_leaves(tmp_path: Path, asked: list[str]) -> None:
    (code, one), (other_code, several) = both(tmp_path, asked)
    assert (code, other_code) == (0, 0)
    # The time and memory that each took, and an archive that may be compressed otherwise.
    differing = ("resources.json", "model.tar.gz")
    assert several.keys() == one.keys()
    assert [name for name in one if several[name] != one[name] and not name.endswith(differing)] == []
    assert len(one) >= 7


def test_spark_refuses_in_the_words_of_one_instance_and_keeps_them_apart(tmp_path: Path) -> None:
    (code, one), (other_code, several) = both(tmp_path, ["--target", "left", *BINARY[2:]])
    assert (code, other_code) == (1, 1)
    assert b"Target column 'left' is not in the data" in one["output/message"]
    assert several == {**one, "processing/message": one["output/message"]}
