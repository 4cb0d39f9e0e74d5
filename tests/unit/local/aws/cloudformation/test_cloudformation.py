"""Templates that AWS refuses are refused here too, and what a template says arrives in the services."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError

from local.build import deploy, packaging
from local.server import process

ROLE = {
    "Type": "AWS::IAM::Role",
    "Properties": {
        "AssumeRolePolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
            ],
        }
    },
}
MACHINE = {
    "Type": "AWS::StepFunctions::StateMachine",
    "Properties": {
        "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
        "Definition": {"StartAt": "End", "States": {"End": {"Type": "Succeed"}}},
    },
}


def _function(**properties: Any) -> dict[str, Any]:
    defaults = {
        "Runtime": "python3.13",
        "Handler": "app.handler",
        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        "Code": {"ZipFile": "def handler(event, context): pass"},
    }
    return {"Type": "AWS::Lambda::Function", "Properties": defaults | properties}


@pytest.fixture
def refused(server: process.Server, client: Any, tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Deploys resources that must be refused; returns the reason. The failed stack is removed afterwards."""

    def attempt(**resources: Any) -> str:
        template = tmp_path / "template.yaml"
        template.write_text(yaml.safe_dump({"Resources": resources}))
        with pytest.raises(deploy.DeployError) as failure:
            deploy.deploy(server.endpoint_url, "refused", template=template)
        return str(failure.value)

    yield attempt
    client("cloudformation").delete_stack(StackName="refused")


def test_undefined_reference(refused: Callable[..., str]) -> None:
    assert "Unresolved resource dependencies [Bucket]" in refused(
        Topic={"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": {"Fn::Sub": "of ${Bucket}"}}}
    )


def test_missing_archive_names_resource_and_key(refused: Callable[..., str]) -> None:
    reason = refused(Role=ROLE, Function=_function(Code={"S3Bucket": "nowhere", "S3Key": "code.zip"}))
    assert "Function (AWS::Lambda::Function): " in reason
    assert "s3://nowhere/code.zip" in reason


def test_role_that_does_not_trust_the_service(refused: Callable[..., str]) -> None:
    assert "authorized to assume the provided role" in refused(Role=ROLE, Machine=MACHINE)


def test_machine_that_may_not_deliver_its_logs(refused: Callable[..., str]) -> None:
    logging = {
        "Level": "ALL",
        "Destinations": [{"CloudWatchLogsLogGroup": {"LogGroupArn": {"Fn::GetAtt": ["Log", "Arn"]}}}],
    }
    role = json.loads(json.dumps(ROLE).replace("lambda.amazonaws.com", "states.amazonaws.com"))
    machine = {"Type": MACHINE["Type"], "Properties": MACHINE["Properties"] | {"LoggingConfiguration": logging}}
    assert "not authorized to access the Log Destination" in refused(
        Role=role, Machine=machine, Log={"Type": "AWS::Logs::LogGroup"}
    )


def test_definition_that_is_no_object(refused: Callable[..., str]) -> None:
    role = json.loads(json.dumps(ROLE).replace("lambda.amazonaws.com", "states.amazonaws.com"))
    properties = {"RoleArn": {"Fn::GetAtt": ["Role", "Arn"]}, "DefinitionString": "- just\n- a list\n"}
    assert "Invalid State Machine Definition" in refused(
        Role=role, Machine={"Type": MACHINE["Type"], "Properties": properties}
    )


def test_reserved_environment_name(refused: Callable[..., str]) -> None:
    environment = {"Variables": {"AWS_REGION": "eu-west-1"}}
    assert "Reserved keys used in this request: AWS_REGION" in refused(
        Role=ROLE, Function=_function(Environment=environment)
    )


