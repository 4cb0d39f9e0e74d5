"""How the requests that the endpoint captured compare with the rows that its model was trained on: drift.json."""

from __future__ import annotations

import json
from typing import Any

from automl_pipeline import stored

from cli.stack import Stack, client

NAMED = 5
KEY = "drift.json"


def read(stack: Stack) -> dict[str, Any] | None:
    """The newest measurement, as functions/measure_drift writes it; None before there is one."""
    content = stored.read(client("s3"), stack.outputs["BucketName"], f"{stack.outputs['Prefix']}/{KEY}")
    return None if content is None else json.loads(content)


def in_words(found: dict[str, Any] | None) -> str:
    """One sentence about a measurement."""
    if found is None:
        return "not measured yet; that happens each day"
    if found["problem"]:
        return f"not measured on {found['until'][:10]}: {found['problem']}"
    sample = " (a sample)" if found["files_read"] < found["files"] else ""
    rows = f"{found['rows']:,} captured rows{sample} from {_time(found['since'])} to {_time(found['until'])} UTC"
    trained = f"those that version {found['version']} was trained on"
    unreadable = (
        f"; {found['unreadable']:,} of {found['requests']:,} requests unreadable" if found["unreadable"] else ""
    )
    if found["drifted"]:
        named = [f"{name} ({found['features'][name]['psi']:.2f})" for name in found["drifted"][:NAMED]]
        more = [f"{len(found['drifted']) - NAMED} more"] if len(found["drifted"]) > NAMED else []
        count = f"{len(found['drifted'])} of {len(found['features'])} features"
        return f"{rows}: {count} differ from {trained}: {', '.join(named + more)}{unreadable}"
    if not found["judged"]:
        return f"{rows}: too few to compare{unreadable}"
    return f"{rows} are like {trained}{unreadable}"


def _time(text: str) -> str:
    return text[:16].replace("T", " ")
