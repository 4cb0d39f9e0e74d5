"""report.html: what the metrics mean, for people. One page, no other file, nothing loaded from anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from string import Template
from typing import Any

import numpy
from sklearn import metrics

_SIZE = 260
_MOST_POINTS = 400
_LONGEST_NAME = 60

_PAGE = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Evaluation of run $run</title>
<style>
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #6b7280; --line: #d6dae0; --mark: #2563eb; --paper: #fff }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8eb; --soft: #9aa3af; --line: #3a414b; --mark: #7aa7ff; --paper: #14171b } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 56rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2rem } p, small { color: var(--soft) }
table { border-collapse: collapse } th, td { border: 1px solid var(--line); padding: .35rem .8rem; text-align: right; font-variant-numeric: tabular-nums }
th { font-weight: 600; text-align: left } .row { display: flex; flex-wrap: wrap; gap: 2.5rem }
svg { max-width: 100%; height: auto } svg text { fill: var(--soft); font-size: 11px }
.axis { stroke: var(--line); fill: none } .curve { stroke: var(--mark); fill: none; stroke-width: 2 } .point { fill: var(--mark); fill-opacity: .5 }
</style></head><body>
<h1>$verdict</h1>
<p>Run $run, tested on $rows rows that the model never saw. $baseline</p>
<div class="row">
<section><h2>Metrics</h2><table>$metrics</table></section>
$pictures
</div></body></html>
""")


def page(document: dict[str, Any], truth: Sequence[Any], predicted: Sequence[Any], score: Any) -> str:
    """The page. `document` is evaluation.json; `score` the positive class's probability, None without one."""
    gate, value = document["gate_metric"], document[document["gate_metric"]]
    verdict = f"{gate} {value:.4f}, {'at least' if document['passed'] else 'below'} the threshold of {document['accuracy_threshold']}"
    if "baseline_accuracy" in document:
        baseline = (
            f"Always answering the most frequent class would be right in {document['baseline_accuracy']:.1%} of them."
        )
        pictures = _confusion(document["labels"], document["confusion_matrix"])
        if score is not None:
            pictures += _roc(numpy.asarray(truth) == document["labels"][1], score)
    else:
        baseline = f"Always answering the mean would be off by {document['baseline_rmse']:.4g} (RMSE)."
        pictures = _scatter(numpy.asarray(truth, dtype=float), numpy.asarray(predicted, dtype=float))
    rows = [
        (name, number)
        for name, number in document.items()
        if isinstance(number, float) and name != "accuracy_threshold"
    ]
    return _PAGE.substitute(
        run=escape(document["run_id"]),
        verdict=escape(verdict),
        rows=f"{document['rows']:,}",
        baseline=baseline,
        metrics="".join(f"<tr><th>{escape(name)}</th><td>{number:.4f}</td></tr>" for name, number in rows),
        pictures=pictures,
    )


def _confusion(labels: list[str], matrix: list[list[int]]) -> str:
    if len(labels) > 20:
        return "<section><h2>Confusion matrix</h2><p>Too many classes to draw; evaluation.json has it.</p></section>"
    names = [_name(label) for label in labels]
    head = "".join(f"<th>{name}</th>" for name in names)
    most = max(max(row) for row in matrix) or 1
    body = "".join(
        f"<tr><th>{name}</th>"
        + "".join(
            f'<td style="background:color-mix(in srgb, var(--mark) {60 * count // most}%, transparent)">{count}</td>'
            for count in row
        )
        + "</tr>"
        for name, row in zip(names, matrix, strict=True)
    )
    return f"<section><h2>Confusion matrix</h2><table><tr><th>true \\ predicted</th>{head}</tr>{body}</table></section>"


def _name(label: str) -> str:
    """A class's name, which may be any text: short, without effect as HTML or on the direction of what follows."""
    return f"<bdi>{escape(label if len(label) <= _LONGEST_NAME else label[: _LONGEST_NAME - 1] + '…')}</bdi>"


def _roc(positive: Any, score: Any) -> str:
    wrong, right, _ = metrics.roc_curve(positive, score)
    area = metrics.auc(wrong, right)
    keep = numpy.unique(numpy.linspace(0, len(wrong) - 1, _MOST_POINTS).astype(int))
    points = " ".join(f"{x * _SIZE:.1f},{(1 - y) * _SIZE:.1f}" for x, y in zip(wrong[keep], right[keep], strict=True))
    diagonal = f'<line class="axis" x1="0" y1="{_SIZE}" x2="{_SIZE}" y2="0" stroke-dasharray="4"/>'
    return _figure(
        "ROC curve",
        f"area {area:.4f}",
        "false positive rate",
        "true positive rate",
        f'{diagonal}<polyline class="curve" points="{points}"/>',
    )


def _scatter(truth: Any, predicted: Any) -> str:
    low, high = float(min(truth.min(), predicted.min())), float(max(truth.max(), predicted.max()))
    span = (high - low) or 1.0
    chosen = numpy.random.default_rng(0).permutation(len(truth))[:_MOST_POINTS]
    dots = "".join(
        f'<circle class="point" r="3" cx="{(x - low) / span * _SIZE:.1f}" cy="{_SIZE - (y - low) / span * _SIZE:.1f}"/>'
        for x, y in zip(truth[chosen], predicted[chosen], strict=True)
    )
    diagonal = f'<line class="axis" x1="0" y1="{_SIZE}" x2="{_SIZE}" y2="0" stroke-dasharray="4"/>'
    return _figure("Predicted against true", f"{low:.4g} to {high:.4g}", "true", "predicted", diagonal + dots)


def _figure(title: str, note: str, below: str, beside: str, drawn: str) -> str:
    frame = f'<rect class="axis" width="{_SIZE}" height="{_SIZE}"/>'
    texts = f'<text x="{_SIZE / 2}" y="{_SIZE + 16}" text-anchor="middle">{below}</text>'
    texts += f'<text transform="translate(-8 {_SIZE / 2}) rotate(-90)" text-anchor="middle">{beside}</text>'
    return (
        f'<section><h2>{title}</h2><svg role="img" aria-label="{title}, {note}" width="{_SIZE + 30}" height="{_SIZE + 24}" '
        f'viewBox="-24 -2 {_SIZE + 30} {_SIZE + 24}">{frame}{drawn}{texts}</svg><br><small>{note}</small></section>'
    )
