"""What must hold for the template as AWS gets it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from automl_pipeline.settings import Settings

from local.build import packaging

ROOT = Path(__file__).parents[2]
TEMPLATE = packaging.read_template(ROOT / "template.yaml")
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]
STATEMENTS = [
    (name, statement)
    for name, resource in RESOURCES.items()
    if resource["Type"] in ("AWS::IAM::Role", "AWS::IAM::Policy")
    for policy in resource["Properties"].get("Policies", [resource["Properties"]])
    for statement in policy["PolicyDocument"]["Statement"]
]


def test_cfn_lint_finds_nothing() -> None:
    found = subprocess.run(
        [str(Path(sys.executable).with_name("cfn-lint")), str(ROOT / "template.yaml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stdout == ""
    assert found.returncode == 0


def test_no_action_is_a_wildcard() -> None:
    actions = [
        action
        for _, statement in STATEMENTS
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    ]
    assert actions
    assert not [action for action in actions if "*" in action]


def test_star_as_resource_has_its_reason_beside_it() -> None:
    lines = (ROOT / "template.yaml").read_text().splitlines()
    stars = [line for line in lines if re.search(r"Resource: '\*'", line)]
    # A statement that roles share by a YAML alias is one object, written once.
    assert len(stars) == len({id(statement) for _, statement in STATEMENTS if statement.get("Resource") == "*"})
    assert all("# " in line for line in stars)


def test_roles_are_passed_to_one_service_only() -> None:
    passing = [statement for _, statement in STATEMENTS if statement["Action"] == "iam:PassRole"]
    assert passing
    assert all(statement["Condition"]["StringEquals"]["iam:PassedToService"] for statement in passing)


def test_roles_are_passed_by_what_cloudformation_calls_them() -> None:
    """Not by a pattern of names: CloudFormation shortens a role's name to 64 characters, and the pattern matches no more."""
    for _, statement in STATEMENTS:
        if statement["Action"] == "iam:PassRole":
            assert "Fn::Sub" not in json.dumps(statement["Resource"])


def test_manual_approval_and_instance_types_hold_also_against_a_changed_machine() -> None:
    denied = {
        name: (resource["Condition"], resource["Properties"]["Roles"], statement["Action"], statement["Condition"])
        for name, resource in RESOURCES.items()
        if resource["Type"] == "AWS::IAM::Policy"
        for statement in resource["Properties"]["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny"
    }
    training, deployment = {"Ref": "TrainingRole"}, {"Ref": "DeploymentRole"}
    assert denied["ApprovalLimit"] == (
        "ManualApproval",
        [training],
        "sagemaker:CreateModelPackage",
        {"StringNotEquals": {"sagemaker:ModelApprovalStatus": "PendingManualApproval"}},
    )
    assert denied["InstanceTypeLimit"][:2] == ("LimitInstanceTypes", [training, deployment])


def test_every_role_takes_the_boundary_and_path_of_an_organisation() -> None:
    roles = {
        name: resource["Properties"] for name, resource in RESOURCES.items() if resource["Type"] == "AWS::IAM::Role"
    }
    boundary = {"Fn::If": ["HasBoundary", {"Ref": "PermissionsBoundaryArn"}, {"Ref": "AWS::NoValue"}]}
    assert [name for name, role in roles.items() if role["Path"] != {"Ref": "RolePath"}] == []
    assert [name for name, role in roles.items() if role["PermissionsBoundary"] != boundary] == []


def test_no_rule_loses_an_event() -> None:
    policy = RESOURCES["LostEventsPolicy"]["Properties"]["PolicyDocument"]["Statement"][0]
    rules = [name for name, resource in RESOURCES.items() if resource["Type"] == "AWS::Events::Rule"]
    assert rules
    for name in rules:
        for target in RESOURCES[name]["Properties"]["Targets"]:
            assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["LostEvents", "Arn"]}}, name
        assert {"Fn::GetAtt": [name, "Arn"]} in policy["Condition"]["ArnEquals"]["aws:SourceArn"], name


