"""The requests for a run's jobs, in the form of the APIs that take them; the machine adds the names that its attempts give."""

from __future__ import annotations

from typing import Any

from automl_pipeline import deployment
from automl_pipeline.settings import Settings


def transform(settings: Settings, rows_uri: str, answers_uri: str) -> dict[str, Any]:
    """CreateTransformJob without the names of job and model, and without tags."""
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
            "InstanceCount": 1,
            "InstanceType": settings.transform_instance_type,
            **deployment.key(settings, "VolumeKmsKeyId", settings.transform_instance_type),
        },
    }
