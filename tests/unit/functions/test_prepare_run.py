"""PrepareRun takes any input: it answers with a run that stays in its place, or refuses in words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from automl_pipeline import container_code, objectives, prices, settings
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.examples import examples

from .conftest import BUCKET, Context, load

PROCESSING = Path(__file__).parents[3] / "processing"
PREFIX = "mlops/automl_training"
EXECUTION = {
    "arn": "arn:aws:states:us-west-2:000000000000:execution:machine:name",
    "name": "name",
    "start_time": "2026-11-23T21:00:22.123Z",
}
ENVIRONMENT = {
    "STACK_NAME": "a-stack",
    "PREPROCESS_IMAGE": "246618743249.dkr.ecr.us-west-2.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3",
    "SPARK_IMAGE": "153931337802.dkr.ecr.us-west-2.amazonaws.com/sagemaker-spark-processing:3.5-cpu-py312-v1.3",
    "JOB_ROLE_ARN": "arn:aws:iam::000000000000:role/job",
    "AUTOML_ROLE_ARN": "arn:aws:iam::000000000000:role/automl",
    "PIPELINE_BUCKET": BUCKET,
    "PIPELINE_PREFIX": PREFIX,
    "PIPELINE_REGION": "us-west-2",
    "PIPELINE_SNS_TOPIC_ARN": "",
}
# What people try: SQL, paths, formulas, markup, line breaks, control characters, numbers out of reach.
HOSTILE = [
    "'; DROP TABLE customers;--", 'x" OR "1"="1', "CUST_000001' OR '1'='1", "../../etc/passwd", "/", "a//b", "a/../b",
    "s3://other/", "=1+1", "<script>alert(1)</script>", "x\nSubject: y", "\x1b[31m", "\x00", "\x7f", "\ud800", "é", "",
    " ", "x" * 300, "$(id)", "{% $states %}", "${jndi:ldap://x}", "NaN", "null", "true", "1e400",
    -1, 0, 1, 2**63, 10**400, 0.5, -0.0, 1e308, float("inf"), float("nan"), True, None, [], {},
]  # fmt: skip
TEXTS = st.text(st.characters(), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.sampled_from(HOSTILE),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(list(settings.Settings.model_fields))
# Values that pass by themselves, so that runs are described and pairs contradict one another, too.
FITTING = st.fixed_dictionaries(
    {},
    optional={
        "customer_id_start": st.none() | st.integers(1, 999_999),
        "customer_id_end": st.none() | st.integers(1, 999_999),
        "feature_group_name": st.from_regex(r"[a-zA-Z0-9]([_-]{0,2}[a-zA-Z0-9]){0,20}", fullmatch=True),
        "target_attribute_name": st.from_regex(r"[a-zA-Z0-9]([_-]{0,2}[a-zA-Z0-9]){0,20}", fullmatch=True),
        "problem_type": st.sampled_from(["BinaryClassification", "MulticlassClassification", "Regression"]),
        "objective_metric_name": st.sampled_from(list(objectives.OBJECTIVES)),
        "accuracy_threshold": st.floats(-1000, 1),
        "max_runtime_sec": st.integers(1, 9999),
        "automl_max_runtime_sec": st.none() | st.integers(1, 9999),
        "prefix": st.just(PREFIX),
    },
)
INPUTS = st.one_of(
    JSON,
    st.dictionaries(KEYS | TEXTS, JSON, max_size=5),
    FITTING,
    st.tuples(FITTING, st.dictionaries(KEYS, JSON, max_size=1)).map(lambda pair: pair[0] | pair[1]),
)


@pytest.fixture(scope="module")
def prepare(s3: Any) -> Iterator[Callable[[Any], dict[str, Any]]]:
    """The function, called with an execution's input."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        app = load("prepare_run")
        yield lambda given: app.handler({"input": given, "execution": EXECUTION}, Context())


def refused(error: settings.InvalidInputError) -> list[str]:
    """The problems, checked to be what an email can show."""
    lines = str(error).split("\n")
    assert lines == error.problems
    assert lines
    assert len(set(lines)) == len(lines)
    for line in lines:
        assert line.isprintable()
        assert line.isascii()
        assert line.endswith((".", "?"))
        assert len(line) < 1300
        assert "Traceback" not in line
        assert "pydantic" not in line
    return lines


