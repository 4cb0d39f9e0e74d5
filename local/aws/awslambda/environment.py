"""A Lambda function's environment variables: which ones AWS refuses, and what a function finds there."""

from __future__ import annotations

import json
import os
import re
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime as ministack_runtime

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
_RESERVED_NAMES = {
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_FORMAT",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_LEVEL",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
}
_NAME_PATTERN = re.compile(r"[a-zA-Z][a-zA-Z0-9_]+")
_ENVIRONMENT_LIMIT_BYTES = 4096
_HOST_ENVIRONMENT = ("LD_LIBRARY_PATH",)


def problem_with(variables: Mapping[str, str]) -> str | None:
    """Why AWS would refuse this environment of a function, in its words; None if it would not."""
    prefix = (
        "Lambda was unable to configure your environment variables because the environment variables you have provided"
    )
    reserved = sorted(_RESERVED_NAMES & variables.keys())
    if reserved:
        return (
            f"{prefix} contains reserved keys that are currently not supported for modification. "
            f"Reserved keys used in this request: {', '.join(reserved)}"
        )
    for name in variables:
        if not _NAME_PATTERN.fullmatch(name):
            return (
                "1 validation error detected: Value at 'environment.variables' failed to satisfy constraint: Map keys "
                "must satisfy constraint: [Member must satisfy regular expression pattern: "
                f"{_NAME_PATTERN.pattern}] ({name})"
            )
    measured = json.dumps(dict(variables), separators=(",", ":"), ensure_ascii=False)
    if len(measured.encode()) > _ENVIRONMENT_LIMIT_BYTES:
        return f"{prefix} exceeded the 4KB limit. String measured: {measured}"
    return None


def of_worker(config: dict[str, Any], code: Path, layers: list[Path], temporary: Path) -> dict[str, str]:
    """What a function finds in its environment on AWS, and the address of this cloud."""
    _, region = ministack_runtime._account_region_from_function_config(config)
    name = config.get("FunctionName", "")
    logging_config = config.get("LoggingConfig") or {}
    log_group = logging_config.get("LogGroup") or f"/aws/lambda/{name}"
    environment = {key: os.environ[key] for key in _HOST_ENVIRONMENT if key in os.environ}
    libraries = [str(layer / "lib") for layer in layers[::-1] if (layer / "lib").is_dir()]
    if libraries:
        environment["LD_LIBRARY_PATH"] = os.pathsep.join([*libraries, environment.get("LD_LIBRARY_PATH", "")])
    environment.update(
        PATH="/usr/local/bin:/usr/bin:/bin",
        LANG="en_US.UTF-8",
        TZ=":UTC",
        PYTHONUTF8="1",
        TMPDIR=str(temporary),
        _HANDLER=config.get("Handler", ""),
        LAMBDA_TASK_ROOT=str(code),
        AWS_EXECUTION_ENV=f"AWS_Lambda_{config.get('Runtime', '')}",
        AWS_LAMBDA_INITIALIZATION_TYPE="on-demand",
        AWS_LAMBDA_FUNCTION_NAME=name,
        AWS_LAMBDA_FUNCTION_VERSION=config.get("Version", "$LATEST"),
        AWS_LAMBDA_FUNCTION_MEMORY_SIZE=str(config.get("MemorySize", 128)),
        AWS_LAMBDA_LOG_GROUP_NAME=log_group,
        AWS_LAMBDA_LOG_STREAM_NAME=f"{time.strftime('%Y/%m/%d', time.gmtime())}/[$LATEST]{uuid.uuid4().hex}",
        AWS_LAMBDA_LOG_FORMAT=logging_config.get("LogFormat", "Text"),
        AWS_REGION=region,
        AWS_DEFAULT_REGION=region,
        AWS_ENDPOINT_URL=os.environ["AWS_ENDPOINT_URL"],
        AWS_EC2_METADATA_DISABLED="true",
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
    )
    environment.update(ministack_runtime.execution_credentials(config))
    own = (config.get("Environment") or {}).get("Variables") or {}
    environment.update({key: str(value) for key, value in own.items() if key not in _RESERVED_NAMES})
    return environment
