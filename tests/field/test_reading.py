"""One strict reader: what `automl predict` refuses the demo refuses, in the same words, with the line's number."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from tests.unit.cli.endpoint_server import Endpoint

from .tables import BASE, DATA, Asked

Automl = Callable[..., Result]
LINES = BASE.splitlines(keepends=True)


def spoil(line: int, to: Callable[[str], str]) -> str:
    return "".join(to(text) if number == line else text for number, text in enumerate(LINES, 1))


FILES = {
    "rows-wider-than-header.csv": "line 2 has 7 values and the header names 6",
    "row-one-value-short.csv": "has 5 values and the header names 6",
    "cell-with-stray-quotes.csv": "in the row that begins at line 6, a value goes on behind its closing double quote",
}
MORE = {
    "a comma outside quotes": (spoil(4, lambda text: text.replace("east", "east, far")), "line 4 has 7 values"),
    "a comma at the end of the header": (spoil(1, lambda text: text.strip() + ",plus\n"), "line 2 has 6 values"),
    "a line of one value": (spoil(700, lambda _: "total\n"), "line 700 has 1 value and the header names 6"),
    "a quote that is not closed": (spoil(5, lambda text: text.replace(",pro", ',"pro')), "a double quote is not closed"),
    "text behind a quote": (spoil(5, lambda text: 'C9,"1" x,2,east,pro,no\n'), "line 5, a value goes on"),
    "quotes doubled once": (spoil(5, lambda text: 'C9,1,2,"say "hi"",pro,no\n'), "line 5, a value goes on"),
    "semicolons": (BASE.replace(",", ";"), "line 1 looks separated by semicolons"),
    "a hint for Excel": ("sep=,\n" + BASE, "line 1 is 'sep=,', a hint for Excel"),
    "a title": ("Customers 2026\n" + BASE, "line 1 looks like a title ('Customers 2026')"),
    "Windows-1252": (spoil(3, lambda text: text.replace("west", "wést")).encode("latin-1"), "is not UTF-8 at line 3"),
    "UTF-16": (BASE.encode("utf-16"), "is UTF-16, not UTF-8"),
    "a workbook": (b"PK\x03\x04" + BASE.encode(), "is an Excel workbook"),
}  # fmt: skip


def refused_alike(automl: Automl, endpoint: Endpoint, file: Path, said: str) -> None:
    assert said in Asked(file).refusal()
    shown = automl("predict", "--input-csv", file)
    assert shown.exit_code == 1
    place, _, what = said.partition(" has ")
    assert (what or said) in shown.stderr
    assert not what or f"({place})" in shown.stderr or place == "has"
    assert endpoint.bodies == []


@pytest.mark.parametrize("name", FILES)
def test_file_from_the_field(automl: Automl, endpoint: Endpoint, name: str) -> None:
    refused_alike(automl, endpoint, DATA / name, FILES[name])


@pytest.mark.parametrize("name", MORE)
def test_other_members_of_the_kind(automl: Automl, endpoint: Endpoint, tmp_path: Path, name: str) -> None:
    content, said = MORE[name]
    file = tmp_path / "table.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    refused_alike(automl, endpoint, file, said)