def check(run: dict[str, Any]) -> None:
    """A run stays in its bucket and prefix, and puts nothing into SQL that is not a customer's id."""
    folder = f"{PREFIX}/runs/{run['id']}/"
    assert re.fullmatch(r"20261123-210022-[0-9a-f]{8}", run["id"])
    assert run["bucket"] == BUCKET
    assert run["prefix_uri"] == f"s3://{BUCKET}/{folder}".rstrip("/")
    for name, key in run["keys"].items():
        assert key.startswith(folder) or key == f"{PREFIX}/latest.json"
        assert run["uris"][name] == f"s3://{BUCKET}/{key}"
    for uri in run["uris"].values():
        assert uri.startswith(
            (f"s3://{BUCKET}/{folder}", f"s3://{BUCKET}/{PREFIX}/code/", f"s3://{BUCKET}/{PREFIX}/latest")
        )
        assert re.fullmatch(r"[A-Za-z0-9:/._-]+", uri)
        assert ".." not in uri
    parameters = run["jobs"]["query"].get("ExecutionParameters")
    assert parameters is None or len(parameters) == 4
    assert all(re.fullmatch(r"'CUST_[0-9]{6}'", parameter) for parameter in parameters or [])
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", run["settings"]["feature_group_name"])
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", run["settings"]["target_attribute_name"])
    json.dumps(run, allow_nan=False)  # what Lambda answers must be JSON


@hypothesis_settings(max_examples=examples(400), deadline=None)
@given(INPUTS)
@example({})
@example(dict.fromkeys(settings.Settings.model_fields, HOSTILE[0]))
def test_any_input_gives_a_run_in_its_place_or_a_refusal_in_words(
    prepare: Callable[[Any], dict[str, Any]], asked: Any
) -> None:
    try:
        run = prepare(asked)
    except settings.InvalidInputError as error:
        refused(error)
    else:
        check(run)


@pytest.mark.parametrize("key", settings.Settings.model_fields)
def test_hostile_value_of_any_setting_is_refused_by_its_name(
    prepare: Callable[[Any], dict[str, Any]], key: str
) -> None:
    for value in HOSTILE:
        try:
            check(prepare({key: value}))
        except settings.InvalidInputError as error:
            assert any(key in line for line in refused(error)), (value, error.problems)


@hypothesis_settings(max_examples=examples(100), deadline=None)
@given(st.lists(KEYS, min_size=1, max_size=27, unique=True), st.lists(TEXTS, max_size=3, unique=True))
def test_every_wrong_setting_has_its_line(
    prepare: Callable[[Any], dict[str, Any]], keys: list[str], unknown: list[str]
) -> None:
    unknown = [name for name in unknown if name not in settings.Settings.model_fields]
    asked = {**{key: {"wrong": 1} for key in keys}, **dict.fromkeys(unknown, 1)}
    with pytest.raises(settings.InvalidInputError) as error:
        prepare(asked)
    lines = refused(error.value)
    assert len(lines) == len(keys) + len(unknown)
    for key in keys:
        assert sum(line.startswith((f"{key} ", f"{key}:")) for line in lines) == 1


def test_container_code_lies_once_under_its_content(prepare: Callable[[Any], dict[str, Any]], s3: Any) -> None:
    code = prepare({})["uris"]["code"]
    prepare({"accuracy_threshold": 0.6})
    folder = code.removeprefix(f"s3://{BUCKET}/")
    listed = {item["Key"] for item in s3.list_objects_v2(Bucket=BUCKET)["Contents"]}
    sha256, contents = container_code.read()
    assert folder == f"{PREFIX}/code/{sha256}/"
    assert listed == {folder + name for name in contents}
    assert {path.name for path in PROCESSING.glob("*.py")} == set(contents)
    for name, content in contents.items():
        assert s3.get_object(Bucket=BUCKET, Key=folder + name)["Body"].read() == content


RESUMED = "20261122-080000-0a1b2c3d"


@pytest.fixture
def earlier(s3: Any) -> Iterator[str]:
    """An earlier run that has preprocessed its rows."""
    key = f"{PREFIX}/runs/{RESUMED}/preprocessing/preprocessing.json"
    left = {"target": "churn", "problem_type": "BinaryClassification"}
    s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(left).encode())
    yield RESUMED
    s3.delete_object(Bucket=BUCKET, Key=key)


def test_test_rows_are_written_as_one_file_for_each_instance_that_transforms_them(
    prepare: Callable[[Any], dict[str, Any]],
) -> None:
    jobs = prepare({"transform_instance_count": 3})["jobs"]
    assert "--test-parts=3" in jobs["processing"]["AppSpecification"]["ContainerArguments"]
    for name in ("transform", "champion_transform"):
        assert jobs[name]["TransformResources"]["InstanceCount"] == 3
        assert jobs[name]["TransformInput"]["DataSource"]["S3DataSource"]["S3DataType"] == "S3Prefix"


def test_resumed_run_takes_rows_and_model_from_the_earlier_one_and_writes_its_own(
    prepare: Callable[[Any], dict[str, Any]], earlier: str
) -> None:
    run = prepare({"resume_from": earlier})
    assert run["names"]["automl_job"] == f"automl-{earlier}"
    assert run["names"]["transform_job"].endswith(run["id"])
    taken = {name for name, uri in run["uris"].items() if f"/runs/{earlier}/" in uri}
    assert taken == {
        "raw", "rows", "train", "validation", "test", "preprocessing", "evaluation_input", "automl", "preprocess_model",
    }  # fmt: skip


