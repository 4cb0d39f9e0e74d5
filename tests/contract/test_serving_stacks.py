"""The model's containers in AWS's own serving stacks answer the whole test set, every form of a request, and mistakes.

What is chained is what training.asl.yaml makes of a candidate, and the local cloud's containers answer the same.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
import os
import subprocess
import sys
import tarfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pandas as pd
import pytest
from automl_pipeline import answers, container_code, jobs
from automl_pipeline.settings import Settings
from moto import mock_aws

from local.aws.sagemaker.compute.process import CONTAINERS
from local.aws.sagemaker.compute.serving import ContainerChain
from local.data import telco
from tests.contract import machines, second_jsonata, serving_stacks
from tests.contract.serving_stacks import Stacks

SIX_MB = 6 * 1024 * 1024
IMAGES = (
    "246618743249.dkr.ecr.us-west-2.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3",
    "000000000000.dkr.ecr.us-west-2.amazonaws.com/autogluon-inference:0.4.3-cpu-py38-ubuntu20.04",
)
# What Autopilot gives its container in ensembling mode, besides the model's name
# (docs.aws.amazon.com/sagemaker/latest/dg/autopilot-automate-model-development-container-output.html).
CANDIDATE = {
    "MODEL_NAME": "LightGBM",
    "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv",
    "SAGEMAKER_INFERENCE_OUTPUT": "predicted_label",
    "SAGEMAKER_INFERENCE_SUPPORTED": "predicted_label,probability,probabilities,labels",
    "SAGEMAKER_PROGRAM": "tabular_serve.py",
    "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
}
# Trains, and predicts the test rows without any container.
TRAIN = """
import json, sys, time
import autopilot_fit, pandas
from autogluon.tabular import TabularPredictor
job, test = json.loads(sys.argv[1]), pandas.read_csv(sys.argv[2])
autopilot_fit.train(job, time.monotonic())
predictor = TabularPredictor.load(job["output"] + "/model/predictor", verbosity=0)
table = predictor.predict_proba(test.drop(columns="churn"), model="LightGBM")
json.dump({"labels": list(table.columns), "rows": table.values.tolist()}, open(sys.argv[3], "w"))
"""


@dataclass(frozen=True)
class Trained:
    """A prepared and trained table: the folders of both archives, the held-out rows, and what the model says of each."""

    models: list[Path]
    environments: list[dict[str, str]]
    lines: bytes
    labels: list[str]
    probabilities: list[list[float]]

    def rows(self, count: int) -> pd.DataFrame:
        """The first held-out rows, as texts."""
        return pd.read_json(io.BytesIO(self.lines), lines=True, dtype=False).head(count)  # pyright: ignore[reportArgumentType]


def environments() -> list[dict[str, str]]:
    """The containers' variables as the machine sets them for a candidate of a classification."""
    rules = machines.deployed("training", {"Region": "us-west-2"})["States"]["AutoMLJobStatus"]["Choices"]
    expression = machines.expression(rules[0]["Assign"]["containers"])
    run = {"containers": jobs.containers(Settings(bucket="bucket"), "s3://b/p.tar.gz", IMAGES[0])}
    candidate = {"Image": IMAGES[1], "ModelDataUrl": "s3://b/c.tar.gz", "Environment": CANDIDATE}
    (answer,) = second_jsonata.answers(
        [{"expression": expression, "bindings": {"run": run, "automl": {"containers": [candidate]}}}]
    )
    return [container["Environment"] for container in answer["value"]]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The demo's four thousand customers, through the processing job and a short training."""
    lacks = serving_stacks.missing()
    if lacks:
        reported = f"no {lacks}: the model's containers were NOT tested in AWS's serving stacks"
        warnings.warn(reported, stacklevel=1)
        pytest.skip(reported)
    folder = tmp_path_factory.mktemp("stacks")
    raw, code = folder / "processing/input/raw", folder / "code"
    raw.mkdir(parents=True)
    code.mkdir()
    telco.load().head(4000).to_csv(raw / "rows.csv", index=False, quoting=csv.QUOTE_ALL)
    for name, content in container_code.read()[1].items():
        (code / name).write_bytes(content)
    job = "import sys, preprocess; preprocess.run(sys.argv[1], 'churn', 'BinaryClassification', ['customer_id'], 42)"
    _run([str(serving_stacks.IMAGE_PYTHON), "-c", job, str(folder)], PYTHONPATH=str(code))
    output = folder / "processing/output"
    models = [folder / "preprocess", folder / "candidate/model"]
    with tarfile.open(output / "preprocessing/model.tar.gz") as archive:
        archive.extractall(models[0], filter="data")
    asked = {
        "training": [str(output / "train/train.csv")], "validation": [], "validation_fraction": 0.2,
        "target": telco.TARGET, "weights": None, "problem_type": "BinaryClassification", "metric": "Accuracy",
        "max_candidates": 1, "max_runtime": None, "max_runtime_per_job": None, "output": str(folder / "candidate"),
    }  # fmt: skip
    expected = folder / "expected.json"
    test = output / "test/test.csv"
    _run([sys.executable, "-c", TRAIN, json.dumps(asked), str(test), str(expected)], PYTHONPATH=str(CONTAINERS))
    said = json.loads(expected.read_text())
    lines = (output / "evaluation_input/part-00000.jsonl").read_bytes()
    return Trained(models, environments(), lines, said["labels"], said["rows"])


