"""CreateTransformJob: objects through a model's containers, their answers beside each other as `<key>.out`."""

from __future__ import annotations

import gzip
import sys
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from local.aws.sagemaker.compute import reuse, storage
from local.aws.sagemaker.compute.outcome import JobFailedError, JobOutcome, failed
from local.aws.sagemaker.compute.process import Log
from local.aws.sagemaker.compute.serving import Answer, ContainerChain, ContainerFailedError, contents_of

DEFAULT_PAYLOAD_MB = 6
DEFAULT_INVOCATION_SECONDS = 600
"""ModelClientConfig.InvocationsTimeoutInSeconds if it is not given."""

_MEGABYTE = 1024 * 1024


class _StoppedError(Exception):
    """The job was stopped."""


def run(
    request: dict[str, Any],
    containers: list[dict[str, Any]],
    *,
    s3: Any,
    workdir: Path,
    log: Log,
    stop: threading.Event,
) -> JobOutcome:
    """Runs a batch transform job to its end. `containers` are the ContainerDefinitions of the job's model.

    Each object of the input prefix becomes `<its key below the prefix>.out` in the output. The containers' answers are
    written as they are: how many lines they have is not looked at, as on SageMaker.
    """
    try:
        plan = _Plan(request)
        overrides = request.get("Environment") or {}
        definitions = [{**one, "Environment": {**(one.get("Environment") or {}), **overrides}} for one in containers]
        given, answers = (workdir / "objects").resolve(), workdir / "answers"
        files = storage.download(s3, plan.source, given)
        objects = [(key, file.relative_to(given).as_posix(), file) for key, file in files.items()]

        def answer(log: Log) -> int | str:
            _answer(plan, definitions, objects, answers, s3=s3, workdir=workdir, log=log, stop=stop)
            return 0

        reuse.run(_key(plan, definitions, objects, s3) if reuse.enabled() else None, {"answers": answers}, log, answer)
        if stop.is_set():
            return JobOutcome("Stopped")
        for _, relative, _ in objects:
            storage.put(s3, storage.join(plan.target, f"{relative}.out"), answers / f"{relative}.out")
        return JobOutcome("Completed")
    except _StoppedError:
        return JobOutcome("Stopped")
    except (JobFailedError, ContainerFailedError) as error:
        if stop.is_set():
            return JobOutcome("Stopped")
        log(f"[sagemaker logs]: {error}")
        return failed(str(error) if isinstance(error, JobFailedError) else f"AlgorithmError: {error}")


Objects = list[tuple[str, str, Path]]
"""What is transformed: each object's key, its path below the prefix, and a copy of it."""


def _answer(
    plan: _Plan,
    definitions: list[dict[str, Any]],
    objects: Objects,
    answers: Path,
    *,
    s3: Any,
    workdir: Path,
    log: Log,
    stop: threading.Event,
) -> None:
    """Starts the containers, sends every object through them, and writes what they answer below `answers`."""
    chain = ContainerChain(definitions, s3=s3, workdir=workdir, log=log)
    finished = threading.Event()
    try:
        threading.Thread(target=_close_on_stop, args=(chain, stop, finished), daemon=True).start()
        chain.start()
        log(f"[sagemaker logs]: {plan}")
        for key, relative, file in objects:
            target = answers / f"{relative}.out"
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as out:
                out.writelines(_transform(plan, chain, key, file, log=log, stop=stop))
    finally:
        finished.set()
        chain.close()


def _key(plan: _Plan, definitions: list[dict[str, Any]], objects: Objects, s3: Any) -> str:
    """The key of what the job computes: containers by their image, environment and archive, and what they are asked."""
    containers, archives = contents_of(definitions, s3)
    files = [*archives, *((relative, file) for _, relative, file in objects)]
    return reuse.key("transform", Path(sys.executable), {"plan": plan.determines(), "containers": containers}, files)


