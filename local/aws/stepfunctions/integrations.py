"""Service integrations that moto's interpreter lacks or strips: `aws-sdk:` spelling, optimised SageMaker and Athena.

Every call is made under the machine's own role.
"""

from __future__ import annotations

import contextlib
import json
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

from botocore.exceptions import ClientError, HTTPClientError
from moto.stepfunctions.parser.api import HistoryEventType, TaskFailedEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.error_name import ErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent, FailureEventException
from moto.stepfunctions.parser.asl.component.state.exec.state_parallel import branches_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_task import state_task_factory
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service_aws_sdk as aws_sdk
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_callback as callback,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service_lambda as lambda_
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service_sfn as sfn
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service_sns as sns
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import ResourceCondition
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service import StateTaskService
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_callback import (
    StateTaskServiceCallback,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task import StateTask
from moto.stepfunctions.parser.asl.eval.program_state import ProgramStopped, ProgramTimedOut

from local.aws import ended
from local.aws.stepfunctions import sdk_shapes
from local.server import sessions

# What each service is called in error names.
ERROR_PREFIXES = {
    "sagemaker": "SageMaker",
    "sagemakerruntime": "SageMakerRuntime",
    "applicationautoscaling": "ApplicationAutoScaling",
    "s3": "S3",
    "sns": "Sns",
    "athena": "Athena",
    "lambda": "Lambda",
    "glue": "Glue",
    "sfn": "Sfn",
}
# What optimised integrations call their service where that differs.
SDK_PREFIXES = {"states": "StepFunctions", "sns": "SNS"}
# The fields that the optimised SageMaker integration documents; others are refused.
SAGEMAKER_FIELDS = {
    "createprocessingjob": "AppSpecification Environment ExperimentConfig NetworkConfig ProcessingInputs ProcessingJobName "
    "ProcessingOutputConfig ProcessingResources RoleArn StoppingCondition Tags",
    "createtransformjob": "BatchStrategy Environment MaxConcurrentTransforms MaxPayloadInMB ModelName Tags TransformInput "
    "TransformJobName TransformOutput TransformResources",
    "createmodel": "Containers EnableNetworkIsolation ExecutionRoleArn ModelName PrimaryContainer Tags VpcConfig",
    "createendpointconfig": "EndpointConfigName KmsKeyId ProductionVariants Tags",
    "createendpoint": "EndpointConfigName EndpointName Tags",
    "updateendpoint": "EndpointConfigName EndpointName",
}
ATHENA_FIELDS = {
    "startqueryexecution": "ClientRequestToken ExecutionParameters QueryExecutionContext QueryString ResultConfiguration WorkGroup",
}


def install(wait_scale: float) -> None:
    """Put the integrations into moto's interpreter. Waits before retries take `wait_scale` of their time."""
    for module in _modules_with_clients():
        module.boto_client_for = _client
    StateTaskService._normalise_parameters = _normalise_parameters
    StateTaskService._normalise_response = _normalise_response
    sfn.StateTaskServiceSfn._normalise_parameters = _normalise_start_execution
    aws_sdk._SERVICE_ERROR_NAMES.update(ERROR_PREFIXES)
    aws_sdk.StateTaskServiceAwsSdk._get_boto_service_name = _boto_service_name
    aws_sdk.StateTaskServiceAwsSdk._get_boto_service_action = _boto_service_action
    callback.StateTaskServiceCallback._eval_sync = _wait_for_child  # pyright: ignore[reportAttributeAccessIssue]
    _build_resolver = sfn.StateTaskServiceSfn._build_sync2_resolver
    sfn.StateTaskServiceSfn._build_sync2_resolver = lambda *arguments, **named: _stoppable(
        _build_resolver, *arguments, **named
    )
    _name_errors()
    factory: Any = state_task_factory
    choose = factory.state_task_service_for
    own = {"sagemaker": OptimisedSageMaker, "athena": OptimisedAthena}
    factory.state_task_service_for = lambda service_name: (
        own[service_name]() if service_name in own else choose(service_name)
    )


def _boto_service_name(self: Any, boto_service_name: str | None = None) -> str:
    return sdk_shapes.service_named(boto_service_name or self.resource.api_name)


def _boto_service_action(self: Any, service_action_name: str | None = None) -> str:
    return sdk_shapes.method(
        sdk_shapes.operation(self.resource.api_name, service_action_name or self.resource.api_action)
    )


def _name_errors() -> None:
    """Names of errors that moto leaves open: connections that broke, and what optimised integrations do not model.

    Those integrations name errors as the SDK for Java 1 does: an exception that the API does not model is the service's
    general one, for instance Lambda.AWSLambdaException for a denied call.
    """
    general = {
        lambda_.StateTaskServiceLambda: ("lambda", "Lambda.AWSLambdaException"),
        sfn.StateTaskServiceSfn: ("stepfunctions", "StepFunctions.AWSStepFunctionsException"),
        sns.StateTaskServiceSns: ("sns", "SNS.AmazonSNSException"),
    }
    for service, (api, name) in general.items():
        service._from_error = _with_general_name(service._from_error, api, name)
    name_other_errors = StateTask._from_error

    def from_error(self: StateTask, env: Any, ex: Exception) -> FailureEvent:
        if not isinstance(ex, HTTPClientError) or not isinstance(self, StateTaskService):
            return name_other_errors(self, env=env, ex=ex)
        service = (getattr(self.resource, "api_name", None) or self.resource.service_name).lower()
        prefix = SDK_PREFIXES.get(service) or ERROR_PREFIXES.get(service, service)
        error, cause = f"{prefix}.SdkClientException", f"Unable to execute HTTP request: {ex}"
        return _failure(self, CustomErrorName(error), error, cause, env)

    StateTask._from_error = from_error
    # A Parallel state fails with its branch's error, States.TaskFailed and States.Timeout included, which moto 5.2.5 refuses.
    branches_decl.CustomErrorName = ErrorName  # pyright: ignore[reportPrivateImportUsage]


def _with_general_name(name_error: Any, api: str, general: str) -> Any:
    def from_error(self: Any, env: Any, ex: Exception) -> FailureEvent:
        event = name_error(self, env=env, ex=ex)
        if isinstance(ex, ClientError):
            code = ex.response["Error"]["Code"]
            details = event.event_details["taskFailedEventDetails"]
            modelled = sdk_shapes.models_error(api, code)
            error = general if modelled is None else f"{general.split('.', maxsplit=1)[0]}.{modelled}"
            return _failure(self, CustomErrorName(error), error, details["cause"], env)
        return event

    return from_error


def _modules_with_clients() -> list[Any]:
    from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
        state_task_service_events,
        state_task_service_sns,
        state_task_service_sqs,
    )

    return [lambda_eval_utils, aws_sdk, sfn, state_task_service_events, state_task_service_sns, state_task_service_sqs]


