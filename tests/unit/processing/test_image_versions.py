"""The container code under the very versions of SageMaker's scikit-learn image."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.data import telco

from .athena import IMAGE_PYTHON, numbers, output, run_shipped, write

SCRIPT = """
import sys
import pandas, pyarrow, sklearn
import inference, preprocess
assert (pandas.__version__, pyarrow.__version__, sklearn.__version__) == ("1.1.3", "14.0.1", "1.2.1")
root = sys.argv[1]
preprocess.run(root, "churn", "BinaryClassification", ["customer_id"], 42)
encoder = inference.model_fn(root + "/processing/output/preprocessing")
rows = open(root + "/processing/output/evaluation_input/part-00000.jsonl", "rb").read()
request = inference.input_fn(rows, "application/jsonlines")
answer = inference.predict_fn(request, encoder)
open(root + "/answers.csv", "wb").write(answer)
"""


@pytest.mark.skipif(
    not IMAGE_PYTHON.exists(), reason="no Python 3.9: the versions of SageMaker's image were NOT tested"
)
def test_job_and_container_run_under_the_images_versions(tmp_path: Path) -> None:
    write(tmp_path, telco.load().head(1000))
    run_shipped(tmp_path, SCRIPT, str(tmp_path))
    expected = output(tmp_path, "test").drop(columns="churn").to_numpy(dtype=float).tolist()
    assert numbers((tmp_path / "answers.csv").read_bytes()) == expected
