"""report.html: every number is evaluation.json's, any text is shown as text, and the file loads nothing."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html import unescape
from html.parser import HTMLParser
from typing import Any

import curves
import evaluation
import numpy
import pytest
import report
import slices
import thresholds
from predictions import Answers
from report import words

from tests.evaluations import FUNCTION, PREPROCESSING, binary, judged, whole

HOSTILE = "</script><img src=x onerror=alert(1)> ' \" & ${x} {{ 7*7 }}"


class Page(HTMLParser):
    """What a browser makes of the page: its tables' cells, its elements and attributes, its text and its scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.metrics: dict[str, str] = {}
        self.blocks: dict[str, list[str]] = {"script": [], "style": []}
        self.kinds: list[str | None] = []
        self.policy = self.text = self.title = ""
        self._metric: str | None = None
        self.references: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        self._metric = given.get("data-metric")
        self.references += [str(given[name]) for name in ("src", "href", "style", "onerror") if name in given]
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = str(given["content"])
        if tag == "script":
            self.kinds.append(given.get("type"))

    def handle_data(self, data: str) -> None:
        tag = self.tags[-1] if self.tags else ""
        if tag in self.blocks and self.get_starttag_text() and self.cdata_elem == tag:
            self.blocks[tag].append(data)
            return
        if self._metric:
            self.metrics[self._metric], self._metric = data, None
        self.title = self.title or (data.strip() if tag == "h1" else "")
        self.text += data


def rendered(document: dict[str, Any], **more: Any) -> Page:
    return Page(report.render(document, target="churn", preprocessing=PREPROCESSING, **more))


def test_every_metric_and_curve_is_the_evaluations() -> None:
    document = binary()
    page = rendered(document)
    shown = {name: float(text) for name, text in page.metrics.items()}
    stated = {name for name in document if isinstance(document[name], float)} - {"baseline_accuracy", "accuracy_threshold"}  # fmt: skip
    assert shown == pytest.approx({name: document[name] for name in stated}, abs=5e-5)
    for name in stated:
        interval = document["intervals"][name]
        assert f"{interval['lower']:.4f} to {interval['upper']:.4f}" in page.text
    drawn = json.loads(page.blocks["script"][0])
    assert {name: drawn[name] for name in ("curves", "threshold")} == {name: document[name] for name in ("curves", "threshold")}  # fmt: skip
    (_, false_alarms), (missed, found) = document["confusion_matrix"]
    assert page.title == f"Finds {found} of the {missed + found} rows whose churn is Yes; {found} of the {found + false_alarms} that it flags are right."  # fmt: skip
    for row in document["per_class"]:
        assert f"{row['precision']:.4f}{row['recall']:.4f}{row['f1_score']:.4f}" in page.text


def test_gains_are_those_of_the_ranked_rows() -> None:
    document = binary(rows=1000)
    generator = numpy.random.default_rng(1)
    score = generator.beta(2, 3, 1000)
    positive = generator.random(1000) < score
    top = numpy.argsort(-score)[:200]
    held = positive[top].sum() / positive.sum()
    assert f"the top 20% of rows hold {held:.0%} of all Yes" in rendered(document).text


def test_gains_of_a_model_that_knows_nothing_are_those_of_chance() -> None:
    positive = numpy.arange(1000) < 300  # in an order that would flatter a ranking by it
    page = rendered(judged(positive, numpy.full(1000, 0.3)))
    assert "hold 20% of all Yes, no more than the same number of rows picked at random" in page.text


def test_first_line_says_that_a_model_finds_nothing() -> None:
    positive = numpy.arange(1000) < 70
    page = rendered(judged(positive, numpy.linspace(0, 0.4, 1000)))
    assert page.title == "Finds 0 of the 70 rows whose churn is Yes; no better than always answering No."
    assert "The model finds 0 of the 70 test rows of class 'Yes'." in page.text


def test_verdict_warnings_and_conditions_of_the_evaluation_are_shown() -> None:
    document = binary() | {
        "verdict": "Does not pass the gate: recall 0.41 is below 0.60 by 0.19.",
        "warnings": ["Column <b>x</b> reaches the target alone."],
        "passed": False,
    }
    page = rendered(document)
    assert "Recall 0.41 is below 0.60 by 0.19." in page.text
    assert "Column <b>x</b> reaches the target alone." in page.text
    assert "Not passed" in page.text


def test_evaluation_of_an_earlier_version_is_a_page_too() -> None:
    first = (
        "accuracy", "precision", "recall", "f1_score", "balanced_accuracy", "baseline_accuracy", "auc", "confusion_matrix", "labels",
        "rows", "problem_type", "objective_metric_name", "accuracy_threshold", "gate_metric", "passed", "run_id",
    )  # fmt: skip
    document = {name: binary()[name] for name in first}
    page = Page(report.render(document, target="churn"))
    assert page.metrics["accuracy"] == f"{document['accuracy']:.4f}"
    assert f"Accuracy {document['accuracy']:.4f} reaches the threshold 0.5." in page.text
    assert "figure" not in page.tags


