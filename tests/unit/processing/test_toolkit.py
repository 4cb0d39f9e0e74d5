"""inference.py inside the toolkit that SageMaker's scikit-learn image serves with, and the local cloud's stand-in for it.

The toolkit is PyPI's sagemaker-containers under the image's Python and versions. What the image adds to it, its own
serving module, is not on PyPI: SCRIPT does what that does (github.com/aws/sagemaker-scikit-learn-container, serving.py).
"""

from __future__ import annotations

import base64
import csv
import json
import os
import subprocess
import tarfile
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from local.aws.sagemaker.compute.serving import ContainerChain
from local.data import telco

from .athena import IMAGE_PYTHON, numbers, run_shipped, write

ENVIRONMENT = {  # as training.asl.yaml gives it to the container
    "SAGEMAKER_PROGRAM": "inference.py",
    "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
    "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv",
    "SAGEMAKER_CONTAINER_LOG_LEVEL": "20",
    "SAGEMAKER_REGION": "us-west-2",
}
IMAGE = "246618743249.dkr.ecr.us-west-2.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"

SCRIPT = """
import base64, importlib, json, sys
from sagemaker_containers.beta.framework import env, files, transformer, worker

serving = env.ServingEnv()
files.download_and_extract(serving.module_dir, env.code_dir)  # as the toolkit does before it starts its web server,
sys.path.append(env.code_dir)                                 # which it sets to look there
module = importlib.import_module(serving.module_name)
functions = {name: getattr(module, name) for name in ("model_fn", "input_fn", "predict_fn", "output_fn")}
model = transformer.Transformer(**functions)
model.initialize()
client = worker.Worker(transform_fn=model.transform, module_name=serving.module_name).test_client()

def raising(request, encoder):
    raise ValueError("a sentence that nobody will read")

careless = transformer.Transformer(**{**functions, "predict_fn": raising})
careless.initialize()
careless_client = worker.Worker(transform_fn=careless.transform, module_name=serving.module_name).test_client()

answers = []
for asked in json.load(open(sys.argv[1])):
    headers = {name: asked[key] for name, key in (("Content-Type", "content_type"), ("Accept", "accept")) if asked[key]}
    to = careless_client if asked["careless"] else client
    said = to.open(asked["path"], method=asked["method"], headers=headers, data=base64.b64decode(asked["body"]))
    answers.append([said.status_code, base64.b64encode(said.data).decode(), said.headers.get("Content-Type", "")])
json.dump(answers, open(sys.argv[2], "w"))
"""


@dataclass
class Request:
    """A request of SageMaker to the container; `careless` asks one whose predict_fn raises."""

    body: bytes = b""
    content_type: str = ""
    accept: str = ""
    method: str = "POST"
    path: str = "/invocations"
    careless: bool = False


@dataclass
class Answer:
    """What came back."""

    status: int
    body: bytes
    content_type: str


# Enough for the way that many rows of CSV take; the other forms are read row by row.
CUSTOMERS = telco.load().iloc[1000:1200].drop(columns="churn")
FEATURES = CUSTOMERS.drop(columns="customer_id")
ROWS = [json.loads(line) for line in FEATURES.to_json(orient="records", lines=True).splitlines()]
TURNED = CUSTOMERS[CUSTOMERS.columns[::-1]]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()


def as_csv(frame: Any, *, header: bool = True) -> bytes:
    return frame.to_csv(index=False, header=header, quoting=csv.QUOTE_NONNUMERIC).encode()


ANSWERED = {
    "CSV with a header": Request(as_csv(CUSTOMERS), "text/csv"),
    "CSV, turned": Request(as_csv(TURNED), "text/csv"),
    "CSV, with a character set": Request(as_csv(CUSTOMERS), "text/csv; charset=utf-8"),
    "CSV without a header": Request(as_csv(FEATURES, header=False), "text/csv"),
    "CSV with a byte order mark": Request(b"\xef\xbb\xbf" + as_csv(CUSTOMERS), "text/csv"),
    "JSON list": Request(json.dumps(ROWS).encode(), "application/json"),
    "JSON instances": Request(json.dumps({"instances": ROWS}).encode(), "application/json"),
    "JSON without a type": Request(json.dumps(ROWS).encode()),
    "JSON Lines": Request(LINES, "application/jsonlines"),
    "accepting anything": Request(LINES, "application/jsonlines", "*/*"),
    "accepting CSV": Request(LINES, "application/jsonlines", "text/csv"),
    "accepting JSON": Request(LINES, "application/jsonlines", "application/json"),
}
REFUSED = {
    "text for a number": (
        Request(as_csv(CUSTOMERS).replace(b",1,", b",one,"), "text/csv"),
        "must be a number, and is 'one' in row",
    ),
    "another table": (Request(b"a,b\n1,2\n", "text/csv"), "values and the model takes 19"),
    "row of another width": (Request(as_csv(CUSTOMERS) + b"1,2\n", "text/csv"), "has 2 values"),
    "CSV in Latin-1": (Request(as_csv(CUSTOMERS).replace(b"Yes", b"\xe9"), "text/csv; charset=latin-1"), "not UTF-8"),
    "CSV with a NUL in few rows": (
        Request(as_csv(CUSTOMERS.head(9)).replace(b"Yes", b"Y\0s"), "text/csv"),
        "it holds a NUL character",
    ),
    "CSV with a NUL in many": (
        Request(as_csv(CUSTOMERS).replace(b"Yes", b"Y\0s"), "text/csv"),
        "it holds a NUL character",
    ),
    "CSV with an open quote": (Request(as_csv(CUSTOMERS) + b'"1,2\n', "text/csv"), "The CSV cannot be read"),
    "no JSON": (Request(b"{", "application/json"), "is not JSON"),
    "no JSON on a line": (Request(LINES + b"{\n", "application/jsonlines"), "is not JSON"),
    "another type": (Request(b"x", "image/png"), "Content type 'image/png' is not supported"),
    "CSV without a type": (Request(as_csv(CUSTOMERS)), "is not JSON"),
    "no row": (Request(b"", "text/csv"), "holds no row"),
}
OTHERS = {
    "ping": Request(method="GET", path="/ping"),
    "careless": Request(LINES, "application/jsonlines", careless=True),
    "GET": Request(method="GET"),
    "elsewhere": Request(path="/"),
}
ALL = {**ANSWERED, **{name: request for name, (request, _) in REFUSED.items()}, **OTHERS}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a job that has prepared a thousand customers, and rows that are asked about as its test rows."""
    folder = tmp_path_factory.mktemp("toolkit")
    write(folder, telco.load().head(1000))
    script = "import sys, preprocess; preprocess.run(sys.argv[1], 'churn', 'BinaryClassification', ['customer_id'], 42)"
    run_shipped(folder, script, str(folder))
    return folder


@pytest.fixture(scope="module")
def expected(prepared: Path) -> list[list[float]]:
    """The customers asked about, as the preprocess container's own code encodes them here."""
    import inference

    encoder = inference.model_fn(str(prepared / "processing/output/preprocessing"))
    return numbers(inference.encode(encoder, LINES, "application/jsonlines"))


