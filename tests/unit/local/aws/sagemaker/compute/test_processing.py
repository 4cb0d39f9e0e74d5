"""A processing job runs its real command on real files and ends as SageMaker's would."""

from __future__ import annotations

import csv
import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from local.aws.sagemaker.compute import processing
from tests.processes import until

from .conftest import SCIKIT_LEARN, Bucket, Job, telco, to_csv

INPUT = "/opt/ml/processing/input"
OUTPUT = "/opt/ml/processing/output"
CONTAINER_CODE = Path(__file__).parents[6] / "processing"


def request(bucket: Bucket, script: str = "", **changes: Any) -> dict[str, Any]:
    """A job that runs `script` with inputs `raw` and `code` and the output `result`."""
    if script:
        bucket.put("code/script.py", script)
    folders = ["raw", "code"] if bucket.keys("raw/") else ["code"]
    return {
        "ProcessingJobName": "preprocess",
        "AppSpecification": {
            "ImageUri": SCIKIT_LEARN,
            "ContainerEntrypoint": ["python3", f"{INPUT}/code/script.py"],
            "ContainerArguments": ["--out", f"{OUTPUT}/result"],
        },
        "ProcessingInputs": [source(name, bucket.uri(f"{name}/")) for name in folders],
        "ProcessingOutputConfig": {"Outputs": [target("result", bucket.uri("result/"))]},
        **changes,
    }


def source(name: str, uri: str) -> dict[str, Any]:
    given = {"S3Uri": uri, "LocalPath": f"{INPUT}/{name}", "S3DataType": "S3Prefix", "S3InputMode": "File"}
    return {"InputName": name, "S3Input": given}


def target(name: str, uri: str) -> dict[str, Any]:
    return {
        "OutputName": name,
        "S3Output": {"S3Uri": uri, "LocalPath": f"{OUTPUT}/{name}", "S3UploadMode": "EndOfJob"},
    }


def test_inputs_are_where_the_container_has_them_and_outputs_reach_s3(bucket: Bucket, job: Job) -> None:
    bucket.put("raw/a.csv", "1")
    bucket.put("raw/deeper/b.csv", "2")
    script = (
        "import os, pathlib, sys\n"
        "raw = pathlib.Path(os.environ['OPT_ML'], 'processing/input/raw')\n"
        "names = sorted(str(path.relative_to(raw)) for path in raw.rglob('*.csv'))\n"
        "out = pathlib.Path(sys.argv[2], 'deeper')\n"
        "out.mkdir()\n"
        "(out / 'names.txt').write_text(','.join(names))\n"
    )
    outcome = processing.run(request(bucket, script), **job.arguments)
    assert outcome.status == "Completed", job.lines
    assert bucket.get("result/deeper/names.txt") == "a.csv,deeper/b.csv"


def test_prefix_without_slash_and_single_object(bucket: Bucket, job: Job) -> None:
    bucket.put("raw/a.csv", "1")
    script = "import glob, os\nprint(sorted(os.path.basename(p) for p in glob.glob(os.environ['RAW'] + '/*')))\n"
    for uri in (bucket.uri("raw"), bucket.uri("raw/a.csv"), bucket.uri("raw/a")):
        given = request(bucket, script, Environment={"RAW": f"{INPUT}/raw"})
        given["ProcessingInputs"] = [source("raw", uri), source("code", bucket.uri("code/"))]
        assert processing.run(given, **job.arguments).status == "Completed"
    assert job.lines == ["['a.csv']"] * 3


def test_failure_has_exit_code_message_and_output(bucket: Bucket, job: Job) -> None:
    script = (
        "import os, sys\n"
        "open(os.environ['OPT_ML'] + '/output/message', 'w').write('column x is empty')\n"
        "print('before the end')\n"
        "sys.exit(3)\n"
    )
    outcome = processing.run(request(bucket, script), **job.arguments)
    assert outcome.status == "Failed"
    assert outcome.failure_reason == "AlgorithmError: See job logs for more information, exit code: 3"
    assert outcome.exit_message == "column x is empty"
    assert job.lines == ["before the end"]
    assert bucket.keys("result/") == []


def test_exit_message_is_cut_at_one_kilobyte(bucket: Bucket, job: Job) -> None:
    script = "import os\nopen(os.environ['OPT_ML'] + '/output/message', 'w').write('x' * 5000)\n"
    outcome = processing.run(request(bucket, script), **job.arguments)
    assert outcome.exit_message == "x" * 1024


def test_exception_reaches_the_log(bucket: Bucket, job: Job) -> None:
    outcome = processing.run(request(bucket, "raise KeyError('tenure')"), **job.arguments)
    assert outcome.status == "Failed"
    assert job.lines[-1] == "KeyError: 'tenure'"


