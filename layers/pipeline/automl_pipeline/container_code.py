"""The code that runs in SageMaker's containers, as files to upload.

Every module of `processing/`. In the layer they lie beside this module; in a checkout they are taken from there.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path


def folder() -> Path:
    """Where the files are."""
    packaged = Path(__file__).parent / "container"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "processing"


@cache
def read() -> tuple[str, dict[str, bytes]]:
    """The SHA-256 over names and contents, and the content of each file by its name, in the names' order."""
    contents = {path.name: path.read_bytes() for path in sorted(folder().glob("*.py"))}
    digest = hashlib.sha256()
    for name, content in contents.items():
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest(), contents
