"""What must hold when an execution that met a fault has ended."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.contract import machines
from tests.faults.kinds import REASON, Case, Task
from tests.faults.stage import Ending, Stage, World
from tests.faults.ways import Way

_SERVES = re.compile(r"(Version \d+|-v\d\S+) serves|may serve by now|still serves")


def verdict(case: Case, way: Way, ending: Ending) -> str:
    """In a word: recovered (ended as it does without the fault), went on (well, another way), or failed."""
    good = way.ending
    if good and (ending.status, ending.error) == (good.status, good.error):
        return "recovered"
    return "went on" if ending.status == "SUCCEEDED" else "failed"


def problems(case: Case, way: Way, ending: Ending, stage: Stage) -> Iterator[str]:
    """Whatever is not as it must be, in words."""
    task, how = case.task, verdict(case, way, ending)
    if task.name not in ending.entered:
        yield f"it never came to {task.name}: {ending.entered}"
        return
    yield from _end(case, way, ending, how)
    yield from _emails(case, way, ending, stage, how)
    yield from _left_running(case, ending)
    yield from _world(ending)


def _end(case: Case, way: Way, ending: Ending, how: str) -> Iterator[str]:
    task, good = case.task, way.ending
    assert good is not None
    if ending.status not in ("SUCCEEDED", "FAILED"):
        yield f"it ended as {ending.status}"
    if case.kind.recovers and how != "recovered":
        yield f"it should end as it does without the fault ({good.status} {good.error}), but: {ending.status} {ending.error}: {ending.cause[:300]}"
    retried = (
        case.kind.recovers and case.kind.entry.get("outcome") != "Failed"
    )  # no run waits for a champion's capacity
    if retried and task.is_optional and _champion_failed(ending) != _champion_failed(good):
        yield f"it compares with the champion otherwise than without the fault: {ending.output.get('champion')}"
    if case.kind.name in task.explained and ending.error.endswith(
        f".{case.kind.name.removesuffix('Exception')}Exception"
    ):
        yield f"its error is the API's, and not explained: {ending.error}: {ending.cause[:300]}"
    if case.kind.spoils and task.may_fail and ending.status != "FAILED":
        yield "it ended well without what the state was to leave behind"
    if (case.kind.spoils or task.is_optional) and not task.may_fail and how == "failed":
        yield "it failed without what it can do without"
    if good.status == "FAILED" and task.follows_failure:
        # What is done about a failure, the email included, must not change what the execution ends with.
        # Where the failure machine cannot be started, the execution's error has EventBridge start it.
        # One that was stopped on its way leaves the failure unexplained.
        handed_over = task.reports_failure and not case.kind.recovers
        if not handed_over and (how != "recovered" or not ending.cause.startswith(good.cause[:40])):
            yield f"the first failure is hidden: {ending.error}: {ending.cause[:300]} in place of {good.error}: {good.cause[:300]}"
    elif how == "recovered" and not case.kind.recovers and _must_show(case, good):
        yield "it went on as if nothing had been"
    if ending.status == "FAILED" and (not ending.error or ending.error.startswith("States.")):
        yield f"its error {ending.error!r} says nothing"


def _champion_failed(ending: Ending) -> bool:
    return bool((ending.output.get("champion") or {}).get("error"))


def _must_show(case: Case, good: Ending) -> bool:
    """Whether the fault must change how the execution ends. One that fails without it has nothing to show."""
    return good.status == "SUCCEEDED" and case.task.must_fail and not case.kind.noticed_later


def _emails(case: Case, way: Way, ending: Ending, stage: Stage, how: str) -> Iterator[str]:
    emails = ending.failures_reported
    wanted = {1} if ending.status == "FAILED" or case.task.machine == "failure" else {0}
    if case.task.reports_failure and not case.kind.recovers:
        # The failure machine itself was stopped or failed: its alarm reports that. Started unheard, it runs twice.
        wanted = {"job failed": {0}, "job stopped": {0, 1}, "task timeout": {1, 2}}.get(case.kind.name, wanted)
    if case.task.sends_email and wanted == {1}:
        if case.kind.name in ("answer lost", "answer lost, called again"):
            wanted = {1, 2}  # SNS takes no token: rather twice than not at all
        elif not case.kind.recovers and case.kind.name != "task timeout":
            wanted = {0}  # it cannot be sent
    if len(emails) not in wanted:
        yield f"{len(emails)} emails report a failure, not {sorted(wanted)}: {[subject for subject, _ in emails]}"
    for subject, text in emails:
        yield from _mail(case, ending, stage, how, subject, text)
        if _mends_in_vain(case) and "could not be" not in text:
            yield f"the email does not say what {case.task.name} could not do: {text}"


def _mends_in_vain(case: Case) -> bool:
    """Whether the state is to put something right after a failure, and cannot."""
    mends = case.task.follows_failure and not case.task.sends_email and not case.task.reports_failure
    return mends and not case.kind.recovers and not case.kind.noticed_later


def _mail(case: Case, ending: Ending, stage: Stage, how: str, subject: str, text: str) -> Iterator[str]:
    step = case.task.step
    if ending.arn not in text and case.task.machine != "failure":
        yield f"the email is not about this execution: {text}"
    if step == "Failure":
        step = ""
    elif case.kind.noticed_later:
        if ending.error and case.task.machine == "training" and ending.error != f"{subject.rpartition('] ')[2]}Failed":
            yield f"the email's subject names another step than the execution's error: {subject}, {ending.error}"
    elif how != "recovered" and not subject.endswith(f"] {step}"):
        yield f"the email's subject does not name the step {step}: {subject}"
    found = re.search(r"^Error: \S+\s+Reason: (.*?)$", text, re.MULTILINE)
    if not found:
        yield f"the email names no error with its reason: {text}"
        return
    said = found[1]
    if "{" in said or "Traceback" in said or not said.strip() or said.rstrip().endswith(":"):
        yield f"nobody can read the email's reason: {said}"
    if (
        case.kind.entry.get("reason")
        and how == "failed"
        and case.kind.entry["outcome"] == "Failed"
        and REASON not in text
    ):
        yield f"the email lacks the job's own reason: {said}"
    if case.task.machine != "failure":
        group = re.search(r"log group (\S+)", text)
        if not group:
            yield f"the email names no log group: {text}"
        elif not _exists(stage, group[1]):
            yield f"there is no log group {group[1]}"


def _exists(stage: Stage, group: str) -> bool:
    found = stage.client("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    return any(one["logGroupName"] == group for one in found)


def _left_running(case: Case, ending: Ending) -> Iterator[str]:
    # A role that may not stop a job cannot have stopped it; the email of the failure names the job.
    cannot = case.task.operation.name.startswith(("Stop", "List")) and case.kind.recovers is None
    if ending.running and not cannot:
        yield f"jobs still run: {ending.running}"


def _world(ending: Ending) -> Iterator[str]:
    before, after = ending.before, ending.after
    new = after.versions.keys() - before.versions.keys()
    executions = [ending, *ending.children]
    if len(new) > 1:
        yield f"more than one version was registered: {sorted(new)}"
    if {arn: after.versions.get(arn) for arn in before.versions} != before.versions:
        yield "versions of the registry changed"
    if new and ending.status == "SUCCEEDED" and ending.output.get("model_package_arn") not in new:
        yield f"it registered {sorted(new)}, and says {ending.output.get('model_package_arn')}"
    if (
        ending.status == "SUCCEEDED"
        and ending.output.get("model_package_arn")
        and ending.output.get("run_id")
        and not new
    ):
        yield "it says that it registered a version, and there is none"
    points_at_new = bool(new) and (not after.latest or next(iter(new)).encode() in after.latest)
    if after.latest != before.latest and not points_at_new:
        yield f"latest.json points at no version of this run: {after.latest!r}"
    explanation = "\n".join(text for _, text in ending.failures_reported) or ending.cause
    yield from _endpoint(before, after, executions, explanation)
    if ending.status == "FAILED":
        yield from _as_before(before, after, explanation)


def _as_before(before: World, after: World, explanation: str) -> Iterator[str]:
    """What a failure has changed nevertheless must be reported."""
    served = before.endpoint is not None and before.endpoint["EndpointStatus"] == "InService"
    if served and after.endpoint is not None and after.endpoint != before.endpoint and not _SERVES.search(explanation):
        yield f"another version serves than before, which is not reported: {explanation}"
    if (
        after.endpoint == before.endpoint
        and after.autoscaling != before.autoscaling
        and "utoscaling" not in explanation
    ):
        yield f"autoscaling was {before.autoscaling} and is {after.autoscaling}, which is not reported: {explanation}"


def _endpoint(before: World, after: World, executions: list[Ending], explanation: str) -> Iterator[str]:
    if after.endpoint == before.endpoint:
        return
    if after.endpoint is None:
        if before.endpoint and before.endpoint["EndpointStatus"] == "InService":
            yield "the endpoint that served is gone"
        return
    if (
        after.endpoint["EndpointStatus"] != "InService"
        and "could not be removed; if it is still there" not in explanation
    ):
        yield f"a half-made endpoint is left: {after.endpoint}"
    requested = any(_requested(one) for one in executions)
    if not requested:
        yield f"the endpoint changed from {before.endpoint} to {after.endpoint}, and nobody asked for it"


def _requested(ending: Ending) -> bool:
    """Whether the execution came behind the states that ask for another endpoint."""
    changing = {
        Task("deployment", name).name
        for name, state in machines.states("deployment").items()
        if state["Type"] == "Task" and Task("deployment", name).operation.name in ("CreateEndpoint", "UpdateEndpoint")
    }
    return bool(changing & set(ending.entered))


def row(case: Case, how: str, ending: Ending) -> dict[str, Any]:
    """A line of the table."""
    return {
        "state": str(case.task),
        "fault": case.kind.name,
        "ends": how,
        "error": ending.error,
        "emails": len(ending.failures_reported),
        "rules": sorted(ending.rules),
    }
