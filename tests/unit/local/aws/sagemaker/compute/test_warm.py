"""Containers that were given back serve endpoints of the same content, and no others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local.aws.sagemaker.compute import warm
from local.aws.sagemaker.compute.serving import ContainerChain
from local.aws.sagemaker.compute.warm import WarmContainers

from .conftest import Bucket, Job, container

# Which process answers, and what it was given to say.
TELLING = """
import os
def model_fn(model_dir):
    return None
def transform_fn(model, content, content_type, accept):
    print("asked", flush=True)
    return f"{{os.getpid()}} {word}", accept
"""
Start = Callable[..., ContainerChain]


@pytest.fixture
def pool() -> Iterator[WarmContainers]:
    pool = WarmContainers()
    yield pool
    pool.close()


@pytest.fixture
def start(pool: WarmContainers, bucket: Bucket, job: Job) -> Iterator[Start]:
    """Starts a container that says a word, from an archive of its own; ends what the test has not given back."""
    lent: list[ContainerChain] = []

    def make(word: str = "yes", log: Any = job.lines.append) -> ContainerChain:
        definitions = [container(bucket, len(lent), TELLING.format(word=word))]
        lent.append(pool.start(definitions, s3=job.s3, folder=job.workdir, log=log))
        return lent[-1]

    yield make
    for chain in lent:
        chain.close()


def said(chain: ContainerChain) -> tuple[str, str]:
    """The process that answers, and its word."""
    number, word = chain.invoke(b"?", "text/plain", "text/plain").body.decode().split()
    return number, word


@pytest.mark.usefixtures("kept")
def test_the_same_content_is_served_by_the_same_process(pool: WarmContainers, start: Start) -> None:
    first = start()
    before = said(first)
    pool.give_back(first)
    assert said(start()) == before


@pytest.mark.usefixtures("kept")
def test_other_content_gets_a_process_of_its_own(pool: WarmContainers, start: Start) -> None:
    first = start("yes")
    number, _ = said(first)
    pool.give_back(first)
    other, word = said(start("no"))
    assert word == "no" and other != number


@pytest.mark.usefixtures("kept")
def test_what_is_in_use_is_not_lent_again(start: Start) -> None:
    assert said(start()) != said(start())


@pytest.mark.usefixtures("kept")
def test_lines_go_to_the_current_user_of_the_containers(pool: WarmContainers, start: Start) -> None:
    earlier, later = list[str](), list[str]()
    first = start(log=earlier.append)
    pool.give_back(first)
    count = len(earlier)
    second = start(log=later.append)
    said(second)
    second.close()  # its last lines have come then
    assert len(earlier) == count
    assert any("served before" in line for line in later) and any("asked" in line for line in later)


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("how", ["ended", "busy"])
def test_what_has_ended_or_still_answers_is_not_kept(pool: WarmContainers, start: Start, how: str) -> None:
    first = start()
    number, _ = said(first)
    if how == "ended":
        first.close()
    pool.give_back(first, idle=how != "busy")
    assert not first.alive
    assert said(start())[0] != number


@pytest.mark.usefixtures("kept")
def test_a_container_that_ends_while_it_waits_is_replaced(pool: WarmContainers, start: Start) -> None:
    first = start()
    number, _ = said(first)
    pool.give_back(first)
    first.close()
    assert said(start())[0] != number


@pytest.mark.usefixtures("kept")
def test_those_that_wait_longest_end_first(
    pool: WarmContainers, start: Start, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm, "MOST", 1)
    first, second = start("one"), start("two")
    folders = {path for path in job.workdir.iterdir() if path.is_dir() and (path / "container-1").exists()}
    pool.give_back(first)
    pool.give_back(second)
    assert not first.alive and second.alive
    assert len([folder for folder in folders if folder.exists()]) == 1
    pool.close()
    assert not second.alive
    assert not any(folder.exists() for folder in folders)


def test_without_reuse_every_one_is_ended(pool: WarmContainers, start: Start) -> None:
    first = start()
    pool.give_back(first)
    assert not first.alive
