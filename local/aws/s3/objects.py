"""S3 objects as plain files: `<state>/s3/<account>/<bucket>/<key>`, for people to look at.

MiniStack writes a file of metadata beside each object so that it can load them after a restart. Here every server
starts empty, so those files would only be in the reader's way.
"""

from __future__ import annotations

from typing import Any

from ministack.services import s3

from local.aws import ministack_patches

_METADATA_SUFFIX = ".meta.json"


def install() -> None:
    """Keep MiniStack from writing metadata files."""
    write = s3._atomic_write

    def write_objects_only(path: str, data: Any, *, text: bool = False) -> None:
        if not path.endswith(_METADATA_SUFFIX):
            write(path, data, text=text)

    ministack_patches.replace(s3, "_atomic_write", write_objects_only)
