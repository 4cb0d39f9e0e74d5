"""The dashboard shows metrics that the functions publish, or that AWS documents and the local cloud publishes."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from automl_pipeline import measures

from local.aws.sagemaker import metrics
from local.build import packaging

ROOT = Path(__file__).parents[2]
RESOURCES = packaging.read_template(ROOT / "template.yaml")["Resources"]
SEARCHED = re.compile(r"""SEARCH\('\{(?P<names>[^}]*)\} MetricName="(?P<metric>\w+)" service="[^"]+"'""")


@pytest.fixture(scope="module")
def shown() -> set[tuple[str, ...]]:
    """What the widgets show: namespace, metric, names of dimensions."""
    body = RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    widgets = json.loads(re.sub(r"\$\{[^}]+\}", "x", body))["widgets"]
    return {metric for widget in widgets if widget["type"] == "metric" for metric in _metrics(widget)}


def _metrics(widget: dict[str, Any]) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    before: list[str] = []
    for row in widget["properties"]["metrics"]:
        if isinstance(row[0], dict):
            searched = SEARCHED.match(row[0]["expression"])
            assert searched, row
            namespace, *names = searched["names"].split(",")
            found.append((namespace, searched["metric"], *names))
            continue
        texts = [item for item in row if isinstance(item, str)]
        # "." repeats what stands there in the row before, "..." all that is left out.
        full = before if texts == ["..."] else [before[i] if text == "." else text for i, text in enumerate(texts)]
        before = full
        found.append((full[0], full[1], *full[2::2]))
    return found


def test_every_metric_of_the_functions_is_shown_with_its_dimensions(shown: set[tuple[str, ...]]) -> None:
    published = {
        (measures.NAMESPACE, measure.name, "service", *([measure.dimension] if measure.dimension else []))
        for measure in measures.ALL
    }
    assert {metric for metric in shown if metric[0] == measures.NAMESPACE} == published


def test_metrics_of_the_endpoint_are_those_that_it_publishes(shown: set[tuple[str, ...]]) -> None:
    tally = metrics._Tally(Counter({2: 1, 4: 1, 5: 1}), 1, Counter({1.0: 1}), Counter({1.0: 1}))
    published = {
        (metrics.NAMESPACE, datum["MetricName"], *(dimension["Name"] for dimension in datum["Dimensions"]))
        for datum in metrics.data(("endpoint", "AllTraffic", "config"), tally)
    }
    assert {metric for metric in shown if metric[0] == metrics.NAMESPACE} <= published


def test_every_alarm_says_where_the_runbook_is() -> None:
    headings = {
        line.lstrip("# ").lower().replace(" ", "-")
        for line in (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("#")
    }
    for name, resource in RESOURCES.items():
        if resource["Type"] == "AWS::CloudWatch::Alarm":
            text = resource["Properties"]["AlarmDescription"]
            linked = re.search(r"\(docs/runbook\.md#([a-z-]+)\)$", text if isinstance(text, str) else text["Fn::Sub"])
            assert linked, name
            assert linked[1] in headings, name
