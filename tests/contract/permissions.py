"""What the template's roles are granted, and what of it recorded executions were really allowed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from local.build import packaging
from local.server import paths

FILE = Path(__file__).parent / "recorded" / "permissions.json"


class Permission(NamedTuple):
    """An action that a statement of a role (by its logical id in the template) allows."""

    role: str
    sid: str
    action: str

    def __str__(self) -> str:
        return f"{self.role}.{self.sid}: {self.action}"


def granted() -> set[Permission]:
    """Every action of every role in the template."""
    resources: dict[str, Any] = packaging.read_template(paths.PROJECT / "template.yaml")["Resources"]
    return {
        Permission(name, statement.get("Sid", ""), action)
        for name, resource in resources.items()
        if resource["Type"] == "AWS::IAM::Role"
        for policy in resource["Properties"]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }


def used() -> set[Permission]:
    """What recorded executions were allowed."""
    return {Permission(*one) for one in json.loads(FILE.read_text(encoding="utf-8"))}


def write(allowed: Iterable[list[str]], stack: str) -> None:
    """Keep what roles of the stack were allowed. Each: physical role name, statement's Sid, action."""
    found = {
        Permission(match[1], sid, action)
        for name, sid, action in allowed
        if (match := re.fullmatch(rf"{re.escape(stack)}-(\w+)-\w+", name))
    }
    text = ",\n".join(json.dumps(list(one)) for one in sorted(found))
    FILE.write_text(f"[\n{text}\n]\n", encoding="utf-8")
