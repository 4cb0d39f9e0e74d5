"""`automl demo`: the laptop cloud, the stack, real data, a run, a prediction, and what came out, from start to end."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from automl_pipeline import settings
from rich.console import Console
from rich.table import Table

from cli import laptop
from cli.watching import Finished, follow
from local import csv_table, deploy, faults, feature_store, packaging, paths, process, telco

STATE = paths.PROJECT / ".local" / "demo"
_MOST_CLASSES = 20


class DemoFailed(Exception):
    """The demo cannot go on; the message says why and what to do."""


@dataclass
class Options:
    """What a person asked for. Without `csv` the data is IBM's Telco table."""

    csv: Path | None = None
    target: str | None = None
    id_column: str | None = None
    problem_type: str | None = None
    objective: str | None = None
    threshold: float | None = None
    max_runtime: int | None = None
    faults: Path | None = None
    summary: Path | None = None
    port: int = 0


@dataclass
class Result:
    """What the summary tells."""

    status: str = "NOT_STARTED"
    finished: Finished | None = None
    prediction: str | None = None
    endpoint_status: str | None = None
    mails: list[str] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """The JSON that --summary writes."""
        output = (self.finished.output if self.finished else None) or {}
        endpoint = output.get("endpoint")
        return {
            "status": self.status,
            "outcome": output.get("outcome"),
            "message": output.get("message"),
            "error": self.finished.error if self.finished else None,
            "cause": self.finished.cause if self.finished else None,
            "metrics": output.get("metrics"),
            "model_package_arn": output.get("model_package_arn"),
            "endpoint": {"name": endpoint["name"], "status": self.endpoint_status} if endpoint else None,
            "prediction": self.prediction,
            "steps": [
                {"name": step.name, "seconds": round(step.seconds(step.ended), 2)}
                for step in (self.finished.steps if self.finished else [])
                if step.ended
            ],
            "mails": self.mails,
            "run_prefix": output.get("run_prefix"),
        }


def run(options: Options, console: Console) -> bool:
    """The whole demo. Returns whether the run succeeded. Raises DemoFailed before anything is started if asked wrongly."""
    table, given = _check(options)
    result = Result()
    timings: list[tuple[str, float]] = []
    try:
        with _Timed(console, timings, "Laptop cloud started"):
            server = process.start(port=options.port, state=STATE, faults=options.faults, wait_scale=laptop.WAIT_SCALE)
        try:
            _on_server(server, options, table, given, console, result, timings)
        finally:
            result.mails = sorted(str(path) for path in server.outbox.glob("*.eml"))
            server.stop()
    except (process.ServerError, deploy.DeployFailed, packaging.BuildFailed, feature_store.FeatureStoreError) as error:
        raise DemoFailed(str(error)) from error
    finally:
        if options.summary:
            options.summary.write_text(json.dumps(result.summary(), indent=1), encoding="utf-8")
    _tell_end(result, console, timings)
    return result.status == "SUCCEEDED"


def _check(options: Options) -> tuple[csv_table.CsvTable | None, dict[str, Any]]:
    """The person's table if there is one, and the execution's input. Raises DemoFailed with all that is wrong."""
    problems: list[str] = []
    table = None
    if options.csv is None:
        problems += [
            f"{flag} goes with --csv."
            for flag, value in (("--target", options.target), ("--id-column", options.id_column))
            if value
        ]
    elif not options.target or not options.id_column:
        problems.append("--csv needs --target COLUMN (what to predict) and --id-column COLUMN (what identifies a row).")
    else:
        try:
            table = csv_table.read_table(options.csv, options.target, options.id_column)
        except csv_table.InvalidTable as error:
            problems += error.problems
    given: dict[str, Any] = {}
    if table is not None:
        given["problem_type"] = options.problem_type or _problem_type(table)
        given["customer_id_start"] = given["customer_id_end"] = None
    elif options.problem_type:
        given["problem_type"] = options.problem_type
    defaults = {"MulticlassClassification": "Accuracy", "Regression": "RMSE"}
    objective = options.objective or defaults.get(given.get("problem_type", ""))
    asked = {
        "objective_metric_name": objective,
        "accuracy_threshold": options.threshold,
        "max_runtime_sec": options.max_runtime,
    }
    given.update({key: value for key, value in asked.items() if value is not None})
    try:
        settings.resolve(given, {"bucket": "any-bucket"})
    except settings.InvalidInput as error:
        problems += error.problems
    if options.faults:
        try:
            faults.load(options.faults)
        except (OSError, ValueError) as error:
            problems.append(f"--faults {options.faults}: {error}")
    if options.summary and not options.summary.resolve().parent.is_dir():
        problems.append(f"--summary {options.summary}: there is no folder {options.summary.resolve().parent}.")
    if problems:
        raise DemoFailed("\n".join(problems))
    return table, given


def _problem_type(table: csv_table.CsvTable) -> str:
    values = table.frame[table.target].dropna()
    classes = values.nunique()
    if classes <= 2:
        return "BinaryClassification"
    return "Regression" if values.dtype.kind in "iuf" and classes > _MOST_CLASSES else "MulticlassClassification"


