"""Loads a service of MiniStack when something first asks for one of its names, and not when another one imports it.

Its CloudFormation imports all of its services, of which a stack of the pipeline needs half: a fifth of the time until
the local cloud serves.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from types import ModuleType

_PACKAGE = "ministack.services"


class _LazyFinder(MetaPathFinder):
    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name.rpartition(".")[0] != _PACKAGE:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec and spec.loader:
            spec.loader = LazyLoader(spec.loader)
        return spec


def install() -> None:
    """From now on; modules that are imported already stay as they are."""
    sys.meta_path.insert(0, _LazyFinder())
