"""S3 as jobs see it: prefixes copied to folders and back, model archives unpacked, failures in SageMaker's words."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from local.aws.sagemaker.compute.outcome import JobFailedError


def parse(uri: str) -> tuple[str, str]:
    """Bucket and key (or prefix) of an `s3://` URI. Raises JobFailedError if it is not one."""
    parts = urlsplit(uri, allow_fragments=False)
    if parts.scheme != "s3" or not parts.netloc:
        raise JobFailedError(f"ClientError: {uri!r} is not an S3 URI (s3://bucket/key).")
    return parts.netloc, uri.removeprefix(f"s3://{parts.netloc}").lstrip("/")


def join(uri: str, *names: str) -> str:
    """The URI of something below `uri`, whether or not that ends in a slash."""
    return "/".join([uri.rstrip("/"), *names])


def keys_under(s3: Any, uri: str) -> list[tuple[str, str]]:
    """The objects of an `S3Prefix` input: (key, path relative to the prefix), in key order.

    As on SageMaker the prefix is a beginning of keys: it may be a folder, one object, or a part of a name.
    Raises JobFailedError if there is none or S3 refuses.
    """
    bucket, prefix = parse(uri)
    try:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
    except ClientError as error:
        raise JobFailedError(f"ClientError: Failed to download data. {uri}: {error}") from error
    found = [(key, _relative(key, prefix)) for key in keys if not key.endswith("/")]
    if not found:
        raise JobFailedError(
            f'ClientError: Failed to download data. No S3 objects found under S3 URL "{uri}" given in input data '
            "source. Please ensure that the bucket exists in the selected region, that objects exist under that S3 "
            'prefix, and that the role of the job has "s3:ListBucket" permissions on the bucket.'
        )
    return found


def _relative(key: str, prefix: str) -> str:
    if key.startswith(folder := prefix.rstrip("/") + "/") and prefix:
        return key[len(folder) :]
    return key[prefix.rfind("/") + 1 :]


def download(s3: Any, uri: str, folder: Path) -> dict[str, Path]:
    """Copies the objects of an `S3Prefix` input into `folder`, keeping the paths below the prefix. Each key's file."""
    bucket, _ = parse(uri)
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, Path] = {}
    for key, relative in keys_under(s3, uri):
        target = (folder / relative).resolve()
        if not target.is_relative_to(folder.resolve()):
            raise JobFailedError(
                f"ClientError: Failed to download data. The key {key!r} leads out of the input folder."
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            body = s3.get_object(Bucket=bucket, Key=key)["Body"]
            with target.open("wb") as file:
                file.writelines(body.iter_chunks(1 << 20))
        except ClientError as error:
            raise JobFailedError(f"ClientError: Failed to download data. s3://{bucket}/{key}: {error}") from error
        files[key] = target
    return files


def upload(s3: Any, folder: Path, uri: str) -> int:
    """Copies every file below `folder` to the prefix `uri`; returns how many there were."""
    count = 0
    for path in _files(folder):
        put(s3, join(uri, path.relative_to(folder).as_posix()), path)
        count += 1
    return count


def put(s3: Any, uri: str, content: Path | bytes) -> None:
    """Writes one object. Raises JobFailedError if S3 refuses."""
    bucket, key = parse(uri)
    try:
        if isinstance(content, Path):
            with content.open("rb") as file:
                s3.put_object(Bucket=bucket, Key=key, Body=file)
        else:
            s3.put_object(Bucket=bucket, Key=key, Body=content)
    except ClientError as error:
        raise JobFailedError(f"ClientError: Failed to upload output. {uri}: {error}") from error


def archive(s3: Any, uri: str) -> bytes:
    """A model.tar.gz as it is. Raises JobFailedError in the words of CreateModel's and endpoints' failures."""
    bucket, key = parse(uri)
    try:
        return s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        raise JobFailedError(
            f"ClientError: Failed to download model data for container from URL: {uri}. Please ensure that the object "
            f"exists and that the role has s3:GetObject permissions on it. {error}"
        ) from error


def extract_model(s3: Any, uri: str, folder: Path) -> None:
    """Unpacks a model.tar.gz into `folder`. Raises JobFailedError like `archive`, and if it is none."""
    content = archive(s3, uri)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as tar:
            tar.extractall(folder, filter="data")
    except (tarfile.TarError, OSError, EOFError) as error:
        raise JobFailedError(
            f"ClientError: Failed to extract model data archive from URL: {uri}. Please ensure that the object is a "
            f"valid tar.gz archive. {error}"
        ) from error


def pack(folder: Path, archive: Path) -> None:
    """Packs the content of `folder` as a model.tar.gz."""
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        for path in _files(folder):
            tar.add(path, arcname=path.relative_to(folder).as_posix())


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())
