"""Which interpreter plays which container image."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from local.aws.sagemaker.compute import spark_image
from local.aws.sagemaker.compute.outcome import JobFailedError
from local.server import paths

IMAGES = paths.ROOT / "images"
"""Python environments with the pins of AWS's images, one folder each, where `make setup` could make them."""

AUTOPILOT_REPOSITORY = "autogluon-inference"
AUTOPILOT_TAG = "0.4.3-cpu-py38-ubuntu20.04"
_SCIKIT_LEARN_REPOSITORY = "sagemaker-scikit-learn"
_URI = re.compile(r"(?P<registry>[^/]+)/(?P<repository>[\w./-]+):(?P<tag>[\w.-]+)")


def autopilot(account: str, region: str) -> str:
    """The URI of the image that Autopilot names in ensembling mode; `account` is the registry's."""
    return f"{account}.dkr.ecr.{region}.amazonaws.com/{AUTOPILOT_REPOSITORY}:{AUTOPILOT_TAG}"


def interpreter(image_uri: str) -> Path:
    """The Python that plays `image_uri`.

    scikit-learn's image is an environment with its pins (Python 3.9, pandas 1.1.3, …) if there is one, otherwise the
    running interpreter; Autopilot's is always the running one, which has AutoGluon; Spark's is made when it is first used.
    Raises JobFailedError for other images.
    """
    match = _URI.fullmatch(image_uri)
    repository = match["repository"] if match else None
    if match and repository == _SCIKIT_LEARN_REPOSITORY:
        pinned = IMAGES / f"scikit-learn-{match['tag'].removesuffix('-cpu-py3')}" / "bin" / "python"
        return pinned if pinned.exists() else Path(sys.executable)
    if repository == AUTOPILOT_REPOSITORY:
        return Path(sys.executable)
    if match and repository == spark_image.REPOSITORY:
        return spark_image.interpreter(IMAGES / f"spark-{match['tag']}")
    raise JobFailedError(
        f"ClientError: The image {image_uri} cannot run on the local cloud: only {_SCIKIT_LEARN_REPOSITORY}, "
        f"{spark_image.REPOSITORY} and {AUTOPILOT_REPOSITORY} are played here."
    )


def is_spark(image_uri: str) -> bool:
    """Whether `image_uri` is SageMaker's Spark image."""
    return f"/{spark_image.REPOSITORY}:" in image_uri


def is_autopilot(image_uri: str) -> bool:
    """Whether `image_uri` is the image of Autopilot's candidates."""
    return f"/{AUTOPILOT_REPOSITORY}:" in image_uri