def test_columns_that_answers_go_along_with_have_their_own_names() -> None:
    shares = [{"column": "plan", "share": 0.42}, {"column": "age", "share": 0.1}, {"column": "x", "share": 0.001}]
    prepared = PREPROCESSING | {"renames": {"plan": "Plan (new)"}}
    text = Page(report.render(binary() | {"associations": shares}, target="churn", preprocessing=prepared)).text
    assert "Its answers correlate most with Plan (new) and age." in text
    assert "Plan (new)42.0%" in text


def test_columns_and_warnings_are_those_of_the_data_note() -> None:
    text = re.sub(r"\s+", " ", rendered(binary()).text)
    assert "The model was trained on 2 columns; 1 was left out." in text
    assert "agenumber70120median 41" in text
    assert "idleft out–––the record's identifier or time" in text
    assert "Column 'plan' alone gives the target away." in text
    assert "Splitthe newest rows are the test" in text


def test_columns_of_an_earlier_processing_job_are_shown_without_counts() -> None:
    prepared = {name: PREPROCESSING[name] for name in ("features", "rows", "seed", "data_sha256")}
    text = Page(report.render(binary(), target="churn", preprocessing=prepared)).text
    assert "plancategory2basic, gold" in text
    assert "Unseen" not in text
    assert "Drift" not in text


def test_drift_of_each_column_is_shown_where_there_was_a_run_to_compare_with() -> None:
    previous = {"run_id": "20261123-210022-1a2b3c4d", "problem": None}
    note = PREPROCESSING["data_note"]
    moved = [{**column, "drift": 0.314 if column["name"] == "age" else None} for column in note["columns"]]
    compared = note | {"columns": moved, "previous": previous}
    text = Page(report.render(binary(), target="churn", preprocessing=PREPROCESSING | {"data_note": compared})).text
    assert "moved since run 20261123-210022-1a2b3c4d (population stability index" in text
    assert "agenumber701200.31median 41" in text
    unread = compared | {"previous": previous | {"problem": "left no distributions"}}
    text = Page(report.render(binary(), target="churn", preprocessing=PREPROCESSING | {"data_note": unread})).text
    assert "Drift" not in text


def test_multiclass_names_its_commonest_confusions() -> None:
    truth = numpy.repeat(numpy.arange(30), 5)
    said = truth.copy()
    said[15:18] = 7
    probabilities = numpy.full((150, 30), 0.1 / 29)
    probabilities[numpy.arange(150), said] = 0.9
    labels = [f"c{number:02}" for number in range(30)]
    page = rendered(whole(evaluation.of_classes(truth, Answers(said, probabilities.max(axis=1), probabilities), labels, 29), labels, 150))  # fmt: skip
    assert page.title == "Right in 147 of 150 rows, where always answering c00 is right in 5."
    assert "Recall (macro)" in page.text
    assert "c03c07360.0%" in page.text.replace("\n", "")
    assert "Calibration" in page.text


def test_outlier_does_not_squeeze_the_pictures_of_a_regression() -> None:
    generator = numpy.random.default_rng(0)
    truth = numpy.linspace(10, 20, 2000)
    predicted = truth + generator.normal(size=2000)
    predicted[7] = 1e9
    document = whole(evaluation.of_numbers(truth, predicted), [], 2000)
    assert -5 < document["residuals"]["histogram"]["edges"][0] < document["residuals"]["histogram"]["edges"][-1] < 5
    page = rendered(document)
    assert "A random sample of 400 of 2,000 rows." in page.text
    outside = document["residuals"]["histogram"]["below"] + document["residuals"]["histogram"]["above"]
    assert f"{outside} rows lie further out." in page.text


@pytest.mark.parametrize("document", [binary((HOSTILE, "b" + HOSTILE)), binary(("a", "b\x00\u202e"))])
def test_any_text_is_text(document: dict[str, Any]) -> None:
    plain = rendered(binary())
    document |= {"run_id": HOSTILE, "verdict": HOSTILE, "warnings": [HOSTILE]}
    features = [{"name": HOSTILE, "kind": "categorical", "categories": [HOSTILE]}]
    note = {"name": HOSTILE, "kind": "left out", "missing": 1, "distinct": 1, "unseen": 1, "reason": HOSTILE}
    prepared = PREPROCESSING | {"features": features, "data_note": {"warnings": [HOSTILE], "columns": [note]}}
    page = Page(
        report.render(
            document, target=HOSTILE, preprocessing=prepared, settings={HOSTILE: HOSTILE},
            stack=HOSTILE, region=HOSTILE,
        )
    )  # fmt: skip
    assert set(page.tags) <= set(plain.tags) | {"div", "ul", "li", "h2", "pre", "code"}
    assert page.tags.count("script") == plain.tags.count("script")
    assert "img" not in page.tags
    assert HOSTILE[:50] in page.text
    assert page.references == []