def _client(region: str, service: str, state_credentials: Any = None) -> Any:
    return sessions.client(service, state_credentials.role_arn)


def _normalise_parameters(
    self: StateTaskService,
    parameters: dict,
    boto_service_name: str | None = None,
    service_action_name: str | None = None,
) -> None:
    if not isinstance(self, (aws_sdk.StateTaskServiceAwsSdk, sfn.StateTaskServiceSfn)):
        return
    service = boto_service_name or getattr(self.resource, "api_name", None) or self.resource.service_name
    found = sdk_shapes.operation(service, service_action_name or self.resource.api_action)
    request = sdk_shapes.to_request(dict(parameters), found.input_shape)  # what is refused ends as States.Runtime
    parameters.clear()
    parameters.update(request)


def _normalise_response(
    self: StateTaskService, response: Any, boto_service_name: str | None = None, service_action_name: str | None = None
) -> None:
    if not isinstance(response, dict) or not isinstance(
        self, (aws_sdk.StateTaskServiceAwsSdk, sfn.StateTaskServiceSfn)
    ):
        return
    service = boto_service_name or getattr(self.resource, "api_name", None) or self.resource.service_name
    found = sdk_shapes.operation(service, service_action_name or self.resource.api_action)
    if isinstance(self, sfn.StateTaskServiceSfn) and any(key[:1].isupper() for key in response):
        return  # spelled already, by the resolver of .sync
    spelled = sdk_shapes.from_response(dict(response), found.output_shape)
    response.clear()
    response.update(spelled)


