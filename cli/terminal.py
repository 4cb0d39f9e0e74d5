"""What every command that talks to a stack shares: where the stack is, how answers are printed, how errors end.

Exit codes: 0 done; 1 refused, failed, or a run that did not succeed; 2 the command line is wrong; 130 Ctrl-C.
"""

from __future__ import annotations

import functools
import inspect
import json
import os
import shlex
import shutil
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from cli.stack import Stack

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)

_PANEL = "Connection and output"
StackName = Annotated[
    str | None,
    typer.Option(
        "--stack-name",
        envvar="AUTOML_STACK",
        show_default=False,
        help="The deployed stack; that of make deploy if left out.",
        rich_help_panel=_PANEL,
    ),
]
Region = Annotated[str | None, typer.Option("--region", help="AWS Region.", rich_help_panel=_PANEL)]
Profile = Annotated[str | None, typer.Option("--profile", help="Profile of the AWS CLI.", rich_help_panel=_PANEL)]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.", rich_help_panel=_PANEL)]
Explain = Annotated[
    bool,
    typer.Option("--explain", help="Print the AWS CLI commands instead; changes nothing.", rich_help_panel=_PANEL),
]
Debug = Annotated[bool, typer.Option("--debug", help="Print the traceback of an error.", rich_help_panel=_PANEL)]


@dataclass(frozen=True)
class Connection:
    """The options that all commands share."""

    stack_name: str | None = None
    region: str | None = None
    profile: str | None = None
    as_json: bool = False
    explain: bool = False
    debug: bool = False


_OPTIONS = {
    "stack_name": StackName,
    "region": Region,
    "profile": Profile,
    "as_json": Json,
    "explain": Explain,
    "debug": Debug,
}
_connection = Connection()


def connected(
    command: Callable[..., None] | None = None, *, as_json: bool = True, explained: bool = True
) -> Callable[..., Any]:
    """Give a command that talks to a stack the shared options, without their being named in each.

    `as_json`: whether it has a JSON answer. `explained`: whether a few lines of the AWS CLI do the same.
    """
    if command is None:
        return functools.partial(connected, as_json=as_json, explained=explained)
    left_out = {name for name, wanted in (("as_json", as_json), ("explain", explained)) if not wanted}
    return _with_options(command, {name: kind for name, kind in _OPTIONS.items() if name not in left_out})


def unconnected(command: Callable[..., None]) -> Callable[..., Any]:
    """Give a command that needs no stack the option --debug; its defects, too, are reported in one line without it."""
    return _with_options(command, {"debug": Debug})


def _with_options(command: Callable[..., None], options: Mapping[str, Any]) -> Callable[..., Any]:
    own = inspect.signature(command, eval_str=True)

    @functools.wraps(command)
    def run(**given: Any) -> None:
        with _as_given(Connection(**{name: given.pop(name) for name in options})):
            try:
                if _connection.explain:
                    _explain(lambda: command(**given))
                else:
                    command(**given)
            except (typer.Exit, typer.TyperException):
                raise
            except KeyboardInterrupt:
                raise stopped("Stopped.") from None
            except Exception as error:
                raise failed(f"{type(error).__name__}: {error}\nThis is a defect; --debug shows where.") from error

    shared = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=kind,
            default=False if kind in (Json, Explain, Debug) else None,
        )
        for name, kind in options.items()
    ]
    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own.parameters.values()]
    run.__signature__ = own.replace(parameters=[*parameters, *shared])  # pyright: ignore[reportAttributeAccessIssue]
    run.__annotations__ = {p.name: p.annotation for p in [*parameters, *shared]} | {"return": None}
    del run.__wrapped__  # pyright: ignore[reportAttributeAccessIssue]
    return run


def _explain(command: Callable[[], None]) -> None:
    """Print the AWS CLI lines of a command. What it would print of its own is not."""
    from cli import explain

    printed, console.quiet = console.quiet, True
    try:
        with explain.explaining() as lines:
            command()
    finally:
        console.quiet = printed
    console.print(*lines, sep="\n", markup=False) if not _connection.as_json else typer.echo(
        json.dumps(lines, indent=1)
    )


@contextmanager
def _as_given(given: Connection) -> Iterator[None]:
    """The connection while a command runs. boto3 reads Region and profile from the environment."""
    global _connection  # noqa: PLW0603
    before, environment = _connection, {name: os.environ.get(name) for name in ("AWS_REGION", "AWS_PROFILE")}
    _connection = given
    for name, value in (("AWS_REGION", given.region), ("AWS_PROFILE", given.profile)):
        if value:
            os.environ[name] = value
    try:
        yield
    finally:
        _connection = before
        for name, value in environment.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def with_stack(work: Callable[[Stack], None], stopped_message: str = "Stopped.") -> None:
    """Do something with the deployed stack; what AWS refuses becomes one clear message. The second: said at Ctrl-C."""
    from cli import stack

    try:
        work(stack.find(stack_name()))
    except stack.RefusedError as error:
        raise failed(str(error)) from error
    except (ClientError, BotoCoreError) as error:
        raise failed(stack.explained(error)) from error
    except KeyboardInterrupt:
        raise stopped(stopped_message) from None


def stack_name() -> str:
    """The stack that is meant: the one that was named, else the one of make deploy."""
    from cli import stack

    return _connection.stack_name or stack.remembered()


def json_wanted() -> bool:
    """Whether the person asked for JSON."""
    return _connection.as_json


def explaining() -> bool:
    """Whether the person asked for the AWS CLI lines of the command."""
    return _connection.explain


def answer(document: Any, show: Callable[[], None]) -> None:
    """Print an answer: as JSON if the person asked for it, else for people, with `show`."""
    if _connection.explain:
        return
    if _connection.as_json:
        typer.echo(json.dumps(document, indent=1, default=str))
    else:
        show()


def typed(command: str, stack_name: str | None = None, region: str | None = None) -> str:
    """A command of automl as the person has to type it next, for the same stack, Region and profile, or for those given."""
    options = (
        ("--stack-name", stack_name or _connection.stack_name),
        ("--region", region or _connection.region),
        ("--profile", _connection.profile),
    )
    return " ".join([program(), command, *(f"{option} {shlex.quote(value)}" for option, value in options if value)])


def program() -> str:
    """How the person calls this program: by its name if the PATH leads to it, otherwise by its file."""
    called = Path(sys.argv[0])
    if called.name != "automl":  # run by make, or by a test
        called = Path(sys.executable).with_name("automl")
    found = shutil.which("automl")
    if not called.is_file() or (found and Path(found).samefile(called)):
        return "automl"
    called, here = called.absolute(), Path.cwd()
    return shlex.quote(str(called.relative_to(here) if called.is_relative_to(here) else called))


def say(*sentences: str) -> None:
    """Print plain lines."""
    for sentence in sentences:
        console.print(sentence, markup=False)


def counted(number: int, noun: str) -> str:
    """A number with its noun: 1 row, 2,000 rows."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def failed(message: str) -> typer.Exit:
    """Report an error; raise what this returns."""
    if _connection.debug:
        errors.print(traceback.format_exc(), markup=False)
    errors.print(Text.assemble(("Error: ", "red"), "\n       ".join(message.splitlines())))
    return typer.Exit(1)


def stopped(message: str) -> typer.Exit:
    """Say that Ctrl-C has ended the command; raise what this returns."""
    errors.print(message, markup=False)
    return typer.Exit(130)
