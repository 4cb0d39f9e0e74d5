"""A person's CSV through the demo's checks, the Feature Store's names, Athena's spelling and the processing job."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import encoding
import inference
import pandas
import preprocess
import pytest

from cli import demo_request
from processing.names import feature_names
from tests.unit.processing.athena import numbers, output, write

DATA = Path(__file__).parent / "data"
BASE = (DATA / "base.csv").read_text()


@dataclass(frozen=True)
class Asked:
    """A table as a person asks the demo about it."""

    file: Path
    target: str = "churn"
    id_column: str = "customer_id"
    problem_type: str | None = None

    def request(self) -> demo_request.Request:
        """The demo's request. Raises RefusedError."""
        options = demo_request.Options(self.file, self.target, self.id_column, problem_type=self.problem_type)
        return demo_request.check(options)

    def refusal(self) -> str:
        """What the demo says before it starts anything."""
        with pytest.raises(demo_request.RefusedError) as refused:
            self.request()
        return str(refused.value)


@dataclass(frozen=True)
class Trained:
    """What the processing job made of a table: preprocessing.json, the container's encoder, and the encoded rows."""

    folder: Path
    specification: dict[str, Any]
    encoder: encoding.Encoder

    def encoded(self, name: str) -> pandas.DataFrame:
        """train.csv or test.csv, the target as texts."""
        return output(self.folder, name).assign(**{self.specification["target"]: self._targets(name)})

    def _targets(self, name: str) -> Any:
        return output(self.folder, name, dtype=str)[self.specification["target"]]

    def rows(self) -> list[list[float]]:
        """The features of all rows of training and test, in any order."""
        parts = [self.encoded(name)[self.encoder.names].to_numpy(dtype=float).tolist() for name in ("train", "test")]
        return sorted(parts[0] + parts[1])

    def served(self, body: bytes | str, kind: str = "text/csv") -> list[list[float]]:
        """What the preprocess container makes of a request."""
        return numbers(inference.encode(self.encoder, body.encode() if isinstance(body, str) else body, kind))


def train(folder: Path, asked: Asked) -> Trained:
    """The job on what the demo loads. Raises RefusedError, UnusableDataError."""
    request = asked.request()
    assert request.table is not None
    frame, problem = request.table.frame, request.given["problem_type"]
    names = feature_names(frame.columns)
    return run_job(
        folder,
        frame.rename(columns=names),
        names[asked.target],
        problem,
        [names[asked.id_column]],
        request.given.get("column_names", {}),
    )


def run_job(
    folder: Path,
    frame: pandas.DataFrame,
    target: str,
    problem: str,
    ids: list[str],
    column_names: dict[str, str] | None = None,
) -> Trained:
    """The job on a table as it is. Raises UnusableDataError."""
    write(folder, frame.assign(event_time="2026-01-01T00:00:00Z"))
    with contextlib.redirect_stdout(io.StringIO()):
        choices = preprocess.Choices(column_names=column_names or {})
        preprocess.run(str(folder), target, problem, [*ids, "event_time"], 42, choices)
    artifacts = folder / "processing/output/preprocessing"
    specification = json.loads((artifacts / "preprocessing.json").read_bytes())
    return Trained(folder, specification, inference.model_fn(str(artifacts)))


def texts(file: Path | str) -> pandas.DataFrame:
    """A CSV as Athena would give it if every column was a text."""
    frame = pandas.read_csv(file if isinstance(file, Path) else io.StringIO(file), dtype=str, keep_default_na=False)
    return frame.where(frame != "", None)


def change(column: str, to: Callable[[str, int], str], content: str = BASE) -> str:
    """The table with one column's values changed; `to` takes a value and its row from 1."""
    header, *rows = csv.reader(io.StringIO(content))
    place = header.index(column)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([*row[:place], to(row[place], number), *row[place + 1 :]] for number, row in enumerate(rows, 1))
    return out.getvalue()


def features_only(content: str, target: str = "churn") -> str:
    """A request: the table without its target, names as the person has them."""
    return texts(content).drop(columns=target).to_csv(index=False)
