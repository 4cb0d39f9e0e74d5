"""Records what the machines' expressions answer: `python -m tests.contract.record`, after a machine was changed.

It starts a local cloud and lets executions of the deployed machines go through every expression, by three ways:
whole runs that end in each way; every task once under a role that may do nothing, which fails it; and, for what none
of these reaches, executions that begin at a state with given variables. Then it writes recorded/*.jsonl, and names the
expressions that were still not reached, or ended in an error: for the first, add an entry to BEGINNINGS. It takes a
minute and a half.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from automl_pipeline.run_layout import Execution, describe
from automl_pipeline.settings import Settings

from cli import local_cloud
from local.aws.iam import roles
from local.aws.machine_states import states_of
from local.aws.stepfunctions import recording
from local.server import paths, process
from tests.contract import machines, permissions, recordings
from tests.pipeline.conftest import Cloud, customers_not_asked_for_before

_OWN_FILES = re.compile(re.escape(str(paths.PROJECT)) + r"(/\.local/packages/\w+)?")
# A thousand customers train as all do, in less time.
FEWER = {"customer_id_end": 1000}
CAUSES = {
    "transform": {"TransformJobName": "t", "TransformJobStatus": "Failed", "FailureReason": "no more disk"},
    "query": {"QueryExecution": {"Status": {"State": "FAILED", "StateChangeReason": "SYNTAX_ERROR: line 1:8"}}},
    "status": {"Status": {"State": "CANCELLED", "StateChangeReason": "Query was cancelled"}},
    "execution": {"Error": "EndpointFailed", "Cause": "The container does not answer"},
    "container": {"ProcessingJobStatus": "Failed", "ExitMessage": "out of paper", "FailureReason": "AlgorithmError"},
    "nothing": {"Other": 1},
}


@dataclass(frozen=True)
class Beginning:
    """An execution that begins at a state. `variables` are laid over those that whole runs left, key by key."""

    machine: str
    state: str
    variables: dict[str, Any] = field(default_factory=dict)
    given: dict[str, Any] = field(default_factory=dict)
    own_role: bool = False


_EVENT = {
    "executionArn": "arn:aws:states:us-west-2:000000000000:execution:training:one",
    "stateMachineArn": "training",
    "status": "ABORTED",
    "startDate": 1795467600123,
    "input": "{}",
    "cause": None,
}

_REPORTED = {
    "execution": "arn:aws:states:us-west-2:000000000000:execution:training:one",
    "started": "2026-11-25T07:00:00.123Z",
}
# What single tasks need that no whole run leaves.
GIVEN_TO_TASKS = {
    "StopProcessingJob": {"processing_jobs": ["one"]},
    "StopTransformJob": {"transform_jobs": ["one"]},
    "RegisterScalableTarget": {"failure": None},
    "PutScalingPolicy": {"failure": {"error": "EndpointFailed", "cause": "no container answers."}},
    "StopChampion": {"champion_job": "one"},
    "CheckArchive": {"archives": [{"bucket": "bucket", "key": "one", "etag": "two"}]},
    "RemoveEndpoint": {"failure": {"error": "EndpointFailed", "cause": "no container answers."}},
    "DeleteOldConfig": {"old": ["one", "two"]},
    "DeleteOldModel": {"old": ["one", "two"]},
}


def _protected(engine: Literal["Python", "Spark"] = "Python") -> dict[str, Any]:
    """What PrepareRun answers where the stack was given a key and a VPC, and rows are split by time."""
    settings = Settings(
        bucket="bucket",
        kms_key_arn="arn:aws:kms:us-west-2:000000000000:key/0123abcd",
        subnet_ids="subnet-0123abcd,subnet-4567cdef",
        security_group_ids="sg-0123abcd",
        network_isolation=True,
        split="time",
        processing_engine=engine,
    )
    execution = Execution(_REPORTED["execution"], "one", _REPORTED["started"])
    roles: dict[str, Any] = {
        "job_role": "arn:aws:iam::000000000000:role/job",
        "automl_role": "arn:aws:iam::000000000000:role/automl",
    }
    run = describe(
        settings, execution, code_sha256="0" * 64, image="image", spark_image="spark", stack="stack", **roles
    )
    return {name: run[name] for name in ("jobs", "unload_to", "network")}


_REFUSED = {"error": "SageMaker.SageMakerException", "cause": "Cannot update in-progress endpoint"}
_WRONG = {"state": "CheckAnswer", "error": "SmokeTestFailed", "cause": "Version 2 started, but answered otherwise."}
BEGINNINGS = [
    *(
        Beginning("training", state, {"run": _protected()})
        for state in ("ExtractFeatures", "PreprocessData", "StartAutoMLJob", "CreateModel", "TransformTestData")
    ),
    Beginning("training", "ExtractFeatures", {"run": _protected("Spark")}),
    # The Feature Store's own rules forbid such a name; the machine does not rely on them.
    Beginning("training", "CheckFeatureGroup", {"source": {"table": 'x"; DROP TABLE y'}}),
    Beginning("training", "AutoMLJobStatus", {"automl": {"status": "Failed", "failure_reason": "AlgorithmError"}}),
    Beginning("training", "AutoMLJobStatus", {"automl": {"status": "Completed", "containers": []}}),
    Beginning("training", "AutoMLJobStatus", {"automl": {"status": "Stopped", "containers": []}}),
    *(
        Beginning("training", "ChampionServes", {"serving": serving, "problem": None})
        for serving in (None, {"version": None, "model_name": "theirs", "endpoint_name": "theirs"})
    ),
    *(
        Beginning("training", "ChampionAnswered", {"problem": {"Error": "States.TaskFailed", "Cause": cause}})
        for cause in (json.dumps(CAUSES["transform"]), "")
    ),
    Beginning(
        "training",
        "CheckCapacity",
        {"failure": {"state": "TransformTestData", "error": "x", "cause": "CapacityError: no instance"}, "waits": 0},
    ),
    *(
        Beginning(
            "failure", "ReadFailure", given={**_REPORTED, "failure": {"state": state, "error": error, "cause": cause}}
        )
        for state, error, cause in (
            *(("TransformTestData", "x", cause) for cause in ["", "  ", *map(json.dumps, CAUSES.values())]),
            ("DeployEndpoint", "States.TaskFailed", json.dumps({"Status": "ABORTED"})),
            ("DeployEndpoint", "States.TaskFailed", json.dumps({"Status": "TIMED_OUT", "Cause": "the wrong version"})),
            ("DeployEndpoint", "States.Timeout", ""),
            ("deployment", "EndpointFailed", "no container answers"),
        )
    ),
    Beginning("deployment", "CheckApproved", {"package": {"approval": "Rejected"}}),
    Beginning("deployment", "CheckApproved", {"package": {"approval": "Approved", "document": ""}}),
    Beginning(
        "deployment",
        "ReadDeployment",
        {"package": {"document": f"{local_cloud.STACK}/runs/none/registration/deployment.json"}},
        own_role=True,
    ),
    *(
        Beginning(
            "deployment",
            "CheckAnswer",
            {"answer": "250.5", "deployment": {"known_row": {"answer": "250.4", "value": value}}},
        )
        for value in (250.4, None)
    ),
    *(
        Beginning(
            "deployment",
            "EndpointStatus",
            {
                "endpoint": {"status": status, "config": config, "reason": reason},
                "config": "mine",
                "change_requested": requested,
                "call_error": call_error,
                "failure": failure,
                "previous": {"config": "other", "scaling": []},
            },
        )
        for status, config, reason, requested, call_error, failure in (
            ("InService", "other", "unhealthy", True, None, None),
            ("InService", "other", "", True, _REFUSED, None),
            ("InService", "other", "", True, None, _WRONG),
            ("InService", "mine", "no", True, _REFUSED, _WRONG),
            ("Failed", "mine", "", True, None, None),
            ("Failed", "mine", "no answer", True, None, _WRONG),
            ("UpdateRollbackFailed", "other", "stuck", False, None, None),
            ("OutOfService", "mine", "", True, None, _WRONG),
            ("None", "", "Rate exceeded", True, None, None),
            ("None", "", "Rate exceeded", True, _REFUSED, None),
            ("Failed", "other", "no answer", False, None, None),
        )
    ),
    *(
        Beginning(
            "deployment",
            "RollBack",
            {"change_requested": requested, "previous": {"config": config, "scaling": []}, "failure": _WRONG},
        )
        for requested, config in ((False, ""), (True, ""), (True, "other"))
    ),
    Beginning("deployment", "DeploymentFailed", {"failure": {"error": "States.Timeout", "cause": ""}}),
    *(
        Beginning("failure", "ReadFailure", given={"detail": {**_EVENT, **detail}})
        for detail in (
            {},
            {"stateMachineArn": "deployment", "input": None},
            {"stateMachineArn": "deployment", "status": "TIMED_OUT"},
            {"stateMachineArn": "deployment", "input": '{"started_by": "a run"}'},
            {"cause": "the wrong customers"},
            {"status": "FAILED", "error": "States.QueryEvaluationError", "cause": "a member is missing"},
            {"status": "FAILED", "error": "States.Runtime"},
            {
                "status": "FAILED",
                "error": "FailureNotReported",
                "cause": json.dumps({"state": "CreateModel", "error": "x", "cause": "y"}),
            },
        )
    ),
    # What whole runs need only when something goes wrong, under the machines' own roles. The endpoint goes last.
    Beginning("deployment", "RemoveEndpoint", {"failure": _WRONG}, own_role=True),
]


def main() -> int:
    """Record anew. Returns the exit status: 1 if an expression was not reached."""
    with tempfile.TemporaryDirectory(prefix="recording-") as folder:
        raw = Path(folder) / "raw.jsonl"
        os.environ[recording.VARIABLE] = str(raw)
        allowed = Path(folder) / "allowed.jsonl"
        os.environ[roles.PERMISSIONS_VARIABLE] = str(allowed)
        with process.running(
            state=Path(folder) / "state", wait_scale=local_cloud.WAIT_SCALE, reuse=paths.REUSE
        ) as server:
            _say("deploying")
            # So few are kept that some are cleaned up; a little traffic is captured.
            deployed = local_cloud.deploy_stack(server, lambda _: None, KeptDeployments="1", DataCapturePercentage="50")
            local_cloud.load_telco(deployed)
            recorder = Recorder(Cloud(deployed), raw)
            recorder.whole_runs()
            recorder.interrupted_runs()
            recorder.failing_tasks()
            recorder.beginnings()
            recorder.scheduled_run()
            permissions.write(map(json.loads, allowed.read_text(encoding="utf-8").splitlines()), local_cloud.STACK)
            return recorder.write()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Recorder:
    """Executions on a local cloud, and what they left in the raw recording."""

    def __init__(self, cloud: Cloud, raw: Path):
        self._cloud, self._raw = cloud, raw
        self._states = cloud.client("stepfunctions")
        self._arns = {name: cloud.deployed.outputs[f"{name.capitalize()}StateMachineArn"] for name in machines.NAMES}
        described = {name: self._states.describe_state_machine(stateMachineArn=arn) for name, arn in self._arns.items()}
        self._roles = {name: machine["roleArn"] for name, machine in described.items()}
        self._definitions = {name: json.loads(machine["definition"]) for name, machine in described.items()}
        self._machine_of = {arn.rsplit(":", 1)[1]: name for name, arn in self._arns.items()}
        self._powerless = self._make_powerless_role()

    def whole_runs(self) -> None:
        """Runs of the training machine, and with them of the deployment machine, that end in each way."""
        first = self._run("Deployed", **FEWER)
        self._run("Unchanged", skip_if_unchanged=True, **FEWER)
        self._run("BelowThreshold", resume_from=first["run_id"], accuracy_threshold=0.99)
        self._run("Deployed", target_attribute_name="monthly_charges", problem_type="Regression",
                  objective_metric_name="RMSE", max_candidates=2, **FEWER)  # fmt: skip
        waiting = self._run("PendingApproval", model_approval_status="PendingManualApproval",
                            inference_instance_type="ml.c5.xlarge", **FEWER)  # fmt: skip
        other = self._run("PendingApproval", model_approval_status="PendingManualApproval", enable_autoscaling=False,
                          inference_instance_type="ml.c5.xlarge",
                          customer_id_start=None, customer_id_end=None, data_capture_percentage=0)  # fmt: skip
        self._run("BelowThreshold", accuracy_threshold=0.99, enable_autoscaling=False, **FEWER)
        self._run("PrepareRunFailed", nonsense=1)
        self._run("PrepareRunFailed", customer_id_start=5, customer_id_end=2)
        self._run("DataSourceFailed", feature_group_name="nobody-made-this")
        self._run("DataSourceFailed", feature_group_name=self._make_group_without_offline_store())
        self._run("DataSourceFailed", target_attribute_name="nothing")
        self._run("PreprocessDataFailed", customer_id_end=100)
        self._deployments(waiting["model_package_arn"])
        self._wrong_answers(other)

    def interrupted_runs(self) -> None:
        """Runs that are stopped while a job of theirs runs, and what the stack does about it."""
        _say("a run that is stopped while it trains")
        execution = self._cloud.start(**customers_not_asked_for_before())
        self._cloud.wait_for_state(execution, "WaitForAutoMLJob")
        self._states.stop_execution(executionArn=execution)
        self._cloud.interruption_of(execution)
        for kind in ("Processing", "Transform"):
            _say("a run that is stopped")
            execution, _ = self._run_with_job(kind)
            self._states.stop_execution(executionArn=execution, cause="the wrong customers")
            self._cloud.interruption_of(execution)
            # A job that Step Functions has not stopped itself, as it may fail to.
            execution, job = self._run_with_job(kind)
            left = {"processing_jobs": [], "transform_jobs": [], f"{kind.lower()}_jobs": [job], "stopped": []}
            self._ended(
                self._begin(
                    Beginning("failure", f"Stop{kind}Job", left, own_role=True), 998 if kind == "Processing" else 999
                )
            )
            self._cloud.ended(execution)

    def _run_with_job(self, kind: str) -> tuple[str, str]:
        """A run whose `kind` of job runs now, and the job's name."""
        sagemaker = self._cloud.client("sagemaker")
        listing = sagemaker.list_processing_jobs if kind == "Processing" else sagemaker.list_transform_jobs
        execution = self._cloud.start(**customers_not_asked_for_before())
        while not (running := listing(StatusEquals="InProgress")[f"{kind}JobSummaries"]):
            if (described := self._states.describe_execution(executionArn=execution))["status"] != "RUNNING":
                raise SystemExit(f"The run was over before its job ran: {described}")
            time.sleep(0.02)
        return execution, running[0][f"{kind}JobName"]

    def _deployments(self, waiting: str) -> None:
        sagemaker = self._cloud.client("sagemaker")
        start = {"stateMachineArn": self._arns["deployment"]}
        foreign = self._register_as_another_tool_would(waiting)
        for package in (foreign, waiting):  # neither is approved
            self._ended(self._states.start_execution(**start, input=json.dumps({"model_package_arn": package})))
        sagemaker.update_model_package(ModelPackageArn=waiting, ModelApprovalStatus="Approved")
        self._no_deployment_runs()
        for given in ({}, {"model_package_arn": f"{waiting.rsplit('/', 1)[0]}/1"}):
            self._ended(self._states.start_execution(**start, input=json.dumps(given)))

    def failing_tasks(self) -> None:
        """Every task once under a role that may do nothing."""
        tasks = [
            Beginning(machine, name, GIVEN_TO_TASKS.get(name, {}))
            for machine, definition in self._definitions.items()
            for name, state in states_of(definition).items()
            if state["Type"] == "Task"
        ]
        _say(f"{len(tasks)} tasks that are denied")
        for execution in [self._begin(task, number) for number, task in enumerate(tasks)]:
            self._ended(execution)

    def beginnings(self) -> None:
        """The executions in BEGINNINGS."""
        _say(f"{len(BEGINNINGS)} executions that begin at a state")
        for number, beginning in enumerate(BEGINNINGS):
            self._ended(self._begin(beginning, 1000 + number))

    def scheduled_run(self) -> None:
        """A start by the stack's own schedule, moved to the next minute."""
        _say("a scheduled start")
        scheduler = self._cloud.client("scheduler")
        (schedule,) = scheduler.list_schedules()["Schedules"]
        described = scheduler.get_schedule(Name=schedule["Name"])
        kept = {key: described[key] for key in ("Name", "FlexibleTimeWindow", "Target")}
        before = self._count_of_runs()
        scheduler.update_schedule(**kept, ScheduleExpression="rate(1 minute)", State="ENABLED")
        deadline = time.monotonic() + 90
        while self._count_of_runs() == before:
            if time.monotonic() > deadline:
                raise SystemExit("The schedule started nothing")
            time.sleep(0.5)
        scheduler.update_schedule(**kept, ScheduleExpression="rate(1 minute)", State="DISABLED")

    def _count_of_runs(self) -> int:
        return len(self._states.list_executions(stateMachineArn=self._arns["training"], maxResults=100)["executions"])

    def write(self) -> int:
        """Write recorded/, and name what was not reached."""
        problems = []
        for machine in machines.NAMES:
            substitutions = machines.substitutions(machine, self._definitions[machine])
            expressions = machines.expressions(machine, machines.deployed(machine, substitutions))
            wanted = {(one.state, one.text): one for one in expressions}
            evaluations = []
            for line in self._lines(machine):
                key = (line["bindings"]["states"]["context"]["State"]["Name"], line["expression"])
                if key in wanted and "error" in line:
                    problems.append(f"ended in an error: {wanted[key]}: {line['error']}")
                elif key in wanted:
                    evaluations.append(recordings.Evaluation(*key, line["bindings"], line["result"]))
            recordings.write(machine, substitutions, evaluations)
            reached = {(one.state, one.expression) for one in evaluations}
            problems += [f"not reached: {one}" for key, one in wanted.items() if key not in reached]
        for problem in problems:
            _say(problem)
        return 1 if problems else 0

    def _run(self, wanted: str, **given: Any) -> dict[str, Any]:
        _say(f"a run that ends as {wanted}: {given}")
        described = self._cloud.run(**given)
        output = json.loads(described.get("output", "{}"))
        if wanted not in (output.get("outcome"), described.get("error")):
            raise SystemExit(f"The run ended as {described.get('error')}: {described.get('cause') or output}")
        return output

    def _ended(self, started: dict[str, Any]) -> None:
        self._cloud.ended(started["executionArn"])

    def _begin(self, beginning: Beginning, number: int) -> dict[str, Any]:
        machine = beginning.machine
        name = f"{machine}-{number}"
        self._machine_of[name] = machine
        states = _scope_of(self._definitions[machine], beginning.state)
        variables = self._variables(machine)
        for inner in _assigned_within(states):
            variables.pop(inner, None)  # a branch cannot assign what is assigned around it
        for variable, value in beginning.variables.items():
            variables[variable] = _laid_over(variables.get(variable), value)
        given = {
            "Type": "Pass",
            "Assign": {variable: f"{{% $states.input.variables.{variable} %}}" for variable in variables},
            "Output": "{% $states.input.given %}",
            "Next": beginning.state,
        }
        definition = {
            "QueryLanguage": "JSONata",
            "StartAt": "Given",
            "States": {"Given": given, **{state: states[state] for state in _reachable(states, beginning.state)}},
        }
        made = self._states.create_state_machine(
            name=name,
            definition=json.dumps(definition),
            roleArn=self._roles[machine] if beginning.own_role else self._powerless,
        )
        text = json.dumps({"variables": variables, "given": beginning.given})
        return self._states.start_execution(stateMachineArn=made["stateMachineArn"], input=text)

    def _variables(self, machine: str) -> dict[str, Any]:
        """What executions of the deployed machine left in its variables."""
        left: dict[str, Any] = {}
        own = self._arns[machine].rsplit(":", 1)[1]
        for line in self._lines(machine):
            if line["bindings"]["states"]["context"]["StateMachine"]["Name"] == own:
                left |= line["bindings"]
        return {name: value for name, value in left.items() if name != "states"}

    def _lines(self, machine: str) -> Iterator[dict[str, Any]]:
        """The raw recording of a machine, of its executions that began at a state, too."""
        # A function's stack trace names its files, which on AWS lie elsewhere than on this machine.
        text = _OWN_FILES.sub("/var/task", self._raw.read_text(encoding="utf-8"))
        written = text[: text.rfind("\n") + 1]  # executions that run meanwhile may be about to write a line
        for line in map(json.loads, written.splitlines()):
            if self._machine_of.get(line["bindings"]["states"]["context"]["StateMachine"]["Name"]) == machine:
                yield line

    def _make_powerless_role(self) -> str:
        trust = {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        iam = self._cloud.client("iam")
        return iam.create_role(RoleName="powerless", AssumeRolePolicyDocument=document)["Role"]["Arn"]

    def _make_group_without_offline_store(self) -> str:
        names = {"id": "String", "event_time": "String", "churn": "String"}
        self._cloud.client("sagemaker").create_feature_group(
            FeatureGroupName="online-only",
            RecordIdentifierFeatureName="id",
            EventTimeFeatureName="event_time",
            FeatureDefinitions=[{"FeatureName": name, "FeatureType": kind} for name, kind in names.items()],
            OnlineStoreConfig={"EnableOnlineStore": True},
        )
        return "online-only"

    def _wrong_answers(self, run: dict[str, Any]) -> None:
        """A version on other instances that answers its known row wrongly, and what served before comes back."""
        package = run["model_package_arn"]
        self._cloud.client("sagemaker").update_model_package(ModelPackageArn=package, ModelApprovalStatus="Approved")
        self._no_deployment_runs()
        start = {"stateMachineArn": self._arns["deployment"]}
        back_to = json.dumps({"model_package_arn": f"{package.rsplit('/', 1)[0]}/1"})
        self._ended(self._states.start_execution(**start, input=back_to))
        bucket, _, key = f"{run['run_prefix']}/registration/deployment.json".removeprefix("s3://").partition("/")
        s3 = self._cloud.client("s3")
        document = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        document["known_row"]["answer"] = "Neither"
        s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(document))
        self._ended(self._states.start_execution(**start, input=json.dumps({"model_package_arn": package})))

    def _no_deployment_runs(self) -> None:
        """Returns when the deployments are over that an approval has started."""
        time.sleep(2)  # EventBridge starts them a moment later
        machine = self._arns["deployment"]
        while self._states.list_executions(stateMachineArn=machine, statusFilter="RUNNING")["executions"]:
            time.sleep(0.3)

    def _register_as_another_tool_would(self, package: str) -> str:
        """A version without the metadata that this pipeline's runs leave."""
        sagemaker = self._cloud.client("sagemaker")
        described = sagemaker.describe_model_package(ModelPackageName=package)
        return sagemaker.create_model_package(
            ModelPackageGroupName=described["ModelPackageGroupName"],
            ModelApprovalStatus="PendingManualApproval",
            InferenceSpecification=described["InferenceSpecification"],
        )["ModelPackageArn"]


