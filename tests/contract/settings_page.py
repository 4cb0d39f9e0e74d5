"""Writes docs/settings.md from the settings model and the template: `python -m tests.contract.settings_page`."""

from __future__ import annotations

import json
import re
from typing import Any

from automl_pipeline.objectives import OBJECTIVES
from automl_pipeline.settings import DEPLOY_TIME, STRICTNESS, Settings

from cli.config_import import parameter_of
from local.build import packaging
from local.server import paths

FILE = paths.PROJECT / "docs" / "settings.md"
_CONFIG = paths.PROJECT / "config" / "pipeline_config.yaml"
_HEAD = """\
# Settings and parameters

Made from the settings model (`layers/pipeline/automl_pipeline/settings.py`), `template.yaml` and `config/pipeline_config.yaml` by
`python -m tests.contract.settings_page`; `make test` fails when it is stale.

A **setting** is a key of a run's input or of a settings file; a **parameter** is what the stack is deployed with, and the default of its setting.
[How to change them](how-to/change-a-parameter.md).

## Settings

*In a run*: `free` may be changed by each run; `fixed` is set when the stack is deployed, and a run may only repeat it. Others may be tightened, never
loosened. *Default*: of the parameter, or of the setting if it has none; `null` is "not set".

"""
# What a run may do with these, beside STRICTNESS; test_settings_page.py tries each.
LIMITS = {
    "accuracy_threshold": "raise",
    "autoscaling_max_capacity": "lower",
    "max_cost_usd": "lower",
    "quality_gate": "add conditions",
    "champion_margin": "lower, if `champion` is deployed as `Require`",
    "feature_group_name": "one of `allowed_feature_groups`",
    **dict.fromkeys(
        ("processing_instance_type", "transform_instance_type", "inference_instance_type"),
        "one of `allowed_instance_types`",
    ),
}


def page() -> str:
    """The page as model and template have it now."""
    parameters: dict[str, Any] = packaging.read_template(paths.PROJECT / "template.yaml")["Parameters"]
    schema = Settings.model_json_schema()["properties"]
    comments = _comments()
    rows, covered = [], set()
    for key in Settings.model_fields:
        name = parameter_of(key, parameters)
        covered.add(name)
        parameter = parameters[name] if name else {}
        cells = (
            f"`{key}`",
            f"`{name}`" if name else "",
            _values(key, schema[key], parameter),
            _default(schema[key].get("default"), parameter),
            _in_a_run(key),
            _sentence(parameter.get("Description") or comments.get(key, "")),
        )
        rows.append(_row(cells))
    head = ["| Setting | Parameter | Values | Default | In a run | Meaning |", "| --- | --- | --- | --- | --- | --- |"]
    return "\n".join([_HEAD + "\n".join(head), *rows, "", *_parameters_alone(parameters, covered), ""])


def _parameters_alone(parameters: dict[str, Any], covered: set[str | None]) -> list[str]:
    rows = [
        _row((f"`{name}`", _range(one), _default(None, one), _sentence(one.get("Description", ""))))
        for name, one in parameters.items()
        if name not in covered
    ]
    return [
        "## Parameters without a setting",
        "",
        "| Parameter | Values | Default | Meaning |",
        "| --- | --- | --- | --- |",
        *rows,
    ]


def _comments() -> dict[str, str]:
    """The comment beside each key of the settings file."""
    found = re.findall(r"^(?:# )?(\w+): .*?  # (.+)$", _CONFIG.read_text(encoding="utf-8"), re.MULTILINE)
    return dict(found)


def _in_a_run(key: str) -> str:
    if key in DEPLOY_TIME:
        return "fixed"
    if key in STRICTNESS:
        return "tighten: " + " → ".join(f"`{value}`" for value in STRICTNESS[key])
    return LIMITS.get(key, "free")


def _values(key: str, schema: dict[str, Any], parameter: dict[str, Any]) -> str:
    if key == "objective_metric_name":
        return _codes(OBJECTIVES)
    kinds = [kind for kind in schema.get("anyOf", [schema]) if kind.get("type") != "null"]
    shown = [_kind(kind, parameter.get("ConstraintDescription")) for kind in kinds]
    return " or ".join([*shown, *(["`null`"] if len(kinds) < len(schema.get("anyOf", [])) else [])])


def _kind(schema: dict[str, Any], described: str | None) -> str:
    if "enum" in schema or "const" in schema:
        return _codes(schema.get("enum") or [schema["const"]])
    kind = schema["type"]
    if kind in ("integer", "number"):
        return f"{'integer' if kind == 'integer' else 'number'} from {schema['minimum']:,} to {schema['maximum']:,}"
    if kind == "boolean":
        return "`true`, `false`"
    if kind == "string":
        return described or "text"
    return (
        f"list of at most {schema['maxItems']}"
        if kind == "array"
        else f"object of at most {schema['maxProperties']} keys"
    )


def _range(parameter: dict[str, Any]) -> str:
    if "AllowedValues" in parameter:
        return _codes(parameter["AllowedValues"])
    if "MinValue" in parameter:
        return f"number from {parameter['MinValue']:,} to {parameter['MaxValue']:,}"
    return parameter.get("ConstraintDescription", "text")


def _default(of_setting: Any, parameter: dict[str, Any]) -> str:
    value = parameter["Default"] if parameter else of_setting
    return "empty" if value == "" else f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _codes(values: Any) -> str:
    return ", ".join(f"`{value}`" for value in values)


def _sentence(text: str) -> str:
    return (text[:1].upper() + text[1:]).replace("<", "\\<")


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
