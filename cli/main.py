"""The command `automl`. This module wires commands; what they do is in the modules beside it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
local = typer.Typer(no_args_is_help=True)
app.add_typer(local, name="local", help="The laptop cloud: the same AWS APIs on this machine.")
console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)
STACK = "automl-pipeline"

StackName = Annotated[str, typer.Option("--stack-name", help="The deployed stack.")]


def _fail(message: str) -> typer.Exit:
    errors.print(
        f"[red]Error:[/] {message}" if "[" not in message else f"Error: {message}",
        markup="[" not in message,
        soft_wrap=True,
    )
    return typer.Exit(1)


@app.command()
def demo(
    csv: Annotated[Path | None, typer.Option(help="Your own table instead of IBM's Telco customers.")] = None,
    target: Annotated[str | None, typer.Option(help="Column of the table to predict.")] = None,
    id_column: Annotated[str | None, typer.Option(help="Column that identifies a row.")] = None,
    problem_type: Annotated[
        str | None, typer.Option(help="BinaryClassification, MulticlassClassification or Regression.")
    ] = None,
    objective: Annotated[str | None, typer.Option(help="Metric that Autopilot optimises.")] = None,
    threshold: Annotated[float | None, typer.Option(help="Least accuracy to register and deploy the model.")] = None,
    max_runtime: Annotated[int | None, typer.Option(help="Longest time of one training job, in seconds.")] = None,
    faults: Annotated[Path | None, typer.Option(help="YAML file of faults to inject (format: docs/laptop.md).")] = None,
    summary: Annotated[Path | None, typer.Option(help="Write what came out as JSON.")] = None,
    port: Annotated[int, typer.Option(help="Port of the laptop cloud; 0 takes a free one.")] = 0,
) -> None:
    """Run the whole pipeline on this machine, with no AWS account."""
    from cli import demo as demonstration

    options = demonstration.Options(
        csv, target, id_column, problem_type, objective, threshold, max_runtime, faults, summary, port
    )
    try:
        succeeded = demonstration.run(options, console)
    except demonstration.DemoFailed as error:
        raise _fail(str(error)) from None
    except KeyboardInterrupt:
        errors.print("Stopped; nothing is left running.")
        raise typer.Exit(130) from None
    if not succeeded:
        raise typer.Exit(1)


@local.command()
def up(
    port: Annotated[int, typer.Option(help="Port to serve on.")] = 4566,
    faults: Annotated[Path | None, typer.Option(help="YAML file of faults to inject (format: docs/laptop.md).")] = None,
) -> None:
    """Serve the laptop cloud until Ctrl-C, with the stack deployed and IBM's Telco customers loaded."""
    from cli import laptop
    from local import deploy, packaging, paths, process

    try:
        with process.running(
            port=port, state=paths.PROJECT / ".local" / f"up-{port}", faults=faults, wait_scale=laptop.WAIT_SCALE
        ) as server:
            with console.status("deploying") as spinner:
                cloud = laptop.deploy_stack(server, spinner.update)
                spinner.update("loading customers")
                laptop.load_telco(cloud)
            for name, value in server.environment().items():
                console.print(f"export {name}={value}", soft_wrap=True)
            console.print(
                f"\naws stepfunctions start-execution --state-machine-arn {cloud.outputs['TrainingStateMachineArn']} --input '{{}}'",
                soft_wrap=True,
            )
            console.print("\nServing. Ctrl-C stops it.")
            server.wait()
            raise _fail(f"The laptop cloud has ended by itself. Its log: {server.log}")
    except (process.ServerError, deploy.DeployFailed, packaging.BuildFailed) as error:
        raise _fail(str(error)) from None
    except KeyboardInterrupt:
        errors.print("Stopped; nothing is left running.")


@app.command()
def start(
    config: Annotated[Path | None, typer.Option(help="YAML file of settings (config/pipeline_config.yaml).")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Show the steps until the run has ended.")] = False,
    stack_name: StackName = STACK,
) -> None:
    """Start a run, on AWS or, with AWS_ENDPOINT_URL set, on the laptop cloud."""
    from cli import runs

    _on_aws(lambda: _watched(runs.start(config, stack_name), watch))


@app.command("watch")
def watch_command(
    execution: Annotated[str | None, typer.Argument(help="ARN of an execution; the newest if left out.")] = None,
    stack_name: StackName = STACK,
) -> None:
    """Show the steps of a run until it has ended."""
    from cli import runs

    _on_aws(lambda: _watched(execution or runs.newest(stack_name), True))


def _watched(execution: str, watch: bool) -> None:
    from cli import runs

    console.print(execution, soft_wrap=True)
    if watch:
        finished = runs.watch(execution, console)
        console.print(
            json.dumps(finished.output, indent=1)
            if finished.output
            else f"{finished.status}: {finished.error}\n{finished.cause}",
            markup=False,
        )
        if finished.status != "SUCCEEDED":
            raise typer.Exit(1)


def _on_aws(work: Any) -> None:
    from cli import runs

    try:
        work()
    except (runs.Refused, ClientError, BotoCoreError) as error:
        raise _fail(str(error)) from None
    except KeyboardInterrupt:
        errors.print("No longer watched; the run goes on.")
        raise typer.Exit(130) from None


if __name__ == "__main__":
    sys.exit(app())
