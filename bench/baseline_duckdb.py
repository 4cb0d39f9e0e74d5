"""The bound of the preprocessing job: the same tables by DuckDB's engine, without checks, raw test rows or a container.

Arguments: the raw CSV, the folder to write to.
"""

import sys

import duckdb

source, folder = sys.argv[1:]
database = duckdb.connect()
database.execute("SET memory_limit = '2GB'")
database.execute(
    "CREATE TABLE raw AS SELECT * EXCLUDE (customer_id, event_time), row_number() OVER "
    "(PARTITION BY churn ORDER BY hash(rowid + 42)) <= 0.8 * count(*) OVER (PARTITION BY churn) AS train "
    f"FROM (SELECT *, row_number() OVER () AS rowid FROM read_csv('{source}', nullstr=['', ' '], auto_type_candidates=['BIGINT', 'DOUBLE', 'VARCHAR']))"
)
columns = database.execute("DESCRIBE raw").fetchall()
encoded = []
for name, kind, *_ in columns:
    if name in ("churn", "train", "rowid"):
        continue
    if kind == "VARCHAR":
        known = f"SELECT DISTINCT coalesce({name}, 'Unknown') AS word FROM raw WHERE train ORDER BY word"
        database.execute(f"CREATE TYPE {name}_words AS ENUM ({known})")
        code = f"enum_code(TRY_CAST(coalesce({name}, 'Unknown') AS {name}_words))"
        encoded.append(f"coalesce({code}::INTEGER, len(enum_range(NULL::{name}_words))) AS {name}")
    else:
        [median] = database.execute(f"SELECT median({name}) FROM raw WHERE train").fetchone()
        encoded.append(f"coalesce({name}::DOUBLE, {median}) AS {name}")
for part, rows in (("train", "train"), ("test", "NOT train")):
    database.execute(
        f"COPY (SELECT {', '.join(encoded)}, churn FROM raw WHERE {rows}) TO '{folder}/{part}.csv' (HEADER)"
    )
