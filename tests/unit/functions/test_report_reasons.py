"""The report says what drives the answers and what Autopilot chose from, or why it cannot."""

from __future__ import annotations

import re

import report
from report import words

from tests.evaluations import PREPROCESSING, binary

from .test_report import HOSTILE, Page

EXPLANATION = {
    "report_uri": "s3://b/analysis.json",
    "error": None,
    "columns": [{"column": "age", "value": 0.0612, "share": 0.6}, {"column": HOSTILE, "value": 0.0408, "share": 0.4}],
}
BOARD = {
    "objective": "BalancedAccuracy",
    "error": None,
    "total": 52,
    "candidates": [
        {
            "name": "WeightedEnsemble-L2-t1",
            "chosen": True,
            "status": "Completed",
            "value": 0.8125,
            "metrics": {"BalancedAccuracy": 0.8125, "AUC": 0.9},
            "training_seconds": 75.4,
            "inference_latency_seconds": 0.031,
        },
        {
            "name": HOSTILE,
            "chosen": False,
            "status": "Failed",
            "value": None,
            "metrics": {},
            "training_seconds": None,
            "inference_latency_seconds": None,
        },
    ],
}


def test_what_drives_the_answers_is_on_the_first_screen_and_drawn() -> None:
    given = binary() | {"explanation": EXPLANATION, "associations": [{"column": "plan", "share": 0.9}]}
    page = report.render(given, target="churn", preprocessing=PREPROCESSING | {"renames": {"age": "Age in years"}})
    text = Page(page).text
    assert f"Its answers are driven most by Age in years (60%) and {words.short(HOSTILE)} (40%)." in text
    assert re.search(r'<span class="bar w12"></span>60\.0% <small>0\.0612</small>', page)
    assert "correlate" not in text


def test_without_an_explanation_it_says_why_and_what_the_answers_go_along_with() -> None:
    given = binary() | {
        "explanation": {"report_uri": None, "columns": [], "error": "Autopilot wrote no explainability report."},
        "associations": [{"column": "plan", "share": 0.9}],
    }
    text = Page(report.render(given, target="churn", preprocessing=PREPROCESSING)).text
    assert "Its answers correlate most with plan." in text
    assert "Autopilot wrote no explainability report. Instead: how much" in text


def test_leaderboard_shows_each_candidate_as_text() -> None:
    page = report.render(binary() | {"leaderboard": BOARD}, target="churn")
    text = Page(page).text
    assert "50 more are not shown" in text
    row = re.search(r"<tr><th scope=\"row\"><bdi>WeightedEnsemble-L2-t1.*?</tr>", page, re.DOTALL)
    assert row
    assert re.findall(r"<td>(.*?)</td>", row[0]) == ["0.8125", "0.9000", "75 s", "31 ms"]
    assert "chosen" in row[0]
    assert words.short(HOSTILE) in text
    assert "Balanced accuracy" in text


def test_leaderboard_that_could_not_be_listed_says_so() -> None:
    board = {"objective": None, "candidates": [], "total": 0, "error": "The candidates could not be listed: no."}
    assert (
        "The candidates could not be listed: no."
        in Page(report.render(binary() | {"leaderboard": board}, target="x")).text
    )
