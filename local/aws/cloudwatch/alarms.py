"""CloudWatch's alarms as AWS evaluates them: each on the metric with its own dimensions, with missing data as configured.

MiniStack looks at every metric of the alarm's name whatever its dimensions, and only when somebody puts data. Here alarms are
looked at several times a second, and their periods are as much shorter as the machines' waits are: a minute of an
alarm's period is a second of the demo. Periods end now, not at full minutes.
"""

from __future__ import annotations

import logging
import operator
import threading
import time
from collections.abc import Callable
from typing import Any

from local.aws import ministack_patches

logger = logging.getLogger("local.cloudwatch")
TICK_SECONDS = 0.25
# What an endpoint under load publishes in ten minutes is some 20 MB; AWS's 15 days would fill the memory. Of minutes that
# take a tenth of a second less is kept, as every new value has all those before looked through.
KEPT_SECONDS = 600.0
LEAST_KEPT_SECONDS = 60.0
_BREACHES: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
_pace = 1.0
# When each alarm last went off: one that is soon over, or was set by hand (SetAlarmState), must not be missed.
_went_off: dict[str, float] = {}
# MiniStack evaluates on its event loop, we do in a thread of ours: an alarm's actions must not happen twice.
_evaluating = threading.Lock()


def install(pace: float) -> None:
    """Evaluate MiniStack's metric alarms here. `pace`: the factor on their periods."""
    from ministack.services import cloudwatch

    global _pace
    _pace = pace
    ministack_patches.replace(cloudwatch, "_evaluate_alarm", evaluate)
    record = cloudwatch._record_history

    def record_and_note(name: str, before: str, state: str, *rest: Any, **more: Any) -> None:
        if state == "ALARM":
            _went_off[name] = time.monotonic()
        record(name, before, state, *rest, **more)

    ministack_patches.replace(cloudwatch, "_record_history", record_and_note)
    threading.Thread(target=_watch, name="alarms", daemon=True).start()


def exists(name: str) -> bool:
    """Whether there is a metric alarm of that name."""
    from ministack.services import cloudwatch

    return name in cloudwatch._alarms


def went_off(name: str, since: float) -> bool:
    """Whether the alarm is in ALARM, or was at any time since then (`time.monotonic`)."""
    from ministack.services import cloudwatch

    alarm = cloudwatch._alarms.get(name)
    return alarm is not None and (alarm["StateValue"] == "ALARM" or _went_off.get(name, since) > since)


def evaluate(alarm: dict[str, Any]) -> None:
    """Bring a metric alarm's state up to date and start its actions if it changed."""
    from ministack.services import cloudwatch

    with _evaluating:
        judged = judge(alarm, _values(alarm, time.time()))
        before = alarm["StateValue"]
        if judged is None or judged[0] == before:
            return
        state, reason = judged
        alarm.update(StateValue=state, StateReason=reason, StateUpdatedTimestamp=int(time.time()))
        cloudwatch._record_history(alarm["AlarmName"], before, state, reason)
        cloudwatch._dispatch_alarm_actions(alarm, before, state, reason)
        cloudwatch._evaluate_parent_alarms(alarm)


def judge(alarm: dict[str, Any], values: list[float | None]) -> tuple[str, str] | None:
    """The state that follows from the newest periods' values and why; None to leave it as it is.

    `values`: one for each evaluation period, None where there is no data. The rules for missing data are those of
    docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html; AWS also looks at data older
    than the evaluation periods to fill gaps, which is not played here.
    """
    breaches = _BREACHES.get(alarm.get("ComparisonOperator") or "")
    if breaches is None:
        return None  # anomaly detection
    threshold = alarm["Threshold"]
    present = [value for value in values if value is not None]
    missing, wanted = len(values) - len(present), alarm.get("DatapointsToAlarm") or len(values)
    bad = sum(breaches(value, threshold) for value in present)
    treatment = alarm.get("TreatMissingData") or "missing"
    if treatment == "breaching":
        bad += missing
    elif treatment == "ignore" and missing and bad < wanted and bad + missing >= wanted:
        return None
    elif treatment == "missing" and not present:
        return "INSUFFICIENT_DATA", "Insufficient Data: no datapoints were received"
    elif treatment == "missing":
        wanted = min(wanted, len(present))
    compared = f"{alarm['ComparisonOperator']} {threshold}"
    seen = f"{bad} of {len(values)} datapoints, {missing} of them missing ({treatment}); values {present}"
    return ("ALARM" if bad >= wanted else "OK"), f"Threshold Crossed: {seen}; {compared}"


def _values(alarm: dict[str, Any], now: float) -> list[float | None]:
    """The alarm's statistic in each of its evaluation periods, newest first."""
    from ministack.services import cloudwatch

    dimensions = cloudwatch._dims_from_list(alarm.get("Dimensions") or [])
    key = (alarm.get("Namespace"), alarm.get("MetricName"), cloudwatch._dims_key(dimensions))
    points = list(cloudwatch._metrics.get(key) or [])
    statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
    period = alarm["Period"] * _pace
    found: list[float | None] = []
    for number in range(alarm["EvaluationPeriods"]):
        end = now - number * period
        within = [point for point in points if end - period < point["Timestamp"] <= end]
        stats = cloudwatch._calc_stats(within)
        found.append(cloudwatch._stat_value(stats, statistic, within) if stats else None)
    return found


def forget(now: float) -> None:
    """Leave out values that no alarm looks back to. `now`: seconds since 1970."""
    from ministack.services import cloudwatch

    least = max(KEPT_SECONDS * min(_pace, 1.0), LEAST_KEPT_SECONDS)
    reaches: dict[Any, float] = {}
    for alarm in cloudwatch._alarms.values():
        metric = (alarm.get("Namespace"), alarm.get("MetricName"))
        reach = (alarm.get("Period") or 0) * (alarm.get("EvaluationPeriods") or 1) * _pace
        reaches[metric] = max(reaches.get(metric, least), reach)
    for (*metric, _), points in cloudwatch._metrics.items():
        oldest = now - reaches.get(tuple(metric), least)
        while points and points[0]["Timestamp"] < oldest:
            del points[0]


def _watch() -> None:
    from ministack.services import cloudwatch

    while True:
        time.sleep(TICK_SECONDS)
        try:
            cloudwatch._evaluate_all_alarms()
            forget(time.time())
        except Exception:
            logger.exception("The alarms were not evaluated")
