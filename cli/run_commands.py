"""Commands about runs: list, show, logs, stop, retry, compare."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from botocore.exceptions import ClientError

from cli.terminal import (
    answer,
    connected,
    console,
    errors,
    explaining,
    failed,
    json_wanted,
    say,
    stopped,
    typed,
    with_stack,
)

if TYPE_CHECKING:
    from cli.stack import Stack

RunReference = Annotated[
    str | None, typer.Argument(metavar="[RUN]", help="Run id, execution name or ARN; the newest if left out.")
]
Status = Literal["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED", "PENDING_REDRIVE"]
LogStep = Literal["PrepareRun", "PreprocessData", "AutoMLTraining", "EvaluateModel", "DeployEndpoint", "Machine"]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    for command in (runs, show, logs, stop, retry, compare):
        app.command()(connected(command))


def runs(
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most this many.")] = 20,
    status: Annotated[Status | None, typer.Option(help="Only runs of this status.")] = None,
    cost: Annotated[
        bool, typer.Option("--cost", help="Also the cost of each run, with about ten more calls to AWS for each.")
    ] = False,
) -> None:
    """List the newest runs: outcome, metric, version, duration.

    Example: automl runs --status FAILED --json
    """
    from cli import costs, executions
    from cli.watching import duration

    def work(stack: Stack) -> None:
        found = executions.newest(stack, limit, status)
        bills = costs.of_runs(found, stack) if cost else [None] * len(found)
        rows = [
            (
                run.run_id,
                run.status,
                f"{run.outcome or ''}{' (doubtful)' if run.doubt else ''}",
                f"{run.metric[0]} {run.metric[1]:.4f}" if run.metric else "",
                str(run.version or ""),
                duration(run.seconds),
                *([costs.in_words(bill)] if cost else []),
            )
            for run, bill in zip(found, bills, strict=True)
        ]
        header = ("run", "status", "outcome", "metric", "version", "duration", *(["cost"] if cost else []))
        answer(
            [
                run.document() | ({"cost": bill and bill.document()} if cost else {})
                for run, bill in zip(found, bills, strict=True)
            ],
            lambda: (
                table(header, rows) if rows else say(f"No run has started yet. To start one: {typed('start --watch')}")
            ),
        )

    with_stack(work)


def show(run: RunReference = None) -> None:
    """Show a run: its steps with their times, and its outcome.

    Example: automl show 20261123-231053-b8653242
    """
    from cli import costs, data_note, executions, results
    from cli.stack import client
    from cli.watching import duration

    def work(stack: Stack) -> None:
        found = executions.details(stack, run)
        spent = costs.so_far(found, stack)

        def display() -> None:
            say(
                f"Run {found.run.run_id} {found.run.status}, {duration(found.run.seconds)}"
                + (f", {spent} ({typed(f'cost {found.run.run_id}')})" if spent else ""),
                f"Started {found.run.started:%Y-%m-%d %H:%M:%S %Z} as {found.run.execution_arn}",
                *(f"Input {key}: {value}" for key, value in found.given.items()),
            )
            for step in found.finished.steps:
                mark = "failed " if step.failed else "done   " if step.ended else "running"
                say(f"  {mark} {step.name:<28} {step.seconds(datetime.now(UTC)):6.1f} s")
            if found.run.status != "RUNNING":
                results.show(found.finished, console)
            with suppress(ClientError):  # who may see runs need not be allowed to read their data
                say(*data_note.of(found.finished, client("s3")))
            if found.run.status != "RUNNING":
                say("", *results.what_next(found.finished, found.run.run_id))

        answer(found.document(), display)

    with_stack(work)


def logs(
    run: RunReference = None,
    step: Annotated[LogStep | None, typer.Option(help="Only this step; Machine: errors of the state machine.")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Wait for more until the run ends.")] = False,
) -> None:
    """Print the log lines of a run's jobs and functions.

    With --json, one object per line, with the functions' metrics.

    Example: automl logs --step PreprocessData --follow
    """
    from cli import logs as log_lines

    def work(stack: Stack) -> None:
        count = 0
        for line in log_lines.lines(stack, run, step, follow=follow):
            count += 1
            if json_wanted():
                _json_line({"time": line.at.isoformat(), "step": line.step, "group": line.group, "message": line.text})
            elif not line.text.startswith('{"_aws"'):  # metrics, for CloudWatch
                say(f"{line.at:%H:%M:%S} {line.step:<15} {line.text}")
        if not count and not explaining():
            errors.print(
                f"No log lines{f' of {step}' if step else ''}. Only functions and jobs write some. {_where_else(step, run)}"
            )

    with_stack(work, "No longer followed; the run continues.")


def stop(run: RunReference = None) -> None:
    """Stop a run and its jobs.

    Example: automl stop 20261123-231053-b8653242
    """
    from cli import executions

    def work(stack: Stack) -> None:
        found = executions.stop(stack, run)
        answer(
            {"run_id": found.run_id, "execution_arn": found.execution_arn},
            lambda: say(f"Run {found.run_id} is stopped; its jobs are being stopped too."),
        )

    with_stack(work)


def retry(
    run: RunReference = None,
    watch: Annotated[bool, typer.Option("--watch", help="Show the steps until it ends.")] = False,
) -> None:
    """Start a new run with the input of an earlier one.

    If the AutoML job of the earlier run is done, the new run continues from it.

    Example: automl retry 20261123-231053-b8653242 --watch
    """
    from cli import executions

    with_stack(lambda stack: follow(executions.retry(stack, run), watch, stack))


def compare(
    first: Annotated[str, typer.Argument(metavar="RUN", help="Run id, execution name or ARN.")],
    second: Annotated[str, typer.Argument(metavar="RUN", help="The run to compare it with.")],
) -> None:
    """Compare two runs: settings that differ, and metrics.

    Example: automl compare 20261123-231053-b8653242 20261124-081502-1f0c22aa
    """
    from cli import executions

    def work(stack: Stack) -> None:
        found = [executions.details(stack, reference) for reference in (first, second)]
        ids = [item.run.run_id for item in found]
        settings = _beside(*(item.settings for item in found), only_different=True)
        metrics = _beside(*(item.metrics for item in found), only_different=False)

        def display() -> None:
            if settings:
                table(("setting", *ids), [(name, *map(_value, pair)) for name, pair in settings.items()])
            else:
                say("The settings are the same.")
            say("")
            if metrics:
                rows = [(name, *map(_value, pair), _change(*pair)) for name, pair in metrics.items()]
                table(("metric", *ids, "change"), rows)
            else:
                say("Neither run was evaluated.")

        answer({"runs": ids, "settings": settings, "metrics": metrics}, display)

    with_stack(work)


def follow(execution: str, watch: bool, stack: Stack, *, deployment: bool = False) -> None:
    """Name an execution and, if asked, show it to its end. Exit code 1 if it does not succeed."""
    from cli import costs, results, watching
    from cli.stack import client, explained

    name = execution.rsplit(":", 1)[1]
    again = typed(f"watch {'--deployment ' if deployment else ''}{name}")
    if not watch:
        # Scripts take the ARN alone.
        hint = [f"To watch it: {again}"] if console.is_terminal else []
        answer({"execution_arn": execution}, lambda: say(execution, *hint))
        return
    output = errors if json_wanted() else console
    output.print(execution, markup=False)
    spent = None if deployment or explaining() else costs.SoFar(stack)
    try:
        finished = watching.follow(
            client("stepfunctions"),
            execution,
            output,
            sagemaker=client("sagemaker"),
            cost=spent,
        )
    except KeyboardInterrupt:
        stop_it = "" if deployment else f"\nTo stop the run: {typed(f'stop {name}')}"
        raise stopped(f"No longer watched; it continues on its own. To watch it again: {again}{stop_it}") from None
    except watching.NO_ANSWER as error:
        raise failed(f"{explained(error)}\nIt continues on its own. To watch it again: {again}") from error
    document = {
        "execution_arn": execution,
        "status": finished.status,
        "output": finished.output,
        "failed_step": finished.failed_step,
        "error": finished.error,
        "cause": finished.cause,
    }
    words = spent(finished) if spent else ""

    def display() -> None:
        results.show(finished, console)
        say(*([f"Cost: {words}"] if words else []))
        say("", *results.what_next(finished, name, deployment=deployment))

    answer(document, display)
    if finished.status != "SUCCEEDED" and not explaining():
        raise typer.Exit(1)


def table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Columns of plain text, one line a row: ids stay whole, to be copied, however narrow the terminal is."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    for row in [header, *rows]:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        console.print(line, markup=False, style="bold" if row is header else None)


def _beside(one: dict[str, Any], other: dict[str, Any], *, only_different: bool) -> dict[str, list[Any]]:
    names = dict.fromkeys([*one, *other])
    pairs = {name: [one.get(name), other.get(name)] for name in names}
    return {name: pair for name, pair in pairs.items() if not only_different or pair[0] != pair[1]}


def _value(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else "-" if value is None else str(value)


def _change(before: float | None, after: float | None) -> str:
    """How a metric differs from the first run to the second."""
    return "" if before is None or after is None else f"{after - before:+.4f}"


def _where_else(step: str | None, run: str | None) -> str:
    """Which command shows why a step without log lines failed."""
    command = f"show {run or ''}" if step in (None, "Machine") else f"logs {run or ''} --step Machine"
    return f"Errors of the state machine: {typed(' '.join(command.split()))}"


def _json_line(document: dict[str, str]) -> None:
    import json

    typer.echo(json.dumps(document))
