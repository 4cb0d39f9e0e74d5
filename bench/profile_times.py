"""Runs the processing job with its hottest paths timed. Runs under the image's Python; arguments: those of preprocess.py.

Writes JSON as the last line: processor seconds of all threads for importing and splitting, for reading the columns, and for
writing the tables.
"""

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "processing"))
seconds = {}


def timed(path, function):
    def call(*arguments, **named):
        began = time.process_time()
        try:
            return function(*arguments, **named)
        finally:
            seconds[path] = seconds.get(path, 0) + time.process_time() - began

    return call


import preprocess  # noqa: E402

seconds["importing and splitting"] = time.process_time()
preprocess._split = timed("importing and splitting", preprocess._split)
preprocess.read_source = timed("reading the columns", preprocess.read_source)
preprocess.write_tables = timed("writing the tables", preprocess.write_tables)
status = preprocess.main(sys.argv[1:])
print(json.dumps(seconds))
sys.exit(status)
