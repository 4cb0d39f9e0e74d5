"""One local cloud with a few stacks, on which the matrix's executions run at the same time, one a stack."""

from __future__ import annotations

import os
import queue
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cli import local_cloud
from local.server import paths, process
from tests.faults import judgement, table
from tests.faults.kinds import Case
from tests.faults.stage import Stage
from tests.faults.ways import UnreachedError, Ways

STACKS = int(os.environ.get("FAULTS_STACKS", "2"))
# A minute of the machines' waiting takes a tenth of a second.
WAIT_SCALE = 1 / 600
AHEAD = 3 * STACKS
"""How many cases are begun before their test's turn."""


class Matrix:
    """Plays cases on free stacks and keeps what came of them."""

    def __init__(self, cases: list[Case], stages: list[Stage]):
        self._cases, self._ways = cases, Ways()
        self._free: queue.SimpleQueue[Stage] = queue.SimpleQueue()
        for stage in stages:
            self._free.put(stage)
        self._pool = ThreadPoolExecutor(len(stages))
        self._begun: dict[Case, Future[tuple[dict[str, Any], list[str]]]] = {}

    def problems(self, case: Case) -> list[str]:
        """What is not as it must be with a case."""
        first = self._cases.index(case)
        for one in self._cases[first : first + AHEAD]:
            if one not in self._begun:
                self._begun[one] = self._pool.submit(self._play, one)
        row, found = self._begun[case].result()
        table.add(row | {"problems": found})
        return found

    def _play(self, case: Case) -> tuple[dict[str, Any], list[str]]:
        stage = self._free.get()
        try:
            way = self._ways.to(case.task, stage)
            ending = way.play(stage, case)
            if case.task.name not in ending.entered:
                self._ways.forget(case.task)
                way = self._ways.to(case.task, stage)
                ending = way.play(stage, case)
            how = judgement.verdict(case, way, ending)
            found = [f"{problem} [{way}; {ending.arn}]" for problem in judgement.problems(case, way, ending, stage)]
            return judgement.row(case, how, ending), found
        except UnreachedError as error:
            return {"state": str(case.task), "fault": case.kind.name, "ends": "unreached"}, [str(error)]
        finally:
            self._free.put(stage)

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._ways.remember()


@pytest.fixture(scope="session")
def matrix(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    folder = tmp_path_factory.mktemp("faults")
    faults = folder / "faults"
    faults.mkdir()
    wanted: list[Any] = [
        item.callspec.params["case"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and "matrix" in item.fixturenames
    ]
    with process.running(state=folder / "state", faults=faults, wait_scale=WAIT_SCALE, reuse=paths.REUSE) as server:
        stages = _stages(server, faults, min(STACKS, len(wanted)))
        played = Matrix(wanted, stages)
        try:
            yield played
        finally:
            played.close()


def _stages(server: process.Server, faults: Path, count: int) -> list[Stage]:
    made = [Stage(server, faults, f"stage-{number}") for number in range(count)]
    first = local_cloud.LocalCloud(server, {})
    local_cloud.load_telco(first)
    made[0].deploy()  # computes what the others reuse
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(Stage.deploy, made[1:]))
    return made
