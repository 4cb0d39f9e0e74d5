"""Model containers that stay warm: with `--reuse`, a caller that needs the same ones takes those that were returned.

The same ones are those of the same images, environments and archives, byte for byte (`local.aws.sagemaker.compute.reuse`): they have
loaded the same model, and answer each request by computing it. Without `--reuse` every fleet starts its own.
"""

from __future__ import annotations

import shutil
import sys
import threading
import uuid
from pathlib import Path
from typing import Any

from local.aws.sagemaker.compute import reuse
from local.aws.sagemaker.compute.process import Log
from local.aws.sagemaker.compute.serving import ContainerChain, contents_of

MOST = 8
"""The most chains that wait; one holds about 300 MB, most of it shared with the others."""


class WarmContainers:
    """Chains that nobody uses at the moment, by what they are made of. Safe to use from many threads."""

    def __init__(self) -> None:
        self._waiting: list[tuple[str, ContainerChain, Path]] = []
        self._lent: dict[ContainerChain, tuple[str, Path]] = {}
        self._lock = threading.Lock()

    def start(self, definitions: list[dict[str, Any]], *, s3: Any, folder: Path, log: Log) -> ContainerChain:
        """Containers that answer: warm ones, or others that are started below `folder`.

        `definitions` are ContainerDefinitions. Raises ContainerFailedError or JobFailedError; nothing is left running then.
        """
        key = _key(definitions, s3) if reuse.enabled() else ""
        chain = self._take(key)
        if chain:
            log(f"[local cloud] Containers that served before, with the same content: {key}")
            chain.log_to(log)
            return chain
        own = folder / uuid.uuid4().hex
        chain = ContainerChain(definitions, s3=s3, workdir=own, log=log)
        try:
            chain.start()
        except BaseException:
            _end(chain, own)
            raise
        with self._lock:
            self._lent[chain] = (key, own)
        return chain

    def give_back(self, chain: ContainerChain, idle: bool = True) -> None:
        """Returns it after use. One that is not `idle`, but still answers, is ended."""
        with self._lock:
            key, folder = self._lent.pop(chain)
            ended = [(chain, folder)]
            if key and idle and chain.alive:
                chain.log_to(lambda line: None)
                self._waiting.append((key, chain, folder))
                ended = [(old, place) for _, old, place in self._waiting[:-MOST]]
                del self._waiting[:-MOST]
        for old, place in ended:
            _end(old, place)

    def close(self) -> None:
        """Ends those that wait."""
        with self._lock:
            ended, self._waiting = self._waiting, []
        for _, chain, folder in ended:
            _end(chain, folder)

    def _take(self, key: str) -> ContainerChain | None:
        while True:
            with self._lock:
                found = next((one for one in reversed(self._waiting) if one[0] == key), None)
                if found is None:
                    return None
                self._waiting.remove(found)
                _, chain, folder = found
                if chain.alive:
                    self._lent[chain] = (key, folder)
                    return chain
            _end(chain, folder)


def _end(chain: ContainerChain, folder: Path) -> None:
    chain.close()
    shutil.rmtree(folder, ignore_errors=True)


def _key(definitions: list[dict[str, Any]], s3: Any) -> str:
    containers, archives = contents_of(definitions, s3)
    return reuse.key("serving", Path(sys.executable), containers, archives)
