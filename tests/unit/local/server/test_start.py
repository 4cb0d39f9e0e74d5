"""The local cloud starts and answers without what takes seconds to load and nobody needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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
    assert _said(program) == "RUNNABLE\n"


def test_services_that_nobody_uses_are_not_executed() -> None:
    """Not even when CloudFormation imports them, more than once; the first use executes them as a whole."""
    program = """
from concurrent.futures import ThreadPoolExecutor
from local.server import unused_services
unused_services.install()
import ministack.services.cognito as once
import ministack.services.cognito as twice
assert not hasattr(once, "__path__") and "handle_request" not in vars(once)
with ThreadPoolExecutor(8) as pool:
    assert len(set(pool.map(lambda _: twice.handle_request, range(8)))) == 1
assert "handle_request" in vars(once) and once.__loader__ is once.__spec__.loader
try:
    once.nothing
except AttributeError as error:
    print(error)
"""
    assert _said(program) == "module 'ministack.services.cognito' has no attribute 'nothing'\n"


def test_servers_start_without_engines_for_tables(tmp_path: Path) -> None:
    """pandas, DuckDB and sqlglot take half a second, and few local clouds of the tests are asked about a table."""
    program = f"""
import asyncio, os, sys
from pathlib import Path
from local.server import services
from local.server.__main__ import set_environment
from local.server.state import StateDirectory
state = StateDirectory.acquire(Path({str(tmp_path / "state")!r}), 1)
set_environment(state, 1)
async def install():
    services.install(state, "http://127.0.0.1:1", faults=None, wait_scale=1)
asyncio.run(install())
print([name for name in ("pandas", "numpy", "pyarrow", "duckdb", "sqlglot") if name in sys.modules], flush=True)
os._exit(0)
"""
    assert _said(program) == "[]\n"


def _said(program: str) -> str:
    command = [sys.executable, "-c", program]
    ran = subprocess.run(command, cwd=paths.PROJECT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout
