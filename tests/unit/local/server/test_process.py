"""The server starts, says what is wrong, stops, and leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest

from local.build import deploy
from local.server import address, paths, process
from local.server.state import StateDirectory, StateError
from tests.processes import running_in, until

SAMPLE = Path(__file__).parents[1] / "sample" / "template.yaml"


def _s3(server: process.Server) -> Any:
    session = boto3.Session(address.ACCESS_KEY, address.SECRET_KEY, region_name=address.REGION)
    return session.client("s3", endpoint_url=server.endpoint_url)


def test_busy_port_names_its_user(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind((address.HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(process.ServerError, match=rf"Port {port} is in use by process {os.getpid()} .*--port"):
            process.start(port=port, state=tmp_path / "state")


def test_second_server_on_one_state_directory(server: process.Server) -> None:
    with pytest.raises(process.ServerError, match=r"in use by the local cloud on port \d+ \(process \d+\)"):
        process.start(state=server.state)


def test_foreign_files_are_not_removed(tmp_path: Path) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("mine")
    with pytest.raises(process.ServerError, match="holds files that no local cloud wrote"):
        process.start(state=tmp_path)
    assert precious.read_text() == "mine"


def test_disk_that_is_nearly_full_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=12_345_678))
    with pytest.raises(StateError, match=r"Only 12 MB free on the disk of .*state; a run needs 1 GB.*--state"):
        StateDirectory.acquire(tmp_path / "state", 1)
    monkeypatch.undo()
    StateDirectory.acquire(tmp_path / "state", 1).release()  # nothing holds it


def test_two_servers_share_nothing(server: process.Server, tmp_path: Path) -> None:
    with process.running(state=tmp_path / "state") as other:
        _s3(other).create_bucket(Bucket="only-here", CreateBucketConfiguration={"LocationConstraint": address.REGION})
        assert "only-here" not in [bucket["Name"] for bucket in _s3(server).list_buckets()["Buckets"]]


def test_objects_stay_as_plain_files_and_processes_end(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with process.running(state=state) as running:
        stack = deploy.deploy(running.endpoint_url, "sample", template=SAMPLE)
        session = boto3.Session(address.ACCESS_KEY, address.SECRET_KEY, region_name=address.REGION)
        session.client("lambda", endpoint_url=running.endpoint_url).invoke(
            FunctionName=stack.outputs["Function"], Payload=b"{}"
        )
        _s3(running).put_object(Bucket="sample-data", Key="runs/1/a.json", Body=b"{}")
        assert len(running_in(state)) >= 2  # the server and the function's environment
    assert (state / "s3" / address.ACCOUNT_ID / "sample-data" / "runs" / "1" / "a.json").read_bytes() == b"{}"
    assert not list(state.rglob("*.meta.json"))
    assert {entry.name for entry in state.iterdir()} == {"server.lock", "s3", "outbox", "logs"}
    assert running_in(state) == []


def test_killed_server_is_cleaned_up_by_the_next(tmp_path: Path) -> None:
    state = tmp_path / "state"
    first = process.start(state=state)
    stack = deploy.deploy(first.endpoint_url, "sample", template=SAMPLE)
    session = boto3.Session(address.ACCESS_KEY, address.SECRET_KEY, region_name=address.REGION)
    session.client("lambda", endpoint_url=first.endpoint_url).invoke(
        FunctionName=stack.outputs["Function"], Payload=b"{}"
    )
    os.killpg(first._process.pid, signal.SIGKILL)
    first.stop()
    with process.running(state=state) as second:
        assert _s3(second).list_buckets()["Buckets"] == []
    assert until(lambda: running_in(state) == [])


def test_server_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    script = (
        "import os; from pathlib import Path; from local.server import process;"
        f"process.start(state=Path({str(tmp_path / 'state')!r})); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script], cwd=paths.PROJECT, stdout=subprocess.PIPE, check=False, timeout=120)
    assert until(lambda: running_in(tmp_path / "state") == [])


def test_ctrl_c_stops_in_order(tmp_path: Path) -> None:
    state = tmp_path / "state"
    command = [sys.executable, "-m", "local.server", "--port", "0", "--state", str(state)]
    started = subprocess.Popen(command, cwd=paths.PROJECT, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    assert started.stdout is not None
    assert started.stdout.readline().startswith("ready http://127.0.0.1:")
    started.send_signal(signal.SIGINT)
    assert started.wait(15) == 0
    assert not (state / "tmp").exists()


def test_bad_faults_file(tmp_path: Path) -> None:
    faults = tmp_path / "faults.yaml"
    faults.write_text("- {service: sagemaker, outcome: Exploded}\n")
    with pytest.raises(process.ServerError, match=r"faults\.yaml"):
        process.start(state=tmp_path / "state", faults=faults)
