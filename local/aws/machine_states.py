"""The states of a state machine as its file holds them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def states_of(machine: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Every state of a machine, those in branches of Parallel states, too; their names are unique in the whole machine."""
    found: dict[str, dict[str, Any]] = {}
    for name, state in machine["States"].items():
        found[name] = state
        for branch in state.get("Branches", []):
            found |= states_of(branch)
    return found
