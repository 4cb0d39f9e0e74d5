"""smspark-submit of SageMaker's Spark image: takes what that takes, and runs the script on a Spark cluster of this machine.

github.com/aws/sagemaker-spark-container, src/smspark/cli.py, job.py, errors.py: options of Spark (--conf, --master) are not
among its own; a directory stands for the files in it; the script gets its arguments as they are, as each is quoted for the
shell that runs spark-submit; its message replaces that of a script that fails. Here each instance is an executor in a process
of its own, which as on YARN gets the modules by --py-files alone, and a path without a scheme is one of HDFS, which nothing
here serves: only file:// is read.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

LISTS = ("--jars", "--py-files", "--files")
SPARKS_OWN = ("--class", *LISTS)
OPTIONS = (*SPARKS_OWN, "--spark-event-logs-s3-uri", "--local-spark-event-logs-dir")
CORES_OF_INSTANCE = 2
MOST_EXECUTORS = 4  # of 1 GiB each: what a laptop holds, however many instances are asked for
MESSAGE_CHARACTERS = 1024


class UnusableArgumentsError(Exception):
    """What smspark-submit refuses; `kind` is the class of its own exception."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def parse(arguments: list[str]) -> tuple[dict[str, str], list[str]]:
    """The options and what follows them, script and its arguments. Raises UnusableArgumentsError."""
    options: dict[str, str] = {}
    rest = list(arguments)
    while rest and rest[0].startswith("-"):
        name, equals, value = rest.pop(0).partition("=")
        if name in ("-v", "--verbose"):
            continue
        if name not in OPTIONS:
            raise UnusableArgumentsError("NoSuchOption", f"Couldn't parse input.: No such option: {name}")
        if not equals and not rest:
            raise UnusableArgumentsError(
                "BadOptionUsage", f"error running Spark job: Option '{name}' requires an argument."
            )
        options[name] = value if equals else rest.pop(0)
    if not rest:
        raise UnusableArgumentsError("MissingParameter", "Couldn't parse input.: missing parameter: app")
    return {name: _files(text) if name in LISTS else text for name, text in options.items()}, rest


def passed(options: dict[str, str], application: list[str]) -> list[str]:
    """What spark-submit gets besides the cluster."""
    return [part for name, value in options.items() if name in SPARKS_OWN for part in (name, value)] + application


def line(options: dict[str, str], application: list[str]) -> str:
    """What the image gives to a shell."""
    return shlex.join(["spark-submit", "--master", "yarn", "--deploy-mode", "client", *passed(options, application)])


def spark_home(folder: Path) -> Path:
    """This environment's Spark as `folder`/spark: executors of `local-cluster` leave what they write below SPARK_HOME."""
    (installed,) = Path(sys.executable).parent.parent.glob("lib/python*/site-packages/pyspark")
    home = folder / "spark"
    home.mkdir()
    for entry in installed.iterdir():
        (home / entry.name).symlink_to(entry)
    return home


def _files(text: str) -> str:
    found: list[str] = []
    for part in text.split(","):
        path = Path(part)
        if not path.is_absolute() or not path.exists():
            problem = "must be an absolute path to a file or directory" if path.exists() else "does not exist"
            raise UnusableArgumentsError("ValueError", f"error preparing for spark submit: file path {path} {problem}")
        below = [str(file) for file in sorted(path.iterdir()) if file.is_file()] if path.is_dir() else [str(path)]
        if not below:
            raise UnusableArgumentsError("ValueError", f"error preparing for spark submit: Found zero files in {path}")
        found += below
    return ",".join(found)


def main() -> int:
    """Returns the exit code."""
    opt_ml = Path(os.environ["OPT_ML"])
    try:
        options, application = parse(sys.argv[1:])
    except UnusableArgumentsError as error:
        return _fail(opt_ml, error.kind, str(error), 1)
    hosts = json.loads((opt_ml / "config" / "resourceconfig.json").read_text(encoding="utf-8"))["hosts"]
    executors = min(len(hosts), MOST_EXECUTORS)
    master = f"local-cluster[{executors},{CORES_OF_INSTANCE},1024]"
    command = [str(Path(sys.executable).with_name("spark-submit")), "--master", master]
    settings = {
        "spark.hadoop.fs.defaultFS": "hdfs://127.0.0.1:8020/",
        "spark.hadoop.ipc.client.connect.max.retries": "0",
        "spark.sql.warehouse.dir": f"file://{os.environ['TMPDIR']}/warehouse",
        "spark.default.parallelism": str(2 * CORES_OF_INSTANCE * executors),
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.local.dir": os.environ["TMPDIR"],
    }
    for name, value in settings.items():
        command += ["--conf", f"{name}={value}"]
    environment = {**os.environ, "SPARK_HOME": str(spark_home(Path(os.environ["TMPDIR"])))}
    code = subprocess.run([*command, *passed(options, application)], env=environment, check=False).returncode
    if code:
        cause = f"Command '{line(options, application)}' returned non-zero exit status {code}."
        return _fail(opt_ml, "CalledProcessError", f"spark failed with a non-zero exit code: {cause}", code)
    return 0


def _fail(opt_ml: Path, kind: str, message: str, code: int) -> int:
    text = f"Algorithm Error: (caused by {kind}): {message}"[:MESSAGE_CHARACTERS].strip()
    file = opt_ml / "output" / "message"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    print(f"exiting with code {code}: {text}", file=sys.stderr, flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
