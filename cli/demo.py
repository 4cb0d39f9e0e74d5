"""`automl demo`: the local cloud, the stack, real data, a run, a prediction, and what came out, from start to end."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from automl_pipeline import stored
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from cli import data_note, local_cloud, results, timing
from cli.demo_request import Options, RefusedError, Request, check
from cli.summary import Result, read_answer
from cli.terminal import program
from cli.watching import Finished, follow
from local.aws.featurestore import offline_store
from local.build import deploy, packaging
from local.data import telco
from local.server import paths, process

STATE = paths.PROJECT / ".local" / "demo"


class DemoError(Exception):
    """The demo cannot go on; the message says why and what to do."""


def run(options: Options, console: Console, *, show_timing: bool = False) -> bool:
    """The whole demo. Returns whether the run succeeded. `show_timing`: also where its time went.

    Raises demo_request.Refused before anything is started if it was asked wrongly, and DemoError. Whatever happens,
    the local cloud is stopped and the summary written.
    """
    result = Result()
    try:
        request = check(options)
        clock = _Clock(console)
        with clock.line("Starting the local cloud", "Local cloud started"):
            server = process.start(
                port=options.port, state=STATE, faults=options.faults, wait_scale=local_cloud.WAIT_SCALE
            )
        try:
            cloud = _run(server, request, result, console, clock)
            _tell(result, cloud, console)
            if show_timing and result.finished:
                _tell_timing(result.finished, cloud, console, clock)
            _tell_what_next(result, options, console)
            if options.keep:
                _keep(result, options, server, console)
        finally:
            result.mails = _emails(server)
            server.stop()
    except (RefusedError, DemoError) as error:
        result.problem = str(error)
        raise
    except KeyboardInterrupt:
        result.problem = "Stopped by Ctrl-C."
        if result.status == "RUNNING":
            result.status = "ABORTED"
        raise
    except (
        process.ServerError,
        deploy.DeployError,
        packaging.BuildError,
        offline_store.FeatureStoreError,
        ClientError,
        BotoCoreError,
    ) as error:
        result.problem = str(error)
        raise DemoError(str(error)) from error
    finally:
        if options.summary and options.summary.resolve().parent.is_dir() and not options.summary.is_dir():
            result.write(options.summary)
    return result.status == "SUCCEEDED"


class _Clock:
    """The demo's own lines, each with its time."""

    def __init__(self, console: Console):
        self.began = time.monotonic()
        self.parts: list[tuple[str, float]] = []
        self._console = console

    @contextmanager
    def line(self, doing: str, done: str) -> Iterator[Any]:
        """What is being done, moving; when the block has ended well, what is done, with its time."""
        began = time.monotonic()
        with self._console.status(doing) as spinner:
            yield spinner
        seconds = time.monotonic() - began
        self.parts.append((done[:1].lower() + done[1:], seconds))
        self._console.print(f"  [green]done[/]    {done:<28} {seconds:6.1f} s")

    def total(self) -> float:
        return time.monotonic() - self.began


def _run(
    server: process.Server, request: Request, result: Result, console: Console, clock: _Clock
) -> local_cloud.LocalCloud:
    for note in request.notes:
        console.print(f"  note    {note}", markup=False)
    with clock.line("Deploying the stack", "Stack deployed") as spinner:
        threshold = request.given.get("accuracy_threshold")
        # A run may only raise the stack's threshold, and here the stack is the person's own.
        parameters = {} if threshold is None else {"AccuracyThreshold": str(threshold)}
        cloud = local_cloud.deploy_stack(server, spinner.update, **parameters)
    given = dict(request.given)
    if request.table is None or request.csv is None:
        with clock.line(f"Loading {telco.ROWS:,} customers", f"{telco.ROWS:,} customers loaded"):
            local_cloud.load_telco(cloud)
    else:
        with clock.line(f"Loading {len(request.table.frame):,} rows", f"{len(request.table.frame):,} rows loaded"):
            group = local_cloud.load_csv(cloud, request.table, request.csv)
        given["feature_group_name"] = group.name
        given["target_attribute_name"] = group.columns[request.table.target]
    states, sagemaker = cloud.client("stepfunctions"), cloud.client("sagemaker")
    machine = cloud.outputs["TrainingStateMachineArn"]
    execution = states.start_execution(stateMachineArn=machine, input=json.dumps(given))["executionArn"]
    console.print(f"  started {execution}", markup=False)
    result.status = "RUNNING"
    result.finished = follow(states, execution, console, sagemaker=sagemaker, check=server.check)
    result.status = result.finished.status
    if result.finished.output and result.finished.output.get("endpoint"):
        with clock.line("Invoking the endpoint", "Endpoint invoked"):
            row, answer = _ask(cloud, result, result.finished, is_telco=request.table is None)
        console.print(f"\n{row}", markup=False)
        console.print(f"Answer: {_in_words(answer)}", markup=False)
    return cloud


