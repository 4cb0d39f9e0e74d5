"""What serves on the endpoint, which columns it takes, and how it is asked about many rows."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from automl_pipeline import answers, stored
from automl_pipeline.answers import Answer, UnreadableAnswerError
from automl_pipeline.labels import Labels
from botocore.config import Config
from botocore.exceptions import ClientError

from cli.predict_input import Table
from cli.stack import RefusedError, Stack, client
from cli.terminal import typed
from processing.names import AmbiguousNameError, Known
from processing.reading import Row

MOST_ROWS = 2000
"""Rows of a request: a second or two of an ensemble's work, far from the minute that a container may take."""

MOST_BYTES = 3_000_000
"""Bytes of a request: endpoints take 6 MB, serverless ones 4 MB."""

# Throttling, 5xx, timeouts and dropped connections are asked again by botocore itself, with growing waits. A container
# has 60 seconds to answer.
PATIENT = Config(retries={"mode": "standard", "max_attempts": 8}, connect_timeout=10, read_timeout=70)
_SERVES = ("InService", "Updating", "SystemUpdating", "RollingBack")
_ROW = re.compile(r"\brow (\d+)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Served:
    """What an endpoint serves. `model` names the very model, `state` changes whenever the endpoint does.

    `decision_threshold`: of the run that registered it; None if it has none.
    """

    endpoint: str
    arn: str
    state: tuple[str, str]
    model: str
    artifacts: str
    decision_threshold: float | None = None

    @property
    def name(self) -> str:
        """The model for a person: its version in the registry, or its name."""
        group, _, version = self.model.partition(":model-package/")[2].rpartition("/")
        return f"version {version} of {group}" if group else f"model {self.model}"


@dataclass(frozen=True)
class Features:
    """What the model takes: feature names in its order; whether it predicts classes, which columns are ids, and, of two
    classes, which one counts as positive (None if the run does not say).

    `specifications`: how each feature is encoded, by its name. `known`: the names as a person's table has them.
    `decision_threshold`: the probability of the positive class from which on it is the answer; None: as the model answers.
    """

    names: list[str]
    is_classification: bool
    ids: list[str]
    positive_class: str | None = None
    labels: Labels = field(default_factory=lambda: Labels([]))
    specifications: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    known: Known = field(default_factory=lambda: Known([]))
    decision_threshold: float | None = None


class ModelChangedError(Exception):
    """The endpoint is not what it was when the rows since the last check were answered."""


# -- what serves


def find(stack: Stack, endpoint: str | None = None) -> Served:
    """What serves on the stack's endpoint, or on another one. Raises RefusedError, ClientError."""
    sagemaker = client("sagemaker", config=PATIENT)
    name = endpoint or stack.outputs["EndpointName"]
    try:
        described = sagemaker.describe_endpoint(EndpointName=name)
    except ClientError as error:
        if "Could not find" not in str(error):
            raise
        if name != stack.outputs["EndpointName"]:
            remedy = f"That of the stack is {stack.outputs['EndpointName']}: leave out --endpoint-name."
        elif latest := read_latest(stack):
            remedy = f"Run {latest['run_id']} registered a model. To deploy it: {typed('deploy')}"
        else:
            remedy = f"A run that deploys its model creates it: {typed('start --watch')}"
        raise RefusedError(f"There is no endpoint {name}. {remedy}") from None
    status = described["EndpointStatus"]
    if status not in _SERVES:
        raise RefusedError(
            f"Endpoint {name} is {status} and does not answer. {described.get('FailureReason', '')}".strip()
        )
    # With scaling alone an endpoint is Updating too; a new model comes with a pending deployment.
    if described.get("PendingDeploymentSummary"):
        raise RefusedError(
            f"Endpoint {name} is changing to another model. When that has ended ({typed('watch --deployment')}), use "
            "the same command again."
        )
    config = sagemaker.describe_endpoint_config(EndpointConfigName=described["EndpointConfigName"])
    model = sagemaker.describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])
    containers = model.get("Containers") or [model["PrimaryContainer"]]
    identity = model["ModelName"]
    package = containers[0].get("ModelPackageName")
    threshold = None
    if package:
        version = sagemaker.describe_model_package(ModelPackageName=package)
        containers, identity = version["InferenceSpecification"]["Containers"], version["ModelPackageArn"]
        threshold = version.get("CustomerMetadataProperties", {}).get("decision_threshold")
    artifacts = containers[0].get("ModelDataUrl", "").rpartition("/")[0]
    return Served(
        name, described["EndpointArn"], _state(described), identity, artifacts, float(threshold) if threshold else None
    )