def _run(command: list[str], **more: str) -> None:
    ran = subprocess.run(command, env={**os.environ, **more}, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-4000:]


@pytest.fixture(scope="module")
def stacks(trained: Trained) -> Iterator[Stacks]:
    """Both containers, in AWS's stacks."""
    with serving_stacks.serving(trained.models, trained.environments) as started:
        yield started


@pytest.fixture(scope="module")
def bucket() -> Iterator[Any]:
    """An S3 with a bucket for archives."""
    with mock_aws(), pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="models")
        yield s3


@pytest.fixture(scope="module")
def local_cloud(trained: Trained, bucket: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContainerChain]:
    """Both containers, as the local cloud runs them."""
    with _chain(trained, bucket, [0, 1], tmp_path_factory.mktemp("local")) as chain:
        yield chain


@pytest.fixture(scope="module")
def local_program(trained: Trained, bucket: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContainerChain]:
    """Autopilot's container alone, as the local cloud runs it."""
    with _chain(trained, bucket, [1], tmp_path_factory.mktemp("program")) as chain:
        yield chain


@contextlib.contextmanager
def _chain(trained: Trained, s3: Any, places: list[int], folder: Path) -> Iterator[ContainerChain]:
    definitions = []
    for place in places:
        s3.put_object(Bucket="models", Key=f"{place}.tar.gz", Body=_archive(trained.models[place]))
        reported = {"ModelDataUrl": f"s3://models/{place}.tar.gz", "Environment": trained.environments[place]}
        definitions.append({"Image": IMAGES[place], **reported})
    with ContainerChain(definitions, s3=s3, workdir=folder, log=lambda _: None) as chain:
        chain.start()
        yield chain


def _archive(folder: Path) -> bytes:
    content = io.BytesIO()
    with gzip.GzipFile(fileobj=content, mode="wb") as file, tarfile.open(fileobj=file, mode="w") as archive:
        archive.add(folder, arcname=".")
    return content.getvalue()


def forms(rows: pd.DataFrame) -> dict[str, tuple[bytes, str]]:
    """The same rows in every form that a client may send."""
    listed = json.loads(str(rows.to_json(orient="records")))
    return {
        "CSV with a header": (rows.to_csv(index=False).encode(), "text/csv"),
        "CSV with a header, turned": (rows[rows.columns[::-1]].to_csv(index=False).encode(), "text/csv"),
        "CSV without a header": (rows.to_csv(index=False, header=False).encode(), "text/csv"),
        "CSV with a character set": (rows.to_csv(index=False).encode(), "text/csv; charset=utf-8"),
        "JSON": (json.dumps(listed).encode(), "application/json"),
        "JSON instances": (json.dumps({"instances": listed}).encode(), "application/json"),
        "JSON Lines": ("".join(json.dumps(row) + "\n" for row in listed).encode(), "application/jsonlines"),
    }


FORMS = list(forms(pd.DataFrame({"a": ["x"]})))


