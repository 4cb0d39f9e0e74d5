"""What Lambda unpacks for each function: its code and its layers, by package, against Lambda's limit.

Run by `make build` on what `sam build` made: `python -m local.build.package_sizes [.aws-sam/build]`. Exit code 1 over
four fifths of the limit, so that there is room for the next version of a package.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

from local.build import packaging
from local.server import paths

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: function and layers together, unzipped
LIMIT_BYTES = 262_144_000
_SHARE = 0.8


def sizes(folder: Path) -> Counter[str]:
    """Bytes of each package (or module) of a built function or layer. Layers keep theirs under python/."""
    root = folder / "python" if (folder / "python").is_dir() else folder
    found: Counter[str] = Counter()
    for file in root.rglob("*"):
        if file.is_file() and not file.is_symlink():
            found[_package(file.relative_to(root).parts[0])] += file.stat().st_size
    return found


def _package(name: str) -> str:
    """`pandas` for its code, for the libraries of its wheel and for its metadata."""
    return name.split("-", maxsplit=1)[0].removesuffix(".libs").removesuffix(".dist").removesuffix(".py")


def by_function(build: Path) -> dict[str, dict[str, Counter[str]]]:
    """For each function of the template: what it unpacks, by the logical id of function or layer."""
    resources = packaging.read_template(paths.PROJECT / "template.yaml")["Resources"]
    return {
        name: {
            part: sizes(build / part)
            for part in (name, *(layer["Ref"] for layer in resource["Properties"].get("Layers", [])))
        }
        for name, resource in resources.items()
        if resource["Type"] == "AWS::Serverless::Function"
    }


def too_large(found: dict[str, dict[str, Counter[str]]]) -> list[str]:
    """A sentence for each function that has more than four fifths of the limit."""
    totals = {name: sum(part.total() for part in parts.values()) for name, parts in found.items()}
    return [
        f"{name} with its layers has {total / 1e6:.1f} MB, and at most {_SHARE:.0%} of Lambda's {LIMIT_BYTES / 1e6:.1f} MB are wanted."
        for name, total in totals.items()
        if total > _SHARE * LIMIT_BYTES
    ]


def main(build: Path) -> int:
    found = by_function(build)
    if not all(part.total() for parts in found.values() for part in parts.values()):
        print(f"{build} does not hold every function and layer. Run make build first.", file=sys.stderr)
        return 1
    table = Table("Unpacked by", "Part", "Package", "MB", box=None)
    table.columns[3].justify = "right"
    for name, parts in found.items():
        for part, packages in parts.items():
            for package, size in packages.most_common(6):
                table.add_row(name, part, package, f"{size / 1e6:.1f}")
            rest = packages.total() - sum(size for _, size in packages.most_common(6))
            if rest:
                table.add_row(name, part, "others", f"{rest / 1e6:.1f}")
        total = sum(part.total() for part in parts.values())
        table.add_row(name, "in all", f"of {LIMIT_BYTES / 1e6:.1f}", f"{total / 1e6:.1f}", style="bold")
    Console().print(table)
    problems = too_large(found)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else paths.PROJECT / ".aws-sam" / "build"))
