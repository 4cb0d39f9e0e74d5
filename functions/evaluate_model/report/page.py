"""evaluation.json as a page: one file that loads nothing, with every value escaped by the template."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from report import data, reasons, story, tables, words

_FOLDER = Path(__file__).parent
_MOST_CLASSES_DRAWN = 20
_CONFUSIONS_LISTED = 20
_NOT_METRICS = frozenset({"rows", "accuracy_threshold", "decision_threshold"})

Document = dict[str, Any]


def render(
    document: Document,
    *,
    target: str,
    preprocessing: Document | None = None,
    settings: Document | None = None,
    stack: str | None = None,
    region: str | None = None,
) -> str:
    """The page. `document` is evaluation.json, `preprocessing` preprocessing.json; what neither of them has is left out."""
    preprocessing, settings = preprocessing or {}, settings or {}
    target = (preprocessing.get("renames") or {}).get(target, target)  # the column's own name
    regression = document["problem_type"] == "Regression"
    warnings = list(dict.fromkeys([*_warnings(document), *data.warnings(preprocessing)]))
    charts = tables.of(document, target)
    # The picture that says most stands on the first screen.
    first = next((chart for chart in charts if chart["id"] in ("gains", "points")), None)
    style = _asset("vendor/uPlot.min.css") + _asset("style.css")
    scripts = [_asset("vendor/uPlot.iife.min.js"), _asset("charts.js")]
    return (
        _environment()
        .get_or_select_template("page.html")
        .render(
            style=Markup(style),  # noqa: S704 - our own files
            scripts=[Markup(script) for script in scripts],  # noqa: S704
            policy=_policy([style], scripts),
            document=document,
            regression=regression,
            target=target,
            positive=None if regression else story.positive_class(document),
            headline=document.get("summary") or story.headline(document, target),
            useless=story.useless(document),
            verdict=story.verdict(document),
            warnings=warnings,
            mark=("warned" if warnings else "good") if document["passed"] else "bad",
            serving=story.serving(document),
            slices=_slices(document, preprocessing.get("renames") or {}),
            gains=story.gains(document),
            tiles=_tiles(document),
            metrics=_metrics(document),
            baseline=(document.get("baseline") or {}).get("answer"),
            confidence=(document.get("resampling") or {}).get("confidence", 0.95),
            conditions=(document.get("gate") or {}).get("conditions", []),
            classes=[] if regression else _classes(document),
            confusion=None if regression else _confusion(document),
            first=first,
            charts=[chart for chart in charts if chart is not first],
            trade_rows=tables.by_threshold(document),
            suggestion=story.threshold(document),
            choosing_rows=((document.get("threshold") or {}).get("suggested") or {}).get("rows_chosen_on"),
            chart_data=_chart_data(document),
            drivers=reasons.drivers(document, preprocessing.get("renames") or {}),
            candidates=reasons.candidates(document),
            columns=data.columns(preprocessing),
            compared_with=data.compared_with(preprocessing),
            facts=[*data.facts(document, preprocessing), *reasons.facts(document)],
            settings=[(words.words(name), words.listed(value)) for name, value in sorted(settings.items())],
            approval=settings.get("model_approval_status"),
            options=f" --stack-name {stack}" * bool(stack) + f" --region {region}" * bool(region),
        )
    )


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "short": words.short,
        "share": words.share,
        "amount": words.amount,
        "number": words.number,
        "words": words.words,
        "rows": words.rows,
        "step": lambda value: round(20 * value),
    }
    return environment


@cache
def _asset(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _policy(styles: list[str], scripts: list[str]) -> str:
    """Content-Security-Policy: this page's own style and scripts by their hashes, and nothing from anywhere."""

    def hashes(sources: list[str]) -> str:
        digests = (hashlib.sha256(source.encode()).digest() for source in sources)
        return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)

    return f"default-src 'none'; style-src {hashes(styles)}; script-src {hashes(scripts)}; base-uri 'none'; form-action 'none'"


def _warnings(document: Document) -> list[str]:
    """What the evaluation warns of; without a word from it, at least that the model is worth nothing."""
    given = document.get("warnings")
    if given is None and story.useless(document):
        return ["A model without features does as well. Approve this one only if you know why."]
    return list(given or [])


def _interval(document: Document, name: str) -> tuple[float, float] | None:
    found = (document.get("intervals") or {}).get(name)
    return (found["lower"], found["upper"]) if found else None


def _baseline(document: Document, name: str) -> float | None:
    """The baseline's value of a metric. The first evaluations had two of its metrics alone."""
    values = (document.get("baseline") or {}).get("metrics") or {}
    return values.get(name, document.get(f"baseline_{name}"))


def _champion(document: Document, name: str) -> float | None:
    """The metric of what serves now."""
    return ((document.get("champion") or {}).get("metrics") or {}).get(name)


