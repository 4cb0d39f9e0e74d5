"""Captured requests: files of JSON Lines, in a folder for each hour.

https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture.html
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import takewhile
from typing import Any

from automl_pipeline import stored

MOST_BYTES = 64 * 1024 * 1024
"""If there are more, a sample is read, spread evenly over the time."""

_TIME_IN_KEY = "%Y/%m/%d/%H/%M-%S"


def files(
    s3: Any, folder: str, since: datetime, until: datetime, most_bytes: int = MOST_BYTES
) -> tuple[list[str], int]:
    """URIs of the files under `folder` (a URI) that were begun in that time, and how many there were to choose from.

    Both times in UTC. The names sort by time.
    """
    begun = stored.objects(s3, folder, StartAfter=f"{stored.place(folder)[1]}{since:{_TIME_IN_KEY}}")
    found = list(takewhile(lambda file: file[0] < f"{folder}{until:{_TIME_IN_KEY}}", begun))
    step = -(-sum(size for _, size in found) // most_bytes) or 1
    return [uri for uri, _ in found[::step]], len(found)


def requests(s3: Any, uris: Iterable[str]) -> Iterator[tuple[bytes, str]]:
    """Body and content type of each captured request."""
    for uri in uris:
        for line in stored.body(s3, uri).iter_lines(chunk_size=1 << 20):
            given = json.loads(line)["captureData"].get("endpointInput")  # answers alone may be captured, too
            if given:
                encoded = given["encoding"] == "BASE64"
                data = base64.b64decode(given["data"]) if encoded else given["data"].encode()
                yield data, given.get("observedContentType") or "text/csv"
