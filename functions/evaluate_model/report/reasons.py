"""What drives the answers, and the candidates that Autopilot chose from, as the page shows them."""

from __future__ import annotations

from typing import Any

from report import words

Document = dict[str, Any]
_MOST = 10
_LEAST_SHARE = 0.005
_METRICS_SHOWN = 5


def drivers(document: Document, names: dict[str, str]) -> Document:
    """The columns that matter most: by Autopilot's report if there is one, else what the answers go along with.

    `names`: the columns' own names by those of the features. `share` is of all columns' values, or of the variation.
    """
    explanation = document.get("explanation") or {}
    explained = bool(explanation.get("columns"))
    rows = explanation["columns"] if explained else document.get("associations") or []
    return {
        "explained": explained,
        "error": explanation.get("error"),
        "rows": [
            {
                "name": words.short(names.get(row["column"], row["column"])),
                "share": row["share"],
                "value": words.amount(row["value"]) if explained else None,
            }
            for row in rows[:_MOST]
            if row["share"] >= _LEAST_SHARE
        ],
    }


def candidates(document: Document) -> Document | None:
    """The leaderboard's columns and rows; None for evaluations without one."""
    board = document.get("leaderboard")
    if not board:
        return None
    objective = board["objective"]
    metrics = list(dict.fromkeys(name for row in board["candidates"] for name in row["metrics"] if name != objective))
    metrics = metrics[:_METRICS_SHOWN]
    timed = [
        (title, name)
        for title, name in (("Trained in", "training_seconds"), ("Answers in", "inference_latency_seconds"))
        if any(row[name] is not None for row in board["candidates"])
    ]
    return {
        "objective": None if objective is None else _title(objective),
        "error": board["error"],
        "left_out": board["total"] - len(board["candidates"]),
        "columns": [_title(name) for name in metrics] + [title for title, _ in timed],
        "rows": [
            {
                "name": words.short(row["name"]),
                "chosen": row["chosen"],
                "status": None if row["status"] == "Completed" else words.spaced(row["status"]),
                "value": _number(row["value"]),
                "cells": [_number(row["metrics"].get(name)) for name in metrics]
                + [_seconds(row[name]) for _, name in timed],
            }
            for row in board["candidates"]
        ],
    }


def facts(document: Document) -> list[tuple[str, str]]:
    """Where Autopilot's own reports and the model card are."""
    autopilot, card = document.get("autopilot") or {}, document.get("model_card") or {}
    found = (
        ("AutoML job", autopilot.get("job_name")),
        ("Candidate", autopilot.get("candidate")),
        ("Autopilot's explainability report", autopilot.get("explainability_uri")),
        ("Autopilot's model quality report", autopilot.get("model_insights_uri")),
        ("SageMaker model card", card.get("name") or card.get("error")),
    )
    return [(name, value) for name, value in found if value]


def _title(name: str) -> str:
    return words.words(words.spaced(name))


def _number(value: float | None) -> str:
    return "–" if value is None else words.number(value)


def _seconds(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f} s" if value >= 10 else f"{value:.1f} s" if value >= 1 else f"{1000 * value:.0f} ms"
