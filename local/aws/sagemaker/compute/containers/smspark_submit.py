"""smspark-submit of SageMaker's Spark image: takes what that takes, and runs the script on Spark in this one process.

github.com/aws/sagemaker-spark-container, src/smspark/cli.py, job.py, errors.py: options of Spark (--conf, --master) are not
among its own; a directory stands for the files in it; a shell reads the script's arguments, which it does not quote; its
message replaces that of a script that fails. Here the cluster is `local[N]`, and as on YARN a path without a scheme is one of
HDFS, which nothing here serves: only file:// is read.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

OPTIONS = (
    *("--class", "--jars", "--py-files", "--files"),
    *("--spark-event-logs-s3-uri", "--local-spark-event-logs-dir"),
)
LISTS = ("--jars", "--py-files", "--files")
CORES_OF_INSTANCE = 2
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
    command = [
        str(Path(sys.executable).with_name("spark-submit")),
        "--master",
        f"local[{CORES_OF_INSTANCE * len(hosts)}]",
    ]
    settings = {
        "spark.hadoop.fs.defaultFS": "hdfs://127.0.0.1:8020/",
        "spark.hadoop.ipc.client.connect.max.retries": "0",
        "spark.sql.warehouse.dir": f"file://{os.environ['TMPDIR']}/warehouse",
        "spark.default.parallelism": str(2 * CORES_OF_INSTANCE * len(hosts)),
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.local.dir": os.environ["TMPDIR"],
    }
    for name, value in settings.items():
        command += ["--conf", f"{name}={value}"]
    for name in ("--class", *LISTS):
        if name in options:
            command += [name, options[name]]
    line = " ".join([*map(shlex.quote, command), *application])
    code = subprocess.run(line, shell=True, check=False).returncode  # as the image does
    if code:
        shown = " ".join(["spark-submit", "--master", "yarn", "--deploy-mode", "client", *application])
        cause = f"Command '{shown}' returned non-zero exit status {code}."
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
