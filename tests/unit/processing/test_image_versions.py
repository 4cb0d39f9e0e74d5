"""The container code under the very versions of SageMaker's scikit-learn image."""

from __future__ import annotations

import subprocess
import warnings
from pathlib import Path

import pytest
from automl_pipeline import container_code

from local import paths, telco

from .test_encoding import write

PYTHON = paths.PROJECT / ".local/images/scikit-learn-1.2-1/bin/python"
SCRIPT = """
import sys; sys.path.insert(0, sys.argv[1])
import pandas, pyarrow, sklearn, numpy
assert (pandas.__version__, pyarrow.__version__, sklearn.__version__) == ("1.1.3", "14.0.1", "1.2.1")
import inference, preprocess
preprocess.run(sys.argv[2], "churn", "BinaryClassification", ["customer_id"], 42)
encoder = inference.model_fn(sys.argv[2] + "/processing/output/preprocessing")
rows = open(sys.argv[2] + "/processing/output/evaluation_input/test.jsonl", "rb").read()
open(sys.argv[2] + "/answers.csv", "wb").write(inference.output_fn(inference.predict_fn(inference.input_fn(rows, "application/jsonlines"), encoder), "text/csv")[0])
"""


def test_job_and_container_run_under_the_images_versions(tmp_path: Path) -> None:
    if not PYTHON.exists():
        warnings.warn("There is no Python 3.9 here: the image's own versions were NOT tested.", stacklevel=1)
        pytest.skip("no Python 3.9, so the versions of SageMaker's image were NOT tested")
    write(tmp_path, telco.load().head(1000))
    shipped = tmp_path / "code"  # what PrepareRun uploads, and nothing else
    shipped.mkdir()
    for name, content in container_code.read()[1].items():
        (shipped / name).write_bytes(content)
    ran = subprocess.run(
        [str(PYTHON), "-c", SCRIPT, str(shipped), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    test = (tmp_path / "processing/output/test/test.csv").read_text().splitlines()[1:]
    expected = [[float(cell) for cell in line.split(",")[:-1]] for line in test]
    answers = (tmp_path / "answers.csv").read_text().splitlines()
    assert [[float(cell) for cell in line.split(",")] for line in answers] == expected