def _laid_over(below: Any, above: Any) -> Any:
    if isinstance(below, dict) and isinstance(above, dict):
        return {**below, **{key: _laid_over(below.get(key), value) for key, value in above.items()}}
    return above


def _scope_of(definition: dict[str, Any], state: str) -> dict[str, Any]:
    """The states among which a state lies: the machine's, or those of a Parallel state's branch."""
    if state in definition["States"]:
        return definition["States"]
    branches = [branch for one in states_of(definition).values() for branch in one.get("Branches", [])]
    return next(branch["States"] for branch in branches if state in branch["States"])


def _assigned_within(states: dict[str, Any]) -> set[str]:
    """The variables of the branches of Parallel states."""
    branches = [branch for one in states.values() for branch in one.get("Branches", [])]
    inner = [state for branch in branches for state in states_of(branch).values()]
    rules = [rule for state in inner for rule in (state, *state.get("Catch", []), *state.get("Choices", []))]
    return {name for rule in rules for name in rule.get("Assign", {})}


def _reachable(states: dict[str, Any], start: str) -> list[str]:
    found = [start]
    for name in found:
        state = states[name]
        rules = [state, *state.get("Catch", []), *state.get("Choices", [])]
        for target in [rule[key] for rule in rules for key in ("Next", "Default") if key in rule]:
            if target not in found:
                found.append(target)
    return found


if __name__ == "__main__":
    sys.exit(main())
