"""What runs of a stack cost: before a run by estimate, after it by what its jobs took, and what is paid while none runs."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import boto3
from automl_pipeline import costs, prices, stored
from automl_pipeline.costs import Bill, Times, Use
from automl_pipeline.prices import Price, Prices
from botocore.exceptions import BotoCoreError, ClientError

from cli import executions, instances, runs
from cli.executions import Details, Run
from cli.logs import training_jobs
from cli.stack import RefusedError, Stack, client
from cli.terminal import explaining
from cli.watching import Finished

PRICE_LIST_REGION = "us-east-1"
"""The Price List API is served from few Regions, for all of them."""
SECONDS_BETWEEN_SUMS = 30
"""While a run is watched: a sum takes some ten calls, of services that throttle."""


@dataclass(frozen=True)
class Instances:
    """The instances of one variant of the endpoint."""

    variant: str
    instance_type: str
    count: int


def table_of(stack: Stack, region: str | None = None) -> Prices:
    """The prices of another Region as they ship; of the stack's own as they were refreshed, else as they ship."""
    own = _region(stack)
    if region is not None and region != own:
        return prices.shipped(region)
    content = stored.read(client("s3"), stack.outputs["BucketName"], _key(stack))
    return prices.shipped(own) if content is None else prices.parsed(content, own)


def refresh(stack: Stack) -> Prices:
    """Read the stack's Region from the Price List API and keep it in the stack's bucket.

    Raises RefusedError if the Price List has no price for anything that was asked for; the table stays then.
    """
    region, settings = _region(stack), stack.defaults()
    types = {settings.get(f"{job}_instance_type") for job in ("processing", "transform", "inference", "automl")}
    types |= set((settings.get("allowed_instance_types") or "").split(","))
    types |= {*instances.SIZES}
    types |= {row.usagetype.partition(":")[2] for row in table_of(stack).rows if row.service == "AmazonSageMaker"}
    asked = [("AmazonSageMaker", {"instanceName": name}) for name in sorted(filter(None, types))]
    asked += [(service, dict(filters)) for service, filters in prices.FILTERS.items()]
    with ThreadPoolExecutor(4) as pool:
        products = pool.map(lambda query: list(_products(region, *query)), asked)
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    found = Prices(region, _wanted(prices.from_product(product, today) for page in products for product in page))
    if not found.rows:
        raise RefusedError(f"The Price List has no prices for {region}. Those that were known stay.")
    body = json.dumps(found.document(), indent=1).encode()
    client("s3").put_object(
        Bucket=stack.outputs["BucketName"], Key=_key(stack), Body=body, ContentType="application/json"
    )
    return found


def estimate(stack: Stack, values: dict[str, Any], table: Prices, last: Details | None) -> Bill:
    """What a run with these settings would cost, with the times of the run `last`, else assumed ones."""
    settings = runs.resolved(values, stack)
    times = measured(last, stack) if last else costs.assumed(settings)
    return costs.bill(costs.of_run(settings, times), table)


def of_run(details: Details, table: Prices, stack: Stack) -> Bill:
    """What a run has cost so far."""
    if not details.settings:
        raise RefusedError(f"Run {details.run.run_id} was refused before it used anything.")
    return costs.bill(costs.of_run(details.settings, measured(details, stack)), table)


def of_runs(found: Iterable[Run], stack: Stack) -> list[Bill | None]:
    """What each of these runs has cost so far; None for one that was refused before it used anything."""
    table = table_of(stack)

    def one(run: Run) -> Bill | None:
        details = executions.details(stack, run.execution_arn)
        return of_run(details, table, stack) if details.settings else None

    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(one, found))


def in_words(bill: Bill | None) -> str:
    """A sum for people: `about` it, or `at least` where something has no price."""
    if bill is None:
        return ""
    if bill.unpriced and not bill.usd:
        return "an unknown sum (no prices)"
    return f"{'at least' if bill.unpriced else 'about'} ${bill.usd:.{2 if bill.usd >= 1 else 4}f}"


def so_far(details: Details, stack: Stack) -> str:
    """What a run has cost so far, in words; empty if the prices or jobs cannot be read, or nothing was used yet."""
    # With --explain, the lines that show a run are wanted, and not those that add up its costs.
    if explaining() or not details.settings:
        return ""
    try:
        return in_words(of_run(details, table_of(stack), stack))
    except (ClientError, BotoCoreError):  # a person who may watch runs may lack the permission to read prices and jobs
        return ""


