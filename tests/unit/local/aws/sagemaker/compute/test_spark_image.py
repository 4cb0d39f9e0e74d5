"""SageMaker's Spark image on the local cloud: real PySpark, behind a smspark-submit that takes what the image's takes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from local.aws.sagemaker.compute import images, processing, spark_image
from local.aws.sagemaker.compute.containers import smspark_submit
from local.aws.sagemaker.compute.outcome import JobFailedError

from .conftest import SCIKIT_LEARN, Bucket, Job
from .test_processing import INPUT, OUTPUT, request

SPARK = "153931337802.dkr.ecr.us-west-2.amazonaws.com/sagemaker-spark-processing:3.5-cpu-py312-v1.3"
SUBMIT = (Path(__file__).parents[6] / "processing" / "submit_spark.py").read_text()
# What a shell would take apart, or run.
HOSTILE = """{"it's": "$(exit 3) `exit 4` \\"; exit 5 # &"}"""
needs_java = pytest.mark.skipif(shutil.which("java") is None, reason="no Java on this machine, which Spark needs")


def on_spark(bucket: Bucket, script: str, instances: int = 2, **specification: Any) -> dict[str, Any]:
    """A job whose preprocess_spark.py is `script`."""
    bucket.put("code/submit_spark.py", SUBMIT)
    bucket.put("code/preprocess_spark.py", script)
    bucket.put("code/shared.py", "WORD = 'shared'\n")
    cluster = {"InstanceCount": instances, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 30}
    application = {
        "ImageUri": SPARK,
        "ContainerEntrypoint": ["python3", f"{INPUT}/code/submit_spark.py"],
        "ContainerArguments": ["--out", f"{OUTPUT}/result", HOSTILE],
        **specification,
    }
    return request(bucket, AppSpecification=application, ProcessingResources={"ClusterConfig": cluster})


@pytest.mark.exhaustive
@needs_java
def test_script_runs_on_spark_with_the_modules_beside_it_and_without_pyarrow(bucket: Bucket, job: Job) -> None:
    script = (
        "import importlib.util, pathlib, sys\n"
        "from pyspark.sql import SparkSession\n"
        "import shared\n"
        "spark = SparkSession.builder.getOrCreate()\n"
        "def word(row):\n"
        "    import shared\n"
        "    return shared.WORD + str(row.id)\n"
        "words = sorted(spark.range(3).rdd.map(word).collect())\n"
        "found = importlib.util.find_spec('pyarrow')\n"
        "text = f'{spark.sparkContext.master} {spark.version} {sys.version_info[:2]} {found} {words} {sys.argv[3]}'\n"
        "pathlib.Path(sys.argv[2], 'seen.txt').write_text(text)\n"
    )

    outcome = processing.run(on_spark(bucket, script), **job.arguments)

    assert outcome.status == "Completed", (outcome, job.lines[-20:])
    assert (
        bucket.get("result/seen.txt")
        == f"local-cluster[2,2,1024] 3.5.6 (3, 12) None ['shared0', 'shared1', 'shared2'] {HOSTILE}"
    )


@pytest.mark.exhaustive
@needs_java
def test_sentence_of_the_script_is_the_exit_message_and_a_path_needs_its_scheme(bucket: Bucket, job: Job) -> None:
    script = (
        "import os, pathlib, sys\n"
        "from pyspark.sql import SparkSession\n"
        "root = pathlib.Path(os.environ['OPT_ML'])\n"
        "folder = root / 'processing/somewhere'\n"
        "spark = SparkSession.builder.getOrCreate()\n"
        "spark.range(3).write.parquet(f'file://{folder}')\n"
        "assert spark.read.parquet(f'file://{folder}').count() == 3\n"
        "try:\n"
        "    spark.read.parquet(str(folder))\n"
        "except Exception as error:\n"
        "    (root / 'processing/message').write_text('Not on HDFS: ' + type(error).__name__)\n"
        "sys.exit(1)\n"
    )

    outcome = processing.run(on_spark(bucket, script, instances=1), **job.arguments)

    assert (outcome.status, outcome.exit_message) == ("Failed", "Not on HDFS: Py4JJavaError"), job.lines[-30:]


@pytest.mark.exhaustive
@needs_java
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--conf", "spark.executor.memory=1g", "x.py"], "Couldn't parse input.: No such option: --conf"),
        (["--master", "local", "x.py"], "Couldn't parse input.: No such option: --master"),
        (["--py-files", "code", "x.py"], "file path code does not exist"),
        ([], "missing parameter: app"),
    ],
)
def test_submit_refuses_what_the_images_own_refuses(
    bucket: Bucket, job: Job, arguments: list[str], message: str
) -> None:
    given = on_spark(bucket, "", ContainerEntrypoint=["smspark-submit"], ContainerArguments=arguments)

    outcome = processing.run(given, **job.arguments)

    assert outcome.status == "Failed"
    assert outcome.exit_message and outcome.exit_message.startswith("Algorithm Error: (caused by ")
    assert message in outcome.exit_message


# Made by smspark of github.com/aws/sagemaker-spark-container at 3.5-cpu-py312-v1.3, with `run` of its job replaced.
GIVEN = [
    "--py-files",
    "/code/a.py,/code/it s.py",
    "/code/a.py",
    "--target",
    "it's $(exit 3) `x`",
    "--labels",
    '["a","b c"]',
]
MADE = (
    "spark-submit --master yarn --deploy-mode client --py-files '/code/a.py,/code/it s.py' /code/a.py --target "
    """'it'"'"'s $(exit 3) `x`' --labels '["a","b c"]'"""
)


def test_arguments_reach_the_script_as_the_images_own_passes_them() -> None:
    options, application = {GIVEN[0]: GIVEN[1]}, GIVEN[2:]
    assert smspark_submit.line(options, application) == MADE
    assert smspark_submit.passed(options, application) == GIVEN


def test_machine_without_java_is_named_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(JobFailedError, match="needs Java on the local cloud, and there is none on this machine"):
        images.interpreter(SPARK)
    assert spark_image.REPOSITORY in SPARK


def test_only_spark_runs_on_several_instances(bucket: Bucket, job: Job) -> None:
    outcome = processing.run(on_spark(bucket, "", ImageUri=SCIKIT_LEARN), **job.arguments)
    assert outcome.status == "Failed"
    assert "2 instances of" in str(outcome)