def confirm(sagemaker: Any, served: Served) -> None:
    """Raises ModelChangedError if the endpoint changed since `served` was found, or is changing; ClientError."""
    described = sagemaker.describe_endpoint(EndpointName=served.endpoint)
    if described.get("PendingDeploymentSummary") or _state(described) != served.state:
        raise ModelChangedError


def _state(described: Mapping[str, Any]) -> tuple[str, str]:
    return described["EndpointConfigName"], str(described["LastModifiedTime"])


def read_latest(stack: Stack) -> dict[str, Any] | None:
    """latest.json: the newest registered run; None before there is one."""
    return _read_json(stack.outputs["BucketName"], f"{stack.outputs['Prefix']}/latest.json")


def features(served: Served, stack: Stack, run_id: str | None = None) -> Features:
    """What the served model takes, from its run's preprocessing.json. `run_id`: the run it is expected to be of.

    Raises RefusedError, ClientError.
    """
    place = served.artifacts
    if run_id:
        place = f"s3://{stack.outputs['BucketName']}/{stack.outputs['Prefix']}/runs/{run_id}/preprocessing"
        if "/runs/" in served.artifacts and served.artifacts != place:
            served_run = served.artifacts.split("/runs/")[1].partition("/")[0]
            raise RefusedError(
                f"Endpoint {served.endpoint} serves {served.name}, of run {served_run} and not {run_id}. "
                f"{typed('deploy --version N')} puts another version there."
            )
    bucket, key = stored.place(place)
    specification = _read_json(bucket, f"{key}/preprocessing.json") if key else None
    if specification is None:
        raise RefusedError(
            f"There is no {place}/preprocessing.json, which lists the columns that the model takes."
            if run_id
            else f"Endpoint {served.endpoint} serves {served.name}, which is of no run of this pipeline. "
            "--run RUN_ID says whose columns it takes."
        )
    return Features(
        [feature["name"] for feature in specification["features"]],
        specification["problem_type"] != "Regression",
        specification["dropped_columns"]["ids_and_metadata"],
        specification.get("positive_class"),
        Labels(specification.get("labels", [])),
        {feature["name"]: feature for feature in specification["features"]},
        Known(
            [feature["name"] for feature in specification["features"]],
            specification["columns"],
            specification.get("renames"),
        ),
        served.decision_threshold,
    )


def _read_json(bucket: str, key: str) -> dict[str, Any] | None:
    content = stored.read(client("s3", config=PATIENT), bucket, key)
    return None if content is None else json.loads(content)


# -- which columns it takes


def places(taken: Features, table: Table) -> dict[str, int]:
    """For each feature that the table has, its column. Raises RefusedError, by the rule of the endpoint (docs/api.md)."""
    try:
        found = dict(zip(taken.names, taken.known.places(table.columns), strict=True))
    except AmbiguousNameError as ambiguous:
        raise RefusedError(f"More than one column of {table.path} can be meant: {ambiguous}. Leave one out.") from None
    missing = [taken.known.shown(name) for name, place in found.items() if place is None]
    problems = []
    if len(missing) == len(taken.names):
        problems.append(
            f"The first row of {table.path} names none of the model's features ({', '.join(missing)}). It must be a header."
        )
    elif 2 * len(missing) > len(taken.names):
        problems.append(
            f"{table.path} lacks {len(missing)} of the model's {len(taken.names)} features, more than half: {', '.join(missing)}."
        )
    if problems:
        raise RefusedError("\n".join(problems))
    return {name: place for name, place in found.items() if place is not None}


