"""The local cloud starts and answers without what takes seconds to load and nobody needs."""

from __future__ import annotations

import subprocess
import sys

import pytest
from ministack.core import router

from local.aws import routing
from local.server import paths


@pytest.mark.parametrize(
    ("path", "scope"),
    [
        ("/endpoints/churn/invocations", "sagemaker"),
        ("/FeatureGroup/customers", "sagemaker"),
        ("/", "application-autoscaling"),
        ("/", "pricing"),
    ],
)
def test_own_services_are_known_at_once(monkeypatch: pytest.MonkeyPatch, path: str, scope: str) -> None:
    monkeypatch.setattr(router, "_KNOWN_AWS_SERVICE_NAMES", None)
    monkeypatch.setattr(router, "_is_aws_service_name", router._is_aws_service_name)
    routing.install()
    signed = {"authorization": f"AWS4-HMAC-SHA256 Credential=test/20260102/us-west-2/{scope}/aws4_request"}
    assert router.detect_service("POST", path, signed, {}) == scope
    assert router._KNOWN_AWS_SERVICE_NAMES is None


def test_interpreter_is_imported_without_ec2() -> None:
    """It takes a second of every start. moto's own Batch stays what it is for others."""
    program = (
        "import sys; from local.aws.stepfunctions import sdk_shapes; assert 'moto.ec2' not in sys.modules; "
        "import moto.batch.utils; assert 'moto.ec2' in sys.modules; print(moto.batch.utils.JobStatus.RUNNABLE.name)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=paths.PROJECT, capture_output=True, text=True, check=False
    )
    assert ran.stdout == "RUNNABLE\n", ran.stderr
