"""`automl predict`: the rows of a CSV file through the endpoint, in requests that it takes, and on after a break."""

from __future__ import annotations

import csv
import io
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from automl_pipeline.answers import Answer, UnreadableAnswerError
from botocore.exceptions import BotoCoreError, ClientError
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table as ShownTable
from rich.text import Text

from cli import predict_endpoint as endpoint
from cli import predict_input, predict_survey
from cli.predict_output import Identity, Output, Progress
from cli.stack import RefusedError, Stack, client, explained
from cli.terminal import counted, typed

KEEP_EVERY_SECONDS = 2.0
"""How much work a break can cost. Each time costs one call of DescribeEndpoint."""

SHOWN_ROWS = 5
SHOWN_LABELS = 10
_GO_ON = "Run the same command again to continue from there, also after later rows were fixed."


class StoppedError(Exception):
    """Interrupted by the person; the message says what is kept."""


@dataclass(frozen=True)
class Request:
    """What is asked for; `table` was checked, `output` is where the predictions go."""

    table: predict_input.Table
    output: Path
    run_id: str | None = None
    endpoint: str | None = None
    start_over: bool = False
    show_rows: bool = False
    for_spreadsheet: bool = False


def read_request(
    file: Path,
    output: Path | None,
    run_id: str | None,
    endpoint: str | None,
    *,
    start_over: bool,
    for_spreadsheet: bool = False,
) -> Request:
    """The request behind the options, checked as far as this machine can. Raises RefusedError."""
    written = output or file.with_name(f"{file.stem}.predictions.csv")
    if written.exists() and file.exists() and written.samefile(file):
        raise RefusedError(f"--output {written} is the input file itself; name another one.")
    table = predict_input.check(file)
    return Request(table, written, run_id, endpoint, start_over, output is None, for_spreadsheet)


def explain(request: Request, stack: Stack) -> None:
    """Make the calls of a prediction whose rows fit into one request, for --explain, which ends before the request."""
    served = endpoint.find(stack, request.endpoint)
    client("sagemaker-runtime").invoke_endpoint(EndpointName=served.endpoint, ContentType="text/csv", Body=b"")


def run(request: Request, stack: Stack, console: Console) -> None:
    """Ask about every row and write the answers. Raises RefusedError and StoppedError, which say what is kept."""
    served = endpoint.find(stack, request.endpoint)
    taken = endpoint.features(served, stack, request.run_id)
    console.print(f"{served.endpoint} serves {served.name}.", markup=False)
    work = _Work(request, taken, endpoint.places(taken, request.table), console)
    for note in work.notes():
        console.print(note, markup=False)
    work.survey()
    with Output(request.output) as output:
        began, done = time.monotonic(), work.begin(served, output)
        try:
            sure = _through(work, served, output, done, stack)
        except KeyboardInterrupt:
            raise StoppedError(f"Stopped. {_kept(output, request.table)}") from None
        except (ClientError, BotoCoreError) as error:
            raise RefusedError(f"{explained(error)}\n{_kept(output, request.table)}") from None
        except predict_input.ChangedError:
            output.discard()
            raise RefusedError(
                f"{request.table.path} was changed while it was read. Use the same command again."
            ) from None
        output.finish()
    work.show(sure, done.rows, time.monotonic() - began)


def _through(work: _Work, served: endpoint.Served, output: Output, done: Progress, stack: Stack) -> Progress:
    """All rows that are left, and once more those that a change of the endpoint makes unsure."""
    sure = done
    while True:
        try:
            return work.ask_from(sure, served, output)
        except endpoint.ModelChangedError:
            try:
                now = endpoint.find(stack, work.request.endpoint)
            except RefusedError as refused:
                raise RefusedError(f"{refused}\n{_kept(output, work.request.table)}") from None
            if now.model != served.model and not work.request.start_over:
                raise RefusedError(
                    f"The endpoint served {served.name} and now serves {now.name}. Answers of two models are not mixed.\n"
                    f"{_kept(output, work.request.table, go_on=False)}\n"
                    f"--start-over predicts the whole file with {now.name}. To go on with {served.name}, put it back "
                    f"({typed('deploy --version N')}) and use the same command."
                ) from None
            if now.model != served.model:
                work.console.print(f"The endpoint now serves {now.name}: starting over.", markup=False)
                work = work.with_features(endpoint.features(now, stack, work.request.run_id))
            served, sure = now, work.begin(now, output, again=True)


def _kept(output: Output, table: predict_input.Table, *, go_on: bool = True) -> str:
    rows = output.sure.rows
    if rows == 0:
        return "Nothing was predicted yet."
    return f"{rows:,} of {table.rows:,} rows are done and kept in {output.partial}.{' ' + _GO_ON if go_on else ''}"


