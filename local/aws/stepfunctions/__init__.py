"""Step Functions on the local cloud: MiniStack's API, and behind it the interpreter of the States Language that moto carries.

Both are used through private names, here and nowhere else; their versions are pinned.
"""

import sys
from enum import StrEnum
from types import ModuleType


class _JobStatus(StrEnum):
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


def _import_interpreter() -> None:
    """Import moto's interpreter without moto's EC2, which takes as long as all the rest of it.

    Its integration of AWS Batch, which no machine here calls, takes two names of job states from moto.batch (5.2.5), and
    that imports EC2.
    """
    if "moto.batch" in sys.modules:
        return
    package, utils = ModuleType("moto.batch"), ModuleType("moto.batch.utils")
    package.__path__ = []
    utils.JobStatus = _JobStatus  # type: ignore[attr-defined]
    sys.modules |= {"moto.batch": package, "moto.batch.utils": utils}
    try:
        import moto.stepfunctions.parser.backend.execution_worker  # noqa: F401
    finally:
        del sys.modules["moto.batch"], sys.modules["moto.batch.utils"]


_import_interpreter()
