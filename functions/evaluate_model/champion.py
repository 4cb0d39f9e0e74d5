"""The champion on the same test rows: whether the new model is worse, and by how much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gate

# A random split draws new test rows from a table that the champion was trained on an earlier part of.
_SEEN = (
    "It may have been trained on some of these rows, which makes it look better than it is; split: time avoids that."
)


def judge(
    evaluation: Mapping[str, Any],
    champion: Mapping[str, Any],
    objective: str,
    settings: Mapping[str, Any],
    classes: Sequence[str] = (),
) -> dict[str, Any]:
    """The champion's part of evaluation.json.

    `champion`: version, model_name, endpoint_name and, if it could not be evaluated, `error`, a sentence; else its metrics
    are in `evaluation`. `classes`: its own, where they are not those of this run. `passed` is false where the model is worse
    by more than `champion_margin` even at the end of the paired interval that favours it.
    """
    result = {
        **{key: champion.get(key) for key in ("version", "model_name", "endpoint_name")},
        "stance": settings.get("champion") or "Report",
        "margin": settings.get("champion_margin") or 0.0,
        "classes": list(classes),
    }
    compared = evaluation.get("champion") or {"difference": {}}
    wanted = (gate.objective_metric(objective), "accuracy", "r2")
    metric = next((one for one in wanted if one in compared["difference"]), None)
    error = champion.get("error") or (
        None if metric else unusable(champion, "its answers are too far off to be measured.")
    )
    if metric is None or error:
        problem = str(error)
        said = f"{problem[:1].lower()}{problem[1:]}".strip().rstrip(".")
        return {**result, "error": error, "passed": False, "sentence": said, "warnings": [gate.sentence(said)]}
    who = name(champion)
    difference = compared["difference"][metric]
    sign = 1 if metric in gate.LESS_IS_BETTER else -1
    loss = sign * difference["value"]
    least, most = sorted(sign * difference.get(bound, difference["value"]) for bound in ("lower", "upper"))
    passed = least <= result["margin"]
    said = f"the model {_compared(loss, least, most, gate.spoken(metric), known='lower' in difference)} {who}"
    if result["margin"] and loss > 0:
        said += f", {'within' if passed else 'more than'} the margin of {gate.number(result['margin'])}"
    warnings = []
    if not passed:
        warnings.append(gate.sentence(said) + ("" if settings.get("split") == "time" else f" {_SEEN}"))
    elif loss > result["margin"]:
        warnings.append(f"{gate.sentence(said)[:-1]}: so little that other test rows could have shown the opposite.")
    if classes:
        shown = ", ".join(repr(one[:40]) for one in classes[:5]) + (", …" if len(classes) > 5 else "")
        warnings.append(
            f"{gate.sentence(who)[:-1]}, knows other classes than this table has ({shown}): the two are compared by which "
            "of their answers are right."
        )
    return {
        **result,
        **compared,
        "error": None,
        "metric": metric,
        "value": evaluation[metric],
        "champion_value": compared["metrics"][metric],
        "passed": passed,
        "sentence": said,
        "warnings": warnings,
    }


def name(champion: Mapping[str, Any]) -> str:
    """`version 4, which serves now`."""
    version = champion.get("version")
    which = f"version {version}" if version is not None else f"model {champion.get('model_name')}"
    return f"{which}, which serves now"


def unusable(champion: Mapping[str, Any], reason: str) -> str:
    """The sentence that it could not be evaluated, worded as in training.asl.yaml, which finds most of the reasons."""
    return f"{gate.sentence(name(champion))[:-1]}, could not be evaluated: {reason}"


def _compared(loss: float, least: float, most: float, metric: str, *, known: bool) -> str:
    """`loses 0.0310 in accuracy (95 % interval 0.0100 to 0.0520) against`; `known`: whether there is an interval."""
    if loss == least == most == 0:
        return f"is as good in {metric} as"
    verb, against, ends = ("loses", "against", (least, most)) if loss > 0 else ("gains", "over", (-most, -least))
    said = f"{verb} {gate.number(abs(loss))} in {metric}"
    if not known:
        return f"{said} {against}"
    if ends[0] >= 0:
        return f"{said} (95 % interval {gate.number(ends[0])} to {gate.number(ends[1])}) {against}"
    return f"{said} (95 % interval: a loss of {gate.number(most)} to a gain of {gate.number(-least)}) {against}"
