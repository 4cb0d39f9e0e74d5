"""The command `automl`. This module wires commands; what they do is in the modules beside it."""

from __future__ import annotations

import signal
import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from cli.stack import Stack

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
local = typer.Typer(no_args_is_help=True)
app.add_typer(local, name="local", help="The laptop cloud: the same AWS APIs on this machine.")
console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)

StackName = Annotated[str, typer.Option("--stack-name", help="The deployed stack.")]
Version = Annotated[int, typer.Argument(min=1, help="Version of the model in the registry.")]
Faults = Annotated[Path | None, typer.Option(help="YAML file of faults to inject (format: docs/laptop.md).")]
Watch = Annotated[bool, typer.Option("--watch", help="Show the steps until it has ended.")]
STACK = "automl-pipeline"
NOTHING_PREDICTED = "Stopped; nothing was predicted."


@app.command()
def demo(
    csv: Annotated[Path | None, typer.Option(help="Your own table instead of IBM's Telco customers.")] = None,
    target: Annotated[str | None, typer.Option(help="Column of the table to predict.")] = None,
    id_column: Annotated[str | None, typer.Option(help="Column that identifies a row.")] = None,
    problem_type: Annotated[
        str | None, typer.Option(help="BinaryClassification, MulticlassClassification or Regression.")
    ] = None,
    objective: Annotated[str | None, typer.Option(help="Metric that Autopilot optimises.")] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Least accuracy (Regression: least R2) to register and deploy the model.")
    ] = None,
    max_runtime: Annotated[int | None, typer.Option(help="Longest time of one training job, in seconds.")] = None,
    faults: Faults = None,
    summary: Annotated[Path | None, typer.Option(help="Write what came out as JSON.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the laptop cloud; 0 takes a free one.")] = 0,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the laptop cloud serving until Ctrl-C.")] = False,
) -> None:
    """Run the whole pipeline on this machine, with no AWS account."""
    from cli import demo as demonstration
    from cli.demo_request import Options, Refused

    _stop_in_order_when_terminated()
    options = Options(
        csv, target, id_column, problem_type, objective, threshold, max_runtime, faults, summary, port, keep
    )
    try:
        succeeded = demonstration.run(options, console)
    except (Refused, demonstration.DemoFailed) as error:
        raise _failed(str(error)) from None
    except KeyboardInterrupt:
        raise _stopped("Stopped; nothing is left running.") from None
    if not succeeded:
        raise typer.Exit(1)


@local.command()
def up(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to serve on.")] = 4566, faults: Faults = None
) -> None:
    """Serve the laptop cloud until Ctrl-C, with the stack deployed and IBM's Telco customers loaded."""
    from cli import up as serving

    _stop_in_order_when_terminated()
    try:
        serving.serve(port, faults, console)
    except serving.CannotServe as error:
        raise _failed(str(error)) from None
    except KeyboardInterrupt:
        errors.print("Stopped; nothing is left running.")


@local.callback()
def _local() -> None:
    """The laptop cloud: the same AWS APIs on this machine."""


@app.command()
def start(
    config: Annotated[Path | None, typer.Option(help="YAML file of settings (config/pipeline_config.yaml).")] = None,
    given: Annotated[
        str | None, typer.Option("--input", help="Settings as JSON, or @FILE; they win over --config.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the execution; one is made up if left out.")] = None,
    watch: Watch = False,
    stack_name: StackName = STACK,
) -> None:
    """Start a run, on AWS or, with AWS_ENDPOINT_URL set, on the laptop cloud."""
    from cli import runs
    from cli.stack import Refused

    try:
        values = runs.read_input(config, given, name)
    except Refused as error:
        raise _failed(str(error)) from None
    _with_stack(stack_name, lambda stack: _started(runs.start(values, stack, name), watch))


@app.command("watch")
def watch_command(
    execution: Annotated[
        str | None, typer.Argument(help="ARN or name of an execution; the newest if left out.")
    ] = None,
    deployment: Annotated[bool, typer.Option("--deployment", help="A deployment instead of a run.")] = False,
    stack_name: StackName = STACK,
) -> None:
    """Show the steps of a run until it has ended."""
    from cli import runs

    def work(stack: Stack) -> None:
        found = runs.arn_of(execution, stack, deployment=deployment) if execution else None
        _started(found or runs.newest(stack, deployment=deployment), True)

    _with_stack(stack_name, work)


@app.command()
def predict(
    input_csv: Annotated[Path, typer.Option("--input-csv", help="CSV with a header, UTF-8; of any size.")],
    output: Annotated[
        Path | None, typer.Option(help="Where the rows with their predictions go; INPUT.predictions.csv if left out.")
    ] = None,
    run_id: Annotated[
        str | None, typer.Option("--run", help="Id of the run whose model is meant; what serves if left out.")
    ] = None,
    endpoint_name: Annotated[str | None, typer.Option(help="Another endpoint than the stack's.")] = None,
    start_over: Annotated[
        bool,
        typer.Option(
            "--start-over", help="Begin again at the first row where input or model have changed, also on the way."
        ),
    ] = False,
    stack_name: StackName = STACK,
) -> None:
    """Predict the rows of a CSV file with the endpoint. After a break the same command goes on."""
    from cli import predict as predictions
    from cli.stack import Refused

    _stop_in_order_when_terminated()
    try:
        request = predictions.read_request(input_csv, output, run_id, endpoint_name, start_over=start_over)
        _with_stack(stack_name, lambda stack: predictions.run(request, stack, console), NOTHING_PREDICTED)
    except Refused as error:
        raise _failed(str(error)) from None
    except predictions.Stopped as stopped:
        raise _stopped(str(stopped)) from None
    except KeyboardInterrupt:
        raise _stopped(NOTHING_PREDICTED) from None


