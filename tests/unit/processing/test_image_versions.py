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


AS_STARTED = """
import runpy, sys
try:
    runpy.run_path(sys.path[0] + "/preprocess.py", run_name="__main__")
finally:
    print("pandas is", "loaded" if "pandas" in sys.modules else "not loaded")
"""


@pytest.mark.skipif(
    not IMAGE_PYTHON.exists(), reason="no Python 3.9: the versions of SageMaker's image were NOT tested"
)
@pytest.mark.parametrize(
    ("split", "loaded"), [(["stratified"], "not loaded"), (["group", "--split-group-column=payment_method"], "loaded")]
)
def test_job_loads_pandas_only_for_groups(tmp_path: Path, split: list[str], loaded: str) -> None:
    write(tmp_path, telco.load().head(1000))
    job = [
        "--root",
        str(tmp_path),
        "--target=churn",
        "--problem-type=BinaryClassification",
        "--drop-columns=customer_id",
    ]
    printed = run_shipped(tmp_path, AS_STARTED, *job, f"--split={split[0]}", *split[1:])
    assert f"pandas is {loaded}\n" in printed
    assert len(output(tmp_path, "test")) > 100
