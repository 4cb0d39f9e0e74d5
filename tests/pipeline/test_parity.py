"""One model, one answer: endpoint, batch transform and the predictor itself agree on every customer it never saw."""

from __future__ import annotations

import csv
import io
import itertools
import json
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas
import pytest
from automl_pipeline import answers

from local.data import telco

from .conftest import Cloud

ENDPOINT = "automl-pipeline"
Answers = list[tuple[str, float]]
CSV, JSON, LINES = "text/csv", "application/json", "application/jsonlines"


@pytest.fixture(scope="module")
def customers() -> pandas.DataFrame:
    """Everyone outside the training range, without the target."""
    chosen = telco.load().iloc[4000:].drop(columns=telco.TARGET)
    assert len(chosen) == 3043
    return chosen


@pytest.fixture(scope="module")
def containers(cloud: Cloud, deployed: dict[str, Any]) -> list[dict[str, Any]]:
    """The containers of the model that serves."""
    sagemaker = cloud.client("sagemaker")
    config = sagemaker.describe_endpoint(EndpointName=ENDPOINT)["EndpointConfigName"]
    [variant] = sagemaker.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
    [container] = sagemaker.describe_model(ModelName=variant["ModelName"])["Containers"]
    package = sagemaker.describe_model_package(ModelPackageName=container["ModelPackageName"])
    return package["InferenceSpecification"]["Containers"]


@pytest.fixture(scope="module")
def computed(
    cloud: Cloud,
    containers: list[dict[str, Any]],
    customers: pandas.DataFrame,
    tmp_path_factory: pytest.TempPathFactory,
) -> Answers:
    """By hand: codes and medians from preprocessing.json, then AutoGluon's predictor, with no line of what serves."""
    from autogluon.tabular import TabularPredictor

    folders = []
    for number, container in enumerate(containers):
        folder = tmp_path_factory.mktemp(f"container-{number}")
        with tarfile.open(fileobj=io.BytesIO(cloud.object(container["ModelDataUrl"]))) as archive:
            archive.extractall(folder, filter="data")
        folders.append(folder)
    specification = json.loads((folders[0] / "preprocessing.json").read_text())
    encoded = {}
    for feature in specification["features"]:
        column = customers[feature["name"]]
        if feature["kind"] == "numeric":
            read: Any = pandas.to_numeric(column, errors="coerce")
            encoded[feature["name"]] = read.fillna(feature["median"]).astype(float)
        else:
            codes: Any = {category: code for code, category in enumerate(feature["categories"])}
            encoded[feature["name"]] = column.map(codes).fillna(len(codes)).astype(float)
    predictor = TabularPredictor.load(str(folders[1] / "predictor"), verbosity=0)
    model = containers[1]["Environment"].get("MODEL_NAME") or predictor.model_best
    shares: Any = predictor.predict_proba(pandas.DataFrame(encoded), model=model)
    labels = shares.columns.tolist()
    positive = labels.index("Yes")
    picked = ["Yes" if row[positive] > 0.5 else "No" for row in shares.to_numpy()]
    return [(label, float(row[labels.index(label)])) for label, row in zip(picked, shares.to_numpy(), strict=True)]


def read(text: str) -> Answers:
    return [(answer.label, answer.probabilities()[answer.label]) for answer in answers.read(text.encode())]


def ask(cloud: Cloud, body: str, kind: str = CSV) -> Answers:
    said = cloud.client("sagemaker-runtime").invoke_endpoint(EndpointName=ENDPOINT, ContentType=kind, Body=body)
    return read(said["Body"].read().decode())


def lines(customers: pandas.DataFrame) -> str:
    return "".join(json.dumps(row) + "\n" for row in customers.to_dict("records"))


def bare(customers: pandas.DataFrame) -> pandas.DataFrame:
    return customers.drop(columns=telco.RECORD_IDENTIFIER)


