"""Of very many rows the local Autopilot trains on a sample, which keeps rare classes and is the same each time."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

from local.aws.sagemaker.compute.process import CONTAINERS

# In a process of its own, as AutoGluon has an import of seconds and settings of the whole process.
PROGRAM = """
import sys
import autopilot_fit
autopilot_fit.MOST_ROWS, autopilot_fit.LEAST_ROWS_OF_A_CLASS, autopilot_fit.ROWS_AT_ONCE = 1000, 20, 300
for problem in ("MulticlassClassification", "Regression"):
    rows = autopilot_fit.read(sys.argv[1:], "target", None, problem)
    print("rows", problem, *rows["target"], *rows["number"], sep=",")
"""


def test_sample_of_many_rows_keeps_rare_classes(tmp_path: Path) -> None:
    files = [tmp_path / "a.csv", tmp_path / "b.csv"]
    classes = [3 if row % 400 == 0 else row % 2 for row in range(4000)]  # ten rows of the rare class
    for file, begin in zip(files, (0, 2000), strict=True):
        rows = (f"{row},{classes[row]}\n" for row in range(begin, begin + 2000))
        file.write_text("number,target\n" + "".join(rows))

    said = subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, files)], cwd=CONTAINERS, capture_output=True, text=True, check=True
    ).stdout.splitlines()

    assert "Training on a sample of 1,000 of 4,000 rows, in which rare classes are kept." in said
    for line in (line for line in said if line.startswith("rows,")):
        _, problem, *values = line.split(",")
        targets, numbers = values[: len(values) // 2], [int(value) for value in values[len(values) // 2 :]]
        assert numbers == sorted({*numbers})  # the files' order, no row twice
        assert [int(target) for target in targets] == [classes[number] for number in numbers]
        counted = Counter(targets)
        if problem == "Regression":
            assert sum(counted.values()) == 1000
        else:
            assert counted["3"] == 10
            assert 1000 <= sum(counted.values()) <= 1010
            assert abs(counted["0"] - counted["1"]) < 100
