"""The processing job on Spark, on each instance: runs preprocess_spark.py by the image's smspark-submit.

That makes the instances one cluster, runs the script on the first one, with its arguments as they are, and waits on the
others. If the script fails, it writes a sentence of its own into `output/message`, over the script's: what the script left in
`processing/message` is put back.
(github.com/aws/sagemaker-spark-container, src/smspark/cli.py, job.py, errors.py)
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

ROOT = os.environ.get("OPT_ML", "/opt/ml")


def main(root: str = ROOT) -> int:
    """Takes the arguments of preprocess.py from the command line. Returns the exit code."""
    code = os.path.join(root, "processing/input/code")
    script = os.path.join(code, "preprocess_spark.py")
    ended = subprocess.run(["smspark-submit", "--py-files", code, script, *sys.argv[1:]], check=False)  # noqa: S607 - of the image
    message = os.path.join(root, "processing/message")
    if ended.returncode and os.path.exists(message):
        shutil.copyfile(message, os.path.join(root, "output/message"))
    return ended.returncode


if __name__ == "__main__":
    sys.exit(main())
