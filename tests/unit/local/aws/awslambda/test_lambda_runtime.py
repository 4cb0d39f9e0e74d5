"""Functions run with what Lambda gives them, and their errors have Lambda's names."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.aws.awslambda.environment import problem_with
from local.build import deploy


@pytest.fixture
def invoke(client: Any, stack: deploy.Stack) -> Any:
    """Call the sample function; returns its error type (None if it went well) and its answer."""

    def call(**event: Any) -> tuple[str | None, Any]:
        answer = client("lambda").invoke(FunctionName=stack.outputs["Function"], Payload=json.dumps(event))
        payload = json.loads(answer["Payload"].read())
        return (payload["errorType"] if "FunctionError" in answer else None), payload

    return call


def test_code_from_package_and_layer(invoke: Any) -> None:
    error, answer = invoke(name="Ada")
    assert (error, answer["text"]) == (None, "Hello Ada!")


def test_exception_class_is_the_error_name(invoke: Any) -> None:
    error, answer = invoke(do="fail")
    assert (error, answer["errorMessage"]) == ("NoSuchNameError", "nobody here")


def test_environment_survives_an_exception(invoke: Any) -> None:
    invoke(do="fail")
    assert invoke(name="Bob")[1]["text"] == "Hello Bob!"


@pytest.mark.parametrize(
    ("action", "name"),
    [
        ("exit", "Runtime.ExitError"),
        ("sleep", "Sandbox.Timedout"),
        ("grow", "Runtime.OutOfMemory"),
        ("unserializable", "Runtime.MarshalError"),
    ],
)
def test_runtime_errors_have_their_names(invoke: Any, action: str, name: str) -> None:
    assert invoke(do=action)[0] == name


@pytest.mark.parametrize("module", ["pandas", "yaml", "local", "cli", "ministack", "pip"])
def test_nothing_of_this_environment_is_importable(invoke: Any, module: str) -> None:
    assert invoke(do="import", module=module)[0] == "ModuleNotFoundError"


def test_role_and_environment(invoke: Any, monkeypatch: pytest.MonkeyPatch, stack: deploy.Stack) -> None:
    _, answer = invoke(do="environment")
    assert answer["identity"].startswith("arn:aws:sts::000000000000:assumed-role/sample-HelloFunctionRole")
    assert answer["environment"]["AWS_LAMBDA_FUNCTION_NAME"] == stack.outputs["Function"]
    assert answer["environment"]["GREETING"] == "Hello"
    assert not {"HOME", "VIRTUAL_ENV", "AUTH"} & answer["environment"].keys()
    assert answer["path"][0] == answer["environment"]["LAMBDA_TASK_ROOT"]


def test_missing_module_at_import(client: Any, stack: deploy.Stack, invoke: Any) -> None:
    """Without the layer, the module cannot be imported at all."""
    functions = client("lambda")
    layers = functions.get_function_configuration(FunctionName=stack.outputs["Function"])["Layers"]
    functions.update_function_configuration(FunctionName=stack.outputs["Function"], Layers=[])
    try:
        error, answer = invoke(name="Ada")
    finally:
        functions.update_function_configuration(
            FunctionName=stack.outputs["Function"], Layers=[layer["Arn"] for layer in layers]
        )
    assert error == "Runtime.ImportModuleError"
    assert answer["errorMessage"] == "Unable to import module 'app': No module named 'shared_layer'"


def test_print_goes_to_the_functions_log_group(client: Any, stack: deploy.Stack, invoke: Any) -> None:
    invoke(name="Grace")
    events = client("logs").filter_log_events(logGroupName=f"/aws/lambda/{stack.outputs['Function']}")["events"]
    assert "greeting Grace" in [event["message"] for event in events]


def test_reserved_name_is_refused(client: Any, stack: deploy.Stack) -> None:
    with pytest.raises(ClientError, match="Reserved keys used in this request: AWS_REGION"):
        client("lambda").update_function_configuration(
            FunctionName=stack.outputs["Function"], Environment={"Variables": {"AWS_REGION": "eu-west-1"}}
        )


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"A" * 10: "x" * 4096}, "4KB"),
        ({"1ST": "x"}, "regular expression"),
        ({"LAMBDA_TASK_ROOT": "x"}, "reserved keys"),
        ({"AWS_ENDPOINT_URL": "x", "GREETING": "Grüße"}, None),
    ],
)
def test_environment_rules(variables: dict[str, str], words: str | None) -> None:
    problem = problem_with(variables)
    assert (problem is None) if words is None else (words in (problem or ""))
