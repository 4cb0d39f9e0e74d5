"""What ends the job where the data cannot be trained on."""

from __future__ import annotations


class UnusableDataError(Exception):
    """The data cannot be trained on; the message names the column and the remedy."""


def cut(text: str, most: int) -> str:
    """`text` in `most` characters, with dots where something is left out, so that a message's remedy is not."""
    return text if len(text) <= most else text[: most - 3] + "..."
