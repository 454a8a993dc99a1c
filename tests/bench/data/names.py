"""Names of contenders and cases, as the table shows them."""

MODELYARD = "modelyard"
PSQL = "psql \\copy"
PSQL_LATE = "psql \\copy, key afterwards"
TO_SQL = "pandas to_sql"
ADBC = "ADBC"
ARROW_CSV = "Arrow to CSV to COPY"
DUCKDB = "DuckDB script"
DUCKDB_S3 = "DuckDB script, S3"
DVC = "DVC"

EVERYONE = (MODELYARD, PSQL, PSQL_LATE, TO_SQL, ADBC, ARROW_CSV, DUCKDB, DUCKDB_S3, DVC)


def rows_in_words(count: int) -> str:
    """A number of rows as it is said in a table."""
    return f"{count:,} rows"