def turned(customers: pandas.DataFrame) -> pandas.DataFrame:
    more = customers.assign(event_time="2026-01-01T00:00:00Z", note='with "quotes",\nand lines')
    return more.loc[:, more.columns[::-1]]


# Customers in every form of a request: its body and its content type.
FORMS: dict[str, Callable[[pandas.DataFrame], tuple[str, str]]] = {
    "CSV with a header": lambda rows: (rows.to_csv(index=False), CSV),
    "CSV without": lambda rows: (bare(rows).to_csv(index=False, header=False), CSV),
    "CSV, said to have a header": lambda rows: (bare(rows).to_csv(index=False), "text/csv; header=present"),
    "CSV, columns turned, others among them": lambda rows: (turned(rows).to_csv(index=False), CSV),
    "CSV, all in quotes": lambda rows: (
        rows.to_csv(index=False, quoting=csv.QUOTE_ALL, lineterminator="\r\n"),
        CSV,
    ),
    "JSON objects": lambda rows: (json.dumps(rows.to_dict("records")), JSON),
    "JSON instances of lists": lambda rows: (
        json.dumps({"instances": bare(rows).to_numpy(dtype=object).tolist()}),
        JSON,
    ),
    "JSON Lines": lambda rows: (lines(rows), LINES),
}


@pytest.mark.parametrize("form", FORMS)
def test_all_at_once(cloud: Cloud, customers: pandas.DataFrame, computed: Answers, form: str) -> None:
    assert ask(cloud, *FORMS[form](customers)) == computed


@pytest.mark.parametrize("form", FORMS)
def test_in_batches(cloud: Cloud, customers: pandas.DataFrame, computed: Answers, form: str) -> None:
    batches = [customers.iloc[begin : begin + 501] for begin in range(0, len(customers), 501)]
    answers = [ask(cloud, *FORMS[form](batch)) for batch in batches]
    assert list(itertools.chain(*answers)) == computed


def test_one_by_one(cloud: Cloud, customers: pandas.DataFrame, computed: Answers) -> None:
    runtime = cloud.client("sagemaker-runtime")
    ways = itertools.cycle(FORMS.values())
    for place in range(0, len(customers), 75):
        body, kind = next(ways)(customers.iloc[[place]])
        said = runtime.invoke_endpoint(EndpointName=ENDPOINT, ContentType=kind, Body=body)
        assert read(said["Body"].read().decode()) == [computed[place]]


@pytest.mark.parametrize("form", FORMS)
def test_one_by_one_they_are_encoded_as_they_are_together(
    cloud: Cloud, containers: list[dict[str, Any]], customers: pandas.DataFrame, tmp_path: Path, form: str
) -> None:
    with tarfile.open(fileobj=io.BytesIO(cloud.object(containers[0]["ModelDataUrl"]))) as archive:
        archive.extractall(tmp_path, filter="data")
    # Each customer alone in one of the forms.
    places = range(list(FORMS).index(form), len(customers), len(FORMS))
    ran = subprocess.run(
        [sys.executable, "-c", ENCODE, str(tmp_path)], check=True, capture_output=True, text=True,
        input=json.dumps([FORMS[form](customers.iloc[[place]]) for place in places] + [FORMS[form](customers)]),
    )  # fmt: skip
    *single, together = json.loads(ran.stdout)
    assert len(together) == 3043
    assert [row for [row] in single] == [together[place] for place in places]


# The served archive's own code, in a process of its own: requests in, rows of numbers out.
ENCODE = """
import json, sys
sys.path.insert(0, sys.argv[1] + "/code")
import inference
encoder = inference.model_fn(sys.argv[1])
answers = [inference.encode(encoder, body.encode(), kind).decode() for body, kind in json.load(sys.stdin)]
print(json.dumps([[[float(cell) for cell in line.split(",")] for line in text.splitlines()] for text in answers]))
"""


