"""A local cloud that is killed in the middle of a run leaves nothing that the next one stumbles over."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from cli import local_cloud
from local.server import paths, process
from tests.pipeline.conftest import Cloud, customers_not_asked_for_before
from tests.processes import running_in, until


def _started(server: process.Server) -> Cloud:
    ready = local_cloud.deploy_stack(server, lambda _: None)
    local_cloud.load_telco(ready)
    return Cloud(ready)


@pytest.mark.exhaustive
def test_killed_while_it_trains_the_next_one_runs_as_if_nothing_had_been(tmp_path: Path) -> None:
    state = tmp_path / "state"
    killed = process.start(state=state, wait_scale=local_cloud.WAIT_SCALE, reuse=paths.REUSE)
    cloud = _started(killed)
    execution = cloud.start(**customers_not_asked_for_before())
    cloud.wait_for_state(execution, "WaitForAutoMLJob")
    before = running_in(state)
    assert len(before) > 1  # the server and what computes
    os.killpg(killed._process.pid, signal.SIGKILL)
    killed.stop()
    with process.running(state=state, wait_scale=local_cloud.WAIT_SCALE, reuse=paths.REUSE) as server:
        assert not set(before) & set(running_in(state))
        cloud = _started(server)
        assert cloud.run(customer_id_end=1000)["status"] == "SUCCEEDED"
        machine = cloud.deployed.outputs["TrainingStateMachineArn"]
        executions = cloud.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"]
        jobs = cloud.client("sagemaker").list_auto_ml_jobs()["AutoMLJobSummaries"]
        assert (len(executions), len(jobs), len(cloud.packages())) == (1, 1, 1)
    assert until(lambda: running_in(state) == [])
