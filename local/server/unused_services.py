"""Executes a service of MiniStack when something first asks for one of its names, and not when another one imports it.

Its CloudFormation imports all of its services, of which a stack of the pipeline needs a third: they would be a third of the
time until the local cloud serves. (`importlib.util.LazyLoader` executes a module also when it is imported a second time.)
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

_PACKAGE = "ministack.services"
_executing = threading.RLock()


class _LazyModule(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # asked of any module, for instance by `inspect`
            raise AttributeError(name)
        with _executing:  # others wait for the module as a whole; the thread that executes it comes back here
            loader = self.__spec__ and self.__spec__.loader
            if isinstance(loader, _LazyLoader):
                loader.execute(self)
        return super().__getattribute__(name)


class _LazyLoader(Loader):
    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _LazyModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Part of an import: nothing yet."""

    def execute(self, module: ModuleType) -> None:
        assert module.__spec__
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)


class _LazyFinder(MetaPathFinder):
    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name.rpartition(".")[0] != _PACKAGE:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec and spec.loader:
            spec.loader = _LazyLoader(spec.loader)
        return spec


def install() -> None:
    """From now on; modules that are imported already stay as they are."""
    sys.meta_path.insert(0, _LazyFinder())
