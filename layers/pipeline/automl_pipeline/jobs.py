"""The requests for a run's jobs, in the form of the APIs that take them.

The training machine adds what is not known before: the job's name, which ends in the attempt's number, the model's name,
and the feature group's columns.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from automl_pipeline import deployment
from automl_pipeline.costs import LONGEST_PROCESSING_SECONDS
from automl_pipeline.settings import Settings

_LOCAL = "/opt/ml/processing"
# What the processing job calls the weights that it computes.
CLASS_WEIGHT_COLUMN = "automl_class_weight"


@dataclass(frozen=True)
class Previous:
    """The run whose rows this one's are compared with, and its preprocessing/, None if nothing is left to compare with."""

    run_id: str
    uri: str | None


def query(settings: Settings, rows_uri: str, token: str) -> dict[str, Any]:
    """StartQueryExecution without QueryString, which training.asl.yaml composes. Where the run has a range of ids, that
    has four `?`: the first and the last id, twice."""
    bounds = (settings.customer_id_start, settings.customer_id_end)
    key = settings.kms_key_arn
    encryption = {"EncryptionConfiguration": {"EncryptionOption": "SSE_KMS", "KmsKey": key}} if key else {}
    # Athena's execution parameters are texts of SQL literals.
    parameters = [f"'CUST_{bound:06d}'" for bound in bounds if bound is not None]
    return {
        "ClientRequestToken": f"extract-features-{token}",
        "ResultConfiguration": {"OutputLocation": rows_uri, **encryption},
        **({"ExecutionParameters": parameters * 2} if parameters else {}),
    }


def unload_to(settings: Settings, rows_uri: str) -> str | None:
    """What follows `UNLOAD (query) TO`: for Spark, Athena writes the rows as Parquet, in parallel, to a place that must be
    empty (docs.aws.amazon.com/athena/latest/ug/unload.html). None for the one sorted CSV file that Python reads."""
    if settings.processing_engine == "Python":
        return None
    return f"'{rows_uri}' WITH (format = 'PARQUET', compression = 'SNAPPY')"


def requests(
    settings: Settings,
    uris: Mapping[str, str],
    roles: Mapping[str, str],
    images: Mapping[str, str],
    tags: list[dict[str, str]],
    previous: Previous | None,
) -> dict[str, dict[str, Any]]:
    """The requests by job: `processing`, `automl`, `transform` and, for the version that serves, `champion_transform`.

    `uris`: the run's places (run_layout.describe). `roles`: `job` and `automl`. `images`: of the processing job by
    its engine.
    """
    made = {
        "processing": _processing(settings, uris, roles["job"], images[settings.processing_engine], previous),
        "automl": _automl(settings, uris, roles["automl"]),
        "transform": _transform(settings, uris["evaluation_input"], uris["predictions"]),
        "champion_transform": _transform(settings, uris["evaluation_input"], uris["champion"]),
    }
    return {name: {**request, "Tags": tags} for name, request in made.items()}


def _processing(
    settings: Settings, uris: Mapping[str, str], role: str, image: str, previous: Previous | None
) -> dict[str, Any]:
    spark = settings.processing_engine == "Spark"
    inputs = {"raw": uris["rows" if spark else "raw"], "code": uris["code"]}
    if previous is not None and previous.uri is not None:
        inputs["previous"] = previous.uri
    outputs = ["train", "test", "evaluation_input", "preprocessing"]
    if settings.split != "stratified":
        outputs.append("validation")
    return {
        "RoleArn": role,
        "AppSpecification": {
            "ImageUri": image,
            "ContainerEntrypoint": ["python3", f"{_LOCAL}/input/code/{'submit_spark' if spark else 'preprocess'}.py"],
            "ContainerArguments": _processing_arguments(settings, previous),
        },
        "ProcessingInputs": [
            {
                "InputName": name,
                "S3Input": {
                    "S3Uri": uri,
                    "LocalPath": f"{_LOCAL}/input/{name}",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                    "S3DataDistributionType": "FullyReplicated",
                },
            }
            for name, uri in inputs.items()
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": name.replace("_", "-"),
                    "S3Output": {
                        "S3Uri": uris[name],
                        "LocalPath": f"{_LOCAL}/output/{name}",
                        "S3UploadMode": "EndOfJob",
                    },
                }
                for name in outputs
            ],
            **deployment.key(settings, "KmsKeyId"),
        },
        "ProcessingResources": {
            "ClusterConfig": {
                "InstanceCount": settings.processing_instance_count,
                "InstanceType": settings.processing_instance_type,
                "VolumeSizeInGB": settings.processing_volume_gb,
                **deployment.key(settings, "VolumeKmsKeyId", settings.processing_instance_type),
            }
        },
        "NetworkConfig": deployment.network(settings),
        "StoppingCondition": {"MaxRuntimeInSeconds": LONGEST_PROCESSING_SECONDS},
    }


