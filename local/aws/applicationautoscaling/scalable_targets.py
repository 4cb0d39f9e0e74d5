"""The endpoint variants that are scalable targets, and their policies. SageMaker asks and clears them."""

from __future__ import annotations

import threading
from typing import Any

TARGETS: dict[str, dict[str, Any]] = {}
"""By resource: `endpoint/<name>/variant/<name>`."""
POLICIES: dict[tuple[str, str], dict[str, Any]] = {}
"""By resource and policy name."""
LOCK = threading.RLock()


def is_registered(endpoint: str, variant: str) -> bool:
    """Whether a variant is a scalable target."""
    return f"endpoint/{endpoint}/variant/{variant}" in TARGETS


def forget(endpoint: str) -> None:
    """Drop the targets of an endpoint that was deleted, as AWS does."""
    with LOCK:
        for resource in [name for name in TARGETS if name.startswith(f"endpoint/{endpoint}/")]:
            remove(resource)


def remove(resource: str) -> None:
    """Drop a target and its policies."""
    del TARGETS[resource]
    for key in [key for key in POLICIES if key[0] == resource]:
        del POLICIES[key]