def test_the_whole_test_set_gets_the_models_own_probabilities(stacks: Stacks, trained: Trained) -> None:
    answer = stacks.invoke(trained.lines, "application/jsonlines", "text/csv")
    assert (answer.status, answer.content_type, answer.container) == (200, "text/csv", 2), answer.body[-2000:]
    predictions = list(answers.read(answer.body))
    assert len(predictions) == len(trained.probabilities) == 800
    for prediction, probabilities in zip(predictions, trained.probabilities, strict=True):
        reported = prediction.probabilities()
        assert list(reported) == trained.labels == ["No", "Yes"]
        assert list(reported.values()) == pytest.approx(probabilities, abs=1e-6)
        assert prediction.label == trained.labels[probabilities.index(max(probabilities))]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_request_gets_the_same_answer(stacks: Stacks, trained: Trained, form: str) -> None:
    body, content_type = forms(trained.rows(200))[form]
    answer = stacks.invoke(body, content_type)
    assert (answer.status, answer.content_type) == (200, "text/csv"), answer.body[-2000:]
    expected = stacks.invoke(b"".join(trained.lines.splitlines(keepends=True)[:200]), "application/jsonlines")
    assert answer.body == expected.body


def test_a_request_of_6_mb_is_answered_row_by_row(stacks: Stacks, trained: Trained) -> None:
    lines = trained.rows(800).to_csv(index=False, header=False).encode()
    body = lines * (SIX_MB // len(lines))
    answer = stacks.invoke(body, "text/csv")
    assert answer.status == 200, answer.body[-2000:]
    assert answer.body.count(b"\n") == body.count(b"\n") > 50_000


def test_100_mb_of_a_batch_transform_are_answered_row_by_row(stacks: Stacks, trained: Trained) -> None:
    """In requests of at most 6 MB, as the machine's transform jobs send them."""
    lines = trained.lines.splitlines(keepends=True)
    row_size = max(map(len, lines))
    rows = lines * (100 * 1024 * 1024 // len(trained.lines) + 1)
    answered = 0
    for begin in range(0, len(rows), SIX_MB // row_size):
        body = b"".join(rows[begin : begin + SIX_MB // row_size])
        assert len(body) <= SIX_MB
        answer = stacks.invoke(body, "application/jsonlines", "text/csv")
        assert answer.status == 200, answer.body[-2000:]
        answered += answer.body.count(b"\n")
    assert answered == len(rows) > 200_000


def test_a_request_that_cannot_be_read_ends_at_the_first_container(stacks: Stacks) -> None:
    answer = stacks.invoke(b"a,b\n1,2\n", "text/csv")
    assert (answer.status, answer.container) == (400, 1)
    assert b"values and the model takes 19" in answer.body


def mistakes(encoded: bytes) -> dict[str, tuple[bytes, str, str | None]]:
    """What Autopilot's program refuses: content, content type, Accept."""
    return {
        "a character set": (encoded, "text/csv; charset=utf-8", None),
        "another content type": (b"[[1]]", "application/json", None),
        "another width": (b"1,2\n", "text/csv", None),
        "no row": (b"", "text/csv", None),
        "an Accept that is no table": (encoded, "text/csv", "image/png"),
    }


MISTAKES = list(mistakes(b""))


@pytest.fixture(scope="module")
def encoded(stacks: Stacks, trained: Trained) -> bytes:
    """A few rows as the first container hands them on."""
    few = b"".join(trained.lines.splitlines(keepends=True)[:9])
    return serving_stacks.ask(stacks.ports[0], 1, few, "application/jsonlines", None).body


@pytest.mark.parametrize("mistake", MISTAKES)
def test_autopilots_program_answers_mistakes_with_500(stacks: Stacks, encoded: bytes, mistake: str) -> None:
    answer = serving_stacks.ask(stacks.ports[1], 2, *mistakes(encoded)[mistake])
    assert answer.status == 500, answer.body
    assert b"Traceback" in answer.body


@pytest.mark.parametrize("form", FORMS)
def test_the_local_cloud_answers_as_the_stacks_do(
    stacks: Stacks, local_cloud: ContainerChain, trained: Trained, form: str
) -> None:
    body, content_type = forms(trained.rows(200))[form]
    one, other = stacks.invoke(body, content_type), local_cloud.invoke(body, content_type)
    assert (one.status, one.content_type, one.body) == (other.status, other.content_type, other.body)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_local_cloud_refuses_what_the_program_refuses(
    stacks: Stacks, local_program: ContainerChain, encoded: bytes, mistake: str
) -> None:
    body, content_type, accept = mistakes(encoded)[mistake]
    one = serving_stacks.ask(stacks.ports[1], 2, body, content_type, accept)
    other = local_program.invoke(body, content_type, accept)
    assert (one.status, one.content_type) == (other.status, other.content_type)
    assert one.body.splitlines()[0] == other.body.splitlines()[0]
