"""Batch transform sends objects through the containers and writes their answers beside each other."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.aws.sagemaker.compute import transform
from local.aws.sagemaker.compute.serving import Answer

from .conftest import Bucket, Job, container

# Answers each request with its number of lines and its length; a line "bad" is refused, a line "crash" raises.
COUNTS = """
from werkzeug.wrappers import Response
def model_fn(model_dir):
    return None
def transform_fn(model, content, content_type, accept):
    if "bad" in content:
        return Response("Row 2 is bad.", status=400, mimetype="text/plain")
    if "crash" in content:
        raise ValueError("lost")
    return f"{len(content.splitlines())} lines, {len(content)} bytes", accept
"""
SLOW = COUNTS.replace("return f", "import time; print('asked', flush=True); time.sleep(60)\n    return f")
LINES = {"SplitType": "Line", "ContentType": "text/csv"}


def request(bucket: Bucket, given: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    location = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": bucket.uri("in/")}}
    return {
        "TransformJobName": "evaluate",
        "ModelName": "model",
        "TransformInput": {"DataSource": location, "ContentType": "text/csv", **(given or {})},
        "TransformOutput": {"S3OutputPath": bucket.uri("out"), "Accept": "text/csv", "AssembleWith": "Line"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        **changes,
    }


def run(bucket: Bucket, job: Job, given: dict[str, Any], program: str = COUNTS) -> transform.JobOutcome:
    return transform.run(given, [container(bucket, 0, program)], **job.arguments)


def test_each_object_becomes_an_out_object_below_the_same_path(bucket: Bucket, job: Job) -> None:
    bucket.put("in/a.csv", "1\n2\n")
    bucket.put("in/deeper/b.csv", "1\n")
    assert run(bucket, job, request(bucket)).status == "Completed"
    assert bucket.keys("out/") == ["out/a.csv.out", "out/deeper/b.csv.out"]
    assert bucket.get("out/a.csv.out") == "2 lines, 4 bytes\n"


def test_lines_are_batched_up_to_the_payload_limit(bucket: Bucket, job: Job) -> None:
    line = "x" * 99 + "\n"
    bucket.put("in/a.csv", line * 15_000)
    given = request(bucket, LINES, BatchStrategy="MultiRecord", MaxPayloadInMB=1)
    assert run(bucket, job, given).status == "Completed"
    per_request = 1024 * 1024 // 100
    rest = 15_000 - per_request
    expected = f"{per_request} lines, {per_request * 100} bytes\n{rest} lines, {rest * 100} bytes\n"
    assert bucket.get("out/a.csv.out") == expected


def test_single_record_sends_line_by_line_in_order_even_when_concurrent(bucket: Bucket, job: Job) -> None:
    bucket.put("in/a.csv", "".join("x" * n + "\n" for n in range(1, 41)))
    given = request(bucket, LINES, BatchStrategy="SingleRecord", MaxConcurrentTransforms=4)
    assert run(bucket, job, given).status == "Completed"
    assert bucket.get("out/a.csv.out").splitlines() == [f"1 lines, {n + 1} bytes" for n in range(1, 41)]


def test_without_assembly_answers_are_joined_as_they_are(bucket: Bucket, job: Job) -> None:
    bucket.put("in/a.csv", "1\n2\n")
    given = request(bucket, LINES, BatchStrategy="SingleRecord")
    del given["TransformOutput"]["AssembleWith"]
    assert run(bucket, job, given).status == "Completed"
    assert bucket.get("out/a.csv.out") == "1 lines, 2 bytes1 lines, 2 bytes"


def test_requests_are_read_as_they_are_sent(bucket: Bucket, tmp_path: Path) -> None:
    """A file of any size: at most one request waits for each that is under way."""
    file = tmp_path / "a.csv"
    file.write_text("1\n" * 50)
    plan = transform._Plan(request(bucket, LINES, BatchStrategy="SingleRecord", MaxConcurrentTransforms=2))
    read, asked = plan.requests, []

    class Chain:
        def invoke(self, body: bytes, *_: Any) -> Answer:
            return Answer(200, body, "text/csv")

    def counted(key: str, path: Path) -> Iterator[bytes]:
        for body in read(key, path):
            asked.append(body)
            yield body

    plan.requests = counted  # pyright: ignore[reportAttributeAccessIssue]
    chain: Any = Chain()
    ahead = [
        len(asked) - number
        for number, _ in enumerate(
            transform._transform(plan, chain, "a.csv", file, log=lambda _: None, stop=threading.Event()), 1
        )
    ]
    assert len(ahead) == 50
    assert max(ahead) <= 4


def test_gzip_input_is_unpacked(bucket: Bucket, job: Job) -> None:
    bucket.put("in/a.csv.gz", gzip.compress(b"1\n2\n3\n"))
    assert run(bucket, job, request(bucket, {"CompressionType": "Gzip"})).status == "Completed"
    assert bucket.get("out/a.csv.gz.out") == "3 lines, 6 bytes\n"


def test_job_environment_reaches_the_containers(bucket: Bucket, job: Job) -> None:
    bucket.put("in/a.csv", "1\n")
    program = COUNTS.replace('return f"', 'import os\n    return os.environ["WORD"] + f"')
    assert run(bucket, job, request(bucket, Environment={"WORD": "hello "}), program).status == "Completed"
    assert bucket.get("out/a.csv.out") == "hello 1 lines, 2 bytes\n"


def test_a_refused_record_fails_the_job_with_the_containers_sentence(bucket: Bucket, job: Job) -> None:
    bucket.put("in/a.csv", "1\nbad\n")
    outcome = run(bucket, job, request(bucket, LINES))
    assert outcome.status == "Failed"
    assert outcome.failure_reason == (
        "ClientError: Bad HTTP status received from algorithm: 400. Row 2 is bad. See job logs for more information"
    )
    assert f"[sagemaker logs]: {bucket.prefix}/in/a.csv: Row 2 is bad." in job.lines
    assert bucket.keys("out/") == []


def test_a_crash_fails_the_job_without_the_servers_page(bucket: Bucket, job: Job) -> None:
    bucket.put("in/a.csv", "crash\n")
    outcome = run(bucket, job, request(bucket, LINES))
    assert outcome.failure_reason == (
        "AlgorithmError: Bad HTTP status received from algorithm: 500. See job logs for more information"
    )
    assert "[primary] ValueError: lost" in job.lines


def test_a_model_that_does_not_load_fails_the_job(bucket: Bucket, job: Job) -> None:
    bucket.put("in/a.csv", "1\n")
    outcome = run(bucket, job, request(bucket), "raise RuntimeError('no weights')")
    assert outcome.status == "Failed"
    assert "did not pass the ping health check" in (outcome.failure_reason or "")
    assert "no weights" in (outcome.failure_reason or "")


@pytest.mark.parametrize(
    ("given", "changes", "sentence"),
    [
        ({"SplitType": "RecordIO"}, {}, "SplitType RecordIO is not supported"),
        ({}, {"DataProcessing": {"JoinSource": "Input"}}, "DataProcessing"),
        ({}, {"MaxPayloadInMB": 1}, "is larger than MaxPayloadInMB=1 and SplitType is None"),
        (LINES, {"MaxPayloadInMB": 1}, "A record of"),
    ],
)
def test_what_cannot_be_sent_fails_the_job(
    bucket: Bucket, job: Job, given: dict[str, Any], changes: dict[str, Any], sentence: str
) -> None:
    bucket.put("in/a.csv", "x" * (1024 * 1024 + 1))
    outcome = run(bucket, job, request(bucket, given, **changes))
    assert outcome.status == "Failed"
    assert sentence in (outcome.failure_reason or "")


def test_empty_prefix_fails_the_job(bucket: Bucket, job: Job) -> None:
    outcome = run(bucket, job, request(bucket))
    assert "No S3 objects found" in (outcome.failure_reason or "")


def test_stop_does_not_wait_for_an_answer(bucket: Bucket, job: Job) -> None:
    bucket.put("in/a.csv", "1\n")
    outcomes: list[transform.JobOutcome] = []
    thread = threading.Thread(target=lambda: outcomes.append(run(bucket, job, request(bucket), SLOW)))
    thread.start()
    deadline = time.monotonic() + 15
    while "[primary] asked" not in job.lines:
        assert time.monotonic() < deadline, job.lines
        time.sleep(0.02)
    job.stop.set()
    thread.join(10)
    assert [outcome.status for outcome in outcomes] == ["Stopped"]
