"""Shows the result of an execution: outcome, metrics, gate, model version, endpoint; or step, error and cause."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from cli.terminal import typed
from cli.watching import Finished


def show(finished: Finished, console: Console) -> None:
    """Show the result of a run or a deployment."""
    console.print()
    if finished.output is None:
        show_failure(finished, console)
        return
    output = finished.output
    message, doubt = output.get("message") or _served(output), doubt_of(finished)
    console.print(f"[bold]{output['outcome']}[/]", end="")
    if doubt:  # first, as it may be all that a person reads
        console.print(f", but {doubt}", style="yellow", markup=False, highlight=False)
    console.print((message if doubt else f": {message}") if message else "", markup=False)
    for line in judgement(finished):
        said = line.partition(". But ")[0] + "." if doubt and not line.startswith("Warning: ") else line
        if said not in message and (not doubt or line[len("Warning: ") + 1 :] != doubt[1:]):
            console.print(said, style="yellow" if line.startswith("Warning: ") else None, markup=False, highlight=False)
    show_metrics(output.get("metrics") or {}, console)
    for line in _results(output):
        console.print(line, markup=False)


def show_failure(finished: Finished, console: Console) -> None:
    """Step, error and cause of an execution that did not succeed."""
    console.print(f"[red]The run ended as {finished.status}.[/]")
    failure = finished.variables.get("failure") or {}
    lines = (
        ("Step:", finished.failed_step),
        ("Error:", finished.error),
        ("Cause:", finished.cause),
        ("Logs:", failure.get("log_group") and f"CloudWatch log group {failure['log_group']}"),
        ("Job:", failure.get("job")),
    )
    for name, value in lines:
        if value:
            console.print(f"{name:<7}{value}", markup=False)


def show_metrics(metrics: Mapping[str, float], console: Console) -> None:
    """The metrics on the held-out rows: a table in a terminal, one line each elsewhere."""
    if not metrics:
        return
    if not console.is_terminal:
        for name, value in metrics.items():
            console.print(f"  metric  {name:<22} {value:.4f}")
        return
    table = Table("metric", "on rows it never saw", box=box.SIMPLE_HEAD)
    for name, value in metrics.items():
        table.add_row(name, f"{value:.4f}")
    console.print(table)


def judgement(finished: Finished) -> list[str]:
    """The quality gate's verdict and what people should know of the model; empty if the run was not evaluated."""
    found = finished.variables.get("evaluation") or finished.output or {}
    verdict, warnings = found.get("verdict"), found.get("warnings") or []
    return [*([verdict] if verdict else []), *(f"Warning: {warning}" for warning in warnings)]


def doubt_of(finished: Finished) -> str:
    """Why the metrics of a model that passed the gate are not to be trusted, or it is of no use; "" if nothing says so."""
    return doubt_in(next(iter(judgement(finished)), ""))


def doubt_in(verdict: str) -> str:
    """What a verdict of functions/evaluate_model/gate.py says against a model that passed."""
    return verdict.partition(". But ")[2]


def what_next(finished: Finished, name: str, *, deployment: bool = False) -> list[str]:
    """The commands that lead on from an execution of this name, one a line."""
    if finished.output is None:
        step = f"#{finished.failed_step.lower()}" if finished.failed_step else ""
        lines = [
            ("What to do", f"docs/runbook.md{step}"),
            *([] if deployment else [("Log lines", typed(f"logs {name}"))]),
            ("Start again", typed("deploy" if deployment else f"retry {name}")),
        ]
    else:
        lines = [
            *([("Report", typed(f"report {name} --open"))] if finished.output.get("metrics") else []),
            *([("Predict", typed("predict --input-csv FILE"))] if finished.output.get("endpoint") else []),
        ]
    return [f"{what + ':':<13}{command}" for what, command in lines]


def _served(output: Mapping[str, Any]) -> str:
    """What serves after a deployment, whose machine answers without a sentence."""
    endpoint, version = output.get("endpoint"), str(output.get("model_package_arn")).rpartition("/")[2]
    return f"Endpoint {endpoint['name']} serves version {version}." if endpoint else ""


def _results(output: Mapping[str, Any]) -> list[str]:
    endpoint = output.get("endpoint")
    lines = (
        ("Model version", output.get("model_package_arn")),
        ("Endpoint", endpoint and f"{endpoint['name']} ({endpoint['status']})"),
        ("Autoscaling", output.get("autoscaling")),
        ("Known row", _known_row(output.get("smoke_test"))),
        ("Artifacts", output.get("run_prefix")),
    )
    return [f"{name}: {value}" for name, value in lines if value]


def _known_row(text: str | None) -> str | None:
    """What came of asking about the known row; an answer of the endpoint (CSV) as label and probability, or as number."""
    outcome, _, answer = (text or "").partition(": ")
    if outcome != "passed":
        return text
    label, *more = next(csv.reader([answer]))
    if not more:
        return f"{outcome}, answered {_number(label)}"
    return f"{outcome}, answered {label}, probability {max(json.loads(more[0])):.3f}"


def _number(text: str) -> str:
    try:
        return f"{float(text):.4g}"
    except ValueError:  # a label
        return text
