"""Turns a settings file into template parameters and settings of a run, and settings into a JSON Schema."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automl_pipeline.settings import DEPLOY_TIME, Settings

from local.build import packaging

_TEMPLATE = Path(__file__).parents[1] / "template.yaml"
# Keys whose parameter has a name of its own.
_NAMED = {"bucket": "BucketName", "model_package_group": "ModelPackageGroupName"}


@dataclass(frozen=True)
class Imported:
    """What a file says for the deployment (Region and template parameters) and for runs."""

    region: str | None
    parameters: dict[str, str]
    settings: dict[str, Any]

    @property
    def overrides(self) -> str:
        """The parameters as `parameter_overrides` of samconfig.toml, read like a shell's words."""
        return " ".join(f"{name}={shlex.quote(value)}" for name, value in self.parameters.items())


def split(values: Mapping[str, Any]) -> Imported:
    """Divide checked settings. Only what differs from the template's defaults becomes a parameter."""
    template = packaging.read_template(_TEMPLATE)["Parameters"]
    parameters = {}
    for key, value in values.items():
        name = parameter_of(key, template)
        text = _text(value)
        # A number's parameter cannot be empty: null stays a setting of each run.
        unset_number = value is None and name is not None and template[name]["Type"] == "Number"
        if name and not unset_number and text != str(template[name]["Default"]):
            parameters[name] = text
    settings = {key: value for key, value in values.items() if key not in DEPLOY_TIME}
    return Imported(values.get("region"), parameters, settings)


def parameter_of(key: str, parameters: Iterable[str]) -> str | None:
    """The template's parameter that is the default of a setting; None if there is none."""
    by_key = {name.lower(): name for name in parameters}
    return _NAMED.get(key) or by_key.get(key.replace("_", ""))


def _text(value: Any) -> str:
    """A value as a parameter has it; booleans and lists as in JSON."""
    return "" if value is None else json.dumps(value) if isinstance(value, bool | list) else str(value)


def schema() -> dict[str, Any]:
    """The JSON Schema of a settings file: every key may be left out."""
    document = Settings.model_json_schema()
    document.pop("required", None)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **document, "title": "AutoML pipeline settings"}