class _Work:
    """One file through one kind of model: names of the columns it adds, and what is said about it."""

    def __init__(self, request: Request, taken: endpoint.Features, where: dict[str, int], console: Console):
        self.request, self.taken, self.where, self.console = request, taken, where, console
        wanted = ["prediction", "probability"] if taken.is_classification else ["prediction"]
        if taken.positive_class is not None:
            wanted.append(f"probability_{taken.positive_class}")
        self.added = [_unused(name, request.table.columns) for name in wanted]
        self._renamed = [(name, own) for name, own in zip(wanted, self.added, strict=True) if name != own]

    def with_features(self, taken: endpoint.Features) -> _Work:
        return _Work(self.request, taken, endpoint.places(taken, self.request.table), self.console)

    def notes(self) -> list[str]:
        missing = [self.taken.known.shown(name) for name in self.taken.names if name not in self.where]
        said = [f"The file has a column {name} already; the model's is {own}." for name, own in self._renamed]
        if self.taken.decision_threshold is not None and self.taken.positive_class is not None:
            said.append(
                f"{_printable(self.taken.positive_class)} is predicted where its probability is at least "
                f"{self.taken.decision_threshold:g}, the decision_threshold of the run."
            )
        if missing:
            said.append(
                f"{len(missing)} of the model's {len(self.taken.names)} features are not in the file and count as "
                f"missing values: {', '.join(missing)}."
            )
        return said

    def survey(self) -> None:
        """Say what the model will make of the values. Raises RefusedError if there are rows that it does not take."""
        shown = self.taken.known.shown
        where = {shown(name): place for name, place in self.where.items()}
        features = {shown(name): feature for name, feature in self.taken.specifications.items()}
        try:
            found = predict_survey.look(self.request.table.after(0), features, where)
        except predict_input.ChangedError:
            raise RefusedError(
                f"{self.request.table.path} was changed while it was read. Use the same command again."
            ) from None
        if found.problems:
            more = found.refused - len(found.problems)
            raise RefusedError(
                "\n".join(
                    [
                        f"{self.request.table.path} holds values that the model does not take:",
                        *found.problems,
                        *(
                            [f"{counted(more, 'more row')} {'is' if more == 1 else 'are'} like that."]
                            if more > 0
                            else []
                        ),
                        "Fix these values or leave them empty, and use the same command.",
                    ]
                )
            )
        for note in found.notes():
            self.console.print(_printable(note, len(note)), markup=False)

    def begin(self, served: endpoint.Served, output: Output, *, again: bool = False) -> Progress:
        """Go on after an earlier attempt, or start. Raises RefusedError if that is to be decided by the person."""
        for_spreadsheet = self.request.for_spreadsheet
        identity = Identity(
            self.request.table.sha256, served.arn, served.model, served.name, self.added, for_spreadsheet
        )
        earlier, differences = output.earlier(identity, self._unchanged)
        if differences and not self.request.start_over:
            raise RefusedError(
                f"{output.partial} holds {counted(earlier.rows, 'row')} of an earlier attempt that cannot be continued: "
                f"{'; '.join(differences)}.\n--start-over begins again at the first row."
            )
        if earlier.rows and not differences:
            output.begin(identity, earlier)
            if not again:
                self.console.print(f"Going on after row {earlier.rows:,} of {self.request.table.rows:,}.", markup=False)
            return earlier
        output.begin(identity)
        return Progress()

    def _unchanged(self, progress: Progress) -> bool:
        """Whether the rows that are done are the file's, also if others were fixed since."""
        try:
            return self.request.table.digest_of(progress.rows).hexdigest() == progress.rows_sha256
        except predict_input.ChangedError:
            return False

    def ask_from(self, done: Progress, served: endpoint.Served, output: Output) -> Progress:
        """Ask about the rows after those that are done. Raises ModelChangedError, ChangedError, RefusedError, ClientError, BotoCoreError."""
        runtime = client("sagemaker-runtime", config=endpoint.PATIENT)
        sagemaker = client("sagemaker", config=endpoint.PATIENT)
        table, progress = self.request.table, done.copy()
        digest = table.digest_of(progress.rows)
        if not progress.rows:
            output.write(self._line(table.header, self.added, table.line_end))
        kept_at = time.monotonic()
        columns = TextColumn("Predicting"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        with Bar(*columns, console=self.console, transient=True, disable=not self.console.is_terminal) as bar:
            task = bar.add_task("rows", total=table.rows, completed=progress.rows)
            for asked in endpoint.requests(table.after(progress.rows), self.where):
                answers = endpoint.ask(runtime, served.endpoint, asked)
                output.write(b"".join(self._written(asked.rows, answers, progress)))
                predict_input.add(digest, asked.rows)
                progress.rows_sha256 = digest.hexdigest()
                bar.update(task, completed=progress.rows)
                if time.monotonic() - kept_at >= KEEP_EVERY_SECONDS:
                    self._keep(progress, served, output, sagemaker)
                    kept_at = time.monotonic()
        self._keep(progress, served, output, sagemaker)
        return progress

    def _keep(self, progress: Progress, served: endpoint.Served, output: Output, sagemaker: Any) -> None:
        """Keep what was answered since the last time, if file and model are still those that were found."""
        if self.request.table.changed():
            raise predict_input.ChangedError
        endpoint.confirm(sagemaker, served)
        output.keep(progress)

    def _written(self, rows: Sequence[predict_input.Row], answers: list[Answer], progress: Progress) -> list[bytes]:
        lines = []
        for row, answer in zip(rows, answers, strict=True):
            added = self._values(row, answer)
            if self.taken.is_classification:
                progress.labels[added[0]] = progress.labels.get(added[0], 0) + 1
            else:
                value = self._number(row, added[0])
                progress.least = value if progress.least is None else min(progress.least, value)
                progress.most = value if progress.most is None else max(progress.most, value)
                progress.total += value
            progress.rows = row.number
            lines.append(self._line(row.text, added, row.end or self.request.table.line_end))
        return lines

    def _line(self, text: str, added: Sequence[str], end: str) -> bytes:
        """A row as it came, with what is added; for a spreadsheet cell by cell."""
        if self.request.for_spreadsheet:
            cells = next(csv.reader([text], strict=True), [])
            return f"{_joined([_defused(cell) for cell in (*cells, *added)])}{end}".encode()
        return f"{text},{_joined(added)}{end}".encode()

    def _values(self, row: predict_input.Row, answer: Answer) -> list[str]:
        """What is added to a row: the label, its probability, and that of the positive class; or the value."""
        if not self.taken.is_classification:
            return [answer.label]
        spelled = self.taken.labels.spelled
        try:
            probabilities = {spelled(label): value for label, value in answer.probabilities().items()}
        except UnreadableAnswerError:
            probabilities = {}
        label = spelled(answer.label)
        if label not in probabilities:
            raise RefusedError(
                f"The endpoint answered row {row.number:,} with {answer.text.strip()[:80]!r}, and a class with its "
                "probability was expected: is the model one of this pipeline?"
            )
        positive = self.taken.positive_class
        if positive is None:
            return [label, repr(probabilities[label])]
        # Versions of before answer with the predicted class's alone, which is one of two.
        chance = probabilities.get(positive, 1 - probabilities[label])
        if self.taken.decision_threshold is not None:
            other = next(name for name in self.taken.labels.labels if name != positive)
            label = positive if chance >= self.taken.decision_threshold else other
        return [label, repr(chance if label == positive else probabilities.get(label, 1 - chance)), repr(chance)]

    def _number(self, row: predict_input.Row, answer: str) -> float:
        try:
            return float(answer)
        except ValueError:
            raise RefusedError(
                f"The endpoint answered row {row.number:,} with {answer[:40]!r}, which is no number."
            ) from None

    def show(self, progress: Progress, earlier: int, seconds: float) -> None:
        """What came out, in a few lines."""
        if self.request.show_rows:
            self._show_rows()
        now = progress.rows - earlier
        speed = f"{counted(now, 'row')} in {seconds:.1f} s ({now / max(seconds, 1e-3):,.0f} rows/s)"
        self.console.print(
            speed if not earlier else f"{counted(progress.rows, 'row')}, of which {speed} now", markup=False
        )
        if self.taken.is_classification:
            labels = Counter(progress.labels).most_common()
            parts = [f"{_printable(label)} {count:,}" for label, count in labels[:SHOWN_LABELS]]
            more = len(labels) - SHOWN_LABELS
            self.console.print(
                f"Predicted: {', '.join(parts)}{f' and {more} classes more' if more > 0 else ''}", markup=False
            )
        else:
            mean = progress.total / progress.rows
            self.console.print(f"Predicted: {progress.least:g} to {progress.most:g}, on average {mean:g}", markup=False)
        self.console.print(f"Written: {self.request.output}", markup=False)

    def _show_rows(self) -> None:
        columns = self.request.table.columns
        known = {name.strip().lower() for name in self.taken.ids}
        shown = next((place for place, name in enumerate(columns) if name.strip().lower() in known), 0)
        table = ShownTable(escape(_printable(columns[shown])), *self.added, box=box.SIMPLE_HEAD)
        with self.request.output.open(encoding="utf-8", newline="") as file:
            for cells in islice((cells for cells in csv.reader(file) if cells), 1, SHOWN_ROWS + 1):
                table.add_row(
                    *(Text(_printable(cell)) for cell in (cells[shown], *map(_rounded, cells[len(columns) :])))
                )
        self.console.print(table)


def _rounded(cell: str) -> str:
    """A number with as many digits as a person reads; the file has all."""
    try:
        return f"{float(cell):.4g}" if "." in cell else cell
    except ValueError:  # a label
        return cell


def _unused(name: str, columns: Sequence[str]) -> str:
    taken = {column.strip().lower() for column in columns}
    names = (name, *(f"{name}_{number}" for number in range(2, len(columns) + 3)))
    return next(candidate for candidate in names if candidate.strip().lower() not in taken)


def _joined(cells: Sequence[str]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)  # with its own end of line: csv.writer quotes no other line breaks
    return out.getvalue()[:-2]


def _defused(cell: str) -> str:
    """A cell that a spreadsheet would take for a formula, as the text that it is; numbers stay numbers.

    https://owasp.org/www-community/attacks/CSV_Injection
    """
    if not cell.startswith(("=", "+", "-", "@", "\t", "\r")):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell


def _printable(text: str, most: int = 40) -> str:
    shown = text if text.isprintable() else repr(text)[1:-1]
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"
