"""Whatever is typed or lies in a file: the command refuses it in printable words, and AWS is never asked about it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from automl_pipeline import settings
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from typer.testing import Result

from cli import stack as stacks
from local.server import process
from tests.examples import examples

Automl = Callable[..., Result]
REACHED = "every check was passed"


@pytest.fixture(autouse=True)
def nothing_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    """What passes every check ends here: no call of AWS, no local cloud."""

    def refuse(*_: Any, **__: Any) -> None:
        raise stacks.RefusedError(REACHED)

    monkeypatch.setattr(stacks, "find", refuse)
    monkeypatch.setattr(process, "start", refuse)


def refused(result: Result, *said: str) -> str:
    """What was said. No traceback, nothing that a terminal would act on, something that a person can read."""
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 1
    text = result.stderr.removeprefix("Error: ")
    assert text.strip()
    for line in text.splitlines():
        assert line.isprintable(), line
        assert "Traceback" not in line
    for part in said:
        assert part in text
    return text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(list(settings.Settings.model_fields))


@hypothesis_settings(
    max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(JSON | st.dictionaries(KEYS, JSON, max_size=4))
def test_any_json_as_input(automl: Automl, asked: Any) -> None:
    text = refused(automl("start", "--input", json.dumps(asked)))
    if isinstance(asked, dict) and REACHED not in text:
        assert any(json.dumps(key)[1:-1][:70] in text for key in asked)


@hypothesis_settings(
    max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.text().filter(lambda text: not text.startswith("@")))
def test_any_text_as_input(automl: Automl, text: str) -> None:
    refused(automl("start", f"--input={text}"))


@pytest.mark.parametrize("name", ["a\nSubject: b", "x" * 81, "'; DROP TABLE x;--", "../x", "\x1b[2J", "", "é"])
def test_name_of_an_execution(automl: Automl, name: str) -> None:
    refused(automl("start", f"--name={name}"), "--name", "1 to 80 letters, digits, hyphens and underscores")


BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + level)}: &{chr(98 + level)} [{','.join(['*' + chr(97 + level)] * 10)}]\n" for level in range(12)
)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (BOMB, "The input is larger than 64 KB"),
        ("customer_id_start: &a [*a]\n", "The input is larger than 64 KB"),
        ("x: !!python/object/apply:os.system ['id']\n", "is not YAML"),
        ("2026-01-01: 3\n", '"2026-01-01" is not a setting.'),
        ("~: 1\n", "null is not a setting."),
        ("? [1, 2]\n: 3\n", "is not YAML"),
        ('"\\e[31m": 1\n', r'"\u001b[31m" is not a setting.'),
        ("bucket: !!binary aGVsbG8=\n", "bucket must be text in quotes"),
        ("accuracy_threshold: .nan\n", "accuracy_threshold must be at most 1, got NaN."),
        ("customer_id_start: 2026-01-01\n", "customer_id_start must be a whole number without quotes"),
        ("a: 1\n---\nb: 2\n", "is not YAML"),
    ],
)
def test_file_made_to_hurt(automl: Automl, tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(content)
    refused(automl("start", "--config", file), said)


def rows(header: str, row: Callable[[int], str] = lambda number: f"r{number},{number % 17},{number % 2}") -> str:
    return header + "\n" + "".join(row(number) + "\n" for number in range(700))


ESCAPE = "\x1b[31m"


@pytest.mark.parametrize(
    ("content", "arguments", "said"),
    [
        (rows(f"id,{ESCAPE}size,sold"), ["--target", "x\x1b[2J"], r"target column 'x\x1b[2J' is not in it"),
        (rows("id,=1+1,sold"), ["--target", "=1+2"], "Did you mean '=1+1'?"),
        (rows("id,size,sold", lambda number: f"r{number},1,{ESCAPE}"), ["--target", "sold"], r"is '\x1b[31m' in every row"),
        (rows("id,size,sold"), ["--target", "sold", f"--objective={ESCAPE}"], r"\u001b[31m"),
        (rows("id,size,sold"), ["--target", "sold", "--objective='; DROP TABLE x"], "is not a metric of Autopilot"),
        (rows("id,size,sold"), ["--target", "sold", "--problem-type=<script>"], '"<script>" is not one of'),
        (rows("id,size,sold"), ["--target", "sold", "--threshold=nan"], "--threshold must be at most 1, got NaN."),
        (rows("id,size,sold"), ["--target", "sold", "--max-runtime=" + "9" * 400], "--max-runtime must be at most"),
        ("\0\xff" * 100, ["--target", "sold"], "target column 'sold' is not in it"),
        ('"id","size","sold\n"x"', ["--target", "sold"], "in the row that begins at line 1, a value goes on"),
    ],
)  # fmt: skip
def test_table_made_to_hurt(automl: Automl, tmp_path: Path, content: str, arguments: list[str], said: str) -> None:
    file = tmp_path / "t.csv"
    file.write_text(content)
    refused(automl("demo", "--csv", file, "--id-column", "id", *arguments), said)
