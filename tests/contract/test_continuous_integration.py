"""The workflow in docs/continuous-integration.md is one: it parses, calls what exists, and stores no key."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/continuous-integration.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return found


WORKFLOW: dict[Any, Any] = yaml.safe_load(block("yaml"))
JOBS: dict[str, Any] = WORKFLOW["jobs"]


def test_every_command_is_a_target_of_the_makefile() -> None:
    commands = [step["run"] for job in JOBS.values() for step in job["steps"] if "run" in step]
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    called = [re.fullmatch(r'make (\w+)( ARGS="[^"]*")?', command) for command in commands]
    assert all(called), commands
    assert {found[1] for found in called if found} == {"lint", "test", "build", "deploy"} & targets


def test_only_the_deployment_of_the_main_branch_gets_credentials_and_they_are_short_lived() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    deploy = JOBS["deploy"]
    assert deploy["needs"] == "test"
    assert deploy["if"] == "github.ref == 'refs/heads/main'"
    assert deploy["permissions"]["id-token"] == "write"
    assert "secrets." not in block("yaml")
    (credentials,) = [step for step in deploy["steps"] if "configure-aws-credentials" in step.get("uses", "")]
    assert set(credentials["with"]) == {"role-to-assume", "aws-region"}
    assert "id-token" not in JOBS["test"].get("permissions", {})


def test_role_trusts_one_repository_and_environment() -> None:
    trust = json.loads(block("json"))
    keys = trust["Condition"]["StringEquals"]
    assert keys["token.actions.githubusercontent.com:aud"] == "sts.amazonaws.com"
    assert keys["token.actions.githubusercontent.com:sub"].endswith(f":environment:{JOBS['deploy']['environment']}")
    assert trust["Action"] == "sts:AssumeRoleWithWebIdentity"
