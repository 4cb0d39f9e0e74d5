"""The processing job with several instances, in SageMaker's Spark image: `preprocess` with rows that Spark holds.

Reads the Parquet files of an UNLOAD under `processing/input/raw`, sorts the rows by the record's identifier, as Athena does
for one instance, and leaves the same files (see `preprocess`). smspark-submit writes a message of its own over `output/message`;
submit_spark.py takes ours from `processing/message`.
"""

from __future__ import annotations

import os
import shutil
import sys
from typing import Any, Sequence

import preprocess
import spark_engine
from pyspark.sql import SparkSession
from query_result import Source


def main(arguments: Sequence[str]) -> int:
    """Command line: that of preprocess.py. Returns the exit code."""
    builder = SparkSession.builder.appName("preprocess").config("spark.sql.session.timeZone", "UTC")
    spark = builder.config("spark.ui.enabled", "false").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    roots: list[str] = []

    def read_rows(root: str, unread: Sequence[str], order: Sequence[str], **how: Any) -> Source:
        roots.append(root)
        return spark_engine.read_parquet(spark, root, unread, order, **how)

    failed = preprocess.main(arguments, read_rows)
    spark.stop()
    if failed and roots:
        shutil.copy(os.path.join(roots[0], "output/message"), os.path.join(roots[0], "processing/message"))
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
