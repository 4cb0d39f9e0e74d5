"""Large objects go through the server as files: what is read is what was written, and memory holds none of it."""

from __future__ import annotations

import hashlib
import os
import uuid
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.aws.s3.objects import LARGE
from local.server import address, process

SIZE = 64 * LARGE


@pytest.fixture
def bucket(client: Any) -> str:
    name = f"objects-{uuid.uuid4().hex[:12]}"
    client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": address.REGION})
    client("s3").put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("large") / "rows.bin"
    path.write_bytes(os.urandom(LARGE) * (SIZE // LARGE))
    return path


def own_megabytes(server: process.Server) -> float:
    """Memory of the server that is no file's."""
    rollup = Path(f"/proc/{server.pid}/smaps_rollup").read_text()
    return sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss_Anon:")) / 1024


def digest(body: Any) -> str:
    found = hashlib.sha256()
    for chunk in body.iter_chunks(LARGE):
        found.update(chunk)
    return found.hexdigest()


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="only Linux says what is whose memory")
def test_memory_holds_no_large_object_and_no_version_of_it(
    server: process.Server, client: Any, bucket: str, large: Path
) -> None:
    s3 = client("s3")
    before = own_megabytes(server)
    for _ in range(3):
        with large.open("rb") as body:
            s3.put_object(Bucket=bucket, Key="rows", Body=body)
        assert (
            digest(s3.get_object(Bucket=bucket, Key="rows")["Body"]) == hashlib.sha256(large.read_bytes()).hexdigest()
        )
    assert own_megabytes(server) - before < SIZE / LARGE / 2


def test_parts_copies_and_versions_of_a_large_object(client: Any, bucket: str, large: Path) -> None:
    s3, content = client("s3"), large.read_bytes()
    first = s3.put_object(Bucket=bucket, Key="rows", Body=content)
    assert first["ETag"] == f'"{hashlib.md5(content).hexdigest()}"'
    assert (
        s3.get_object(Bucket=bucket, Key="rows", Range=f"bytes=5-{LARGE + 9}")["Body"].read() == content[5 : LARGE + 10]
    )

    s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/rows")
    s3.put_object(Bucket=bucket, Key="rows", Body=b"small")
    assert s3.get_object(Bucket=bucket, Key="rows")["Body"].read() == b"small"
    assert s3.get_object(Bucket=bucket, Key="rows", VersionId=first["VersionId"])["Body"].read() == content
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == content

    s3.copy_object(
        Bucket=bucket, Key="copy", CopySource=f"{bucket}/copy", MetadataDirective="REPLACE", Metadata={"of": "rows"}
    )
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == content
    s3.upload_file(str(large), bucket, "in-parts")
    assert s3.get_object(Bucket=bucket, Key="in-parts")["Body"].read() == content


def test_refused_and_broken_uploads_leave_no_object(
    server: process.Server, client: Any, bucket: str, large: Path
) -> None:
    with pytest.raises(ClientError, match="NoSuchBucket"):
        client("s3").put_object(Bucket="nobodys-bucket", Key="rows", Body=large.read_bytes())
    with pytest.raises(ClientError, match="BadDigest"):
        client("s3").put_object(
            Bucket=bucket, Key="rows", Body=large.read_bytes(), ContentMD5="1B2M2Y8AsgTpgAmY7PhCfg=="
        )
    assert client("s3").list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    assert not [path for path in (server.state / "tmp").iterdir() if path.is_file() and path.stat().st_nlink == 1]
