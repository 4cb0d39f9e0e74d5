"""The command `automl`. This module wires commands; what they do is in the modules beside it."""

from __future__ import annotations

import signal
import sys
import webbrowser
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import config_commands, cost_command, doctor_command, features_command, run_commands, stack_commands
from cli.run_commands import follow, table
from cli.terminal import (
    answer,
    connected,
    console,
    counted,
    errors,
    explaining,
    failed,
    say,
    stopped,
    unconnected,
    with_stack,
)

if TYPE_CHECKING:
    from cli.stack import Stack

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
local = typer.Typer(no_args_is_help=True)
app.add_typer(local, name="local", help="The local cloud: the same AWS APIs on this machine.")

Version = Annotated[
    str, typer.Argument(metavar="VERSION", help="Version of the model in the registry, or id of the run that made it.")
]
Faults = Annotated[Path | None, typer.Option(help="YAML file of faults to inject (format: docs/local-cloud.md).")]
Watch = Annotated[bool, typer.Option("--watch", help="Show the steps until it ends.")]
NOTHING_PREDICTED = "Stopped; nothing was predicted."


def _show_version(wanted: bool) -> None:
    if wanted:
        console.print(f"automl {metadata.version('automl-pipeline')}")
        raise typer.Exit


@app.callback()
def _automl(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Train, deploy and operate models with the AutoML pipeline, on AWS or, with AWS_ENDPOINT_URL set, on this machine.

    Example: automl demo

    Exit codes: 0 done, 1 refused or failed, 2 wrong command line, 130 Ctrl-C.
    """


@app.command()
@unconnected
def demo(
    csv: Annotated[Path | None, typer.Option(help="Your own table instead of IBM's Telco customers.")] = None,
    target: Annotated[str | None, typer.Option(help="Column of the table to predict.")] = None,
    id_column: Annotated[str | None, typer.Option(help="Column that identifies a row.")] = None,
    problem_type: Annotated[
        str | None, typer.Option(help="BinaryClassification, MulticlassClassification or Regression.")
    ] = None,
    objective: Annotated[str | None, typer.Option(help="Metric that Autopilot optimises.")] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Minimum accuracy (R² for a regression) to register and deploy the model.")
    ] = None,
    max_runtime: Annotated[int | None, typer.Option(help="Maximum runtime of one training job, in seconds.")] = None,
    faults: Faults = None,
    summary: Annotated[Path | None, typer.Option(help="Write the result as JSON into this file.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the local cloud; 0 takes a free one.")] = 0,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the local cloud serving until Ctrl-C.")] = False,
    timing: Annotated[bool, typer.Option("--timing", help="Show where the time went.")] = False,
) -> None:
    """Run the whole pipeline on this machine, with no AWS account.

    Example: automl demo --csv my.csv --target sold --id-column id
    """
    from cli import demo as demonstration
    from cli.demo_request import Options, RefusedError

    _stop_in_order_when_terminated()
    options = Options(
        csv, target, id_column, problem_type, objective, threshold, max_runtime, faults, summary, port, keep
    )
    try:
        succeeded = demonstration.run(options, console, show_timing=timing)
    except (RefusedError, demonstration.DemoError) as error:
        raise failed(str(error)) from None
    except KeyboardInterrupt:
        raise stopped("Stopped; nothing is left running.") from None
    if not succeeded:
        raise typer.Exit(1)


@local.command()
@unconnected
def up(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to serve on.")] = 4566, faults: Faults = None
) -> None:
    """Serve the local cloud until Ctrl-C, with the stack deployed and IBM's Telco customers loaded.

    Example: automl local up --port 4567
    """
    from cli import up as serving

    _stop_in_order_when_terminated()
    try:
        serving.serve(port, faults, console)
    except serving.CannotServeError as error:
        raise failed(str(error)) from None
    except KeyboardInterrupt:
        errors.print("Stopped; nothing is left running.")


@app.command()
@connected
def start(
    config: Annotated[Path | None, typer.Option(help="YAML file of settings (config/pipeline_config.yaml).")] = None,
    given: Annotated[
        str | None, typer.Option("--input", help="Settings as JSON, or @FILE; they win over --config.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the execution; generated if left out.")] = None,
    watch: Watch = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the settings against the stack; start nothing.")
    ] = False,
) -> None:
    """Start a run with the settings of the stack, or others.

    Example: automl start --input '{"accuracy_threshold": 0.8}' --watch
    """
    from cli import runs
    from cli.stack import RefusedError

    try:
        values = runs.read_input(config, given, name)
    except RefusedError as error:
        raise failed(str(error)) from None

    def work(stack: Stack) -> None:
        if not dry_run:
            follow(runs.start(values, stack, name), watch, stack)
            return
        changed, notes = runs.changes(values, stack), runs.notes(values, stack)
        changes = {key: {"deployed": old, "run": new} for key, (old, new) in changed.items()}
        answer(
            {"input": values, "changes": changes, "notes": notes},
            lambda: say(
                *(f"  {key}: {new} (deployed: {old})" for key, (old, new) in changed.items()),
                *notes,
                "The settings are valid. Nothing was started.",
            ),
        )

    with_stack(work)


@app.command("watch")
@connected
def watch_command(
    execution: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="Run id, execution name or ARN; the newest if left out.")
    ] = None,
    deployment: Annotated[bool, typer.Option("--deployment", help="A deployment instead of a run.")] = False,
) -> None:
    """Show the steps of a run until it ends.

    Ctrl-C ends the watch, not the run.

    Example: automl watch 20261123-231053-b8653242
    """
    from cli import runs

    with_stack(
        lambda stack: follow(runs.arn_of(execution, stack, deployment=deployment), True, stack, deployment=deployment)
    )


@app.command()
@connected(as_json=False)
def predict(
    input_csv: Annotated[Path, typer.Option("--input-csv", help="CSV with a header, UTF-8; of any size.")],
    output: Annotated[
        Path | None, typer.Option(help="Where the rows with their predictions go; INPUT.predictions.csv if left out.")
    ] = None,
    run_id: Annotated[
        str | None, typer.Option("--run", help="Id of the run whose model must serve; any if left out.")
    ] = None,
    endpoint_name: Annotated[str | None, typer.Option(help="Another endpoint than the stack's.")] = None,
    start_over: Annotated[
        bool,
        typer.Option("--start-over", help="Start again at the first row if the file or the model has changed."),
    ] = False,
    spreadsheet: Annotated[
        bool, typer.Option("--spreadsheet", help="Put ' before cells that a spreadsheet would take for formulas.")
    ] = False,
) -> None:
    """Predict the rows of a CSV file with the endpoint.

    After an interruption, run the same command again to continue.

    Example: automl predict --input-csv customers.csv --output predictions.csv
    """
    from cli import predict as predictions
    from cli.stack import RefusedError

    _stop_in_order_when_terminated()
    try:
        request = predictions.read_request(
            input_csv, output, run_id, endpoint_name, start_over=start_over, for_spreadsheet=spreadsheet
        )
        with_stack(
            lambda stack: (
                predictions.explain(request, stack) if explaining() else predictions.run(request, stack, console)
            ),
            NOTHING_PREDICTED,
        )
    except RefusedError as error:
        raise failed(str(error)) from None
    except predictions.StoppedError as ended:
        raise stopped(str(ended)) from None
    except KeyboardInterrupt:
        raise stopped(NOTHING_PREDICTED) from None


@app.command()
@connected
def report(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]", help="Run id, execution name or ARN; the newest that was evaluated if left out."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Download evaluation.json and report.html into this folder.")
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Open the report in a browser.")] = False,
) -> None:
    """Show a model's metrics on held-out rows, and its report.

    Example: automl report --open
    """
    from cli import report as evaluations
    from cli import results, runs

    def work(stack: Stack) -> None:
        found = evaluations.find(stack, runs.id_of(run, stack) if run else None)
        folder = output or (Path("automl-report") / found.run_id if show else None)
        files = evaluations.fetch(found, folder) if folder else []

        def display() -> None:
            say(f"Run {found.run_id}, {counted(found.document['rows'], 'held-out row')}")
            say(*found.judgement)
            if console.is_terminal:
                metrics = found.beside()
                table(("metric", "value", "interval", "baseline", "serves now")[: len(metrics[0])], metrics)
            else:
                results.show_metrics(found.metrics, console)
            say(
                f"Evaluation: {found.place}evaluation.json",
                f"Report: {found.place}report.html" if found.has_report else "Report: none in this run",
                *(f"Downloaded: {file}" for file in files),
            )

        document = {"run_id": found.run_id, "place": found.place, "files": files, "evaluation": found.document}
        answer(document, display)
        if show and files:
            webbrowser.open(files[-1].resolve().as_uri())

    with_stack(work)


@app.command()
@connected
def approve(version: Version) -> None:
    """Approve a version; the newest approved one is deployed.

    Example: automl approve 3
    """
    from cli import registry

    with_stack(lambda stack: _sentences(registry.approve(registry.version_of(version, stack), stack)))


@app.command()
@connected
def reject(
    version: Version,
    reason: Annotated[str | None, typer.Option(help="Why; it is kept with the version.")] = None,
) -> None:
    """Reject a version, so that it is never deployed.

    Example: automl reject 3 --reason "trained on the wrong month"
    """
    from cli import registry

    with_stack(lambda stack: _sentences(registry.reject(registry.version_of(version, stack), stack, reason)))


@app.command()
@connected
def deploy(
    version: Annotated[int | None, typer.Option(min=1, help="An approved version; the newest if left out.")] = None,
    watch: Watch = False,
) -> None:
    """Deploy an approved version, also an earlier one.

    Example: automl deploy --version 2 --watch
    """
    from cli import registry

    with_stack(lambda stack: follow(registry.deploy(version, stack), watch, stack, deployment=True))


@app.command()
@connected(as_json=False, explained=False)
def cleanup(
    endpoint: Annotated[
        bool, typer.Option("--endpoint", help="The endpoint, its autoscaling, configurations and models.")
    ] = False,
    registry: Annotated[bool, typer.Option("--registry", help="The model's versions and their group.")] = False,
    runs: Annotated[
        bool, typer.Option("--runs", help="Folders and models of runs that no version and no endpoint needs.")
    ] = False,
    keep: Annotated[int | None, typer.Option(min=0, help="Leave the newest N runs.")] = None,
    older_than: Annotated[int | None, typer.Option(min=0, help="Only runs older than this many days.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All of these, and everything else under the stack's prefix.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Remove without asking.")] = False,
) -> None:
    """Remove what runs and deployments left.

    It shows what it would remove, and asks.

    Example: automl cleanup --runs --keep 5
    """
    from cli import cleanup as leftovers

    wanted = leftovers.Wanted(endpoint, registry, runs, everything, keep, older_than)

    def work(stack: Stack) -> None:
        found = leftovers.plan(stack, wanted)
        for line in found.lines():
            console.print(line, markup=False)
        if found.steps and _agreed(yes):
            left = leftovers.carry_out(found, lambda text: console.print(text, markup=False))
            if left:
                raise failed("\n".join(["Could not remove these; fix the cause and run cleanup again:", *left]))

    with_stack(work)


def _agreed(yes: bool) -> bool:
    """Whether to go ahead: said beforehand, or asked in a terminal. Elsewhere nothing is done."""
    if yes:
        return True
    if not sys.stdin.isatty():
        console.print("Nothing was removed. To remove it: the same command with --yes.")
        return False
    agreed = typer.confirm("Remove all of this? It cannot be brought back.")
    if not agreed:
        console.print("Nothing was removed.")
    return agreed


def _sentences(sentences: list[str]) -> None:
    answer({"messages": sentences}, lambda: say(*sentences))


def _stop_in_order_when_terminated() -> None:
    """SIGTERM, as a supervisor sends it, ends in the same order as Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


run_commands.register(app)
stack_commands.register(app)
cost_command.register(app)
doctor_command.register(app)
app.add_typer(config_commands.app, name="config")
app.add_typer(features_command.app, name="features")

if __name__ == "__main__":
    sys.exit(app())