# -- asking


@dataclass(frozen=True)
class Asked:
    """Rows of one request, and each as a CSV line of the features alone: what the model does not take is not sent."""

    header: bytes
    rows: Sequence[Row]
    lines: Sequence[bytes]

    def part(self, begin: int, end: int) -> Asked:
        return Asked(self.header, self.rows[begin:end], self.lines[begin:end])


class _Line:
    """Where csv.writer writes: it gives back what it is given."""

    def write(self, text: str) -> str:
        return text


def requests(rows: Iterable[Row], where: dict[str, int]) -> Iterator[Asked]:
    """The rows in requests that an endpoint takes. Raises RefusedError for a row that fits none."""
    writer = csv.writer(_Line())
    header = str(writer.writerow(where)).encode()
    columns = list(where.values())
    taken: list[Row] = []
    lines: list[bytes] = []
    size = len(header)
    for row in rows:
        line = str(writer.writerow([row.cells[column] for column in columns])).encode()
        if len(header) + len(line) > MOST_BYTES:
            raise RefusedError(f"Row {row.number:,} (line {row.line:,}) is larger than {MOST_BYTES:,} bytes.")
        if len(taken) == MOST_ROWS or size + len(line) > MOST_BYTES:
            yield Asked(header, taken, lines)
            taken, lines, size = [], [], len(header)
        taken.append(row)
        lines.append(line)
        size += len(line)
    if taken:
        yield Asked(header, taken, lines)


def ask(runtime: Any, endpoint: str, asked: Asked) -> list[Answer]:
    """The model's answer to each row, in their order. Raises RefusedError with the file's own row number, ClientError."""
    try:
        said = runtime.invoke_endpoint(
            EndpointName=endpoint,
            ContentType="text/csv; header=present",
            Accept="text/csv",
            Body=asked.header + b"".join(asked.lines),
        )
    except runtime.exceptions.ModelError as error:
        return _ask_less(runtime, endpoint, asked, error)
    try:
        given = list(answers.read(said["Body"].read()))
    except UnreadableAnswerError as error:
        raise RefusedError(
            f"The endpoint's answer to {_span(asked.rows)} cannot be read: {error.text.strip()[:80]!r}."
        ) from None
    if len(given) != len(asked.rows):
        raise RefusedError(
            f"The endpoint gave {len(given):,} answers to {_span(asked.rows)}. None of them was kept; is the model "
            "one of this pipeline?"
        )
    return given


def _ask_less(runtime: Any, endpoint: str, asked: Asked, error: Any) -> list[Answer]:
    """After a refusal: names the row if the model does, and otherwise asks in halves, down to the row that it is about.

    A container that was only out of breath answers the smaller request.
    """
    status = error.response.get("OriginalStatusCode", 500)
    sentence = (error.response.get("OriginalMessage") or str(error)).strip()
    if sentence.startswith("<"):  # the web page of a server's error says nothing
        sentence = f"See the log group /aws/sagemaker/Endpoints/{endpoint}."
    named = [match for match in _ROW.finditer(sentence) if 1 <= int(match[1]) <= len(asked.rows)]
    if status < 500 and named:
        row = asked.rows[int(named[-1][1]) - 1]
        begin, end = named[-1].span()
        sentence = f"{sentence[:begin]}{sentence[begin : begin + 3]} {row.number:,} (line {row.line:,}){sentence[end:]}"
        raise RefusedError(f"The model refuses a row: {sentence}") from None
    if len(asked.rows) > 1:
        middle = len(asked.rows) // 2
        first = ask(runtime, endpoint, asked.part(0, middle))
        return first + ask(runtime, endpoint, asked.part(middle, len(asked.rows)))
    raise RefusedError(f"The model does not answer {_span(asked.rows)} (status {status}): {sentence}") from None


def _span(rows: Sequence[Row]) -> str:
    if len(rows) == 1:
        return f"row {rows[0].number:,} (line {rows[0].line:,})"
    return f"rows {rows[0].number:,} to {rows[-1].number:,}"
