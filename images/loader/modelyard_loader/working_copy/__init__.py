"""The working copy: rows in Postgres for people and tools that speak SQL, with a ledger of what was loaded when.

Training never reads it; versions are read from the record on S3.
"""
