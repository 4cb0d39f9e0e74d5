"""The code that runs in SageMaker's containers, as files to upload.

In the layer the files lie beside this module; in a checkout they are taken from `processing/`.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

FILES = ("encoding.py", "inference.py", "preprocess.py")


def folder() -> Path:
    """Where the files are."""
    packaged = Path(__file__).parent / "container"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "processing"


@cache
def read() -> tuple[str, dict[str, bytes]]:
    """The SHA-256 over names and contents, and the content of each file by its name."""
    contents = {name: (folder() / name).read_bytes() for name in FILES}
    digest = hashlib.sha256()
    for name, content in contents.items():
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest(), contents
