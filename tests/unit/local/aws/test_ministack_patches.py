"""What the local cloud replaces in MiniStack is listed once, exists there, and is written for the pinned version."""

from __future__ import annotations

import ast
import importlib
from importlib import metadata
from pathlib import Path
from types import ModuleType

import pytest

from local.aws import ministack_patches
from local.server import paths

SOURCES = [path for path in (paths.PROJECT / "local").rglob("*.py") if path.name != "ministack_patches.py"]


def replaced(path: Path) -> set[str]:
    """The names that a file's calls of `replace` and `refuse_first` give: a text, or a loop's variable over texts."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    ways = ("ministack_patches.replace", "ministack_patches.refuse_first")
    given = [call.args[1] for call in calls if ast.unparse(call.func) in ways]
    looped = {
        name
        for loop in nodes
        if isinstance(loop, ast.For) and any(ast.unparse(loop.target) == ast.unparse(one) for one in given)
        for name in ast.literal_eval(loop.iter)
    }
    return looped | {ast.literal_eval(one) for one in given if isinstance(one, ast.Constant)}


def test_patches_are_for_the_version_that_is_installed() -> None:
    assert metadata.version("ministack") == ministack_patches.VERSION, "look at each name of PATCHES in the new version"


@pytest.mark.parametrize("name", ministack_patches.PATCHES)
def test_replaced_name_is_one_of_ministack(name: str) -> None:
    module, _, own = name.rpartition(".")
    assert hasattr(importlib.import_module(module), own)


def test_table_names_what_is_replaced_and_nothing_else() -> None:
    found = set().union(*map(replaced, SOURCES))
    assert found == {name.rpartition(".")[2] for name in ministack_patches.PATCHES}


def test_no_file_assigns_a_private_name_of_ministack() -> None:
    for path in SOURCES:
        tree = ast.parse(path.read_text())
        imported = {
            alias.asname or alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ministack")
            for alias in node.names
        }
        targets = (target for node in ast.walk(tree) if isinstance(node, ast.Assign) for target in node.targets)
        assigned = {ast.unparse(one) for one in targets if isinstance(one, ast.Attribute)}
        assert {name for name in assigned if name.partition(".")[0] in imported} == set(), path


def test_name_that_is_not_listed_is_refused() -> None:
    module = ModuleType("ministack.services.sns")
    module.other = None  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(KeyError, match="other"):
        ministack_patches.replace(module, "other", None)
