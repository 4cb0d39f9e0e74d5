"""Times one way of encoding requests: `ours` or `baseline`. Runs under the image's Python.

Arguments: the way, the folder of processing/, the folder with preprocessing.json, a CSV of customers. Writes JSON: `one`
(median seconds of a request of one row), `batch` (rows/s in requests just under 6 MB), `thousand` (rows/s in requests of
1,000 rows), `answer` (the first 2,000 rows as encoded), `requests` (seconds of a request by its rows). Times are the processor's: what a core to itself would take.
"""

import json
import statistics
import sys
import time
from pathlib import Path

MOST_BYTES = 6 * 1024 * 1024
SINGLE_ROWS = 300
REQUESTS = (1, 10, 100, 1_000, 10_000, 30_000)


def once(call):
    began = time.process_time()
    call()
    return time.process_time() - began


def seconds(encode, body):
    return statistics.median(once(lambda: encode(body)) for _ in range(5))


def way_of(name, processing, folder):
    """The function that encodes a CSV with a header."""
    if name == "baseline":
        import baseline_serving  # noqa: PLC0415

        model = baseline_serving.load(folder)
        return lambda body: baseline_serving.encode(model, body)
    sys.path.insert(0, processing)
    import inference  # noqa: PLC0415

    encoder = inference.model_fn(folder)

    def encode(body):
        # As the toolkit calls it, which hands over text.
        request = inference.input_fn(body.decode(), "text/csv")
        return inference.output_fn(inference.predict_fn(request, encoder), "text/csv").get_data()

    return encode


def main():
    name, processing, folder, table = sys.argv[1:]
    encode = way_of(name, processing, folder)
    header, *rows = Path(table).read_bytes().splitlines(keepends=True)
    singles = [header + row for row in rows[:SINGLE_ROWS]]
    for body in singles[:50]:
        encode(body)
    count = MOST_BYTES // (len(b"".join(rows)) // len(rows) + 1)
    big, small = header + b"".join(rows[:count]), header + b"".join(rows[:1000])
    json.dump(
        {
            "one": statistics.median(once(lambda body=body: encode(body)) for body in singles),
            "batch": min(count, len(rows)) / statistics.median(once(lambda: encode(big)) for _ in range(5)),
            "thousand": 1000 / statistics.median(once(lambda: encode(small)) for _ in range(25)),
            "requests": {
                size: seconds(encode, header + b"".join(rows[:size])) for size in REQUESTS if size <= len(rows)
            },
            "answer": encode(header + b"".join(rows[:2000])).decode(),
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
