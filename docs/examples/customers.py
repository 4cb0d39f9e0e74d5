"""Prints the table of docs/tutorial.md: the first 1,000 customers of IBM's Telco churn table, as its file has them."""

from itertools import islice

from local.data import telco

with telco.file().open(encoding="utf-8") as table:
    print(*islice(table, 1001), sep="", end="")
