"""MeasureDrift reads captured requests as the container does, and says what has drifted, or why it cannot."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import captured
import inference
import pytest
import serving
from botocore.exceptions import ClientError
from comparison import Comparison
from drift import STRONG

from local.aws.cloudwatch import embedded
from local.data import telco
from tests.unit.processing.athena import write

from .conftest import BUCKET, Context, load

# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false

FOLDER = f"s3://{BUCKET}/data-capture/an-endpoint/AllTraffic/"
NOW = datetime(2026, 11, 26, 0, 15, tzinfo=UTC)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the processing job leaves of the first 2,000 customers."""
    import preprocess

    folder = tmp_path_factory.mktemp("trained")
    write(folder, telco.load().head(2000))
    preprocess.run(str(folder), telco.TARGET, "BinaryClassification", [telco.RECORD_IDENTIFIER], 42)
    return folder / "processing/output/preprocessing"


@pytest.fixture
def fresh(trained: Path) -> Callable[[], Comparison]:
    documents = [json.loads((trained / f"{name}.json").read_text()) for name in ("preprocessing", "distributions")]
    return lambda: Comparison(*documents)


@pytest.fixture
def comparison(fresh: Callable[[], Comparison]) -> Comparison:
    return fresh()


def customers(first: int, last: int) -> Any:
    return telco.load().iloc[first:last]


def lines(rows: Any) -> bytes:
    return rows.to_json(orient="records", lines=True).encode()


def test_every_form_of_the_same_rows_gives_the_same_figures(fresh: Callable[[], Comparison]) -> None:
    rows = customers(2000, 2600)
    found = []
    for body, kind in (
        (rows.to_csv(index=False).encode(), "text/csv"),
        (rows.to_csv(index=False, header=False).encode(), "text/csv; header=absent"),
        (rows.to_json(orient="records").encode(), "application/json"),
        (lines(rows), "application/jsonlines"),
    ):
        one = fresh()
        one.add(body, kind)
        found.append(one.document())
    assert found[0]["rows"] == 600
    assert all(document == found[0] for document in found[1:])


def test_training_rows_themselves_have_not_moved(comparison: Comparison) -> None:
    comparison.add(lines(customers(0, 2000)), "application/jsonlines")
    found = comparison.document()
    assert (found["judged"], found["drifted"], found["largest"]) == (19, [], 0.0)
    assert max(one["psi"] for one in found["features"].values()) < 0.01


def test_few_rows_claim_nothing(comparison: Comparison) -> None:
    others = customers(0, 7043)
    comparison.add(lines(others[others["internet_service"] == "No"].head(5)), "application/jsonlines")
    found = comparison.document()
    assert found["features"]["monthly_charges"]["psi"] > STRONG
    assert (found["rows"], found["judged"], found["drifted"], found["largest"]) == (5, 0, [], 0.0)


def test_unseen_categories_and_missing_values_are_drift(comparison: Comparison) -> None:
    rows = customers(2000, 4000).copy()
    rows.loc[rows.index[::10], "contract_type"] = "Weekly"
    comparison.add(lines(rows.drop(columns="tenure_months")), "application/jsonlines")
    found = comparison.document()
    assert set(found["drifted"]) == {"contract_type", "tenure_months"}
    assert found["features"]["contract_type"]["unseen"] == 0.1
    assert (
        found["features"]["tenure_months"]["missing"],
        found["features"]["tenure_months"]["missing_in_training"],
    ) == (1, 0)


@pytest.mark.parametrize(
    ("body", "kind"), [(b"\xff", "text/csv"), (b"{", "application/json"), (b"a,b\n1,2\n", "text/csv")]
)
def test_what_the_container_refuses_is_counted_and_not_compared(
    trained: Path, comparison: Comparison, body: bytes, kind: str
) -> None:
    with pytest.raises(inference.BadRequestError):
        inference.encode(inference.model_fn(str(trained)), body, kind)
    comparison.add(body, kind)
    comparison.add(lines(customers(0, 10)), "application/jsonlines")
    found = comparison.document()
    assert (found["requests"], found["unreadable"], found["rows"]) == (2, 1, 10)


