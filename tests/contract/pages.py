"""What the pages of the documentation say that can be checked: their links, headings and commands."""

from __future__ import annotations

import html
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from local.server import paths

ROOT = paths.PROJECT
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / ".github").rglob("*.md")])
_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
_PROGRAMS = ("automl", "make", "aws")


@dataclass(frozen=True)
class Command:
    """A command that a page shows. `whole`: in a block, to be typed as it stands; otherwise named in a sentence."""

    page: str
    words: tuple[str, ...]
    whole: bool

    def __str__(self) -> str:
        return f"{self.page}: {shlex.join(self.words)}"


def name(page: Path) -> str:
    """The page's path in the repository."""
    return page.relative_to(ROOT).as_posix()


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path) -> list[tuple[str, str]]:
    """Language and content of each fenced block."""
    return [(language, content) for _, language, content in _FENCE.findall(text(page))]


def links(page: Path) -> list[tuple[Path, str]]:
    """Target file and anchor of each link that stays in the repository."""
    found = re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)", re.sub(r"`[^`\n]*`", "", _FENCE.sub("", text(page))))
    inside = [(target, anchor) for target, anchor in found if "://" not in target and not target.startswith("mailto:")]
    return [((page.parent / target).resolve() if target else page, anchor) for target, anchor in inside]


def anchors(page: Path) -> set[str]:
    """The addresses of a page's headings, as GitHub makes them."""
    known: dict[str, int] = {}
    made = set()
    for heading in re.findall(r"^#+ +(.+?) *#*$", _FENCE.sub("", text(page)), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").strip().lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        made.add(slug if slug not in known else f"{slug}-{known[slug]}")
        known[slug] = known.get(slug, 0) + 1
    return made


def commands(page: Path) -> Iterator[Command]:
    """Every command of ours, of make and of the AWS CLI that a page shows. One with an ellipsis is left out."""
    for language, content in blocks(page):
        if language in ("", "bash"):
            for line in content.replace("\\\n", " ").splitlines():
                yield from _command(page, line.strip(), whole=True)
    for example in re.findall(r"^Example: (automl .*)$", text(page), re.MULTILINE):  # in docs/commands.md
        yield from _command(page, html.unescape(example), whole=True)
    for span in re.findall(r"`([^`\n]+)`", _FENCE.sub("", text(page))):
        yield from _command(page, span, whole=False)


def _command(page: Path, line: str, *, whole: bool) -> Iterator[Command]:
    line = re.sub(r"^(\w+=\S+ )+", "", line)  # variables set for the command
    if "…" in line or "..." in line:
        return
    line = line.replace(".venv/bin/automl", "automl")
    if line.split(" ", 1)[0] not in _PROGRAMS:
        return
    try:
        words = shlex.split(re.sub(r"  +(?=[a-z#]).*$", "", line), comments=True)  # what follows explains it
    except ValueError:
        return  # a sentence with an apostrophe
    if not whole:
        words = [word.strip("[]") for word in words]
    for end in ("|", ">", "&&", ";"):
        words = words[: words.index(end)] if end in words else words
    yield Command(name(page), tuple(words), whole)