def test_nothing_is_resumed_that_is_not_there_or_was_for_another_target(
    prepare: Callable[[Any], dict[str, Any]], earlier: str
) -> None:
    with pytest.raises(settings.InvalidInputError) as nothing:
        prepare({"resume_from": "20261122-080000-ffffffff"})
    assert "left no preprocessing to resume from" in refused(nothing.value)[0]
    with pytest.raises(settings.InvalidInputError) as other:
        prepare({"resume_from": earlier, "target_attribute_name": "income"})
    assert "was for target churn" in refused(other.value)[0]


def test_run_with_the_settings_of_the_newest_registered_one_knows_its_rows(
    prepare: Callable[[Any], dict[str, Any]], s3: Any
) -> None:
    first = prepare({"skip_if_unchanged": True})
    assert first["same_settings"] is None
    latest = {
        "run_id": "20261122-080000-ffffffff",
        "model_package_arn": "arn:aws:sagemaker:us-west-2:000000000000:model-package/group/3",
        "fingerprint": {"settings": first["fingerprint"], "rows": '"abc"'},
    }
    s3.put_object(Bucket=BUCKET, Key=f"{PREFIX}/latest.json", Body=json.dumps(latest))
    again = prepare({"skip_if_unchanged": True, "capacity_patience_minutes": 0})
    assert again["same_settings"] == {
        "rows": '"abc"',
        "run_id": latest["run_id"],
        "model_package_arn": latest["model_package_arn"],
    }
    assert prepare({"skip_if_unchanged": True, "max_runtime_sec": 60})["same_settings"] is None
    assert prepare({})["same_settings"] is None


def test_rows_are_compared_with_those_of_the_newest_registered_run(
    prepare: Callable[[Any], dict[str, Any]], s3: Any
) -> None:
    def asked() -> tuple[list[str], list[str]]:
        processing = prepare({})["jobs"]["processing"]
        inputs = {one["InputName"]: one["S3Input"]["S3Uri"] for one in processing["ProcessingInputs"]}
        said = [text for text in processing["AppSpecification"]["ContainerArguments"] if "previous" in text]
        return said, [inputs[name] for name in inputs if name == "previous"]

    s3.delete_object(Bucket=BUCKET, Key=f"{PREFIX}/latest.json")
    assert asked() == ([], [])
    run = "20261122-080000-ffffffff"
    folder = f"{PREFIX}/runs/{run}/preprocessing/"
    latest = {"run_id": run, "preprocessing": f"s3://{BUCKET}/{folder}"}
    s3.put_object(Bucket=BUCKET, Key=f"{PREFIX}/latest.json", Body=json.dumps(latest))
    # A processing job fails if an input has no objects. The job still gets the run's ID, and reports that it could not compare.
    assert asked() == ([f"--previous-run={run}"], [])
    s3.put_object(Bucket=BUCKET, Key=f"{folder}distributions.json", Body=b"{}")
    assert asked() == ([f"--previous-run={run}"], [f"s3://{BUCKET}/{folder}"])
    s3.delete_object(Bucket=BUCKET, Key=f"{PREFIX}/latest.json")


def test_limit_is_kept_at_the_prices_that_were_refreshed(prepare: Callable[[Any], dict[str, Any]], s3: Any) -> None:
    with pytest.raises(settings.InvalidInputError) as refusal:
        prepare({"max_cost_usd": 20.0})
    assert "AutoMLInstanceType" in refused(refusal.value)[0]
    resumed = {"max_cost_usd": 20.0, "resume_from": "20261122-080000-ffffffff"}
    with pytest.raises(settings.InvalidInputError, match="left no preprocessing"):
        prepare(resumed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIPELINE_AUTOML_INSTANCE_TYPE", "ml.m5.xlarge")
        with pytest.raises(settings.InvalidInputError, match="no price in us-west-2"):
            prepare({"max_cost_usd": 20.0})
        rows = [
            prices.Price("AmazonSageMaker", f"USW2-{kind}:ml.m5.xlarge", "Hrs", 0.25, "2026-11-25", "a test")
            for kind in ("Processing", "Tsform", "Train")
        ]
        table = prices.Prices("us-west-2", rows).document()
        s3.put_object(Bucket=BUCKET, Key=f"{PREFIX}/prices.json", Body=json.dumps(table))
        run = prepare({"max_cost_usd": 20.0})
        assert 300 < run["settings"]["automl_max_runtime_sec"] < 20 * 3600 / 0.25 / 10