class _Plan:
    """The job's settings with their defaults. Raises JobFailedError for those that do not run here."""

    def __init__(self, request: dict[str, Any]) -> None:
        given, wanted = request["TransformInput"], request["TransformOutput"]
        source = given["DataSource"]["S3DataSource"]
        if source["S3DataType"] != "S3Prefix":
            raise JobFailedError(
                f"ClientError: S3DataType {source['S3DataType']} is not supported on the local cloud: use S3Prefix."
            )
        self.source: str = source["S3Uri"]
        self.content_type: str = given.get("ContentType", "application/octet-stream")
        self.compressed = given.get("CompressionType", "None") == "Gzip"
        self.split: str = given.get("SplitType", "None")
        if self.split not in ("None", "Line"):
            raise JobFailedError(
                f"ClientError: SplitType {self.split} is not supported on the local cloud: use None or Line."
            )
        self.strategy: str = request.get("BatchStrategy", "MultiRecord")
        self.payload: int = request.get("MaxPayloadInMB", DEFAULT_PAYLOAD_MB) * _MEGABYTE
        self.concurrency: int = request.get("MaxConcurrentTransforms") or 1
        client = request.get("ModelClientConfig") or {}
        self.timeout: float = client.get("InvocationsTimeoutInSeconds", DEFAULT_INVOCATION_SECONDS)
        self.accept: str | None = wanted.get("Accept")
        self.assemble: str = wanted.get("AssembleWith", "None")
        self.target: str = wanted["S3OutputPath"]
        processing = request.get("DataProcessing") or {}
        untouched = {"InputFilter": "$", "OutputFilter": "$", "JoinSource": "None"}
        if {**untouched, **processing} != untouched:
            raise JobFailedError("ClientError: DataProcessing (filters, joins) is not supported on the local cloud.")

    def determines(self) -> dict[str, Any]:
        """The settings that the answers depend on: all but the places."""
        return {name: value for name, value in vars(self).items() if name not in ("source", "target")}

    def __str__(self) -> str:
        return (
            f"MaxConcurrentTransforms={self.concurrency}, MaxPayloadInMB={self.payload // _MEGABYTE}, "
            f"BatchStrategy={self.strategy}"
        )

    def requests(self, key: str, file: Path) -> Iterator[bytes]:
        """The bodies to send for one object: whole lines, as many as the strategy and the payload limit allow."""
        limit = f"MaxPayloadInMB={self.payload // _MEGABYTE}"
        with gzip.open(file) if self.compressed else file.open("rb") as content:
            if self.split == "None":
                whole = content.read()
                if self.payload and len(whole) > self.payload:
                    raise JobFailedError(f"ClientError: {key} is larger than {limit} and SplitType is None.")
                yield whole
                return
            batch: list[bytes] = []
            size = 0
            for line in content:
                if self.payload and len(line) > self.payload:
                    raise JobFailedError(f"ClientError: A record of {key} is larger than {limit}.")
                if batch and (self.strategy == "SingleRecord" or (self.payload and size + len(line) > self.payload)):
                    yield b"".join(batch)
                    batch, size = [], 0
                batch.append(line)
                size += len(line)
            if batch:
                yield b"".join(batch)


def _transform(
    plan: _Plan, chain: ContainerChain, key: str, file: Path, *, log: Log, stop: threading.Event
) -> Iterator[bytes]:
    """The answers for one object, in the order of its lines. No more requests are read ahead than are sent at once."""

    def send(body: bytes) -> bytes:
        if stop.is_set():
            raise _StoppedError
        answer = chain.invoke(body, plan.content_type, plan.accept, plan.timeout)
        if not 200 <= answer.status < 300:
            raise _refused(answer, key, log)
        if plan.assemble == "Line" and not answer.body.endswith(b"\n"):
            return answer.body + b"\n"
        return answer.body

    with ThreadPoolExecutor(plan.concurrency) as pool:
        sent: deque[Future[bytes]] = deque()
        try:
            for body in plan.requests(key, file):
                if len(sent) > plan.concurrency:
                    yield sent.popleft().result()
                sent.append(pool.submit(send, body))
            while sent:
                yield sent.popleft().result()
        except (gzip.BadGzipFile, EOFError) as error:
            raise JobFailedError(f"ClientError: {key} is not gzip: {error}") from error
        finally:
            for one in sent:
                one.cancel()


def _refused(answer: Answer, key: str, log: Log) -> JobFailedError:
    """The failure for an answer that is not 2xx, after writing it to the log in SageMaker's form."""
    message = answer.body.decode("utf-8", "replace").strip()
    log(f"[sagemaker logs]: {key}: Bad HTTP status received from algorithm: {answer.status}")
    log(f"[sagemaker logs]: {key}: ")
    log(f"[sagemaker logs]: {key}: Message:")
    log(f"[sagemaker logs]: {key}: {message}")
    kind = "ClientError" if 400 <= answer.status < 500 else "AlgorithmError"
    sentence = "" if message.startswith("<") else f" {message[:500]}"
    return JobFailedError(
        f"{kind}: Bad HTTP status received from algorithm: {answer.status}.{sentence} See job logs for more information"
    )


def _close_on_stop(chain: ContainerChain, stop: threading.Event, finished: threading.Event) -> None:
    """Ends the containers as soon as the job is stopped, so that no one waits for a long answer."""
    while not finished.wait(0.1):
        if stop.is_set():
            chain.close()
            return
