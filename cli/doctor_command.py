"""The command `doctor`."""

from __future__ import annotations

import os
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.terminal import (
    answer,
    connected,
    console,
    counted,
    errors,
    failed,
    json_wanted,
    say,
    stack_name,
    typed,
    with_stack,
)

if TYPE_CHECKING:
    from cli.doctor.finding import Finding
    from cli.stack import Stack

_STYLES = {"ok": "green", "warning": "yellow", "problem": "red", "could not check": "dim"}


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(connected(doctor, explained=False))


def doctor(
    run: Annotated[
        bool, typer.Option("--run", help="Then start the smallest real run, which costs money, and report the result.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option(help="With --run: write the report into this file. It can be attached to an issue.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="With --run: start without asking.")] = False,
) -> None:
    """Check what the stack and its runs need; changes nothing.

    It works before make deploy and after. Only --run starts something.

    Looks at credentials, Region, quotas, feature group, buckets, keys, roles, network and notifications.
    Exit codes: 0 no problem was found (warnings may have been), 1 at least one problem, or the run failed.

    Example: automl doctor --stack-name automl-pipeline-dev
    """
    import boto3

    name = stack_name()
    region = os.environ.get("AWS_REGION") or boto3.Session().region_name
    if not region:
        raise failed("No Region. Give --region, set AWS_REGION, or run aws configure.")
    found = _examine(name, region)
    if run:
        _show(name, region, found)
        ctrl_c = f"No longer watched; the run continues. To watch it again: {typed('watch')}"
        with_stack(lambda stack: _run(stack, region, found, output, yes), ctrl_c)
        return
    answer(
        {"stack": name, "region": region, "findings": [one.document() for one in found]},
        lambda: _show(name, region, found),
    )
    if _of(found, "problem"):
        raise typer.Exit(1)


def _run(stack: Stack, region: str, found: list[Finding], output: Path | None, yes: bool) -> None:
    """Start a smallest run, follow it and report it. Nothing is started while there are problems."""
    from cli.doctor import checklist, trial

    if _of(found, "problem"):
        raise failed("No run is started while there are problems.")
    if not yes and not (sys.stdin.isatty() and typer.confirm("Start a run? Its instances cost money (automl cost)")):
        raise failed("Nothing was started. To start the run without being asked: --yes.")
    evidence = trial.run(stack, errors, lambda arn: errors.print(arn, markup=False))
    text = trial.markdown(stack, region, found, evidence)
    if output:
        output.write_text(text, encoding="utf-8")
    items = checklist.items(evidence)
    seen = sum(item.answer == "seen" for item in items)
    summary = f"{seen} of {len(items)} lines of the checklist are shown by the run{f': {output}' if output else '.'}"
    document = {"stack": stack.name, "region": region, "findings": [one.document() for one in found], "report": text}
    answer(document, lambda: say(summary) if output else say(text, summary))
    if evidence.finished.status != "SUCCEEDED":
        raise typer.Exit(1)


def before_deployment(name: str, region: str) -> bool:
    """Show what is not ok before `make deploy` starts. Whether to go on: a person is asked if there are problems."""
    os.environ.setdefault("AWS_REGION", region)
    found = _examine(name, region)
    _show(name, region, [one for one in found if one.status != "ok"])
    if not _of(found, "problem") or not sys.stdin.isatty():
        return True
    return typer.confirm("Deploy all the same?")


def _examine(name: str, region: str) -> list[Finding]:
    from cli.doctor import examination

    return examination.examine(name, region, _overrides(name))


def _show(name: str, region: str, found: list[Finding]) -> None:
    if json_wanted():
        return
    for one in found:
        console.print(f"[{_STYLES[one.status]}]{one.status:<15}[/] ", end="")
        console.print(f"{one.check}: {one.message}", markup=False)
        if one.remedy:
            console.print(f"{'':<16}→ {one.remedy}", markup=False)
    problems, warnings = len(_of(found, "problem")), len(_of(found, "warning"))
    say(f"Stack {name} in {region}: {counted(problems, 'problem')}, {counted(warnings, 'warning')}.")


def _of(found: list[Finding], status: str) -> list[Finding]:
    return [one for one in found if one.status == status]


def _overrides(name: str) -> str:
    """What samconfig.toml would deploy the stack of this name with; empty if it does not know it."""
    from cli import stack

    if not stack.SAMCONFIG.is_file():
        return ""
    for section in tomllib.loads(stack.SAMCONFIG.read_text(encoding="utf-8")).values():
        known = section.get("deploy", {}).get("parameters", {}) if isinstance(section, dict) else {}
        if known.get("stack_name") == name:
            overrides = known.get("parameter_overrides", "")
            return " ".join(overrides) if isinstance(overrides, list) else overrides
    return ""
