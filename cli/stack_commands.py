"""Commands about the deployed stack: status, versions, schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.run_commands import table
from cli.terminal import answer, connected, console, say, typed, with_stack

if TYPE_CHECKING:
    from cli.stack import Stack

_schedule = typer.Typer(no_args_is_help=True)
_UNTIL_DEPLOYED = "The next make deploy sets it back to the template parameters ({})."


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    for command in (status, versions):
        app.command()(connected(command))
    app.add_typer(_schedule, name="schedule", help="When runs start by themselves.")


def status() -> None:
    """Show endpoint, serving version, last run, schedule, drift, alarms.

    Example: automl status --json
    """
    from cli import stack_status
    from cli.watching import duration

    def work(stack: Stack) -> None:
        found = stack_status.read(stack)

        def display() -> None:
            run, endpoint = found["last_run"], found["endpoint"]
            serves = f"serves version {endpoint['version']}" if endpoint["version"] else "serves no registered version"
            say(
                f"Stack:    {found['stack']} ({found['region']})",
                f"Endpoint: {endpoint['name']} "
                + (f"{endpoint['status']}, {serves}" if endpoint["status"] else "not deployed yet")
                + (f", {endpoint['month_in_words']} a month" if endpoint["month_in_words"] else ""),
                f"Last run: {run['run_id']} {run['status']}"
                f"{', ' + run['outcome'] if run['outcome'] else ''}, {duration(run['seconds'])}"
                if run
                else "Last run: none",
                found["schedule"]["in_words"],
                f"Drift:    {found['drift']['in_words']}",
            )
            raised = [alarm for alarm in found["alarms"] if alarm["state"] == "ALARM"]
            say(f"Alarms:   {len(raised)} of {len(found['alarms'])} raised")
            for alarm in raised:
                console.print(f"  {alarm['name']}: {alarm['description']}", markup=False)

        answer(found, display)

    with_stack(work)


def versions() -> None:
    """List the newest versions, and which one serves.

    Example: automl versions
    """
    from cli import registry

    def work(stack: Stack) -> None:
        found = registry.listed(stack)
        rows = [
            (
                str(row["version"]),
                row["approval"],
                f"{row['created']:%Y-%m-%d %H:%M}",
                row["run_id"] or "",
                "serves" if row["serves"] else "",
            )
            for row in found
        ]
        answer(
            found,
            lambda: (
                table(("version", "approval", "created (UTC)", "run", "endpoint"), rows)
                if rows
                else say(
                    f"No version is registered yet. A run that passes its gate registers one: {typed('start --watch')}"
                )
            ),
        )

    with_stack(work)


def _answer_schedule(stack: Stack, parameters: str = "", **changes: str) -> None:
    from cli import schedule

    found = schedule.change(stack, **changes) if changes else schedule.read(stack)
    sentences = [schedule.in_words(found), *([_UNTIL_DEPLOYED.format(parameters)] if changes else [])]
    answer(schedule.document(found), lambda: say(*sentences))


@_schedule.command("show")
@connected
def schedule_show() -> None:
    """Show the schedule.

    Example: automl schedule show
    """
    with_stack(_answer_schedule)


@_schedule.command("on")
@connected
def schedule_on() -> None:
    """Let runs start by themselves.

    Example: automl schedule on
    """
    with_stack(lambda stack: _answer_schedule(stack, "ScheduleState", State="ENABLED"))


@_schedule.command("off")
@connected
def schedule_off() -> None:
    """Start no runs by themselves.

    Example: automl schedule off
    """
    with_stack(lambda stack: _answer_schedule(stack, "ScheduleState", State="DISABLED"))


@_schedule.command("set")
@connected
def schedule_set(
    expression: Annotated[str, typer.Argument(help="cron(…), rate(…) or at(…) of EventBridge Scheduler.")],
    timezone: Annotated[str | None, typer.Option(help="Such as Europe/Berlin; unchanged if left out.")] = None,
) -> None:
    """Change when runs start.

    Example: automl schedule set 'cron(0 6 ? * MON *)' --timezone Europe/Berlin
    """
    changes = {"ScheduleExpression": expression} | ({"ScheduleExpressionTimezone": timezone} if timezone else {})
    with_stack(lambda stack: _answer_schedule(stack, "ScheduleExpression, ScheduleTimezone", **changes))