class SoFar:
    """What a run that is watched has cost so far, in words; asked again each half minute at most."""

    def __init__(self, stack: Stack):
        self._stack, self._words, self._asked = stack, "", -math.inf

    def __call__(self, finished: Finished) -> str:
        """As `so_far`. `finished`: the run's events until now."""
        if time.monotonic() - self._asked < SECONDS_BETWEEN_SUMS and finished.status == "RUNNING":
            return self._words
        self._asked = time.monotonic()
        described = client("stepfunctions").describe_execution(executionArn=finished.arn)
        self._words = so_far(Details(executions.of(described), {}, finished), self._stack)
        return self._words


def endpoint_month(endpoint: Mapping[str, Any] | None, stack: Stack) -> Bill | None:
    """What the endpoint's instances as they are now cost in a month; None without an endpoint."""
    uses = [] if explaining() else _endpoint_uses(instances_of(endpoint))
    return costs.bill(uses, table_of(stack)) if uses else None


def idle(stack: Stack, serving: Iterable[Instances], table: Prices) -> Bill:
    """What a month costs in which nothing runs: the endpoint's instances, and the alarms."""
    uses = _endpoint_uses(serving)
    pages = client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNamePrefix=f"{stack.name}-")
    alarms = sum(len(page["MetricAlarms"]) for page in pages)
    uses.append(Use("alarms", prices.ALARMS, alarms, "of this stack; an account's first ten are free"))
    return costs.bill(uses, table)


def instances_of(endpoint: Mapping[str, Any] | None) -> list[Instances]:
    """The instances as they are now, by variant; empty without an endpoint. `endpoint`: DescribeEndpoint's answer."""
    if endpoint is None:
        return []
    config = client("sagemaker").describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
    types = {variant["VariantName"]: variant["InstanceType"] for variant in config["ProductionVariants"]}
    return [
        Instances(variant["VariantName"], types[variant["VariantName"]], variant.get("CurrentInstanceCount", 1))
        for variant in endpoint.get("ProductionVariants", [])
    ]


def _endpoint_uses(serving: Iterable[Instances]) -> list[Use]:
    """A month of these instances."""
    return [
        Use(
            "endpoint",
            prices.hosting(one.instance_type),
            one.count * costs.HOURS_OF_MONTH,
            f"{one.count} instance(s) now, day and night",
        )
        for one in serving
    ]


def measured(details: Details, stack: Stack) -> Times:
    """What the jobs of a run took, by SageMaker's own account, and its machines and functions, by their history."""
    run_id = details.run.run_id
    jobs = [_training_job(name) for name in training_jobs(details)]
    types = {instance_type for instance_type, _ in jobs}
    return Times(
        processing=processing_seconds(run_id),
        transform=_transform_seconds(run_id),
        automl=sum(seconds for _, seconds in jobs),
        automl_type=types.pop() if len(types) == 1 else details.settings.get("automl_instance_type"),
        functions=_function_seconds(details),
        transitions=_transitions(details, stack),
        scanned=_scanned(details),
        basis=f"measured in run {run_id}",
    )


def last_whole(stack: Stack) -> Details | None:
    """The newest run that computed everything, up to its evaluation."""
    for run in executions.newest(stack, 5, "SUCCEEDED"):
        if run.metric is not None:  # it went as far as the evaluation
            details = executions.details(stack, run.execution_arn)
            if details.settings.get("resume_from") is None:
                return details
    return None


def processing_seconds(run_id: str) -> float:
    """Instance seconds of the run's processing jobs, which are named after it."""
    sagemaker = client("sagemaker")
    listed = sagemaker.list_processing_jobs(NameContains=run_id)["ProcessingJobSummaries"]
    jobs = [sagemaker.describe_processing_job(ProcessingJobName=row["ProcessingJobName"]) for row in listed]
    return sum(
        _instance_seconds(
            job.get("ProcessingStartTime"),
            job.get("ProcessingEndTime"),
            job["ProcessingResources"]["ClusterConfig"]["InstanceCount"],
        )
        for job in jobs
    )


