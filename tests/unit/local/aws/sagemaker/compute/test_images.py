"""Which interpreter plays which image."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from local.aws.sagemaker.compute import images, processing

from .conftest import SCIKIT_LEARN, Bucket, Job
from .test_processing import request


def test_scikit_learn_runs_in_the_environment_with_its_pins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "IMAGES", tmp_path)
    assert images.interpreter(SCIKIT_LEARN) == Path(sys.executable)
    python = tmp_path / "scikit-learn-1.2-1" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    assert images.interpreter(SCIKIT_LEARN) == python


def test_autopilots_own_image_runs_where_autogluon_is() -> None:
    uri = images.autopilot("763104351884", "us-west-2")
    assert images.is_autopilot(uri)
    assert images.interpreter(uri) == Path(sys.executable)
    assert not images.is_autopilot(SCIKIT_LEARN)


def test_the_environment_with_the_pins_really_runs_the_job(bucket: Bucket, job: Job) -> None:
    if images.interpreter(SCIKIT_LEARN) == Path(sys.executable):
        pytest.skip("no Python 3.9 on this machine: make setup could not make the image's environment")
    script = "import pandas, pyarrow, sys\nprint(sys.version_info[:2], pandas.__version__, pyarrow.__version__)\n"
    assert processing.run(request(bucket, script), **job.arguments).status == "Completed"
    assert job.lines == ["(3, 9) 1.1.3 14.0.1"]