def test_taken_name_is_not_adopted(refused: Callable[..., str], client: Any, stack: deploy.Stack) -> None:
    role = {"Type": "AWS::IAM::Role", "Properties": ROLE["Properties"] | {"RoleName": "taken"}}
    client("iam").create_role(
        RoleName="taken", AssumeRolePolicyDocument=json.dumps(ROLE["Properties"]["AssumeRolePolicyDocument"])
    )
    assert "taken already exists" in refused(Role=role)
    assert client("iam").get_role(RoleName="taken")["Role"]["RoleName"] == "taken"


def test_bucket_with_objects_is_not_deleted(server: process.Server, client: Any, tmp_path: Path) -> None:
    template = tmp_path / "template.yaml"
    bucket = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "full-bucket"}}
    template.write_text(yaml.safe_dump({"Resources": {"Bucket": bucket}}))
    deploy.deploy(server.endpoint_url, "full", template=template)
    client("s3").put_object(Bucket="full-bucket", Key="precious", Body=b"1")
    client("cloudformation").delete_stack(StackName="full")
    status = _final_status(client("cloudformation"), "full")
    assert status == "DELETE_FAILED"
    assert client("s3").get_object(Bucket="full-bucket", Key="precious")["Body"].read() == b"1"


def test_bucket_properties_arrive(client: Any, stack: deploy.Stack) -> None:
    s3 = client("s3")
    rules = s3.get_bucket_lifecycle_configuration(Bucket="sample-data")["Rules"]
    assert [(rule["ID"], rule["Filter"], rule["Expiration"]) for rule in rules] == [
        ("old-runs", {"Prefix": "runs/"}, {"Days": 30})
    ]
    (rule,) = s3.get_bucket_encryption(Bucket="sample-data")["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    assert {"Key": "project", "Value": "sample"} in s3.get_bucket_tagging(Bucket="sample-data")["TagSet"]


def test_topic_key_arrives(client: Any, stack: deploy.Stack) -> None:
    attributes = client("sns").get_topic_attributes(TopicArn=stack.outputs["Topic"])["Attributes"]
    assert attributes["KmsMasterKeyId"] == "alias/own"


def test_machine_logging_arrives(client: Any, stack: deploy.Stack) -> None:
    machine = client("stepfunctions").describe_state_machine(stateMachineArn=stack.outputs["Machine"])
    (destination,) = machine["loggingConfiguration"]["destinations"]
    assert machine["loggingConfiguration"]["level"] == "ERROR"
    assert "/aws/vendedlogs/states/sample" in destination["cloudWatchLogsLogGroup"]["logGroupArn"]


def test_machine_from_yaml_runs_with_substitutions(client: Any, stack: deploy.Stack) -> None:
    execution = _run(client("stepfunctions"), stack, {"name": "Ada"})
    assert execution["status"] == "SUCCEEDED", execution
    assert json.loads(execution["output"])["text"] == "Hello Ada!"


def test_rule_starts_machine_under_its_role(client: Any, stack: deploy.Stack) -> None:
    machines, before = client("stepfunctions"), _executions(client, stack)
    client("events").put_events(Entries=[{"Source": "sample.app", "DetailType": "Any", "Detail": "{}"}])
    (started,) = _new_executions(client, stack, before)
    assert json.loads(machines.describe_execution(executionArn=started)["input"]) == {"name": "rule"}


def test_rule_whose_role_may_not_start_the_machine(client: Any, stack: deploy.Stack) -> None:
    """The event goes to the dead-letter queue and no execution starts."""
    iam, events, queues = client("iam"), client("events"), client("sqs")
    trust = json.dumps(
        {
            "Statement": [
                {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole"}
            ]
        }
    )
    role = iam.create_role(RoleName="powerless", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    queue = queues.create_queue(QueueName="dead-letters")["QueueUrl"]
    queue_arn = queues.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="powerless", EventPattern='{"source": ["sample.other"]}')
    target = {"Id": "1", "Arn": stack.outputs["Machine"], "RoleArn": role, "DeadLetterConfig": {"Arn": queue_arn}}
    events.put_targets(Rule="powerless", Targets=[target])
    before = _executions(client, stack)
    events.put_events(Entries=[{"Source": "sample.other", "DetailType": "Any", "Detail": '{"a": 1}'}])
    (letter,) = queues.receive_message(QueueUrl=queue, WaitTimeSeconds=10)["Messages"]
    assert json.loads(letter["Body"])["detail"] == {"a": 1}
    assert _executions(client, stack) == before


def test_second_deployment_changes_and_builds_nothing(server: process.Server, stack: deploy.Stack) -> None:
    said: list[str] = []
    template = Path(__file__).parents[2] / "sample" / "template.yaml"
    again = deploy.deploy(server.endpoint_url, "sample", template=template, progress=said.append)
    assert (again.changed, again.outputs) == (False, stack.outputs)
    assert not [line for line in said if line.startswith("Building")]


def test_parameter_reaches_the_stack(server: process.Server, client: Any, tmp_path: Path) -> None:
    template = tmp_path / "template.yaml"
    topic = {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": {"Ref": "Name"}}}
    template.write_text(
        yaml.safe_dump({"Parameters": {"Name": {"Type": "String", "MaxLength": 5}}, "Resources": {"Topic": topic}})
    )
    deploy.deploy(server.endpoint_url, "named", template=template, parameters={"Name": "alice"})
    assert any(found["TopicArn"].endswith(":alice") for found in client("sns").list_topics()["Topics"])
    with pytest.raises(deploy.DeployError, match="Name"):
        deploy.deploy(server.endpoint_url, "named-2", template=template, parameters={"Name": "too long"})


def test_large_template_goes_through_the_bucket(server: process.Server, tmp_path: Path) -> None:
    template = tmp_path / "template.yaml"
    topic = {"Type": "AWS::SNS::Topic", "Metadata": {"Text": "x" * deploy.TEMPLATE_BODY_LIMIT_BYTES}}
    template.write_text(yaml.safe_dump({"Resources": {"Topic": topic}}))
    assert deploy.deploy(server.endpoint_url, "large", template=template).changed


def test_output_of_a_failing_makefile_is_reported(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "Makefile").write_text("build-Broken:\n\t@echo no such wheel; exit 1\n")
    resource = {
        "Type": "AWS::Serverless::Function",
        "Metadata": {"BuildMethod": "makefile"},
        "Properties": {"CodeUri": "code"},
    }
    template = tmp_path / "template.yaml"
    template.write_text(yaml.safe_dump({"Resources": {"Broken": resource}}))
    with pytest.raises(packaging.BuildError, match="no such wheel"):
        packaging.build(template, root=tmp_path / "build")


def test_archives_depend_on_content_alone(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "sub" / "file.py").write_text("x = 1\n")
        packaging.write_archive(tmp_path / name, tmp_path / f"{name}.zip")
        time.sleep(0.01)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def _final_status(cloudformation: Any, name: str) -> str:
    while True:
        try:
            status = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
        except ClientError:
            return "DELETE_COMPLETE"
        if not status.endswith("_IN_PROGRESS"):
            return status


def _run(machines: Any, stack: deploy.Stack, event: dict[str, Any]) -> Any:
    arn = machines.start_execution(stateMachineArn=stack.outputs["Machine"], input=json.dumps(event))["executionArn"]
    return _finished(machines, arn)


def _finished(machines: Any, arn: str) -> Any:
    while (execution := machines.describe_execution(executionArn=arn))["status"] == "RUNNING":
        pass
    return execution


def _executions(client: Any, stack: deploy.Stack) -> set[str]:
    listed = client("stepfunctions").list_executions(stateMachineArn=stack.outputs["Machine"])["executions"]
    return {execution["executionArn"] for execution in listed}


def _new_executions(client: Any, stack: deploy.Stack, before: set[str], seconds: float = 10.0) -> set[str]:
    deadline = time.monotonic() + seconds
    while not (new := _executions(client, stack) - before) and time.monotonic() < deadline:
        pass
    return new
