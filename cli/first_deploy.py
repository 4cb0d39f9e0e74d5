"""What `make deploy` runs: the first time it asks for what a stack needs, checks it and keeps it; later it just deploys.

`python -m cli.first_deploy BUILD SAM [arguments of sam deploy]`, where BUILD is the command that builds. Without a terminal, or once samconfig.toml names a region, it
builds and is `sam deploy` with the arguments it got, so that continuous integration and second runs are asked nothing.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
import typer
from automl_pipeline import costs, prices
from automl_pipeline.settings import PROJECT_NAME
from botocore.exceptions import BotoCoreError, ClientError

from cli import doctor_command
from cli.stack import explained
from cli.terminal import typed
from local.build import packaging
from local.server import paths

CONFIG = paths.PROJECT / "samconfig.toml"
TEMPLATE = paths.PROJECT / "template.yaml"

Say = Callable[[str], None]
Ask = Callable[[str, str], str]

IDLE = """\
While nothing runs, it costs (docs/costs.md says more):
  endpoint, once a model is deployed   {endpoint}: the one thing to watch
  alarms and dashboard                 {alarms} alarms, 1 dashboard, by the month (an account's first ten and three are free)
  data, models and logs                S3 and CloudWatch storage of what runs leave
  functions, machines, topic, rules    nothing
Each run costs a processing job, a batch transform and, most of it, Autopilot's training jobs: automl cost estimates it."""

# Lambda takes names of 64 characters, and the longest of the stack's is STACK-evaluate-model.
LONGEST_STACK_NAME = 64 - len("-evaluate-model")


class CannotDeployError(Exception):
    """The message says what is missing and what to do."""


@dataclass
class Answers:
    """What a person chose: where to, and the template's parameters that differ from their defaults."""

    region: str
    parameters: dict[str, str] = field(default_factory=dict)


def main(arguments: list[str]) -> int:
    """Returns sam's exit code, or 1 with a message."""
    build, sam, *rest = arguments
    environment = _option(rest, "--config-env") or "default"
    known = tomllib.loads(CONFIG.read_text(encoding="utf-8")).get(environment, {}).get("deploy", {}).get("parameters")
    if known is None:
        print(f"samconfig.toml has no section [{environment}.deploy.parameters].", file=sys.stderr)
        return 1
    stack = _option(rest, "--stack-name") or known.get("stack_name", "")
    if len(stack) > LONGEST_STACK_NAME:
        print(
            f"The stack's name {stack} has {len(stack)} characters. Its functions are named after it, for which it may "
            f"have {LONGEST_STACK_NAME} at most: set another stack_name in samconfig.toml.",
            file=sys.stderr,
        )
        return 1
    given = f"{known.get('parameter_overrides', '')} {' '.join(rest)}"
    # Models and jobs are named after the stack, too, by the rule of project_name.
    if stack and "ProjectName=" not in given and not (len(stack) <= 34 and re.fullmatch(PROJECT_NAME, stack)):
        print(
            f"The stack's name {stack} cannot name its models and jobs: that takes at most 34 lower-case letters, digits "
            "and hyphens. Set another stack_name in samconfig.toml, or the parameter ProjectName.",
            file=sys.stderr,
        )
        return 1
    asked_already = "region" in known or bool({"--guided", "-g", "--region"} & set(rest))
    if asked_already or not sys.stdin.isatty():
        region = _option(rest, "--region") or known.get("region")
        return _deployed(build, [sam, "deploy", *rest, *_tags(given, rest)], stack, region)
    try:
        answers = ask(known, typer.echo, lambda text, default: typer.prompt(text, default=default))
    except CannotDeployError as problem:
        print(f"Error: {problem}", file=sys.stderr)
        return 1
    if not typer.confirm("Deploy this? The answers are kept in samconfig.toml; the changes are shown once more"):
        print("Nothing was deployed.")
        return 1
    text = CONFIG.read_text(encoding="utf-8")
    CONFIG.write_text(kept(text, environment, answers, known.get("parameter_overrides", "")), encoding="utf-8")
    status = _deployed(build, [sam, "deploy", *rest, *_tags(given, rest)], stack, answers.region)
    if status == 0:
        print(
            "Confirm the subscription in the email that SNS has sent, then start a run:"
            if "NotificationEmail" in answers.parameters
            else "Start a run:"
        )
        print(f"  {typed('start --watch', stack, answers.region)}")
    return status


def ask(known: Mapping[str, Any], say: Say, ask_for: Ask) -> Answers:
    """Ask for region, data and email address; each answer is checked before the next question. Raises CannotDeployError."""
    template = packaging.read_template(TEMPLATE)
    say(f"The first deployment of stack {known['stack_name']}. Return takes what is in brackets.\n")
    regions = sorted(template["Mappings"]["ImageAccounts"])
    region = _checked(
        lambda: ask_for("Region", os.environ.get("AWS_REGION") or boto3.Session().region_name or "us-west-2"),
        lambda text: (
            None
            if text in regions
            else f"SageMaker's scikit-learn image is not published there, but in: {', '.join(regions)}."
        ),
        say,
    )
    say(f"Account {_account(region)}")
    answers = Answers(region)

    def parameter(name: str, text: str, default: str | None = None) -> str:
        wanted = template["Parameters"][name]
        usual = str(wanted["Default"])
        value = _checked(lambda: ask_for(text, usual if default is None else default).strip(), _rule(wanted), say)
        answers.parameters.pop(name, None)
        if value != usual:
            answers.parameters[name] = value
        return value

    group, bucket, features = _feature_group(parameter, region, say)
    target = parameter("TargetAttributeName", "Feature to predict")
    if features and target not in features:
        say(
            f"  {group} has no feature {target}, but: {', '.join(features)}. Runs will fail until one of them is named."
        )
    parameter("FeatureStoreBucket", "Bucket of its offline store (empty: the pipeline's own)", bucket)
    parameter("BucketName", "Your own bucket for data and models (empty: one is created)")
    parameter("NotificationEmail", "Email address for failures (empty: none)")
    instance_type = parameter("InferenceInstanceType", "Instance type of the endpoint")
    _explain(template, answers, instance_type, say)
    return answers


def _feature_group(parameter: Callable[[str, str], str], region: str, say: Say) -> tuple[str, str | None, list[str]]:
    """The group to train on, its bucket and its features. One that cannot be used is asked for again, until repeated."""
    before = None
    while True:
        group = parameter("FeatureGroupName", "Feature group to train on")
        bucket, features, problem = described(group, region)
        if problem is None or group == before:
            return group, bucket, features
        say(f"  {group}: {problem} Name another one, or the same again to deploy all the same.")
        before = group


def described(group: str, region: str) -> tuple[str | None, list[str], str | None]:
    """Of a feature group: the bucket of its offline store, its features, and what is wrong with it, in words."""
    sagemaker = boto3.client("sagemaker", region_name=region)
    try:
        found = sagemaker.describe_feature_group(FeatureGroupName=group)
    except ClientError as error:
        return (
            None,
            [],
            f"It cannot be looked up ({error.response['Error']['Message']}); it must exist before the first run.",
        )
    features = [feature["FeatureName"] for feature in found["FeatureDefinitions"]]
    if "OfflineStoreConfig" not in found:
        return None, features, "It has no offline store, which runs read. Create it with an OfflineStoreConfig."
    return found["OfflineStoreConfig"]["S3StorageConfig"]["S3Uri"].split("/")[2], features, None


def kept(text: str, environment: str, answers: Answers, before: str) -> str:
    """samconfig.toml with the answers in the section of an environment; everything else as it was."""
    overrides = dict(re.findall(r"""(\w+)=("[^"]*"|'[^']*'|\S*)""", before)) | answers.parameters
    pairs = " ".join(f"{name}={value}" for name, value in overrides.items())
    head = f"[{environment}.deploy.parameters]\n"
    begin = text.index(head) + len(head)
    end = text.find("\n[", begin) if "\n[" in text[begin:] else len(text)
    section = re.sub(r"^(region|parameter_overrides) = .*\n", "", text[begin:end], flags=re.MULTILINE)
    added = f'region = "{answers.region}"\n' + (f'parameter_overrides = "{pairs}"\n' if pairs else "")
    changed = text[:begin] + added + section + text[end:]
    tomllib.loads(changed)
    return changed


def _explain(template: Mapping[str, Any], answers: Answers, instance_type: str, say: Say) -> None:
    resources = [resource["Type"] for resource in template["Resources"].values()]
    own_bucket = "BucketName" not in answers.parameters
    say("\nIt creates:")
    say(f"  {'a bucket, kept when the stack is deleted; ' if own_bucket else ''}two Lambda functions with two layers")
    say(
        f"  {resources.count('AWS::Serverless::StateMachine')} state machines, rules and a schedule (off) that start them"
    )
    say("  a topic for failures, a work group of Athena, alarms, a dashboard, log groups")
    say(f"  {resources.count('AWS::IAM::Role')} roles, each with the permissions in docs/permissions.md")
    say("Runs create jobs, models, versions in the registry, and the endpoint.\n")
    endpoint = hourly(instance_type, answers.region)
    say(IDLE.format(endpoint=endpoint, alarms=resources.count("AWS::CloudWatch::Alarm")) + "\n")


def hourly(instance_type: str, region: str) -> str:
    """What an endpoint's instance costs in a Region, by the shipped prices; where these have none, where to look it up."""
    price = prices.shipped(region).of(prices.hosting(instance_type))
    if price is None:
        return f"each {instance_type} by the hour (no price of {region} ships: aws.amazon.com/sagemaker/pricing)"
    month = price.usd * costs.HOURS_OF_MONTH
    return f"each {instance_type} ${price.usd:g} an hour, ${month:,.0f} a month (list price of {price.read})"


def _tags(given: str, rest: list[str]) -> list[str]:
    """The option --tags for sam: the tags of what runs create, which are in ResourceTags, are those of the stack, too."""
    found = re.findall(r"""\bResourceTags=("[^"]*"|'[^']*'|\S+)""", given)
    if not found or any(argument.partition("=")[0] == "--tags" for argument in rest):
        return []
    pairs = [pair.partition("=")[::2] for pair in found[-1].strip("\"'").split(",")]
    quoted = (tuple(f'"{text}"' if " " in text else text for text in pair) for pair in pairs)
    return ["--tags", " ".join(f"{key}={value}" for key, value in quoted)]


def _deployed(build: str, deploy: list[str], stack: str, region: str | None) -> int:
    """Build, then deploy; the exit code of what failed first. Says what to do with a stack that cannot be updated."""
    if region and not doctor_command.before_deployment(stack, region):
        return 1
    status = subprocess.run(shlex.split(build), check=False).returncode
    if status:
        return status
    status = subprocess.run(deploy, check=False).returncode
    if status and (remedy := stuck(stack, region)):
        print(remedy, file=sys.stderr)
    return status


def stuck(stack: str, region: str | None) -> str | None:
    """What to do where the first deployment was rolled back: CloudFormation then takes no further change. Else None."""
    try:
        found = boto3.client("cloudformation", region_name=region).describe_stacks(StackName=stack)["Stacks"][0]
    except (ClientError, BotoCoreError):
        return None  # sam has already said what is wrong
    if found["StackStatus"] != "ROLLBACK_COMPLETE":
        return None
    at = f"--stack-name {stack}" + (f" --region {region}" if region else "")
    return (
        f"The first deployment of {stack} failed and was rolled back (ROLLBACK_COMPLETE); such a stack can only be "
        "deleted. See why it failed, delete it, and deploy again:\n"
        f"  aws cloudformation describe-stack-events {at}\n"
        f"  aws cloudformation delete-stack {at}\n"
        f"  aws cloudformation wait stack-delete-complete {at}"
    )


def _account(region: str) -> str:
    """The account that the credentials belong to. Raises CannotDeployError where there are none."""
    try:
        return boto3.client("sts", region_name=region).get_caller_identity()["Account"]
    except (ClientError, BotoCoreError) as error:
        raise CannotDeployError(explained(error)) from None


def _checked(answer: Callable[[], str], problem: Callable[[str], str | None], say: Say) -> str:
    while found := problem(text := answer()):
        say(f"  {found}")
    return text


def _rule(parameter: Mapping[str, Any]) -> Callable[[str], str | None]:
    """What the template says of a parameter's values, as a question to one of them."""
    pattern = parameter.get("AllowedPattern", ".*")
    wanted = parameter.get("ConstraintDescription", parameter.get("Description", ""))
    return lambda text: None if re.fullmatch(pattern, text) else f"{text!r} cannot be used: {wanted}."


def _option(arguments: list[str], name: str) -> str | None:
    for number, argument in enumerate(arguments):
        if argument.startswith(f"{name}="):
            return argument.partition("=")[2]
        if argument == name and number + 1 < len(arguments):
            return arguments[number + 1]
    return None


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (KeyboardInterrupt, typer.Abort):
        print("\nStopped; nothing was deployed.", file=sys.stderr)
        sys.exit(130)