# -- captured files


def record(body: bytes, kind: str, encoding: str) -> bytes:
    data = base64.b64encode(body).decode() if encoding == "BASE64" else body.decode()
    side = {"observedContentType": kind, "mode": "INPUT", "data": data, "encoding": encoding}
    return json.dumps({"captureData": {"endpointInput": side}, "eventVersion": "0"}).encode() + b"\n"


@pytest.fixture
def capture(s3: Any) -> Callable[[datetime, bytes], str]:
    """Puts a capture file that begins at that time; returns its URI. The folder is empty before."""
    for item in s3.list_objects_v2(Bucket=BUCKET, Prefix="data-capture/").get("Contents", []):
        s3.delete_object(Bucket=BUCKET, Key=item["Key"])

    def put(at: datetime, content: bytes) -> str:
        uri = f"{FOLDER}{at:%Y/%m/%d/%H/%M-%S}-123-0f.jsonl"
        s3.put_object(Bucket=BUCKET, Key=uri.removeprefix(f"s3://{BUCKET}/"), Body=content)
        return uri

    return put


def test_files_of_the_time_alone_are_read(s3: Any, capture: Callable[[datetime, bytes], str]) -> None:
    hour = timedelta(hours=1)
    uris = [capture(NOW + ago, b"x") for ago in (-25 * hour, -23 * hour, -hour, hour)]
    assert captured.files(s3, FOLDER, NOW - 24 * hour, NOW) == (uris[1:3], 2)
    assert captured.files(s3, FOLDER.replace("an-endpoint", "another"), NOW - 24 * hour, NOW) == ([], 0)


def test_of_too_much_a_sample_over_the_whole_time_is_read(s3: Any, capture: Callable[[datetime, bytes], str]) -> None:
    uris = [capture(NOW - timedelta(hours=ago), b"x" * 100) for ago in range(20, 0, -1)]
    assert captured.files(s3, FOLDER, NOW - timedelta(days=1), NOW, most_bytes=500) == (uris[::4], 20)


def test_requests_are_what_was_sent(s3: Any, capture: Callable[[datetime, bytes], str]) -> None:
    csv = "name\né\r\n".encode()
    content = (
        record(csv, "text/csv", "CSV")
        + record(b"\x00\xff", "text/plain", "BASE64")
        + record(b"[1]", "application/json", "JSON")
    )
    answers_alone = json.dumps({"captureData": {"endpointOutput": {}}}).encode()
    uri = capture(NOW, content + answers_alone)
    assert list(captured.requests(s3, [uri])) == [
        (csv, "text/csv"),
        (b"\x00\xff", "text/plain"),
        (b"[1]", "application/json"),
    ]


# -- the function


class Registry:
    """SageMaker, as far as the function asks it."""

    created = NOW - timedelta(days=6)
    capture: ClassVar[Any] = {"EnableCapture": True, "DestinationS3Uri": f"s3://{BUCKET}/data-capture"}
    config = "an-endpoint-v3-0123abcd-0-0"
    statistics: ClassVar[Any] = {"Statistics": {"S3Uri": f"s3://{BUCKET}/runs/a-run/preprocessing/distributions.json"}}

    def describe_endpoint(self, EndpointName: str) -> dict[str, Any]:
        variants = [{"VariantName": "AllTraffic"}]
        return {"EndpointConfigName": self.config, "DataCaptureConfig": self.capture, "ProductionVariants": variants}

    def describe_endpoint_config(self, EndpointConfigName: str) -> dict[str, Any]:
        return {"CreationTime": self.created}

    def describe_model_package(self, ModelPackageName: str) -> dict[str, Any]:
        assert ModelPackageName == "arn:packages/3"
        about = {"run_id": "a-run"}
        return {"CustomerMetadataProperties": about, "DriftCheckBaselines": {"ModelDataQuality": self.statistics}}


