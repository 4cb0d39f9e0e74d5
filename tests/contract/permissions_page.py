"""Writes docs/permissions.md from the template: `python -m tests.contract.permissions_page`, after a role was changed."""

from __future__ import annotations

import re
from typing import Any

from cli import features
from cli.doctor.examination import CHECKS
from local.build import packaging
from local.server import paths

FILE = paths.PROJECT / "docs" / "permissions.md"
_TEMPLATE = paths.PROJECT / "template.yaml"
_HEAD = """\
# Permissions

Every role of the stack, what it may do, on what, and why. Made from `template.yaml` by `python -m tests.contract.permissions_page`;
`make test` fails when it is stale, and when a role is allowed what no recorded run and no documented need of AWS asks for
(`tests/contract/test_permissions.py`).

`REGION`, `ACCOUNT` and the partition are the stack's own; words in braces are its parameters and resources. `*` as a resource stands
only where the API has no resource level. `RoleArn` replaces `JobRole`, `ServingRole` and `AutoMLRole` by a role of yours, which
then needs their permissions.
"""
_ARN = re.compile(r"arn:\$\{AWS::Partition\}:([\w-]+):(?:\$\{AWS::Region\})?:(?:\$\{AWS::AccountId\})?:")


_OPERATORS = {
    "StringEquals": "is",
    "Bool": "is",
    "StringNotEquals": "is not",
    "ForAnyValue:StringNotEquals": "holds another than",
}


def page() -> str:
    """The page as the template has it now."""
    text = _TEMPLATE.read_text(encoding="utf-8")
    resources: dict[str, Any] = packaging.read_template(_TEMPLATE)["Resources"]
    parts = [_HEAD]
    for name, resource in resources.items():
        properties = resource["Properties"]
        if resource["Type"] == "AWS::IAM::Role":
            (trust,) = properties["AssumeRolePolicyDocument"]["Statement"]
            about = f"Assumed by {_principal(trust['Principal'])}{_account(trust)}."
            described = properties.get("Description")
            parts.append(_section(name, f"{described}. {about}" if described else about, properties["Policies"], text))
        elif resource["Type"] == "AWS::IAM::Policy":
            roles = ", ".join(f"`{role}`" for role in map(_shown, properties["Roles"]))
            about = f"Only where condition `{resource['Condition']}` holds. Belongs to {roles}."
            parts.append(_section(name, about, [properties], text))
    return "\n".join([*parts, _people()])


def _people() -> str:
    """What commands ask with the permissions of the person who types them."""
    rows = [f"| {check} | {'<br>'.join(f'`{one}`' for one in actions)} |" for check, actions, _ in CHECKS if actions]
    about = (
        "`automl doctor` requires these permissions; a check that is denied names the missing action. It only reads: "
        "*Rows* starts one query, whose result Athena writes into its work group's place."
    )
    load = ", ".join(f"`{one}`" for one in features.ACTIONS)
    more = f"## automl features load\n\nNeeds {load}; for a new group also `iam:PassRole` on `--role-arn`.\n"
    return "\n".join(["## automl doctor", "", about, "", "| Check | Actions |", "| --- | --- |", *rows, "", more])


def _section(name: str, about: str, policies: list[dict[str, Any]], text: str) -> str:
    lines = [f"## {name}", "", about, "", "| To | Actions | On | Why |", "| --- | --- | --- | --- |"]
    own = text[text.index(f"\n  {name}:\n") :].split("\n\n", 1)[0]
    own += "\n\n" + text  # what several roles share is written once, by the first of them
    for policy in policies:
        for statement in policy["PolicyDocument"]["Statement"]:
            cells = (
                ("**Denied**: " if statement["Effect"] == "Deny" else "") + _words(statement["Sid"]),
                "<br>".join(f"`{action}`" for action in _listed(statement["Action"])),
                "<br>".join(f"`{_shown(resource)}`" for resource in _listed(statement["Resource"]))
                + _condition(statement),
                _comment(own, statement["Sid"]),
            )
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _comment(text: str, sid: str) -> str:
    """What is written beside a statement: comments on lines of their own, and behind its resource."""
    after = text[text.index(f" Sid: {sid}\n") :].partition("\n")[2]
    body = re.split(r"\n +- (?:Sid: |[&*])|\n\n", after, maxsplit=1)[0]
    return " ".join(re.findall(r"(?:^| )# (.*)$", body, re.MULTILINE))


def _words(sid: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", sid).capitalize()


def _principal(principal: dict[str, Any]) -> str:
    return f"`{principal['Service']}`"


def _account(trust: dict[str, Any]) -> str:
    return ", for this account alone" if "aws:SourceAccount" in str(trust.get("Condition")) else ""


def _condition(statement: dict[str, Any]) -> str:
    return "".join(
        f"<br>if `{key}` {_OPERATORS.get(operator, 'is like')} "
        + " or ".join(f"`{_shown(value)}`" for value in _listed(values))
        for operator, keys in statement.get("Condition", {}).items()
        for key, values in keys.items()
    )


def _listed(value: Any) -> list[Any]:
    if isinstance(value, dict) and "Fn::If" in value:
        _, yes, no = value["Fn::If"]
        if isinstance(yes, list):
            return [*yes, *no]
    if isinstance(value, dict) and "Fn::Split" in value:
        return [value["Fn::Split"][1]]
    return value if isinstance(value, list) else [value]


def _shown(value: Any) -> str:
    """A value of the template as a person reads it."""
    if not isinstance(value, dict):
        return str(value)
    ((function, given),) = value.items()
    if function == "Ref":
        return given
    if function == "Fn::GetAtt":
        return given if isinstance(given, str) else ".".join(given)
    if function == "Fn::If":
        shown = [one for one in map(_shown, given[1:]) if one != "AWS::NoValue"]
        return " or ".join(dict.fromkeys(shown))
    text, names = (given, {}) if isinstance(given, str) else given
    for name, inner in names.items():
        text = text.replace(f"${{{name}}}", f"${{{_shown(inner)}}}")
    return _ARN.sub(r"\1:", text).replace("${", "{")


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