class _Timed:
    """A line of the demo with its time."""

    def __init__(self, console: Console, timings: list[tuple[str, float]], text: str):
        self._console, self._timings, self._text = console, timings, text

    def __enter__(self) -> Any:
        self._began = time.monotonic()
        self._spinner = self._console.status(self._text)
        self._spinner.start()
        return self._spinner

    def __exit__(self, kind: Any, *_: object) -> None:
        self._spinner.stop()
        seconds = time.monotonic() - self._began
        self._timings.append((self._text, seconds))
        if kind is None:
            self._console.print(f"  [green]done[/]    {self._text:<28} {seconds:6.1f} s")


def _on_server(
    server: process.Server,
    options: Options,
    table: csv_table.CsvTable | None,
    given: dict[str, Any],
    console: Console,
    result: Result,
    timings: list[tuple[str, float]],
) -> None:
    with _Timed(console, timings, "Stack deployed") as spinner:
        cloud = laptop.deploy_stack(server, spinner.update)
    if table is None or options.csv is None:
        with _Timed(console, timings, f"{telco.ROWS:,} customers loaded"):
            group = laptop.load_telco(cloud)
    else:
        for warning in table.warnings:
            console.print(f"  [yellow]note[/]    {warning}")
        console.print(f"  [yellow]note[/]    {options.target} is learned as {given['problem_type']}")
        with _Timed(console, timings, f"{len(table.frame):,} rows loaded"):
            group = laptop.load_csv(cloud, table, options.csv)
        given["feature_group_name"] = group.name
        given["target_attribute_name"] = group.columns[table.target]
    states, sagemaker = cloud.client("stepfunctions"), cloud.client("sagemaker")
    machine = cloud.outputs["TrainingStateMachineArn"]
    execution = states.start_execution(stateMachineArn=machine, input=json.dumps(given))["executionArn"]
    console.print(f"  [green]started[/] {execution}")
    result.status = "RUNNING"
    result.finished = follow(states, execution, console, sagemaker=sagemaker, check=server.check)
    result.status = result.finished.status
    output = result.finished.output
    if output and output.get("endpoint"):
        result.endpoint_status = sagemaker.describe_endpoint(EndpointName=output["endpoint"]["name"])["EndpointStatus"]
        result.prediction = _predict(cloud, output, table is None, console)


def _predict(cloud: laptop.Laptop, output: dict[str, Any], is_telco: bool, console: Console) -> str:
    """One raw row to the endpoint: a customer outside the training range, or a held-out row of a person's table."""
    if is_telco:
        customers = telco.load()
        row = customers[customers["customer_id"] == "CUST_004001"].drop(columns=telco.TARGET)
        body, content_type, who = row.to_csv(index=False), "text/csv", "customer CUST_004001, whom it never saw"
    else:
        bucket, _, key = output["run_prefix"].removeprefix("s3://").partition("/")
        lines = cloud.client("s3").get_object(Bucket=bucket, Key=f"{key}/evaluation/input/test.jsonl")["Body"]
        body, content_type, who = next(lines.iter_lines()).decode(), "application/jsonlines", "a row that was held out"
    answer = cloud.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=output["endpoint"]["name"], ContentType=content_type, Body=body.encode()
    )
    prediction = answer["Body"].read().decode().strip()
    console.print(f"\nAsked about {who}, raw as it is:\n{body.strip()}", markup=False, highlight=False)
    console.print(f"Answer: [bold]{prediction}[/]", highlight=False)
    return prediction


def _tell_end(result: Result, console: Console, timings: list[tuple[str, float]]) -> None:
    finished = result.finished
    if finished is None:
        return
    output = finished.output
    console.print()
    if output is None:
        console.print(
            f"[red]The run ended as {finished.status}:[/] {finished.error}\n{finished.cause}", highlight=False
        )
    else:
        console.print(f"[bold]{output['outcome']}[/]: {output['message']}", highlight=False)
        metrics = Table("metric", "on rows it never saw")
        for name, value in output["metrics"].items():
            metrics.add_row(name, f"{value:.4f}")
        console.print(metrics)
        if output["model_package_arn"]:
            console.print(f"Model version: {output['model_package_arn']}", highlight=False)
        bucket, _, key = output["run_prefix"].removeprefix("s3://").partition("/")
        folders = [path for path in (STATE / "s3").glob(f"*/{bucket}/{key}") if path.is_dir()]
        console.print(f"Artifacts: {output['run_prefix']}", highlight=False, soft_wrap=True)
        for folder in folders:
            console.print(f"           {_short(folder)}", highlight=False, soft_wrap=True)
    for mail in result.mails:
        console.print(f"Mail: {_short(Path(mail))}", highlight=False, soft_wrap=True)
    steps = sum(step.seconds(step.ended) for step in finished.steps if step.ended)
    parts = [f"{text.lower()} {seconds:.1f} s" for text, seconds in timings]
    console.print(f"Time: {', '.join(parts)}, run {steps:.1f} s", highlight=False)


def _short(path: Path) -> str:
    return str(path.relative_to(paths.PROJECT)) if path.is_relative_to(paths.PROJECT) else str(path)
