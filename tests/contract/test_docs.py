"""What the documentation links to exists, and the commands it shows are understood."""

from __future__ import annotations

import re
import shlex
from typing import Any

import typer
from awscli.clidriver import create_clidriver

from cli.main import app
from tests.contract import pages
from tests.contract.pages import ROOT, Command

COMMANDS = [command for page in pages.PAGES for command in pages.commands(page)]
# What stands for a number in a command that is named in a sentence.
_NUMBERS = {"N": "1", "DAYS": "30"}
_OF_VERSION_2 = {("logs", "tail")}  # the AWS CLI on PyPI is version 1


def test_every_link_leads_to_a_file_and_a_heading() -> None:
    broken = [
        f"{pages.name(page)}: {target.name}#{anchor}"
        for page in pages.PAGES
        for target, anchor in pages.links(page)
        if not target.is_file() or (anchor and target.suffix == ".md" and anchor not in pages.anchors(target))
    ]
    assert broken == []


def test_every_page_has_its_place_in_the_site() -> None:
    site = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = set(re.findall(r": ([\w/-]+\.md)$", site, re.MULTILINE)) - {
        "index.md",
        "contributing.md",
        "changelog.md",
        "security.md",
    }
    written = {page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")}
    assert listed == {page for page in written if not page.startswith("decisions/2")}


def test_every_decision_is_in_their_list_and_has_its_parts() -> None:
    folder = ROOT / "docs" / "decisions"
    records = sorted(folder.glob("2*.md"))
    assert len(records) > 25
    listed = re.findall(r"^\| (\S+) \| \[(.+)\]\((\S+)\) \|$", pages.text(folder / "README.md"), re.MULTILINE)
    assert sorted(file for _, _, file in listed) == [record.name for record in records]
    for date, title, file in listed:
        record = pages.text(folder / file)
        assert record.startswith(f"# {title}\n\n{date} · ")
        assert file.startswith(date)
        assert re.findall(r"^## (.+)$", record, re.MULTILINE) == ["Context", "Decision", "Consequences"]


def test_pages_show_commands_of_each_kind() -> None:
    assert {command.words[0] for command in COMMANDS if command.whole} == {"automl", "make", "aws"}


def test_automl_takes_every_command() -> None:
    refused = [f"{command}: {problem}" for command in _of("automl") if (problem := _refusal(command))]
    assert refused == []


def test_makefile_has_every_target() -> None:
    targets = set(re.findall(r"^([\w./-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)) | {"help"}
    called = [(command, word) for command in _of("make") for word in command.words[1:] if "=" not in word]
    assert [str(command) for command, word in called if word not in targets] == []


def test_demo_takes_the_arguments_that_make_hands_on() -> None:
    given = [
        Command(command.page, ("automl", "demo", *shlex.split(word.partition("=")[2])), command.whole)
        for command in _of("make")
        for word in command.words
        if word.startswith("ARGS=") and "demo" in command.words
    ]
    assert given
    assert [f"{command}: {problem}" for command in given if (problem := _refusal(command))] == []


def test_aws_cli_has_every_operation_and_its_options() -> None:
    services = create_clidriver()._get_command_table()
    unknown = [f"{command}: {problem}" for command in _of("aws") if (problem := _unknown(services, command.words[1:]))]
    assert unknown == []


def _of(program: str) -> list[Command]:
    found = [command for command in COMMANDS if command.words[0] == program]
    assert len(found) > 10
    return found


def _unknown(services: Any, words: tuple[str, ...]) -> str | None:
    """What of a command the AWS CLI does not have."""
    if not words or words[0] not in services:
        return f"no service {words[:1]}"
    service = services[words[0]]
    operations = getattr(service, "subcommand_table", None) or service._get_command_table()
    named = [word for word in words[1:] if not word.startswith("-")][:1]
    if named and (words[0], named[0]) in _OF_VERSION_2:
        return None
    if named and named[0] not in operations:
        return f"no operation {named[0]}"
    known = {*(operations[named[0]].arg_table if named else ()), "region", "profile", "query", "output", "endpoint-url"}
    return next((f"no option {word}" for word in words if word.startswith("--") and word[2:] not in known), None)


def _refusal(shown: Command) -> str | None:
    """How `automl` refuses a command line. One that is only named may lack what the command requires."""
    command: Any = typer.main.get_command(app)
    words = [_NUMBERS.get(word, word) for word in shown.words[1:]]
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        if words[0] not in command.commands:
            return f"no command {words[0]}"
        command, words = command.commands[words[0]], words[1:]
    if hasattr(command, "commands") and not (shown.whole or words):
        return None  # a group, named
    try:
        command.make_context("automl", words)
    except typer.Exit:
        return None  # --version, --help
    except typer.TyperException as error:
        lacking = type(error).__name__ == "MissingParameter"
        return None if lacking and not shown.whole else error.format_message()
    return None
