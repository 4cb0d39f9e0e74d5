"""docs/settings.md shows the settings model and the template as they are."""

from __future__ import annotations

import re
from typing import Any

import pytest
from automl_pipeline.settings import DEPLOY_TIME, STRICTNESS, InvalidInputError, Settings, resolve

from tests.contract import settings_page

DEPLOYED: dict[str, Any] = {
    "bucket": "a-bucket",
    "accuracy_threshold": 0.5,
    "autoscaling_max_capacity": 5,
    "max_cost_usd": 10.0,
    "quality_gate": [{"metric": "recall", "at_least": 0.6}],
    "champion": "Require",
    "champion_margin": 0.01,
    "allowed_instance_types": "ml.m5.xlarge",
    "allowed_feature_groups": "mlops_poc_churn_classification_feature",
}
LOOSER: dict[str, Any] = {
    "accuracy_threshold": 0.4,
    "autoscaling_max_capacity": 6,
    "max_cost_usd": 11.0,
    "quality_gate": None,
    "champion_margin": 0.02,
    "processing_instance_type": "ml.m5.large",
    "transform_instance_type": "ml.m5.large",
    "inference_instance_type": "ml.m5.large",
    "feature_group_name": "another",
}


def test_page_is_current() -> None:
    stale = "docs/settings.md is stale: python -m tests.contract.settings_page"
    assert settings_page.FILE.read_text(encoding="utf-8") == settings_page.page(), stale


def test_every_setting_and_parameter_has_a_meaning() -> None:
    rows = re.findall(r"^\| `.*$", settings_page.page(), re.MULTILINE)
    assert len(rows) > len(Settings.model_fields)
    assert [row for row in rows if re.search(r"\| +\|$", row)] == []


@pytest.mark.parametrize("key", settings_page.LIMITS)
def test_limits_that_the_page_states_are_enforced(key: str) -> None:
    assert settings_page.LIMITS.keys() == LOOSER.keys()
    assert not settings_page.LIMITS.keys() & (DEPLOY_TIME | STRICTNESS.keys())
    with pytest.raises(InvalidInputError, match=key):
        resolve({key: LOOSER[key]}, DEPLOYED)