def _normalise_start_execution(
    self: Any, parameters: dict, boto_service_name: str | None = None, service_action_name: str | None = None
) -> None:
    if service_action_name is None and not isinstance(parameters.get("Input"), str):
        parameters["Input"] = json.dumps(parameters.get("Input") or {}, separators=(",", ":"))
    _normalise_parameters(self, parameters, boto_service_name, service_action_name)


def _stoppable(build: Any, task: Any, env: Any, state_credentials: Any, **rest: Any) -> Any:
    """The resolver of a nested execution, which can also stop it."""
    execution = env.stack[-1]["ExecutionArn"]
    resolver = build(task, env=env, state_credentials=state_credentials, **rest)
    client = sessions.client("stepfunctions", state_credentials.role_arn)
    resolver.stop = lambda: client.stop_execution(executionArn=execution)
    return resolver


def _wait_for_child(
    self: Any,
    env: Any,
    sync_resolver: Callable[[], Any],
    timeout_seconds: Any,
    callback_endpoint: Any,
    heartbeat_endpoint: Any,
) -> Any:
    """Polls what `.sync` started; if the execution stops or the task times out meanwhile, stops that as AWS does."""
    while env.is_running():
        seen = ended.count()
        result = sync_resolver()
        if result:
            return result
        ended.wait(seen)
    stop = getattr(sync_resolver, "stop", None)
    if stop is not None and _aborted(env):
        with contextlib.suppress(ClientError):
            stop()
    return None


def _aborted(env: Any) -> bool:
    """Whether the execution was stopped, or ran out of its own time: then AWS stops what `.sync` started, if the role may.

    A task's own TimeoutSeconds is no such case: what it started runs on
    (docs.aws.amazon.com/step-functions/latest/dg/connect-to-resource.html names the cases of an aborted task).
    """
    return isinstance(env.program_state(), (ProgramStopped, ProgramTimedOut))


def _task_failed(self: Any, error: str, cause: str, env: Any) -> FailureEventException:
    # ErrorName also takes names that only AWS itself may use: States.TaskFailed
    return FailureEventException(_failure(self, ErrorName(error_name=error), error, cause, env))


def _failure(self: Any, name: ErrorName, error: str, cause: str, env: Any) -> FailureEvent:
    return FailureEvent(
        env=env,
        error_name=name,
        event_type=HistoryEventType.TaskFailed,
        event_details=_details(self, error, cause),
    )


def _details(self: Any, error: str, cause: str) -> Any:
    from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails

    return EventDetails(  # pyright: ignore[reportCallIssue] (moto's type asks for a member of every kind of event)
        taskFailedEventDetails=TaskFailedEventDetails(
            resource=self._get_sfn_resource(), resourceType=self._get_sfn_resource_type(), error=error, cause=cause
        )
    )


