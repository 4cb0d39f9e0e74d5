"""The commands `features …`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.terminal import answer, connected, counted, errors, failed, json_wanted, say, stack_name, stopped, typed

if TYPE_CHECKING:
    from cli.features import Loaded

app = typer.Typer(no_args_is_help=True, help="The feature group that runs train on: load a table.")
_NAMED = 20


@app.callback()
def _features() -> None:
    pass


@app.command()
@connected(explained=False)
def load(
    csv: Annotated[Path, typer.Option(help="The table: CSV with a header, UTF-8.")],
    target: Annotated[str, typer.Option(help="Column to predict.")],
    id_column: Annotated[str, typer.Option(help="Column that identifies a row.")],
    feature_group: Annotated[str, typer.Option(help="Name of the feature group; it is created if it does not exist.")],
    event_time_column: Annotated[
        str | None, typer.Option(help="Column with the time since when a row is valid (ISO 8601); now if left out.")
    ] = None,
    s3_uri: Annotated[
        str | None, typer.Option(help="Where to create a new offline store; a bucket that the stack reads if left out.")
    ] = None,
    role_arn: Annotated[str | None, typer.Option(help="Role with which SageMaker writes a new offline store.")] = None,
) -> None:
    """Load a CSV file into a feature group with an offline store (Parquet), and wait until Athena counts its rows.

    Types are inferred. After an interruption, run it again: of one id, the newest record counts.

    Example: automl features load --csv my.csv --target sold --id-column id --feature-group sales --role-arn ARN
    """
    from botocore.exceptions import BotoCoreError, ClientError

    from cli import features
    from cli import stack as stacks
    from cli.athena_query import QueryError
    from cli.local_cloud import LOCAL_ROLE

    if not role_arn and os.environ.get("AWS_ENDPOINT_URL"):
        role_arn = LOCAL_ROLE
    request = features.Request(csv, target, id_column, feature_group, event_time_column, s3_uri, role_arn)
    try:
        table, records = features.read(request)
        try:
            stack = stacks.find(stack_name())
        except stacks.RefusedError:
            stack = None  # a feature group may be there before the stack
        with _Progress() as progress:
            found = features.load(request, table, records, stack, progress.show)
    except (stacks.RefusedError, QueryError) as error:
        raise failed(str(error)) from error
    except (ClientError, BotoCoreError) as error:
        raise failed(stacks.explained(error)) from error
    except KeyboardInterrupt:
        raise stopped("Stopped. Run the same command again to continue: of one id, the newest record counts.") from None
    own = stack is not None and found.place.split("/")[2] == features.readable(stack)
    answer(_document(found), lambda: _show(found, own))
    if not found.complete:
        raise typer.Exit(1)


def _document(found: Loaded) -> dict[str, object]:
    return {
        "feature_group": found.group,
        "created": found.created,
        "rows": found.rows,
        "counted": found.counted,
        "refused": [{"row": row, "reason": reason} for row, reason in found.refused],
        "offline_store": found.place,
        "settings": found.settings,
        "warnings": found.warnings,
    }


def _show(found: Loaded, readable: bool) -> None:
    say(*(f"Note: {warning}" for warning in found.warnings))
    verb = "created" if found.created else "was there already"
    say(
        f"Feature group {found.group} {verb}: {counted(found.rows, 'row')} loaded, {found.counted:,} counted by Athena."
    )
    for row, reason in found.refused[:_NAMED]:
        say(f"  refused: data row {row}: {reason}")
    if len(found.refused) > _NAMED:
        say(f"  and {counted(len(found.refused) - _NAMED, 'more row')}; --json lists all")
    if not found.complete:
        say("Fix the rows that were refused, and call the command again.")
        return
    parameters = f"FeatureGroupName={found.group} TargetAttributeName={found.settings['target_attribute_name']}"
    if "problem_type" in found.settings:
        parameters += f" ProblemType={found.settings['problem_type']} ObjectiveMetricName={found.settings['objective_metric_name']}"
    if not readable:
        parameters += f" FeatureStoreBucket={found.place.split('/')[2]}"
    say(
        "To deploy a stack for it, in parameter_overrides in samconfig.toml:",
        f"  {parameters}",
        "To train on it:",
        f"  {typed('start')} --watch --input '{json.dumps(found.settings)}'",
    )


class _Progress:
    """A line that says how far it is: redrawn in a terminal, else one line for each thing that is done."""

    def __enter__(self) -> _Progress:
        self._last = ""
        self._status = errors.status("Reading", spinner="dots") if errors.is_terminal and not json_wanted() else None
        if self._status:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status:
            self._status.stop()

    def show(self, doing: str, done: int, total: int) -> None:
        if self._status:
            self._status.update(f"{doing}: {done:,} of {total:,}" if total else doing)
        elif doing != self._last:
            self._last = doing
            errors.print(f"{doing} …", markup=False)
