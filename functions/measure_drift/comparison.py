"""How far the rows of requests are from those that a model was trained on, feature by feature."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import request
from drift import STRONG, Bins


class Comparison:
    """Counts requests, then compares: rows are counted in the bins of the training rows, and not kept."""

    def __init__(self, specification: Mapping[str, Any], distributions: Mapping[str, Any]) -> None:
        """`specification`: preprocessing.json, `distributions`: distributions.json."""
        described = {feature["name"]: feature for feature in distributions["features"]}
        self._schema = request.Schema(specification)
        self._bins = [
            Bins(described[feature["name"]], feature.get("categories", ())) for feature in self._schema.features
        ]
        self._of = [lru_cache(4096)(bins.of) for bins in self._bins]
        self._counts = [[0] * len(bins.expected) for bins in self._bins]
        self._unseen = [0] * len(self._bins)
        self._requests = self._unreadable = self._rows = 0

    def add(self, body: bytes, content_type: str) -> None:
        """Count a request's rows. One that the container would refuse is counted as such."""
        self._requests += 1
        try:
            rows = list(request.rows(self._schema, request.opened(body, content_type)))
        except request.BadRequestError:
            self._unreadable += 1
            return
        self._rows += len(rows)
        for place, (bin_of, counts) in enumerate(zip(self._of, self._counts, strict=True)):
            for row in rows:
                code, is_new = bin_of(row[place])
                counts[code] += 1
                self._unseen[place] += is_new

    def document(self) -> dict[str, Any]:
        """What was found.

        {"requests", "unreadable": of them, "rows", "judged": features of which the rows are enough to judge, "drifted":
        names, the farthest first, "largest": the largest index that is more than chance, "features": name → {"psi",
        "chance": the index that chance alone may reach, "unseen": share of the rows with a category that training never
        saw, "missing", "missing_in_training": shares}}.
        """
        found = [
            (bins, counts, bins.compare(counts, unseen))
            for bins, counts, unseen in zip(self._bins, self._counts, self._unseen, strict=True)
            if self._rows
        ]
        drifts = [drift for _, _, drift in found]
        return {
            "requests": self._requests,
            "unreadable": self._unreadable,
            "rows": self._rows,
            "judged": sum(drift.chance < STRONG for drift in drifts),
            "drifted": [drift.name for drift in sorted(drifts, key=lambda one: -one.psi) if drift.has_drifted],
            "largest": round(max((drift.psi for drift in drifts if drift.psi > drift.chance), default=0.0), 4),
            "features": {
                drift.name: {
                    "psi": round(drift.psi, 4),
                    "chance": round(drift.chance, 4),
                    "unseen": round(drift.unseen, 4),
                    "missing": round(counts[-1] / self._rows, 4),
                    "missing_in_training": round(bins.expected[-1] / sum(bins.expected), 4),
                }
                for bins, counts, drift in found
            },
        }
