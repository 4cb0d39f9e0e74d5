"""Requests are given to their service without botocore's models of all services being loaded, which takes seconds."""

from __future__ import annotations

import pytest
from ministack.core import router

from local.aws import routing


@pytest.mark.parametrize(
    ("path", "scope"),
    [
        ("/endpoints/churn/invocations", "sagemaker"),
        ("/FeatureGroup/customers", "sagemaker"),
        ("/", "application-autoscaling"),
    ],
)
def test_own_services_are_known_at_once(monkeypatch: pytest.MonkeyPatch, path: str, scope: str) -> None:
    monkeypatch.setattr(router, "_KNOWN_AWS_SERVICE_NAMES", None)
    monkeypatch.setattr(router, "_is_aws_service_name", router._is_aws_service_name)
    routing.install()
    signed = {"authorization": f"AWS4-HMAC-SHA256 Credential=test/20260102/us-west-2/{scope}/aws4_request"}
    assert router.detect_service("POST", path, signed, {}) == scope
    assert router._KNOWN_AWS_SERVICE_NAMES is None
