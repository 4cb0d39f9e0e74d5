"""The size check on folders as `sam build` leaves them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from local.build import package_sizes


def write(path: Path, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)


def build(folder: Path) -> Path:
    write(folder / "PrepareRunFunction" / "app.py", 10)
    write(folder / "EvaluateModelFunction" / "app.py", 20)
    write(folder / "MeasureDriftFunction" / "app.py", 10)
    write(folder / "PipelineLayer" / "python" / "pydantic" / "main.py", 30)
    write(folder / "DatascienceLayer" / "python" / "numpy" / "core.so", 40)
    write(folder / "DatascienceLayer" / "python" / "numpy.libs" / "blas.so", 5)
    write(folder / "DatascienceLayer" / "python" / "numpy-2.0.dist-info" / "METADATA", 1)
    return folder


def test_a_package_counts_with_its_libraries_and_metadata(tmp_path: Path) -> None:
    found = package_sizes.by_function(build(tmp_path))
    assert found["EvaluateModelFunction"] == {
        "EvaluateModelFunction": Counter(app=20),
        "PipelineLayer": Counter(pydantic=30),
        "DatascienceLayer": Counter(numpy=46),
    }
    assert set(found["PrepareRunFunction"]) == {"PrepareRunFunction", "PipelineLayer"}


def test_function_over_four_fifths_of_the_limit_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert package_sizes.main(build(tmp_path)) == 0
    monkeypatch.setattr(package_sizes, "LIMIT_BYTES", 115)  # of which four fifths are 92
    (problem,) = package_sizes.too_large(package_sizes.by_function(tmp_path))
    assert problem.startswith("EvaluateModelFunction")
    assert package_sizes.main(tmp_path) == 1


def test_missing_part_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert package_sizes.main(tmp_path) == 1
    assert "make build" in capsys.readouterr().err
