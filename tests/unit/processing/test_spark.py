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

from local.data import telco
from local.server import paths

from .athena import write

SPARK = paths.PROJECT / ".local/images/spark-3.5/bin"
CODE = paths.PROJECT / "processing"


@pytest.mark.exhaustive
@pytest.mark.skipif(
    not (SPARK / "spark-submit").exists() or not shutil.which("java"), reason="no Spark 3.5 or no Java here"
)
def test_spark_leaves_the_files_that_one_instance_leaves(tmp_path: Path) -> None:
    one, several = tmp_path / "one", tmp_path / "several"
    rows = telco.load().head(3000)
    rows["a_float"] = numpy.where(rows.tenure_months % 5 == 0, numpy.nan, rows.monthly_charges.astype(float) * 1e-7)
    write(one, rows)
    raw = several / "processing/input/raw"
    raw.mkdir(parents=True)
    mixed = rows.sample(frac=1, random_state=3)
    for place, part in enumerate(numpy.array_split(numpy.arange(len(mixed)), 3)):
        table = pyarrow.Table.from_pandas(mixed.iloc[part], preserve_index=False)
        pyarrow.parquet.write_table(table, raw / f"20261126_{place}_part")
    asked = ["--target", "churn", "--problem-type", "BinaryClassification", "--drop-columns", "customer_id"]
    subprocess.run([sys.executable, str(CODE / "preprocess.py"), "--root", str(one), *asked], check=True)
    submit = [str(SPARK / "spark-submit"), "--master", "local[2]", "--conf", "spark.sql.shuffle.partitions=4"]
    submit += ["--py-files", ",".join(map(str, CODE.glob("*.py"))), str(CODE / "preprocess_spark.py")]
    interpreter = {"PYSPARK_PYTHON": str(SPARK / "python"), "PYSPARK_DRIVER_PYTHON": str(SPARK / "python")}
    subprocess.run([*submit, "--root", str(several), *asked], check=True, env={**os.environ, **interpreter})
    files = {
        root.name: {
            str(path.relative_to(root)): path.read_bytes()
            for path in (root / "processing/output").rglob("*")
            if path.is_file() and path.name not in ("resources.json", "model.tar.gz")
        }
        for root in (one, several)
    }
    assert files["several"] == files["one"]
    assert len(files["one"]) >= 5