def _ask(
    cloud: local_cloud.LocalCloud, result: Result, finished: Finished, *, is_telco: bool
) -> tuple[str, dict[str, Any]]:
    """Send one raw row to the endpoint: a customer outside the training range, or a held-out row of a person's table.

    Returns what was asked, for a person, and the answer.
    """
    output, variables = result.finished.output or {}, result.finished.variables  # pyright: ignore[reportOptionalMemberAccess]
    name = output["endpoint"]["name"]
    result.endpoint_status = cloud.client("sagemaker").describe_endpoint(EndpointName=name)["EndpointStatus"]
    bucket, key = stored.place(output["run_prefix"])
    if is_telco:
        customers = telco.load()
        row = customers[customers["customer_id"] == "CUST_004001"].drop(columns=telco.TARGET)
        body, content_type, who = (
            row.to_csv(index=False),
            "text/csv",
            "customer CUST_004001, outside the training range",
        )
    else:
        lines = cloud.client("s3").get_object(Bucket=bucket, Key=f"{key}/evaluation/input/part-00000.jsonl")["Body"]
        body, content_type, who = next(lines.iter_lines()).decode(), "application/jsonlines", "one of the held-out rows"
    said = cloud.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=name, ContentType=content_type, Body=body.encode()
    )
    prepared = data_note.prepared_by(finished, cloud.client("s3"))
    problem_type = variables["run"]["settings"]["problem_type"]
    result.prediction = read_answer(said["Body"].read(), problem_type, prepared["labels"])
    return f"Sent to the endpoint, {who}, as raw values:\n{body.strip()}", result.prediction


def _in_words(answer: dict[str, Any]) -> str:
    if "value" in answer:
        return f"{answer['value']:g}"
    return f"{answer['label']}, probability {answer['probability']:.3f}" if "probability" in answer else answer["label"]


def _tell(result: Result, cloud: local_cloud.LocalCloud, console: Console) -> None:
    finished = result.finished
    if finished is None:
        return
    results.show(finished, console)
    for line in data_note.of(finished, cloud.client("s3")):
        console.print(line, markup=False, highlight=False)
    prefix = finished.variables.get("run", {}).get("prefix_uri", "")
    if prefix and finished.output is None:
        console.print(f"Artifacts: {prefix}", markup=False)
    bucket, key = stored.place(prefix)
    for folder in (STATE / "s3").glob(f"*/{bucket}/{key}") if prefix else ():
        console.print(f"On this machine: {_short(folder)}/", markup=False)
    for email in _emails(cloud.server):
        console.print(f"Email: {_short(Path(email))}", markup=False)


def _tell_timing(finished: Finished, cloud: local_cloud.LocalCloud, console: Console, clock: _Clock) -> None:
    computed = timing.computed(finished, cloud.client)
    whole, run = clock.total(), sum(step.seconds(step.ended) for step in finished.steps if step.ended)
    work = sum(seconds for _, seconds in computed)
    own = [*clock.parts, ("states, polling and copying in the run", max(0.0, run - work))]
    console.print(
        f"Time: {whole:.1f} s, of which {work:.1f} s computed: {_listed(computed) or 'nothing'}", markup=False
    )
    console.print(f"      and {whole - work:.1f} s around it: {_listed(own)}", markup=False)


def _tell_what_next(result: Result, options: Options, console: Console) -> None:
    """The commands that lead on from here, as they are typed in the project's folder."""
    if result.status != "SUCCEEDED":
        console.print("\nWhat next: the cause is above; docs/runbook.md says what to do about each.")
        return
    console.print("\nWhat next:")
    for command, what in (
        *([] if options.csv else [('make demo ARGS="--csv my.csv --target sold --id-column id"', "your own table")]),
        (f"{program()} local up", "keep a local cloud, to start, watch and approve runs on it"),
        ("make deploy", "the same on AWS; it asks what it needs"),
    ):
        console.print(f"  {command:<62} {what}", markup=False)


def _listed(parts: list[tuple[str, float]]) -> str:
    return ", ".join(f"{what} {seconds:.1f}" for what, seconds in parts)


def _keep(result: Result, options: Options, server: process.Server, console: Console) -> None:
    """Serve until Ctrl-C; the summary is there meanwhile."""
    result.mails = _emails(server)
    if options.summary:
        result.write(options.summary)
    console.print()
    for name, value in server.environment().items():
        console.print(f"export {name}={value}", markup=False)
    console.print("\nServing. Ctrl-C stops it.")
    try:
        server.wait()
    except KeyboardInterrupt:
        return
    server.check()


def _emails(server: process.Server) -> list[str]:
    return sorted(str(path) for path in server.outbox.glob("*.eml"))


def _short(path: Path) -> str:
    return str(path.relative_to(paths.PROJECT)) if path.is_relative_to(paths.PROJECT) else str(path)