def test_container_sees_nothing_of_this_process_environment(
    bucket: Bucket, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    given = request(bucket, "import json, os\nprint(json.dumps(dict(os.environ)))\n", Environment={"MINE": "yes"})
    assert processing.run(given, **job.arguments).status == "Completed"
    seen = json.loads(job.lines[-1])
    assert seen["MINE"] == "yes"
    assert not {"AWS_SECRET_ACCESS_KEY", "PYTHONPATH", "VIRTUAL_ENV"} & set(seen)


def test_missing_input_names_the_prefix(bucket: Bucket, job: Job) -> None:
    given = request(bucket, "print('ran')")
    given["ProcessingInputs"].append(source("raw", bucket.uri("nothing/here/")))
    outcome = processing.run(given, **job.arguments)
    assert outcome.status == "Failed"
    assert f'No S3 objects found under S3 URL "{bucket.uri("nothing/here/")}"' in (outcome.failure_reason or "")
    assert job.lines == []


def test_runtime_limit_stops_the_job(bucket: Bucket, job: Job) -> None:
    given = request(bucket, "import time\ntime.sleep(60)\n", StoppingCondition={"MaxRuntimeInSeconds": 1})
    began = time.monotonic()
    outcome = processing.run(given, **job.arguments)
    assert outcome.status == "Stopped"
    assert "MaxRuntimeInSeconds" in (outcome.failure_reason or "")
    assert time.monotonic() - began < 10


def test_stop_ends_the_job_and_its_children(bucket: Bucket, job: Job, tmp_path: Path) -> None:
    beat = tmp_path / "beat"
    child = f"import time\nwhile True:\n    open({str(beat)!r}, 'a').write('.')\n    time.sleep(0.05)\n"
    script = (
        f"import subprocess, sys\nprint('started', flush=True)\nsubprocess.run([sys.executable, '-c', {child!r}])\n"
    )
    outcomes: list[Any] = []
    thread = threading.Thread(target=lambda: outcomes.append(processing.run(request(bucket, script), **job.arguments)))
    thread.start()
    assert until(beat.exists)
    job.stop.set()
    thread.join(20)
    assert [outcome.status for outcome in outcomes] == ["Stopped"]
    size = beat.stat().st_size
    time.sleep(0.3)
    assert beat.stat().st_size == size


def test_any_command_of_the_image_may_be_the_entrypoint(bucket: Bucket, job: Job) -> None:
    given = request(bucket, "print()")
    given["AppSpecification"]["ContainerEntrypoint"] = ["sh", "-c", "ls /opt/ml/processing/input/code"]
    given["AppSpecification"]["ContainerArguments"] = []
    assert processing.run(given, **job.arguments).status == "Completed"
    assert job.lines == ["script.py"]
    given["AppSpecification"]["ContainerEntrypoint"] = ["no-such-command"]
    assert (processing.run(given, **job.arguments).failure_reason or "").endswith("exit code: 127")


def test_unknown_image_is_refused(bucket: Bucket, job: Job) -> None:
    given = request(bucket, "print()")
    given["AppSpecification"]["ImageUri"] = "1.dkr.ecr.us-west-2.amazonaws.com/sagemaker-xgboost:1.7-1"
    outcome = processing.run(given, **job.arguments)
    assert outcome.status == "Failed"
    assert "sagemaker-xgboost:1.7-1 cannot run on the local cloud" in (outcome.failure_reason or "")


def test_the_projects_own_script_prepares_telco(bucket: Bucket, job: Job) -> None:
    bucket.put("raw/query.csv", to_csv(telco(1000)))
    for module in CONTAINER_CODE.glob("*.py"):
        bucket.put(f"code/{module.name}", module.read_bytes())
    outputs = ("train", "test", "evaluation_input", "preprocessing")
    given = request(
        bucket,
        ProcessingOutputConfig={"Outputs": [target(name, bucket.uri(f"out/{name}/")) for name in outputs]},
    )
    given["AppSpecification"] = {
        "ImageUri": SCIKIT_LEARN,
        "ContainerEntrypoint": ["python3", f"{INPUT}/code/preprocess.py"],
        "ContainerArguments": [
            *("--target", "churn"),
            *("--problem-type", "BinaryClassification"),
            *("--drop-columns", "customerid,event_time"),
            *("--seed", "42"),
        ],
    }
    outcome = processing.run(given, **job.arguments)
    assert outcome.status == "Completed", job.lines
    rows = list(csv.DictReader(bucket.get("out/train/train.csv").splitlines()))
    assert len(rows) == 800
    assert {row["churn"] for row in rows} == {"Yes", "No"}
    assert "out/preprocessing/model.tar.gz" in bucket.keys("out/preprocessing/")