def _transform_seconds(run_id: str) -> float:
    """Likewise, of batch transform."""
    sagemaker = client("sagemaker")
    listed = sagemaker.list_transform_jobs(NameContains=run_id)["TransformJobSummaries"]
    jobs = [sagemaker.describe_transform_job(TransformJobName=row["TransformJobName"]) for row in listed]
    return sum(
        _instance_seconds(
            job.get("TransformStartTime"), job.get("TransformEndTime"), job["TransformResources"]["InstanceCount"]
        )
        for job in jobs
    )


def _instance_seconds(began: datetime | None, ended: datetime | None, instances: int) -> float:
    return 0.0 if began is None else ((ended or datetime.now(UTC)) - began).total_seconds() * instances


def _training_job(name: str) -> tuple[str, float]:
    """What a training job ran on, and the instance seconds that are charged for it."""
    job = client("sagemaker").describe_training_job(TrainingJobName=name)
    resources = job["ResourceConfig"]
    return resources.get("InstanceType", ""), job.get("BillableTimeInSeconds", 0) * resources.get("InstanceCount", 1)


def _function_seconds(details: Details) -> dict[str, float]:
    """How long the functions ran, by the history: somewhat more than is charged for."""
    began: dict[str, datetime] = {}
    seconds: dict[str, float] = {}
    for event in details.finished.events:
        if "stateEnteredEventDetails" in event:
            began[event["stateEnteredEventDetails"]["name"]] = event["timestamp"]
        name = event.get("stateExitedEventDetails", {}).get("name")
        if name in ("PrepareRun", "EvaluateModel"):
            seconds[name] = (event["timestamp"] - began[name]).total_seconds()
    return seconds


def _transitions(details: Details, stack: Stack) -> int:
    """States that were entered by the run and by the deployment that it started; a retry counts as one, too."""
    entered = _entered(details.finished.events)
    token = details.variables.get("run", {}).get("client_token")
    machine = stack.outputs["DeploymentStateMachineArn"].replace(":stateMachine:", ":execution:")
    states = client("stepfunctions")
    try:
        pages = states.get_paginator("get_execution_history").paginate(executionArn=f"{machine}:deploy-{token}")
        return entered + sum(_entered(page["events"]) for page in pages)
    except states.exceptions.ExecutionDoesNotExist:
        return entered


def _entered(events: Iterable[Mapping[str, Any]]) -> int:
    failed = ("TaskFailed", "TaskTimedOut")
    return sum(event["type"].endswith("StateEntered") or event["type"] in failed for event in events)


def _scanned(details: Details) -> int:
    for event in details.finished.events:
        output = event.get("taskSucceededEventDetails", {})
        if output.get("resourceType") == "athena":
            statistics = json.loads(output.get("output") or "{}").get("QueryExecution", {}).get("Statistics", {})
            return int(statistics.get("DataScannedInBytes", 0))
    return 0


def _products(region: str, service: str, filters: Mapping[str, str]) -> Iterable[dict[str, Any]]:
    """GetProducts' answers for a service in a Region."""
    found = boto3.client("pricing", region_name=PRICE_LIST_REGION)
    for page in found.get_paginator("get_products").paginate(
        ServiceCode=service,
        Filters=[
            {"Type": "TERM_MATCH", "Field": name, "Value": value}
            for name, value in {**filters, "regionCode": region}.items()
        ],
    ):
        yield from (json.loads(product) for product in page["PriceList"])


def _wanted(rows: Iterable[Price | None]) -> list[Price]:
    """Of all that the Price List has, what a run can use, each once."""
    others = {prices.LAMBDA_SECONDS, prices.LAMBDA_REQUESTS, prices.TRANSITIONS, prices.SCANNED, prices.ALARMS}
    kinds = ("Processing:ml.", "Train:ml.", "Tsform:ml.", "Host:ml.")
    kept: dict[prices.Meter, Price] = {}
    for row in rows:
        if row and (row.meter in others or (row.service == "AmazonSageMaker" and row.meter.usage.startswith(kinds))):
            kept.setdefault(row.meter, row)
    return list(kept.values())


def _region(stack: Stack) -> str:
    return stack.outputs["TrainingStateMachineArn"].split(":")[3]


def _key(stack: Stack) -> str:
    return f"{stack.defaults()['prefix']}/{prices.KEY}"