def test_only_on_call_tools_hear_of_an_alarms_end() -> None:
    """Every alarm's first state is OK: people would get an email about each when the stack is deployed."""
    on_call = {"Fn::If": ["HasAlarmTopic", [{"Ref": "AlarmTopicArn"}], {"Ref": "AWS::NoValue"}]}
    alarms = [resource["Properties"] for resource in RESOURCES.values() if resource["Type"] == "AWS::CloudWatch::Alarm"]
    assert alarms
    assert all(alarm["OKActions"] == on_call for alarm in alarms)


def test_every_region_with_an_image_is_listed_once() -> None:
    listed = TEMPLATE["Rules"]["RegionHasImage"]["Assertions"][0]["Assert"]["Fn::Contains"][0]
    assert sorted(listed) == sorted(TEMPLATE["Mappings"]["ImageAccounts"])


# What belongs to one run's question rather than to the stack; scheduled runs give it in ScheduleInput.
OF_ONE_RUN = {
    *("positive_class", "exclude_columns", "column_names", "split", "split_group_column", "report_slices"),
    *("sample_weight_attribute_name", "class_weights"),
    *("decision_threshold", "cost_false_positive", "cost_false_negative"),
    *("capacity_patience_minutes", "resume_from", "skip_if_unchanged", "processing_volume_gb"),
    *("transform_instance_count", "processing_instance_count", "processing_engine"),
}


def test_every_setting_reaches_the_function_that_checks_it() -> None:
    variables = RESOURCES["PrepareRunFunction"]["Properties"]["Environment"]["Variables"]
    named = {name.removeprefix("PIPELINE_").lower() for name in variables if name.startswith("PIPELINE_")}
    assert named == set(Settings.model_fields) - OF_ONE_RUN


@pytest.mark.parametrize("machine", ["Training", "Deployment"])
def test_every_substitution_is_used_and_given(machine: str) -> None:
    text = (ROOT / "statemachine" / f"{machine.lower()}.asl.yaml").read_text()
    given = RESOURCES[f"{machine}StateMachine"]["Properties"]["DefinitionSubstitutions"]
    assert set(re.findall(r"\$\{(\w+)\}", text)) == set(given), json.dumps(sorted(given))


def test_alarms_notify_of_what_no_state_can_report_and_repeat_no_email() -> None:
    topic = {"Fn::If": ["CreateTopic", {"Ref": "FailureTopic"}, {"Ref": "SnsTopicArn"}]}
    for name, resource in RESOURCES.items():
        if resource["Type"] == "AWS::CloudWatch::Alarm":
            # A failed run reports itself, one that was aborted or timed out is reported by the failure machine.
            watched = [dimension["Value"] for dimension in resource["Properties"]["Dimensions"]]
            told_by_machine = watched[0] in ({"Ref": "TrainingStateMachine"}, {"Ref": "DeploymentStateMachine"})
            assert (json.dumps(topic) in json.dumps(resource["Properties"]["AlarmActions"])) != told_by_machine, name


def test_names_of_alarms_are_those_that_the_topic_lets_publish() -> None:
    statements = RESOURCES["FailureTopicPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    (source,) = [
        statement["Condition"]["ArnLike"]["aws:SourceArn"]["Fn::Sub"]
        for statement in statements
        if statement["Sid"] == "LetAlarmsPublish"
    ]
    prefix = source.rpartition(":alarm:")[2].removesuffix("*")
    names = [
        resource["Properties"]["AlarmName"]["Fn::Sub"]
        for resource in RESOURCES.values()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    ]
    assert names
    assert all(name.startswith(prefix) for name in names)


def test_dashboard_shows_every_alarm() -> None:
    body = RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    assert json.loads(body)["widgets"]
    alarms = {name for name, resource in RESOURCES.items() if resource["Type"] == "AWS::CloudWatch::Alarm"}
    assert alarms == set(re.findall(r"\$\{(\w+Alarm)\.Arn\}", body))