@app.command()
def report(
    run_id: Annotated[
        str | None, typer.Argument(help="Id of a run; the newest that was evaluated if left out.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Download evaluation.json and report.html into this folder.")
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Open the report in a browser.")] = False,
    stack_name: StackName = STACK,
) -> None:
    """Show how a run's model did on rows it never saw, and where its report is."""
    from cli import report as evaluations
    from cli import results

    def work(stack: Stack) -> None:
        found = evaluations.find(stack, run_id)
        console.print(f"Run {found.run_id}, {found.document['rows']:,} held-out rows", markup=False)
        results.show_metrics(found.metrics, console)
        console.print(found.gate, markup=False)
        console.print(f"Evaluation: {found.place}evaluation.json", markup=False)
        console.print(
            f"Report: {found.place}report.html" if found.has_report else "Report: none in this run", markup=False
        )
        folder = output or (Path("automl-report") / found.run_id if show else None)
        files = evaluations.fetch(found, folder) if folder else []
        for file in files:
            console.print(f"Downloaded: {file}", markup=False)
        if show and files:
            webbrowser.open(files[-1].resolve().as_uri())

    _with_stack(stack_name, work)


@app.command()
def approve(version: Version, stack_name: StackName = STACK) -> None:
    """Approve a version of the model, which deploys it if it is the newest approved one."""
    from cli import registry

    _with_stack(stack_name, lambda stack: _say(registry.approve(version, stack)))


@app.command()
def reject(
    version: Version,
    reason: Annotated[str | None, typer.Option(help="Why; it is kept with the version.")] = None,
    stack_name: StackName = STACK,
) -> None:
    """Reject a version of the model, so that it is never deployed."""
    from cli import registry

    _with_stack(stack_name, lambda stack: _say(registry.reject(version, stack, reason)))


@app.command()
def deploy(
    version: Annotated[int | None, typer.Option(min=1, help="An approved version; the newest if left out.")] = None,
    watch: Watch = False,
    stack_name: StackName = STACK,
) -> None:
    """Put an approved version on the endpoint, also an earlier one."""
    from cli import registry

    _with_stack(stack_name, lambda stack: _started(registry.deploy(version, stack), watch))


@app.command()
def cleanup(
    endpoint: Annotated[
        bool, typer.Option("--endpoint", help="The endpoint, its autoscaling, configurations and models.")
    ] = False,
    registry: Annotated[bool, typer.Option("--registry", help="The model's versions and their group.")] = False,
    runs: Annotated[
        bool, typer.Option("--runs", help="Folders and models of runs that no version and no endpoint needs.")
    ] = False,
    keep: Annotated[int | None, typer.Option(min=0, help="Leave the newest N runs.")] = None,
    older_than: Annotated[int | None, typer.Option(min=0, help="Only runs that are older than so many days.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All of these, and everything else under the stack's prefix.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Remove without asking.")] = False,
    stack_name: StackName = STACK,
) -> None:
    """Remove what runs and deployments left. Shows what first, and asks."""
    from cli import cleanup as leftovers

    wanted = leftovers.Wanted(endpoint, registry, runs, everything, keep, older_than)

    def work(stack: Stack) -> None:
        found = leftovers.plan(stack, wanted)
        for line in found.lines():
            console.print(line, markup=False)
        if found.steps and _agreed(yes):
            left = leftovers.carry_out(found, lambda text: console.print(text, markup=False))
            if left:
                raise _failed("\n".join(["Left, call cleanup again when it is mended:", *left]))

    _with_stack(stack_name, work)


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


def _started(execution: str, watch: bool) -> None:
    """Name an execution and, if asked, show it to its end. Exit code 1 if it does not succeed."""
    console.print(execution, markup=False)
    if not watch:
        return
    from cli import results, watching
    from cli.stack import client

    finished = watching.follow(client("stepfunctions"), execution, console, sagemaker=client("sagemaker"))
    results.show(finished, console)
    if finished.status != "SUCCEEDED":
        raise typer.Exit(1)


def _with_stack(
    name: str, work: Callable[[Stack], None], stopped: str = "No longer watched; what was started goes on."
) -> None:
    """Do something with the deployed stack; what AWS refuses becomes one clear message. `stopped`: said at Ctrl-C."""
    from cli import stack

    try:
        work(stack.find(name))
    except stack.Refused as error:
        raise _failed(str(error)) from None
    except (ClientError, BotoCoreError) as error:
        raise _failed(stack.explained(error)) from None
    except KeyboardInterrupt:
        raise _stopped(stopped) from None


def _say(sentences: list[str]) -> None:
    for sentence in sentences:
        console.print(sentence, markup=False)


def _failed(message: str) -> typer.Exit:
    lines = message.splitlines()
    errors.print(Text.assemble(("Error: ", "red"), "\n       ".join(lines)))
    return typer.Exit(1)


def _stopped(message: str) -> typer.Exit:
    errors.print(message)
    return typer.Exit(130)


def _stop_in_order_when_terminated() -> None:
    """SIGTERM, as a supervisor sends it, ends in the same order as Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


if __name__ == "__main__":
    sys.exit(app())
