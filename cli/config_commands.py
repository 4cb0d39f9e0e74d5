"""Commands about settings: check, show, schema, import."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.terminal import answer, connected, failed, say, typed, unconnected, with_stack

if TYPE_CHECKING:
    from cli.stack import Stack

app = typer.Typer(no_args_is_help=True, help="Settings: check a file, show what is deployed, import.")

ConfigFile = Annotated[Path, typer.Argument(metavar="FILE", help="YAML file of settings.")]


@app.command()
@connected(explained=False)
def check(file: ConfigFile) -> None:
    """Report every problem of a settings file. Needs no AWS.

    Example: automl config check config/pipeline_config.yaml
    """
    from cli import runs
    from cli.stack import RefusedError

    try:
        values = runs.read_input(file, None, None)
    except RefusedError as error:
        raise failed(str(error)) from error
    answer({"valid": True, "settings": values}, lambda: say(f"{file}: all {len(values)} settings are valid."))


@app.command()
@connected
def show() -> None:
    """Show the settings that a run starts from: the deployed ones.

    Example: automl config show --json
    """

    def work(stack: Stack) -> None:
        values = stack.defaults()
        answer(values, lambda: say(*(f"{key}: {json.dumps(value)}" for key, value in values.items())))

    with_stack(work)


@app.command()
@unconnected
def schema() -> None:
    """Print the JSON Schema of a settings file, for editors.

    Example: automl config schema > pipeline_config.schema.json
    """
    from cli import config_import

    typer.echo(json.dumps(config_import.schema(), indent=1))


@app.command("import")
@connected(explained=False)
def import_command(
    file: ConfigFile,
    output: Annotated[Path | None, typer.Option(help="Write the settings for runs as JSON into this file.")] = None,
) -> None:
    """Turn a pipeline_config.yaml into parameters for make deploy and settings for runs. Needs no AWS.

    Example: automl config import configs/pipeline_config.yaml --output run.json
    """
    from cli import config_import, runs
    from cli.stack import RefusedError

    try:
        found = config_import.split(runs.read_input(file, None, None))
    except RefusedError as error:
        raise failed(str(error)) from error
    if output:
        try:
            output.write_text(json.dumps(found.settings, indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise failed(f"Cannot write {output}: {error.strerror}.") from error

    given = f"@{output}" if output else json.dumps(found.settings)

    def display() -> None:
        say(
            "To deploy a stack with these values, in samconfig.toml under [default.deploy.parameters]:",
            f"  region = {json.dumps(found.region)}" if found.region else "  region: make deploy asks for it",
            f"  parameter_overrides = {json.dumps(found.overrides)}",
            "and then: make deploy",
            "To start a run with the settings of this file that a run can change:",
            f"  {typed(f'start --input {shlex.quote(given)}')}",
        )

    answer({"region": found.region, "parameters": found.parameters, "settings": found.settings}, display)
