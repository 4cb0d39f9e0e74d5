"""`automl local up`: the local cloud in the foreground, with the stack deployed and IBM's Telco customers loaded."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from rich.console import Console

from cli import local_cloud
from local.aws.featurestore import offline_store
from local.build import deploy, packaging
from local.data import telco
from local.server import paths, process

_SAMPLE = (
    "age,tenure_months,monthly_charges,total_charges,contract_type,payment_method,internet_service,phone_service,"
    "multiple_lines,online_security,tech_support,device_protection\\n"
    "35,12,70.5,840.0,Month-to-month,Electronic check,DSL,Yes,No,Yes,No,No\\n"
)


class CannotServeError(Exception):
    """The local cloud did not come up, or has ended; the message says why."""


def serve(port: int, faults: Path | None, console: Console) -> None:
    """Serve until Ctrl-C, which raises KeyboardInterrupt when everything is stopped. Raises CannotServeError."""
    state = paths.PROJECT / ".local" / f"up-{port}"
    try:
        with process.running(port=port, state=state, faults=faults, wait_scale=local_cloud.WAIT_SCALE) as server:
            with console.status("Deploying") as spinner:
                cloud = local_cloud.deploy_stack(server, spinner.update)
                spinner.update(f"Loading {telco.ROWS:,} customers")
                local_cloud.load_telco(cloud)
            for line in _instructions(cloud):
                console.print(line, markup=False)
            server.wait()
            server.check()
    except (
        process.ServerError,
        deploy.DeployError,
        packaging.BuildError,
        offline_store.FeatureStoreError,
    ) as error:
        raise CannotServeError(str(error)) from error


def _instructions(cloud: local_cloud.LocalCloud) -> list[str]:
    """What a person copies: the environment, then the commands of a run's life."""
    outputs, url = cloud.outputs, cloud.server.endpoint_url
    machine, endpoint = outputs["TrainingStateMachineArn"], outputs["EndpointName"]
    commands = (
        f"stepfunctions start-execution --state-machine-arn {machine} --input '{{}}'",
        f"stepfunctions list-executions --state-machine-arn {machine}",
        "stepfunctions describe-execution --execution-arn EXECUTION_ARN",
        f"sagemaker describe-feature-group --feature-group-name {local_cloud.FEATURE_GROUP}",
        "sagemaker describe-auto-ml-job-v2 --auto-ml-job-name automl-RUN_ID",
        f"sagemaker list-model-packages --model-package-group-name {outputs['ModelPackageGroupName']}",
        f"sagemaker describe-endpoint --endpoint-name {endpoint}",
        f"sagemaker-runtime invoke-endpoint --endpoint-name {endpoint} --content-type text/csv "
        "--body fileb://row.csv answer.csv",
    )
    return [
        "# In another terminal:",
        *(f"export {name}={value}" for name, value in cloud.server.environment().items()),
        f'export PATH={shlex.quote(str(Path(sys.executable).parent))}:"$PATH"',
        "",
        "# Train on the customers that are loaded:",
        "automl start --watch",
        "",
        "# Or load your own table; this prints the command that trains on it:",
        "automl features load --csv FILE.csv --target COLUMN --id-column COLUMN --feature-group NAME",
        "",
        f"# State machine: {machine}",
        f"# Emails: {cloud.server.outbox}",
        "",
        "# With the AWS CLI:",
        f"printf '{_SAMPLE}' > row.csv",
        *(f"aws --endpoint-url {url} {command}" for command in commands),
        "",
        "Serving. Ctrl-C stops it.",
    ]
