"""How long a function's cold start imports, in the layers that are deployed, in a fresh process of Lambda's runtime."""

from __future__ import annotations

import compileall
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from bench.measuring import Row
from local.aws.awslambda import interpreter, package_cache
from local.build import packaging
from local.server import paths

REPEATS = 5
TEMPLATE = paths.PROJECT / "template.yaml"
_IMPORT = "import time; began = time.perf_counter(); import app; print(time.perf_counter() - began)"


def measure(console: Console, repeats: int = REPEATS) -> Iterator[Row]:
    """For each function the seconds of imports in processes run in turns, and the size of its package."""
    python = interpreter.interpreter()
    artifacts = packaging.build(TEMPLATE)
    resources = packaging.read_template(TEMPLATE)["Resources"]
    for name in [name for name, one in resources.items() if one["Type"] == "AWS::Serverless::Function"]:
        layers = [layer["Ref"] for layer in resources[name]["Properties"]["Layers"]]
        with tempfile.TemporaryDirectory(dir=paths.PROJECT / ".local") as folder:
            ours, plain = Path(folder) / "ours", Path(folder) / "plain"
            for part in (name, *layers):
                unzipped = package_cache.unzipped(artifacts[part].archive.read_bytes())
                for target in (ours, plain):
                    shutil.copytree(unzipped, target / part, ignore=shutil.ignore_patterns("__pycache__"))
            for layer in layers:
                compileall.compile_dir(ours / layer, quiet=1, workers=0)
            console.print(f"{name}: importing {repeats} times each way")
            seconds: dict[Path, list[float]] = {ours: [], plain: []}
            for _ in range(repeats):
                for target, found in seconds.items():
                    found.append(_import_seconds(python, target, name, layers))
            yield Row(f"cold import of {name}", seconds[ours], "layers without bytecode", seconds[plain])
            size = sum(file.stat().st_size for file in ours.rglob("*") if file.is_file())
            yield Row(f"unzipped size of {name} with its layers", [size / 2**20], "Lambda's limit", [250.0], "MiB")


def _import_seconds(python: Path, target: Path, function: str, layers: list[str]) -> float:
    places = [target / function, *(target / layer / "python" for layer in layers)]
    environment = {
        "PYTHONPATH": os.pathsep.join(map(str, places)),
        "PYTHONDONTWRITEBYTECODE": "1",  # Lambda's /opt and /var/task cannot be written to
        "AWS_DEFAULT_REGION": "us-west-2",
    }
    reported = subprocess.run([str(python), "-c", _IMPORT], env=environment, check=True, capture_output=True, text=True)
    return float(reported.stdout)