def _processing_arguments(settings: Settings, previous: Previous | None) -> list[str]:
    """The processing job's command line, without the options that name the feature group's columns.

    SageMaker takes 100 arguments of at most 256 characters each
    (AppSpecification in its API reference): settings.py bounds what goes in.
    Column names are lower case, as Athena's result has them.
    """
    arguments = ["--problem-type", settings.problem_type]
    arguments += _listed("--exclude-columns", settings.exclude_columns)
    arguments += _listed("--report-slices", settings.report_slices)
    arguments += [f"--split={settings.split}", f"--data-checks={settings.data_checks}"]
    # Batch transform divides objects over its instances, not the lines of one
    # (docs.aws.amazon.com/sagemaker/latest/dg/batch-transform.html).
    arguments.append(f"--test-parts={settings.transform_instance_count}")
    if previous is not None:
        arguments.append(f"--previous-run={previous.run_id}")
    if settings.positive_class is not None:
        arguments.append(f"--positive-class={settings.positive_class}")
    if settings.split_group_column is not None:
        arguments.append(f"--split-group-column={settings.split_group_column.lower()}")
    if weights := _weight_column(settings):
        arguments.append(f"--weight-column={weights}")
    if settings.class_weights is not None:
        arguments.append(f"--class-weights={settings.class_weights}")
    if settings.column_names:
        text = json.dumps({name.lower(): column for name, column in settings.column_names.items()})
        arguments += [f"--column-names={text[place : place + 240]}" for place in range(0, len(text), 240)]
    return arguments


def _weight_column(settings: Settings) -> str | None:
    """The column of the training data that holds each row's weight."""
    if settings.class_weights is not None:
        return CLASS_WEIGHT_COLUMN
    return settings.sample_weight_attribute_name and settings.sample_weight_attribute_name.lower()


def _listed(option: str, names: list[str]) -> list[str]:
    # Names have at most 64 characters: three of them fit into an argument with their commas.
    return [f"{option}={','.join(names[place : place + 3]).lower()}" for place in range(0, len(names), 3)]


def _automl(settings: Settings, uris: Mapping[str, str], role: str) -> dict[str, Any]:
    channels = ["training"]
    if settings.split != "stratified":
        # Drawn at random, Autopilot's validation rows would not be split by time or by group as the test rows are.
        channels.append("validation")
    weights = _weight_column(settings)
    limits = {
        "MaxRuntimePerTrainingJobInSeconds": settings.max_runtime_sec,
        "MaxAutoMLJobRuntimeInSeconds": settings.automl_max_runtime_sec,
        "MaxCandidates": settings.max_candidates,
    }
    return {
        "RoleArn": role,
        "AutoMLJobInputDataConfig": [
            {
                "ChannelType": channel,
                "ContentType": "text/csv;header=present",
                "CompressionType": "None",
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uris[channel.removesuffix("ing")]}},
            }
            for channel in channels
        ],
        "OutputDataConfig": {"S3OutputPath": uris["automl"], **deployment.key(settings, "KmsKeyId")},
        # Autopilot chooses its instances itself, and has no network isolation.
        "SecurityConfig": {
            "EnableInterContainerTrafficEncryption": bool(settings.kms_key_arn),
            **deployment.key(settings, "VolumeKmsKeyId"),
            **deployment.vpc(settings),
        },
        "AutoMLJobObjective": {"MetricName": settings.objective_metric_name},
        "AutoMLProblemTypeConfig": {
            "TabularJobConfig": {
                "TargetAttributeName": settings.target_attribute_name.lower(),
                "ProblemType": settings.problem_type,
                "Mode": "ENSEMBLING",
                "CompletionCriteria": {name: limit for name, limit in limits.items() if limit is not None},
                **({"SampleWeightAttributeName": weights} if weights else {}),
            }
        },
    }


def _transform(settings: Settings, rows_uri: str, answers_uri: str) -> dict[str, Any]:
    return {
        "BatchStrategy": "MultiRecord",
        "MaxPayloadInMB": 6,
        "TransformInput": {
            # JSON Lines, as a CSV value may hold a line break, where SplitType Line would cut the row.
            "ContentType": "application/jsonlines",
            "SplitType": "Line",
            "CompressionType": "None",
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": rows_uri}},
        },
        "TransformOutput": {
            "S3OutputPath": answers_uri,
            "Accept": "text/csv",
            "AssembleWith": "Line",
            **deployment.key(settings, "KmsKeyId"),
        },
        "TransformResources": {
            "InstanceCount": settings.transform_instance_count,
            "InstanceType": settings.transform_instance_type,
            **deployment.key(settings, "VolumeKmsKeyId", settings.transform_instance_type),
        },
    }


def containers(settings: Settings, model_uri: str, image: str) -> dict[str, Any]:
    """What a run adds to the containers of its model: `preprocess`, in front of Autopilot's own, and `last_environment`,
    which asks the last of those for the label and, where there are classes, the probability of each."""
    return {
        "preprocess": {
            "Image": image,
            "ModelDataUrl": model_uri,
            "Environment": {
                "SAGEMAKER_PROGRAM": "inference.py",
                "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
                "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv",
                "SAGEMAKER_CONTAINER_LOG_LEVEL": "20",
                "SAGEMAKER_REGION": settings.region,
            },
        },
        "last_environment": {}
        if settings.problem_type == "Regression"
        else {"SAGEMAKER_INFERENCE_OUTPUT": "predicted_label,probabilities,labels"},
    }
