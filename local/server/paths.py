"""Where the local cloud keeps its files: everything under `.local/` in the project, nothing anywhere else."""

from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
ROOT = PROJECT / ".local"

STATE = ROOT / "state"
"""Default state directory of a server: S3 objects as plain files, emails, logs. Emptied when a server starts."""

BUILD = ROOT / "build"
"""Built functions and layers and their archives, by the hash of what they were made from."""

PACKAGES = ROOT / "packages"
"""Unzipped deployment packages by content hash, shared by all servers and kept between them."""

LAMBDA_RUNTIME = ROOT / "lambda-runtime"
"""The interpreter that plays Lambda's runtime: the standard library and boto3."""

REUSE = ROOT / "reuse"
"""What tests' jobs computed, by content (local/aws/sagemaker/compute/reuse.py), kept between test sessions."""
