"""Deployment packages unzipped once by content, so that a new execution environment costs no unzipping."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tempfile
import time
import zipfile
from pathlib import Path

from local.server import paths

_KEPT_UNUSED_SECONDS = 14 * 24 * 3600

_hashes: dict[int, tuple[bytes, str]] = {}


def unzipped(archive: bytes, root: Path = paths.PACKAGES) -> Path:
    """The folder with the archive's content. Its files must not be changed. Raises zipfile.BadZipFile."""
    folder = root / _sha256(archive)
    if folder.exists():
        os.utime(folder)  # for `forget_unused`
        return folder
    root.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".unzipping-", dir=root))
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as content:
            content.extractall(staging)
            for entry in content.infolist():
                mode = entry.external_attr >> 16 & 0o777
                if mode & 0o111:
                    (staging / entry.filename).chmod(mode)
        staging.chmod(0o755)
        staging.rename(folder)
    except OSError:
        # Another worker was faster: its folder has the same content.
        if not folder.exists():
            raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return folder


def forget_unused(root: Path = paths.PACKAGES) -> None:
    """Remove packages that nothing has used for two weeks."""
    for folder in root.glob("*"):
        if time.time() - folder.stat().st_mtime > _KEPT_UNUSED_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


def _sha256(archive: bytes) -> str:
    # MiniStack keeps one bytes object for each package: hashing 200 MB again for every cold start would double it.
    known = _hashes.get(id(archive))
    if known is None or known[0] is not archive:
        known = (archive, hashlib.sha256(archive).hexdigest())
        _hashes[id(archive)] = known
    return known[1]