def _difference(document: Document, name: str) -> str | None:
    """The model less what serves now, with the paired interval."""
    found = ((document.get("champion") or {}).get("difference") or {}).get(name)
    if found is None:
        return None
    interval = (
        f" ({words.exact(name, found['lower'])} to {words.exact(name, found['upper'])})" if "lower" in found else ""
    )
    return words.exact(name, found["value"]) + interval


def _names(document: Document) -> list[str]:
    return [
        name
        for name, value in document.items()
        if isinstance(value, float) and name not in _NOT_METRICS and not name.startswith("baseline_")
    ]


def _words(document: Document, name: str) -> words.Metric:
    """Of more than two classes, these three are means over the classes."""
    mean = len(document["labels"]) > 2 and name in ("precision", "recall", "f1_score")
    return words.metric(f"{name}_macro" if mean else name)


def _metrics(document: Document) -> dict[str, Any]:
    """A row for each metric, and which columns any of them fills."""
    rows = []
    for name in _names(document):
        interval, baseline = _interval(document, name), _baseline(document, name)
        champion = _champion(document, name)
        rows.append(
            {
                "name": name,
                "words": _words(document, name),
                "value": words.exact(name, document[name]),
                "interval": interval and " to ".join(words.exact(name, bound) for bound in interval),
                "baseline": None if baseline is None else words.exact(name, baseline),
                "champion": None if champion is None else words.exact(name, champion),
                "difference": _difference(document, name),
            }
        )
    filled = {key: any(row[key] for row in rows) for key in ("interval", "baseline", "champion")}
    return {"rows": rows, **filled}


def _tiles(document: Document) -> list[dict[str, Any]]:
    """The four numbers that are read first."""
    wanted = ("r2", "rmse", "mae", "median_absolute_error", "accuracy", "precision", "recall", "auc", "f1_score")
    names = [name for name in wanted if isinstance(document.get(name), float)][:4]
    tiles = []
    for name in names:
        interval, baseline = _interval(document, name), _baseline(document, name)
        champion = _champion(document, name)
        tiles.append(
            {
                "title": _words(document, name).title,
                "value": words.value_of(name, document[name]),
                "interval": interval and "–".join(words.value_of(name, bound) for bound in interval),
                "baseline": None if baseline is None else words.value_of(name, baseline),
                "champion": None if champion is None else words.value_of(name, champion),
            }
        )
    return tiles


def _slices(document: Document, names: dict[str, str]) -> list[dict[str, Any]]:
    """A table for each column that metrics were asked by; `apart`: groups whose interval is on one side of the whole's value."""
    shown = []
    for found in document.get("slices") or []:
        metric = found["metric"]
        whole, known = document[metric], words.metric(metric)
        rows = []
        for group in found["groups"]:
            sides = [group[end] > whole for end in ("lower", "upper")] if "lower" in group else [True, False]
            higher = sides[0] if sides[0] == sides[1] else None
            rows.append(
                {
                    "name": words.short(group["name"]),
                    "rows": group["rows"],
                    "value": None if group["value"] is None else words.exact(metric, group["value"]),
                    "interval": " to ".join(words.exact(metric, group[end]) for end in ("lower", "upper"))
                    if "lower" in group
                    else None,
                    "apart": None if higher is None else "worse" if higher == known.lower_is_better else "better",
                }
            )
        shown.append(
            {
                "column": words.short(names.get(found["column"], found["column"])),
                "title": _words(document, metric).title,
                "whole": words.exact(metric, whole),
                "rows": rows,
                "not_shown": found["groups_not_shown"],
            }
        )
    return shown


def _classes(document: Document) -> list[dict[str, Any]]:
    return [{**row, "label": words.short(row["label"])} for row in document.get("per_class") or []]


def _confusion(document: Document) -> dict[str, Any]:
    """The matrix with each cell's share of its row; of many classes, only the commonest confusions."""
    labels = [words.short(label) for label in document["labels"]]
    matrix: list[list[int]] = document["confusion_matrix"]
    cells = [[(count, count / sum(row) if sum(row) else 0.0) for count in row] for row in matrix]
    mistakes = sorted(
        (
            (count, labels[true], labels[answered], part)
            for true, row in enumerate(cells)
            for answered, (count, part) in enumerate(row)
            if count and true != answered
        ),
        key=lambda mistake: -mistake[0],
    )
    drawn = len(labels) <= _MOST_CLASSES_DRAWN
    return {
        "labels": labels,
        "rows": list(zip(labels, cells, strict=True)) if drawn else [],
        "mistakes": mistakes[:_CONFUSIONS_LISTED] if len(labels) > 2 else [],
        "mistakes_in_all": len(mistakes),
    }


def _chart_data(document: Document) -> Document:
    """What charts.js draws. The slider begins at the threshold that the run decides by, and at its costs."""
    positive = None if document["problem_type"] == "Regression" else story.positive_class(document)
    known = {name: document[name] for name in ("curves", "confidence", "residuals", "threshold") if document.get(name)}
    return {"positive": positive if positive is None else words.short(positive), **known}
