"""State changes that SageMaker sends to EventBridge."""

from __future__ import annotations

import json
import logging
from typing import Any

logger = logging.getLogger("local.sagemaker")


def emit(detail_type: str, detail: dict[str, Any], resource_arn: str) -> None:
    """Put an event of source aws.sagemaker on the default bus. Best effort, as on AWS."""
    from ministack.services import eventbridge

    entry = {
        "Source": "aws.sagemaker",
        "DetailType": detail_type,
        "Detail": json.dumps(detail, default=str),
        "Resources": [resource_arn],
    }
    try:
        eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)
    except Exception:
        logger.exception("%s of %s was not delivered", detail_type, resource_arn)