def test_policy_allows_exactly_what_the_page_holds() -> None:
    page = rendered(binary())
    digests = {
        kind: [f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in texts]
        for kind, texts in (("style", page.blocks["style"]), ("script", page.blocks["script"][1:]))
    }
    rules = dict(rule.strip().split(" ", 1) for rule in page.policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["style-src"].split() == digests["style"]
    assert rules["script-src"].split() == digests["script"]
    assert page.kinds == ["application/json", None, None]
    assert page.references == []


def test_page_of_a_million_rows_is_small() -> None:
    generator = numpy.random.default_rng(0)
    score = generator.random(1_000_000)
    positive = generator.random(len(score)) < score
    document = binary() | {
        "curves": curves.of_scores(positive, score),
        "threshold": thresholds.describe(positive, score, score >= 0.5, applied=None, costs=None),
    }
    of_numbers = whole(evaluation.of_numbers(score[:300], score[:300] ** 2), [], 300)
    of_numbers |= {"residuals": curves.of_residuals(score, score**2), "rows": len(score)}
    for page in (document, of_numbers):
        assert len(report.render(page, target="churn", preprocessing=PREPROCESSING).encode()) < 250_000


def test_vendored_library_is_the_one_that_is_named() -> None:
    """functions/evaluate_model/report/vendor/README.md lists each file's SHA-256 as npm's package has it."""
    vendor = FUNCTION / "report" / "vendor"
    listed = dict(re.findall(r"^\| `([^`]+)` \| `([0-9a-f]{64})` \|", (vendor / "README.md").read_text(), re.MULTILINE))
    files = {file.name for file in vendor.iterdir()} - {"README.md"}
    assert set(listed) == files
    assert {name: hashlib.sha256((vendor / name).read_bytes()).hexdigest() for name in files} == listed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (words.share(0.99996), "over 99.9%"), (words.share(1.0), "100.0%"), (words.share(0.0001), "under 0.1%"),
        (words.share(0), "0.0%"), (words.amount(1234.5), "1,234"), (words.amount(0.00001), "1e-05"), (words.amount(0), "0.0000"),
        (words.listed([{"metric": "recall", "at_least": 0.6}]), "metric recall at least 0.6"),
        (words.words("max_candidates"), "Max candidates"), (words.metric("recall_macro").title, "Recall (macro)"),
        (words.metric("weighted_f1_score").title, "F1 score (weighted)"), (words.metric("new_metric").title, "New metric"),
    ],
)  # fmt: skip
def test_numbers_and_names_are_written_for_people(text: str, expected: str) -> None:
    assert unescape(text) == expected


def beside(**champion: Any) -> dict[str, Any]:
    """A model that is not as good as the one that serves."""
    generator = numpy.random.default_rng(1)
    score = generator.beta(0.5, 0.5, 1000)
    truth = (generator.random(1000) < score).astype(int)

    def answers(score: numpy.ndarray) -> Answers:
        return Answers((score >= 0.5).astype(int), None, numpy.column_stack([1 - score, score]))

    by = [slices.of({"name": "plan", "kind": "categorical", "categories": ["a", "b"]}, numpy.arange(1000) % 60 // 58),
          slices.of({"name": "age", "kind": "numeric"}, numpy.sort(score))]  # fmt: skip
    noisy = numpy.where(generator.random(1000) < 0.3, generator.random(1000), score)
    return whole(
        evaluation.of_classes(
            truth, answers(noisy), ["No", "Yes"], 1, champion=evaluation.Champion(answers(score)), slices=by
        ),
        ["No", "Yes"],
        1000,
        champion={"version": 4, "model_name": "m", "endpoint_name": "e", **champion},
    )


def test_what_serves_stands_beside_every_metric_and_in_the_first_lines() -> None:
    document = beside()
    page = rendered(document)
    found = document["champion"]
    assert f"But {found['sentence']}." in page.text
    for name in page.metrics:
        difference = found["difference"][name]
        row = f"{found['metrics'][name]:.4f}{difference['value']:.4f} ({difference['lower']:.4f} to {difference['upper']:.4f})"
        assert row in page.text
    assert f"version 4, serving now, {words.share(found['metrics']['accuracy'])}" in page.text


def test_what_serves_and_could_not_be_evaluated_is_in_the_first_lines() -> None:
    page = rendered(beside(error="Version 4, which serves now, could not be evaluated: it is <gone>."))
    assert "But version 4, which serves now, could not be evaluated: it is <gone>." in page.text
    assert "Serves now" not in page.text


def test_metric_of_every_slice_is_the_evaluations() -> None:
    document = beside()
    text = rendered(document).text.replace("\n", "")
    plan, age = document["slices"]
    for group in [*plan["groups"], *age["groups"]]:
        said = f"{group['name']}{group['rows']:,}{group['value']:.4f}{group['lower']:.4f} to {group['upper']:.4f}"
        assert said in text
    assert [group["name"] for group in plan["groups"]] == ["a", "b"]
    assert len(age["groups"]) == 4
    assert f"Than {document['accuracy']:.4f} of all rows" in text