class _Optimised(StateTaskServiceCallback):
    """An optimised integration: calls one operation and, with `.sync`, waits until what it started has ended."""

    fields: ClassVar[dict[str, str]] = {}
    boto_name = ""

    def __init__(self) -> None:
        super().__init__(supported_integration_patterns={ResourceCondition(ResourceCondition.Sync)})

    def _get_supported_parameters(self) -> set[str] | None:
        fields = self.fields.get(self.resource.api_action.lower())
        return set(fields.split()) if fields else None

    def _eval_service_task(
        self, env: Any, resource_runtime_part: Any, normalised_parameters: dict, state_credentials: Any
    ) -> None:
        found = sdk_shapes.operation(self.boto_name, self.resource.api_action)
        unknown = set(normalised_parameters) - (self._get_supported_parameters() or set())
        try:
            if unknown:
                raise sdk_shapes.UnsupportedFieldError(
                    f"The field {sorted(unknown)[0]!r} is not supported by Step Functions."
                )
            request = sdk_shapes.to_request(normalised_parameters, found.input_shape)
        except sdk_shapes.UnsupportedFieldError as error:
            raise _task_failed(self, "States.Runtime", str(error), env) from error
        client = sessions.client(self.boto_name, state_credentials.role_arn)
        response = getattr(client, sdk_shapes.method(found))(**request)
        response.pop("ResponseMetadata", None)
        env.stack.append(sdk_shapes.from_response(response, found.output_shape, epoch_millis=True))

    def _eval_integration_pattern(
        self, env: Any, resource_runtime_part: Any, normalised_parameters: dict, state_credentials: Any
    ) -> None:
        started = env.stack.pop()
        client = sessions.client(self.boto_name, state_credentials.role_arn)
        while env.is_running():
            seen = ended.count()
            described = self._describe(client, normalised_parameters, started)
            state = self._state(described)
            if state in ("Completed", "SUCCEEDED"):
                env.stack.append(described)
                return
            if state in ("Failed", "Stopped", "FAILED", "CANCELLED"):
                raise _task_failed(
                    self, "States.TaskFailed", json.dumps(described, separators=(",", ":"), default=str), env
                )
            ended.wait(seen)
        if _aborted(env):
            with contextlib.suppress(ClientError):
                self._stop(client, normalised_parameters, started)
        env.stack.append({})

    def _from_error(self, env: Any, ex: Exception) -> FailureEvent:
        if isinstance(ex, ClientError):
            metadata = ex.response["ResponseMetadata"]
            code = ex.response["Error"]["Code"]
            cause = (
                f"{ex.response['Error']['Message']} (Service: {self._service_in_causes()}; Status Code: {metadata['HTTPStatusCode']}; "
                f"Error Code: {code}; Request ID: {metadata['RequestId']}; Proxy: null)"
            )
            error = self._error_name(code)
            return _failure(self, CustomErrorName(error), error, cause, env)
        return super()._from_error(env=env, ex=ex)

    @abstractmethod
    def _describe(self, client: Any, request: dict, started: dict) -> dict: ...

    @abstractmethod
    def _state(self, described: dict) -> str: ...

    @abstractmethod
    def _stop(self, client: Any, request: dict, started: dict) -> None: ...

    @abstractmethod
    def _error_name(self, code: str) -> str: ...

    @abstractmethod
    def _service_in_causes(self) -> str: ...


class OptimisedSageMaker(_Optimised):
    """`sagemaker:createProcessingJob(.sync)` and its like."""

    fields = SAGEMAKER_FIELDS
    boto_name = "sagemaker"

    def _kind(self) -> str:
        return "Processing" if self.resource.api_action.lower() == "createprocessingjob" else "Transform"

    def _describe(self, client: Any, request: dict, started: dict) -> dict:
        name = f"{self._kind()}JobName"
        found = sdk_shapes.operation("sagemaker", f"describe{self._kind()}Job")
        response = getattr(client, sdk_shapes.method(found))(**{name: request[name]})
        response.pop("ResponseMetadata", None)
        return sdk_shapes.from_response(response, found.output_shape, epoch_millis=True)

    def _state(self, described: dict) -> str:
        return described[f"{self._kind()}JobStatus"]

    def _stop(self, client: Any, request: dict, started: dict) -> None:
        name = f"{self._kind()}JobName"
        getattr(client, f"stop_{self._kind().lower()}_job")(**{name: request[name]})

    def _error_name(self, code: str) -> str:
        if code == "ThrottlingException":
            return code
        return (
            "SageMaker.ResourceLimitExceededException"
            if code == "ResourceLimitExceeded"
            else "SageMaker.AmazonSageMakerException"
        )

    def _service_in_causes(self) -> str:
        return "AmazonSageMaker"


class OptimisedAthena(_Optimised):
    """`athena:startQueryExecution(.sync)`."""

    fields = ATHENA_FIELDS
    boto_name = "athena"

    def _describe(self, client: Any, request: dict, started: dict) -> dict:
        found = sdk_shapes.operation("athena", "getQueryExecution")
        response = client.get_query_execution(QueryExecutionId=started["QueryExecutionId"])
        response.pop("ResponseMetadata", None)
        return sdk_shapes.from_response(response, found.output_shape, epoch_millis=True)

    def _state(self, described: dict) -> str:
        return described["QueryExecution"]["Status"]["State"]

    def _stop(self, client: Any, request: dict, started: dict) -> None:
        client.stop_query_execution(QueryExecutionId=started["QueryExecutionId"])

    def _error_name(self, code: str) -> str:
        return (
            f"Athena.{code}"
            if code in ("TooManyRequestsException", "InternalServerException")
            else "Athena.AmazonAthenaException"  # the optimised integration is built on the AWS SDK for Java 1
        )

    def _service_in_causes(self) -> str:
        return "AmazonAthena"
