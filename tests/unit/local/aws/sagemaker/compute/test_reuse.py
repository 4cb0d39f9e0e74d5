"""What was computed is reused for the same content, wherever that lies, and computed anew for any other."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from local.aws.sagemaker.compute import automl, processing, reuse, standby, transform

from . import test_automl, test_processing, test_transform
from .conftest import Bucket, Job, container

# A program that never gives the same result twice shows whether it ran.
COUNTING = (
    "import os, pathlib, sys, uuid\n"
    "print('it ran')\n"
    "pathlib.Path(sys.argv[2], 'result.txt').write_text(uuid.uuid4().hex)\n"
)
ANSWERING = """
import uuid
def model_fn(model_dir):
    return None
def transform_fn(model, content, content_type, accept):
    return uuid.uuid4().hex, accept
"""


def processed(job: Job, given: dict[str, Any]) -> None:
    outcome = processing.run(given, **{**job.arguments, "workdir": job.workdir / given["ProcessingJobName"]})
    assert outcome.status == "Completed", job.lines


def moved(given: dict[str, Any], bucket: Bucket) -> dict[str, Any]:
    """The same job under another name, its result going elsewhere."""
    outputs = [test_processing.target("result", bucket.uri("elsewhere/"))]
    return {**given, "ProcessingJobName": "another", "ProcessingOutputConfig": {"Outputs": outputs}}


def test_equal_job_restores_the_result_and_the_log_of_the_first(bucket: Bucket, job: Job, kept: Path) -> None:
    bucket.put("raw/a.csv", "1")
    given = test_processing.request(bucket, COUNTING)
    processed(job, given)
    processed(job, moved(given, bucket))
    assert bucket.get("elsewhere/result.txt") == bucket.get("result/result.txt")
    assert job.lines.count("it ran") == 2
    assert any("Computed before" in line for line in job.lines)


def test_without_a_folder_every_job_computes(bucket: Bucket, job: Job) -> None:
    given = test_processing.request(bucket, COUNTING)
    processed(job, given)
    processed(job, moved(given, bucket))
    assert bucket.get("elsewhere/result.txt") != bucket.get("result/result.txt")


def _data(bucket: Bucket, given: dict[str, Any]) -> None:
    bucket.put("raw/a.csv", "2")


def _code(bucket: Bucket, given: dict[str, Any]) -> None:
    bucket.put("code/script.py", COUNTING + "#")


def _file(bucket: Bucket, given: dict[str, Any]) -> None:
    bucket.put("raw/b.csv", "")


def _argument(bucket: Bucket, given: dict[str, Any]) -> None:
    given["AppSpecification"] = {**given["AppSpecification"]}
    given["AppSpecification"]["ContainerArguments"] = ["--out", f"{test_processing.OUTPUT}/result", "--more"]


def _environment(bucket: Bucket, given: dict[str, Any]) -> None:
    given["Environment"] = {"MORE": "1"}


def _limit(bucket: Bucket, given: dict[str, Any]) -> None:
    given["StoppingCondition"] = {"MaxRuntimeInSeconds": 60}


@pytest.mark.parametrize("change", [_data, _code, _file, _argument, _environment, _limit])
def test_whatever_determines_the_result_computes_anew(
    bucket: Bucket, job: Job, kept: Path, change: Callable[[Bucket, dict[str, Any]], None]
) -> None:
    bucket.put("raw/a.csv", "1")
    given = test_processing.request(bucket, COUNTING)
    processed(job, given)
    again = moved(given, bucket)
    change(bucket, again)
    processed(job, again)
    assert bucket.get("elsewhere/result.txt") != bucket.get("result/result.txt")


def test_result_of_athena_counts_by_its_rows_not_by_its_random_ids(bucket: Bucket, job: Job, kept: Path) -> None:
    results = []
    for number, rows in enumerate(("1", "1", "2")):
        name = f"raw/0000000{number}-aaaa-bbbb-cccc-0123456789ab.csv"
        bucket.put(name, rows)
        bucket.put(f"{name}.metadata", f"20261124_081512_0000{number}_k6s5{number}")
        processed(job, {**test_processing.request(bucket, COUNTING), "ProcessingJobName": f"job-{number}"})
        results.append(bucket.get("result/result.txt"))
        for key in bucket.keys("raw/"):
            bucket.client.delete_object(Bucket="compute-tests", Key=f"{bucket.prefix}/{key}")
    assert results[0] == results[1] != results[2]


def test_runs_count_by_what_they_left_not_by_their_ids(bucket: Bucket, job: Job, kept: Path) -> None:
    program = (
        "import json, pathlib, sys, uuid\n"
        "print('since', sys.argv[4])\n"
        "pathlib.Path(sys.argv[2], 'result.json').write_text(json.dumps([sys.argv[4], sys.argv[6], uuid.uuid4().hex]))\n"
    )
    one, two, three, other = (f"2026112{day}-081512-0{day}ab12cd" for day in range(4))
    results = []
    for number, (runs, kind) in enumerate(
        [((one, two), "a"), ((two, three), "a"), ((two, two), "a"), ((one, two), "b")]
    ):
        bucket.put("raw/preprocessing.json", f'{{"previous": "{[other, three][number % 2]}", "kind": "{kind}"}}')
        bucket.put("raw/resources.json", f'{{"seconds": {number}}}')
        given = {**test_processing.request(bucket, program), "ProcessingJobName": f"job-{number}"}
        arguments = ["--out", f"{test_processing.OUTPUT}/result", "--since", runs[0], "--or", runs[1]]
        given["AppSpecification"] = {**given["AppSpecification"], "ContainerArguments": arguments}
        processed(job, given)
        results.append(json.loads(bucket.get("result/result.json")))
        assert results[-1][:2] == [*runs]
        assert job.lines[-1] == f"since {runs[0]}"
    computed = [result[2] for result in results]
    assert computed[0] == computed[1]
    assert len(set(computed)) == 3


def test_failed_job_is_computed_again(bucket: Bucket, job: Job, kept: Path) -> None:
    given = test_processing.request(bucket, "print('it ran')\nraise SystemExit(3)")
    for number in range(2):
        workdir = job.workdir / str(number)
        assert processing.run(given, **{**job.arguments, "workdir": workdir}).status == "Failed"
    assert job.lines.count("it ran") == 2
    assert not list(kept.glob("*.tar"))


def test_damaged_entry_is_computed_again_and_replaced(bucket: Bucket, job: Job, kept: Path) -> None:
    given = test_processing.request(bucket, COUNTING)
    processed(job, given)
    [entry] = kept.glob("*.tar")
    entry.write_bytes(entry.read_bytes()[:-700] + b"?" * 700)
    processed(job, moved(given, bucket))
    assert bucket.get("elsewhere/result.txt") != bucket.get("result/result.txt")
    assert len(list(kept.glob("*.tar"))) == 1


def test_folder_holds_no_more_than_it_may_and_forgets_what_is_oldest(tmp_path: Path) -> None:
    folder, result = tmp_path / "kept", tmp_path / "result.txt"
    reuse.configure(folder, most_bytes=30_000)
    try:
        for number in range(5):
            result.write_text(str(number) * 2000)
            reuse.run(f"{number:064}", {"result": result}, lambda _: None, lambda _: 0)
        assert sum(entry.stat().st_size for entry in folder.iterdir()) <= 30_000
        computed = []
        for number in (4, 0):
            reuse.run(f"{number:064}", {"result": result}, lambda _: None, lambda _, n=number: computed.append(n) or 0)
        assert computed == [0]
    finally:
        reuse.configure(None)


def test_many_at_once_compute_once_and_each_get_a_whole_result(tmp_path: Path, kept: Path) -> None:
    computed: list[int] = []

    def once(number: int) -> str:
        result = tmp_path / f"result-{number}.txt"

        def compute(_: object) -> int:
            computed.append(number)
            time.sleep(0.2)
            return result.write_text("whole" * 9999) * 0

        reuse.run("0" * 64, {"result": result}, lambda _: None, compute)
        return result.read_text()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(once, range(40))) == {"whole" * 9999}
    assert len(computed) == 1
    assert [path.suffix for path in kept.iterdir()] == [".tar"]


def test_waiting_caller_computes_if_the_first_one_fails(tmp_path: Path, kept: Path) -> None:
    def once(number: int) -> int | str:
        return reuse.run("0" * 64, {"result": tmp_path / "result"}, lambda _: None, lambda _: number)

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(once, [3, 4])) == [3, 4]
    assert not list(kept.iterdir())


def test_transform_is_reused_for_the_same_model_and_rows(bucket: Bucket, job: Job, kept: Path) -> None:
    bucket.put("in/a.csv", "1\n")
    model = container(bucket, 0, ANSWERING)
    given = test_transform.request(bucket)
    target = {**given["TransformOutput"], "S3OutputPath": bucket.uri("elsewhere")}
    for number, (definition, request) in enumerate(
        [(model, given), (model, {**given, "TransformOutput": target, "TransformJobName": "another"})]
    ):
        outcome = transform.run(request, [definition], **{**job.arguments, "workdir": job.workdir / str(number)})
        assert outcome.status == "Completed", job.lines
    first = bucket.get("out/a.csv.out")
    assert bucket.get("elsewhere/a.csv.out") == first

    changed = container(bucket, 1, ANSWERING + "#")
    transform.run(given, [changed], **{**job.arguments, "workdir": job.workdir / "changed"})
    assert bucket.get("out/a.csv.out") != first


def test_transform_whose_model_is_gone_fails_although_it_was_computed_before(
    bucket: Bucket, job: Job, kept: Path
) -> None:
    bucket.put("in/a.csv", "1\n")
    model = container(bucket, 0, ANSWERING)
    assert transform.run(test_transform.request(bucket), [model], **job.arguments).status == "Completed"
    bucket.client.delete_object(Bucket="compute-tests", Key=f"{bucket.prefix}/model-0.tar.gz")
    outcome = transform.run(test_transform.request(bucket), [model], **job.arguments)
    assert outcome.status == "Failed"
    assert "Failed to download model data" in (outcome.failure_reason or "")


def test_automl_job_has_the_candidate_of_an_equal_one_in_its_own_places(bucket: Bucket, job: Job, kept: Path) -> None:
    standby.prepare()
    try:
        config = {"ProblemType": "BinaryClassification", "CompletionCriteria": {"MaxCandidates": 1}}
        given = test_automl.request(bucket, test_automl.customers(600), config, "Accuracy")
        outcomes, statuses = [], []
        for name in ("automl-one", "automl-two"):
            steps: list[str] = []
            arguments = {**job.arguments, "workdir": job.workdir / name}
            outcomes.append(automl.run({**given, "AutoMLJobName": name}, **arguments, progress=steps.append))
            statuses.append(steps)
    finally:
        standby.close()
    one, two = [outcome.candidates for outcome in outcomes]
    assert [row["CandidateName"] for row in one] == [row["CandidateName"] for row in two]
    assert statuses[0] == statuses[1]
    urls = [rows[0]["InferenceContainers"][0]["ModelDataUrl"] for rows in (one, two)]
    assert "/automl-one/" in urls[0]
    assert urls[1] == urls[0].replace("/automl-one/", "/automl-two/")
    archives = [
        bucket.client.get_object(Bucket="compute-tests", Key=url.split("/", 3)[3])["Body"].read() for url in urls
    ]
    assert archives[0] == archives[1]
    assert any("Computed before" in line for line in job.lines)