@pytest.mark.parametrize(
    ("kind", "split", "header"), [(LINES, "Line", False), (CSV, "Line", False), (CSV, "None", True)]
)
def test_batch_transform(
    cloud: Cloud, customers: pandas.DataFrame, computed: Answers, kind: str, split: str, header: bool
) -> None:
    body = lines(customers) if kind == LINES else bare(customers).to_csv(index=False, header=header)
    assert transformed(cloud, body, kind, split) == computed


def transformed(cloud: Cloud, body: str, kind: str, split: str) -> Answers:
    """What a transform job of the model that serves makes of this object, under the role that evaluates."""
    sagemaker, s3 = cloud.client("sagemaker"), cloud.client("s3")
    config = sagemaker.describe_endpoint(EndpointName=ENDPOINT)["EndpointConfigName"]
    [variant] = sagemaker.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
    served = sagemaker.describe_model(ModelName=variant["ModelName"])
    bucket = cloud.deployed.outputs["BucketName"]
    name = f"parity-{time.time_ns()}"
    stack = cloud.client("cloudformation").describe_stack_resource(
        StackName="automl-pipeline", LogicalResourceId="JobRole"
    )
    role = cloud.client("iam").get_role(RoleName=stack["StackResourceDetail"]["PhysicalResourceId"])["Role"]["Arn"]
    sagemaker.create_model(ModelName=name, ExecutionRoleArn=role, Containers=served["Containers"])
    prefix = f"{cloud.deployed.outputs['Prefix']}/runs/{name}"
    s3.put_object(Bucket=bucket, Key=f"{prefix}/evaluation/input/rows", Body=body.encode())
    sagemaker.create_transform_job(
        TransformJobName=name,
        ModelName=name,
        BatchStrategy="MultiRecord",
        TransformInput={
            "DataSource": {
                "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/{prefix}/evaluation/input/"}
            },
            "ContentType": kind,
            "SplitType": split,
        },
        TransformOutput={
            "S3OutputPath": f"s3://{bucket}/{prefix}/evaluation/predictions/",
            "Accept": "text/csv",
            "AssembleWith": "Line",
        },
        TransformResources={"InstanceType": "ml.m5.xlarge", "InstanceCount": 1},
    )
    deadline = time.monotonic() + 120
    while (reported := sagemaker.describe_transform_job(TransformJobName=name))["TransformJobStatus"] == "InProgress":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert reported["TransformJobStatus"] == "Completed", reported
    return read(cloud.object(f"s3://{bucket}/{prefix}/evaluation/predictions/rows.out").decode())


PICKLED = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def contents(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    """An object, or what is packed in it."""
    if not name.endswith(".tar.gz"):
        yield name, content
        return
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for member in archive:
            if (file := archive.extractfile(member)) is not None:
                yield f"{name}/{member.name}", file.read()


def test_nothing_of_ours_is_a_pickle(cloud: Cloud, deployed: dict[str, Any]) -> None:
    bucket, _, prefix = deployed["run_prefix"].removeprefix("s3://").partition("/")
    listing = cloud.client("s3").get_paginator("list_objects_v2")
    places = (f"{prefix}/", f"{cloud.deployed.outputs['Prefix']}/code/")
    pages = itertools.chain.from_iterable(listing.paginate(Bucket=bucket, Prefix=place) for place in places)
    # What lies under automl/ is Autopilot's own.
    keys = [item["Key"] for page in pages for item in page["Contents"] if "/automl/" not in item["Key"]]
    files = dict(itertools.chain.from_iterable(contents(key, cloud.object(f"s3://{bucket}/{key}")) for key in keys))
    archive = f"{prefix}/preprocessing/model.tar.gz"
    assert f"{archive}/code/inference.py" in files
    assert [name for name, content in files.items() if content.startswith(PICKLED)] == []
    assert {Path(name).suffix for name in files} <= {".csv", ".json", ".jsonl", ".html", ".py", ".out", ".metadata", ""}