class Absent(Registry):
    def describe_endpoint(self, EndpointName: str) -> dict[str, Any]:
        raise ClientError(
            {"Error": {"Code": "ValidationException", "Message": "Could not find endpoint"}}, "DescribeEndpoint"
        )


def registry(**changes: Any) -> Registry:
    return type("Changed", (Registry,), changes)()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (Absent(), "There is no endpoint"),
        (registry(capture=None), "captures no requests"),
        (registry(capture={"EnableCapture": False}), "captures no requests"),
        (registry(config="somebody-elses"), "no version of this pipeline"),
        (registry(statistics={}), "no distributions of the rows that version 3"),
    ],
)
def test_what_cannot_be_compared_is_said(asked: Registry, said: str) -> None:
    assert said in str(serving.find(asked, "an-endpoint", "arn:packages"))


@pytest.fixture
def app(s3: Any, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    for name, value in {
        "STACK_NAME": "a-stack", "ENDPOINT_NAME": "an-endpoint", "MODEL_PACKAGE_ARNS": "arn:packages", "BUCKET": BUCKET,
        "DOCUMENT_KEY": "drift.json", "POWERTOOLS_SERVICE_NAME": "measure-drift",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    app = load("measure_drift")
    monkeypatch.setattr(app, "_s3", lambda: s3)
    monkeypatch.setattr(app, "_sagemaker", Registry)
    return app


def put_run(s3: Any, trained: Path) -> None:
    for name in ("preprocessing.json", "distributions.json"):
        s3.put_object(Bucket=BUCKET, Key=f"runs/a-run/preprocessing/{name}", Body=(trained / name).read_bytes())


def stored(s3: Any) -> dict[str, Any]:
    return json.loads(s3.get_object(Bucket=BUCKET, Key="drift.json")["Body"].read())


def test_a_day_is_compared_published_and_kept(
    app: ModuleType,
    s3: Any,
    trained: Path,
    capture: Callable[[datetime, bytes], str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    put_run(s3, trained)
    others = customers(0, 7043)
    others = others[others["internet_service"] == "No"]
    capture(NOW - timedelta(hours=3), record(lines(others), "application/jsonlines", "JSON"))
    event = {"time": "2026-11-26T00:15:00Z", "detail-type": "Scheduled Event"}
    found = app.handler(event, Context())
    log = capsys.readouterr().out
    assert stored(s3) == found == app.handler(event, Context())
    assert (found["problem"], found["since"], found["until"]) == (None, "2026-11-25T00:15:00Z", "2026-11-26T00:15:00Z")
    assert (found["version"], found["run_id"], found["rows"]) == (3, "a-run", 1526)
    published = {datum["MetricName"]: datum["Values"] for _, datum in embedded.data(log)}
    assert published == {
        "ComparedRows": [1526], "DriftedFeatures": [len(found["drifted"])], "LargestDrift": [found["largest"]],
    }  # fmt: skip
    assert "Mailed check" not in json.dumps(found)  # no value of a request


def test_requests_before_the_version_served_are_left_out(
    app: ModuleType,
    s3: Any,
    trained: Path,
    capture: Callable[[datetime, bytes], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put_run(s3, trained)
    monkeypatch.setattr(app, "_sagemaker", lambda: registry(created=NOW - timedelta(hours=2)))
    capture(NOW - timedelta(hours=3), record(lines(customers(0, 5)), "application/jsonlines", "JSON"))
    found = app.handler({"time": "2026-11-26T00:15:00Z"}, Context())
    assert (found["since"], found["files"], found["rows"], found["features"]) == ("2026-11-25T22:15:00Z", 0, 0, {})


def test_a_run_whose_folder_was_removed_is_said(
    app: ModuleType, s3: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    uri = f"s3://{BUCKET}/runs/removed/preprocessing/distributions.json"
    monkeypatch.setattr(app, "_sagemaker", lambda: registry(statistics={"Statistics": {"S3Uri": uri}}))
    found = app.handler({}, Context())
    assert found["problem"] == "The folder of run a-run, which trained version 3, was removed."
    assert stored(s3) == found
    assert list(embedded.data(capsys.readouterr().out)) == []
