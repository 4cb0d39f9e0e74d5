"""Every chart's title, what it shows, and its numbers as a table: for a screen reader, for paper, and to copy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from report import story, words

_ROWS = 21  # of a long curve

Document = dict[str, Any]


def of(document: Document, target: str) -> list[Document]:
    """The charts of the section on ranking and probabilities, or of that on errors; those whose numbers there are."""
    if document["problem_type"] == "Regression":
        return _regression(document, words.short(target)) if document.get("residuals") else []
    if document.get("confidence"):
        return _probabilities(document["confidence"], "right", "the answer", "were right", ("Right", "Wrong"))
    return _binary(document, document["curves"]) if document.get("curves") else []


def by_threshold(document: Document) -> list[list[str]]:
    """Threshold, positives found, false alarms, misses: every tenth of the probability."""
    curve = (document.get("threshold") or {}).get("curve") or []
    tenths = {number / 10 for number in range(11)}
    counts = ("true_positives", "false_positives", "false_negatives")
    return [
        [f"{point['threshold']:.1f}", *(f"{point[name]:,}" for name in counts)]
        for point in curve
        if point["threshold"] in tenths
    ]


def _binary(document: Document, curves: Document) -> list[Document]:
    positive = words.short(story.positive_class(document))
    roc, precision_recall, gains = curves["roc"], curves["precision_recall"], curves["gains"]
    share = sum(row["positives"] for row in curves["scores"]) / document["rows"]
    return [
        _chart(
            "gains",
            "Gains",
            f"Working through the rows from the highest probability down: the share of all {positive} that is found by "
            "then. The dashed line is a random order.",
            ["Share of rows", f"Share of {positive} found"],
            _shares(gains["shares_of_rows"], gains["shares_of_positives"]),
        ),
        _chart(
            "roc",
            "ROC curve",
            "The further to the top left, the better; the dashed line is chance.",
            ["False positive rate", "True positive rate"],
            _shares(roc["false_positive_rates"], roc["true_positive_rates"]),
        ),
        _chart(
            "precision-recall",
            "Precision and recall",
            f"The dashed line is chance: {words.share(share)} of the rows are {positive}.",
            ["Recall", "Precision"],
            _shares(precision_recall["recalls"], precision_recall["precisions"]),
        ),
        *_probabilities(curves["scores"], "positives", positive, f"were {positive}", (positive, "All others")),
    ]


def _probabilities(
    bins: list[Document], name: str, subject: str, happened: str, titles: tuple[str, str]
) -> list[Document]:
    return [
        _chart(
            "calibration",
            "Calibration",
            f"Of the rows that were given a probability, how many {happened}; on the dashed line the two agree. "
            "Points of fewer than 10 rows are not drawn.",
            ["Mean probability", f"Share that {happened}", "Rows"],
            [
                [words.share(row["mean_probability"]), words.share(row[name] / row["rows"]), f"{row['rows']:,}"]
                for row in bins
                if row["rows"]
            ],
        ),
        _chart(
            "scores",
            "Distribution of probabilities",
            f"Number of rows by probability of {subject}. The further apart the two, the better.",
            ["Probability", *titles],
            [
                [f"{row['from']:.2f} to {row['to']:.2f}", f"{row[name]:,}", f"{row['rows'] - row[name]:,}"]
                for row in bins
            ],
        ),
    ]


def _regression(document: Document, target: str) -> list[Document]:
    residuals = document["residuals"]
    sample = residuals["sample"]
    charts = [
        _chart(
            "points",
            "Predicted and true values",
            "On the dashed line they agree."
            + (f" A random sample of {len(sample):,} of {words.rows(document['rows'])}." if len(sample) < document["rows"] else "")
            + " The axes end where all but the outermost values do.",
            [f"True {target}", "Predicted"],
            [list(map(words.amount, pair)) for pair in _some(sorted(map(tuple, sample)))],
        )
    ]  # fmt: skip
    if histogram := residuals.get("histogram"):
        edges, tails = histogram["edges"], histogram["below"] + histogram["above"]
        bins = zip(edges, edges[1:], histogram["rows"], strict=False)
        charts.append(
            _chart(
                "residuals",
                "Errors",
                "True value less prediction, in the target's unit: right of 0, the prediction was too low."
                + (f" {words.rows(tails)} {'lies' if tails == 1 else 'lie'} further out." if tails else ""),
                ["Error", "Rows"],
                [[f"{words.amount(low)} to {words.amount(high)}", f"{count:,}"] for low, high, count in bins],
            )
        )
    if groups := residuals.get("by_prediction"):
        columns = ("median_prediction", "low", "median", "high")
        charts.append(
            _chart(
                "by-prediction",
                "Errors by size of the prediction",
                "Each point is a tenth of the rows, from the lowest predictions to the highest: the median error, and the "
                "band that nine of ten errors lie in.",
                ["Prediction", "5% are below", "Median error", "5% are above", "Rows"],
                [[*(words.amount(row[name]) for name in columns), f"{row['rows']:,}"] for row in groups],
            )
        )
    return charts


def _chart(chart_id: str, title: str, note: str, columns: list[str], rows: list[list[str]]) -> Document:
    return {"id": chart_id, "title": title, "note": note, "columns": columns, "rows": rows}


def _shares(one: list[float], other: list[float]) -> list[list[str]]:
    return [[words.share(value) for value in pair] for pair in _some(zip(one, other, strict=True))]


def _some(pairs: Iterable[Any]) -> list[Any]:
    """Rows evenly from first to last."""
    known = list(pairs)
    if len(known) <= _ROWS:
        return known
    return [known[round(index * (len(known) - 1) / (_ROWS - 1))] for index in range(_ROWS)]
