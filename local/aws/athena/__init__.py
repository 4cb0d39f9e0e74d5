"""Athena's query operations: the SQL that Athena takes, results where and as Athena writes them.

Queries run with the permissions of their caller, on tables of Glue's catalog that lie in S3 as Parquet. Work
groups, named queries, data catalogs and statements about the catalog (CREATE, DROP, SHOW …) stay MiniStack's.
"""
