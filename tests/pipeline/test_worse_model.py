"""A run whose model is worse than the one that serves, on the same rows: it says so, and is not registered."""

from __future__ import annotations

import json
from typing import Any

from local.data import telco

from .conftest import Cloud


def test_model_of_one_feature_loses_against_what_serves_and_is_not_registered(
    cloud: Cloud, deployed: dict[str, Any]
) -> None:
    assert deployed["outcome"] == "Deployed"
    cloud.serve(deployed["model_package_arn"])
    packages = len(cloud.packages())
    others = [name for name in telco.load().columns if name not in ("customer_id", "churn", "gender")]
    described = cloud.run(champion="Require", exclude_columns=others, max_candidates=1)
    assert described["status"] == "SUCCEEDED", described
    output = json.loads(described["output"])
    evaluation = json.loads(cloud.object(f"{output['run_prefix']}/evaluation/evaluation.json"))
    compared = evaluation["champion"]
    assert compared["error"] is None
    assert compared["difference"]["accuracy"]["upper"] < 0
    assert compared["difference"]["accuracy"]["value"] == evaluation["accuracy"] - compared["metrics"]["accuracy"]
    assert output["outcome"] == "BelowThreshold"
    assert output["verdict"] == f"Does not pass the gate: {compared['sentence']}."
    assert len(cloud.packages()) == packages
    page = cloud.object(f"{output['run_prefix']}/evaluation/report.html").decode()
    assert f"oses {-compared['difference']['accuracy']['value']:.4f} in accuracy" in page
    assert f"Serves now: Version {compared['version']}, on the same rows." in page
