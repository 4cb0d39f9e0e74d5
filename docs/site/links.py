"""Lets MkDocs build the pages as they are in the repository, where a link may lead anywhere in it.

README.md is the home page. A link to a file outside docs/ leads to a page that shows that file, so that the site needs no
address of a repository, and a link to a missing file fails the build.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
MERMAID = ROOT / ".local/docs/node_modules/@mermaid-js/tiny/dist/mermaid.tiny.js"
# Pages that GitHub expects in the repository's root: where they are in the site.
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
}
_FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_TARGET = re.compile(r"(?<=\]\()([^)#\s:]+)(?=[)#])")
_LANGUAGES = {".py": "python", ".yaml": "yaml", ".yml": "yaml", ".json": "json", ".toml": "toml"}


def on_files(files: Files, config: Any, **_: Any) -> Files:
    """Adds the pages outside docs/, and a page for each file that some page links to."""
    texts = {f"docs/{file.src_uri}": file.content_string for file in files.documentation_pages()}
    for name, uri in PAGES.items():
        texts[name] = (ROOT / name).read_text(encoding="utf-8")
        files.append(File.generated(config, uri, content=texts[name]))
    shown = {target for name, text in texts.items() for target in _targets(name, text)}
    files.append(File.generated(config, "mermaid.js", abs_src_path=str(MERMAID)))
    for path in sorted(path for path in shown if (ROOT / path).is_file() and _uri(path).startswith("source/")):
        files.append(File.generated(config, _uri(path), content=_listing(path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """The page with its links as they are in the site."""
    uri = page.file.src_uri
    if uri.startswith("source/"):
        return markdown
    name = next((name for name, in_site in PAGES.items() if in_site == uri), f"docs/{uri}")

    def in_site(found: re.Match[str]) -> str:
        return posixpath.relpath(_uri(_path(name, found[1])), posixpath.dirname(uri) or ".")

    parts = re.split(f"({_FENCED.pattern})", markdown, flags=_FENCED.flags)
    return "".join(part if part.startswith("```") else _TARGET.sub(in_site, part) for part in parts)


def _targets(name: str, text: str) -> set[str]:
    return {_path(name, target) for target in _TARGET.findall(_FENCED.sub("", text))}


def _path(name: str, target: str) -> str:
    """The path in the repository of what the page `name` links to as `target`."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), target))


def _uri(path: str) -> str:
    """Where the site has a file of the repository."""
    return PAGES.get(path) or (path[len("docs/") :] if path.startswith("docs/") else f"source/{path}.md")


def _listing(path: str) -> str:
    language = _LANGUAGES.get(Path(path).suffix, "text")
    text = (ROOT / path).read_text(encoding="utf-8")
    return f"---\nsearch:\n  exclude: true\n---\n\n# {path}\n\n````{language}\n{text}````\n"