@pytest.fixture(scope="module")
def toolkit(prepared: Path) -> dict[str, Answer]:
    """What the toolkit answers to each request."""
    installed = IMAGE_PYTHON.exists() and not subprocess.run(
        [str(IMAGE_PYTHON), "-c", "import sagemaker_containers"], capture_output=True, check=False
    ).returncode  # fmt: skip
    if not installed:
        missing = "SageMaker's serving toolkit" if IMAGE_PYTHON.exists() else "Python 3.9"
        warnings.warn(f"There is no {missing} here: inference.py was NOT tested inside the toolkit.", stacklevel=1)
        pytest.skip(f"no {missing}, so inference.py was NOT tested inside the toolkit")
    opt_ml = prepared / "opt/ml"
    with tarfile.open(prepared / "processing/output/preprocessing/model.tar.gz") as archive:
        archive.extractall(opt_ml / "model", filter="data")
    asked = [{**asdict(request), "body": base64.b64encode(request.body).decode()} for request in ALL.values()]
    (prepared / "requests.json").write_text(json.dumps(asked))
    environment = {name: value.replace("/opt/ml", str(opt_ml)) for name, value in ENVIRONMENT.items()}
    ran = subprocess.run(
        [str(IMAGE_PYTHON), "-c", SCRIPT, str(prepared / "requests.json"), str(prepared / "answers.json")],
        env={"PATH": os.environ["PATH"], "SAGEMAKER_BASE_DIR": str(opt_ml), **environment},
        cwd=prepared, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    answers = json.loads((prepared / "answers.json").read_text())
    return {
        name: Answer(status, base64.b64decode(body), content_type)
        for name, (status, body, content_type) in zip(ALL, answers, strict=True)
    }


@pytest.fixture(scope="module")
def stand_in(prepared: Path) -> Iterator[ContainerChain]:
    """The same container as the local cloud plays it."""
    with mock_aws(), pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="toolkit")
        archive = (prepared / "processing/output/preprocessing/model.tar.gz").read_bytes()
        s3.put_object(Bucket="toolkit", Key="model.tar.gz", Body=archive)
        container = {"Image": IMAGE, "ModelDataUrl": "s3://toolkit/model.tar.gz", "Environment": ENVIRONMENT}
        with ContainerChain([container], s3=s3, workdir=prepared / "stand-in", log=lambda _: None) as chain:
            chain.start()
            yield chain


def test_toolkit_answers_ping(toolkit: dict[str, Answer]) -> None:
    assert (toolkit["ping"].status, toolkit["ping"].body) == (200, b"")


@pytest.mark.parametrize("name", ANSWERED)
def test_toolkit_answers_every_form_of_a_request_as_csv(
    toolkit: dict[str, Answer], expected: list[list[float]], name: str
) -> None:
    answer = toolkit[name]
    # Exactly that: Autopilot's program, which reads it next, takes no character set beside it.
    assert (answer.status, answer.content_type) == (200, "text/csv"), answer.body
    assert numbers(answer.body) == expected


@pytest.mark.parametrize("name", REFUSED)
def test_toolkit_hands_on_a_refusal_with_its_status_and_sentence(toolkit: dict[str, Answer], name: str) -> None:
    answer = toolkit[name]
    assert (answer.status, answer.content_type.partition(";")[0]) == (400, "text/plain"), answer.body
    assert REFUSED[name][1] in answer.body.decode()
    assert "\n" not in answer.body.decode().strip()


def test_toolkit_turns_an_exception_into_a_500_that_says_nothing(toolkit: dict[str, Answer]) -> None:
    # Why inference.py returns a response for a request it cannot read, instead of raising.
    answer = toolkit["careless"]
    assert answer.status == 500
    assert b"nobody will read" not in answer.body


def test_toolkit_knows_no_other_way_in(toolkit: dict[str, Answer]) -> None:
    assert (toolkit["GET"].status, toolkit["elsewhere"].status) == (405, 404)


@pytest.mark.parametrize("name", [*ANSWERED, *REFUSED])
def test_stand_in_answers_as_the_toolkit_does(toolkit: dict[str, Answer], stand_in: ContainerChain, name: str) -> None:
    request = ALL[name]
    answer = stand_in.invoke(request.body, request.content_type, request.accept or None)
    assert (answer.status, answer.body) == (toolkit[name].status, toolkit[name].body)
    assert answer.content_type == toolkit[name].content_type
