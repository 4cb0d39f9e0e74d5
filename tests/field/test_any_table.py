"""Whatever table training accepts, its rows are accepted by endpoint and `predict`, and encoded to the same numbers."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from cli import demo_request, predict_input, predict_survey
from processing.names import feature_name, fold
from tests.examples import examples

from .tables import Asked, train

ROWS = 640
VALUES = st.one_of(
    st.sampled_from(["", " ", "NA", "null", "None", "-", "?", "Unknown", "n.a.", "nan", "inf", "1e999", "\\N", "#N/A"]),
    st.sampled_from(["True", "TRUE", "true", "False", "0", "1", "1.0", "0.0", "+1", "-0", "007", "00", "1e3", "1_0", "١"]),
    st.sampled_from(["a", " a", "a\u00a0", "\u00e9", "e\u0301", "x,y", 'say "hi"', "two\nlines", "=1+1", "9007199254740993"]),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4),
    st.integers(-(10**20), 10**20).map(str),
    st.floats().map(repr),
)  # fmt: skip
KINDS = [VALUES, st.sampled_from(["1", "2.5", "NA", "", "-3"]), st.sampled_from(["TRUE", "False", "true", ""])]
NAMES = st.lists(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=6).filter(
        str.strip
    ),
    min_size=1,
    max_size=3,
    unique_by=(feature_name, fold),
).filter(lambda names: not {"id", "row", "churn", "event_time"} & {feature_name(name) for name in names})


@st.composite
def tables(draw: st.DrawFn) -> str:
    """CSV: an id, the row's number, a target, and a few columns of any kind, whose values come again and again."""
    names = draw(NAMES)
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=len(names), max_size=len(names)))
    few = draw(st.lists(st.tuples(*kinds), min_size=2, max_size=9))
    out = io.StringIO()
    writer = csv.writer(out, quoting=draw(st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL])))
    writer.writerow(["id", "row", *names, "churn"])
    writer.writerows([f"C{row:04}", row, *few[row % len(few)], "yes" if row % 3 else "no"] for row in range(ROWS))
    return out.getvalue()


@hypothesis_settings(max_examples=examples(25), deadline=None)
@given(tables())
def test_rows_of_any_table_are_taken_and_encoded_as_in_training(content: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "table.csv"
        file.write_text(content, encoding="utf-8", newline="")
        try:
            trained = train(Path(name), Asked(file, id_column="id"))
        except demo_request.RefusedError:
            return
        encoded: dict[float, list[float]] = {}
        place = trained.encoder.names.index("row")
        for part in ("train", "test"):
            for row in trained.encoded(part)[trained.encoder.names].to_numpy(dtype=float).tolist():
                encoded[row[place]] = row
        served = trained.served(content.encode())
        assert served == [encoded[row] for row in range(ROWS)]
        assert trained.served(_first(content, 5).encode()) == served[:5]  # few rows go another way than many
        table = predict_input.check(file)
        where = {
            name: column
            for name, column in zip(trained.encoder.names, trained.encoder.known.places(table.columns), strict=True)
            if column is not None
        }
        features: dict[str, Any] = {feature["name"]: feature for feature in trained.specification["features"]}
        assert list(where) == trained.encoder.names
        assert predict_survey.look(table.after(0), features, where).problems == []


def _first(content: str, rows: int) -> str:
    out = io.StringIO()
    csv.writer(out).writerows(list(csv.reader(io.StringIO(content, newline="")))[: rows + 1])
    return out.getvalue()
