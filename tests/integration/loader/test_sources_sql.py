"""The ``sql`` source on a real PostgreSQL server: types, one state of the data, and no way to write."""

import os
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from modelyard_api.v1alpha1.common import ColumnType
from modelyard_api.v1alpha1.loading import ColumnSpec
from modelyard_loader.sources.secret import SourceSecret
from modelyard_loader.sources.sql import Server, SqlAnswer
from modelyard_runtime.errors import DataError, InvalidSpecError, PlatformError
from tests.support.certificates import Authority, KeyPair
from tests.support.postgres import DATABASE, PostgresServer, running_postgres
from tests.support.sources import Given, Reading, drained
from tests.support.waiting import until

_PASSWORD = "read only, please"
Run = Callable[[str], None]


@pytest.fixture
def warehouse(postgres_server: PostgresServer, new_project: Callable[[], str]) -> str:
    """A schema with a role that may do everything in it."""
    name = f"warehouse_{new_project()}"
    with postgres_server.administrator() as connection:
        role = sql.Identifier(name)
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, sql.Literal(_PASSWORD)))
        connection.execute(sql.SQL("CREATE SCHEMA {} AUTHORIZATION {}").format(role, role))
        connection.execute(sql.SQL("ALTER ROLE {} SET search_path TO {}").format(role, role))
    return name


@pytest.fixture
def run(postgres_server: PostgresServer, warehouse: str) -> Run:
    """Carries a statement out in the warehouse."""

    def execute(statement: str) -> None:
        with psycopg.connect(
            host="127.0.0.1", port=postgres_server.port, dbname=DATABASE, user=warehouse, password=_PASSWORD
        ) as connection:
            connection.execute(statement.encode())

    return execute


@pytest.fixture
def reading(tmp_path: Path, postgres_server: PostgresServer, warehouse: str) -> Reading:
    reading = Reading(tmp_path)
    reading.secret(
        host="127.0.0.1",
        port=str(postgres_server.port),
        database=DATABASE,
        username=warehouse,
        password=_PASSWORD + "\n",
    )
    return reading


def _source(query: str) -> dict[str, object]:
    return {"sql": {"credentialsSecret": {"name": "warehouse"}, "query": query}}


def _read(reading: Reading, query: str, **declared: ColumnType) -> Given:
    columns = [ColumnSpec(name=name, type=type_) for name, type_ in declared.items()]
    return reading.read(_source(query), declared=columns)


@pytest.mark.parametrize(
    ("value", "type_", "expected"),
    [
        ("1::smallint", "Integer", 1),
        ("9223372036854775807", "Integer", 2**63 - 1),
        ("0.1::real", "Number", 0.1),
        ("0.1::double precision", "Number", 0.1),
        ("'NaN'::float8", "Number", None),
        ("1.50::numeric(10,2)", "Number", 1.5),
        ("12345678901234500000::numeric", "Number", 12345678901234500000.0),
        ("true", "Boolean", True),
        ("'ä€\t'::text", "Text", "ä€\t"),
        ("''::text", "Text", ""),
        ("'abc'::char(5)", "Text", "abc  "),
        ("DATE '2024-05-01'", "Text", "2024-05-01"),
        ("TIMESTAMPTZ '2024-05-01 10:00:00.25+02'", "Text", "2024-05-01T08:00:00.250000Z"),
        ("TIMESTAMP '2024-05-01 10:00'", "Text", "2024-05-01T10:00:00.000000"),
        ("INTERVAL '1 day 2 hours'", "Text", "P1DT2H"),
        ("'{\"a\": 1}'::jsonb", "Text", '{"a": 1}'),
        ("'c0ffee00-0000-4000-8000-000000000000'::uuid", "Text", "c0ffee00-0000-4000-8000-000000000000"),
        ("inet '10.0.0.1'", "Text", "10.0.0.1"),
        ("NULL::int", "Integer", None),
        ("NULL", "Text", None),
    ],
)
def test_types_of_the_server_become_canonical_ones(
    reading: Reading, value: str, type_: str, expected: object
) -> None:
    given = _read(reading, f"SELECT {value} AS x")
    assert given.types == {"x": type_}
    assert given.rejects == []
    if expected is not None:
        assert given.rows == [{"x": expected}]


def test_an_enum_is_a_text(reading: Reading, run: Run) -> None:
    run("CREATE TYPE mood AS ENUM ('happy', 'sad')")
    assert _read(reading, "SELECT 'sad'::mood AS x").rows == [{"x": "sad"}]


def test_the_settings_of_the_server_do_not_show(reading: Reading, run: Run, warehouse: str) -> None:
    for setting in ("timezone TO 'Asia/Tokyo'", "datestyle TO 'German'", "extra_float_digits TO 0"):
        run(f"ALTER ROLE {warehouse} SET {setting}")
    query = "SELECT TIMESTAMPTZ '2024-05-01 10:00+02' AS at, DATE '2024-05-02' AS day, 0.1::float8 + 0.2 AS x"
    assert _read(reading, query).rows == [
        {"at": "2024-05-01T08:00:00.000000Z", "day": "2024-05-02", "x": 0.1 + 0.2}
    ]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("1234567890.123456789::numeric", "1234567890.123456789' is not Number .*at most 15 digits"),
        ("'infinity'::timestamptz", "'infinity' is not a time with a zone"),
        ("TIMESTAMP '0044-03-15 00:00 BC'", "BC' is not a time without a zone"),
    ],
)
def test_a_value_that_no_canonical_type_holds_is_set_aside(reading: Reading, value: str, said: str) -> None:
    given = _read(reading, f"SELECT 1 AS id, {value} AS x UNION ALL SELECT 2, NULL")
    assert given.numbers == [2]
    (reject,) = given.rejects
    assert reject.row_number == 1
    assert re.search(said, reject.reason)


def test_a_declared_number_may_be_rounded_and_a_declared_text_keeps_every_digit(reading: Reading) -> None:
    query = "SELECT 1234567890.123456789::numeric AS x"
    assert _read(reading, query, x=ColumnType.NUMBER).rows == [{"x": 1234567890.1234568}]
    assert _read(reading, query, x=ColumnType.TEXT).rows == [{"x": "1234567890.123456789"}]


@pytest.mark.parametrize(
    ("value", "type_"), [("'\\xff'::bytea", "bytea"), ("ARRAY[1]", r"int4\[\]"), ("ROW(1, 2)", "record")]
)
def test_a_type_without_a_canonical_one_is_refused(reading: Reading, value: str, type_: str) -> None:
    with pytest.raises(InvalidSpecError, match=f"column x is of type {type_}, which has no canonical type"):
        _read(reading, f"SELECT {value} AS x")


def test_many_rows_come_in_the_order_of_the_query_and_their_digest_is_theirs(reading: Reading) -> None:
    query = "SELECT n AS id, 'row ' || n AS name FROM generate_series(1, 50000) n ORDER BY n DESC"
    given = _read(reading, query)
    assert given.table.column("id").to_pylist() == list(range(50_000, 0, -1))
    assert given.numbers == list(range(1, 50_001))
    assert given.whole
    assert _read(reading, query).digest == given.digest
    assert _read(reading, query.replace("50000", "49999")).digest != given.digest
    assert _read(reading, query.replace("'row '", "'raw '")).digest != given.digest


def test_an_answer_without_rows_has_columns_and_no_batches(reading: Reading) -> None:
    given = _read(reading, "SELECT 1 AS x WHERE false")
    assert (given.types, given.table.num_rows) == ({"x": "Integer"}, 0)


def test_what_is_written_meanwhile_is_not_seen(reading: Reading, run: Run) -> None:
    run("CREATE TABLE t AS SELECT n AS id FROM generate_series(1, 40000) n")
    opened = reading.open(_source("SELECT id FROM t"))
    run("DELETE FROM t WHERE id > 10")
    assert drained(opened).table.num_rows == 40_000


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("INSERT INTO t VALUES (1)", "holds INSERT"),
        ("WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone", "holds DELETE"),
        ("UPDATE t SET id = 2", "holds UPDATE"),
        ("SELECT 1 AS x INTO copy_of_t", "holds INTO"),
        ("SELECT id FROM t FOR UPDATE", "holds FOR UPDATE"),
        ("SELECT 1 AS x; SELECT 2 AS x", "is 2 statements instead of one"),
        ("SELECT 1 AS x; DROP TABLE t", "is 2 statements instead of one"),
        ("DROP TABLE t", "holds DROP"),
        ("COPY t TO '/tmp/x'", "holds COPY"),
        ("TRUNCATE t", "holds TRUNCATE"),
        ("SET transaction_read_only = off", "holds SET"),
        ("VACUUM", "holds a command"),
        ("SELECT pg_read_file('/etc/passwd') AS x", "calls pg_read_file"),
        ("SELECT pg_sleep(100) AS x", "calls pg_sleep"),
        ("SELECT set_config('a.b', 'c', false) AS x", "calls set_config"),
        ("SELECT nextval('s') AS x", "calls nextval"),
        ("SELECT * FROM dblink('host=x', 'SELECT 1') AS d(x int)", "calls dblink"),
        ("SELECT FROM WHERE", "cannot be read as SQL"),
        (";", "is 0 statements instead of one"),
    ],
)
def test_anything_but_one_select_that_only_reads_is_refused(reading: Reading, query: str, said: str) -> None:
    with pytest.raises(InvalidSpecError, match=f"spec.source.sql.query = .*: {said}"):
        _read(reading, query)


def test_a_function_that_writes_is_stopped_by_the_transaction(reading: Reading, run: Run) -> None:
    run("CREATE TABLE t (id int)")
    run("CREATE FUNCTION sly() RETURNS int LANGUAGE sql AS 'INSERT INTO t VALUES (1) RETURNING id'")
    with pytest.raises(InvalidSpecError, match=r"spec.source.sql.query = .*: writes \(cannot execute INSERT"):
        _read(reading, "SELECT sly() AS x")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT * FROM nothing", 'relation "nothing" does not exist'),
        ("SELECT nothing AS x", 'column "nothing" does not exist'),
        ("SELECT * FROM pg_catalog.pg_authid", "permission denied"),
        ("SELECT 1 AS x, 2 AS x", "more than one column is called x"),
        ("SELECT 1", "a column has no name"),
    ],
)
def test_a_query_that_the_server_refuses_is_the_specs_mistake(
    reading: Reading, query: str, said: str
) -> None:
    with pytest.raises(InvalidSpecError, match=said):
        _read(reading, query)


def test_a_value_that_the_query_cannot_compute_is_a_fault_of_the_data(reading: Reading) -> None:
    with pytest.raises(DataError, match=r"spec.source.sql.query = .*: division by zero"):
        _read(reading, "SELECT 1 / (n - 30000) AS x FROM generate_series(1, 40000) n")


def test_percent_signs_in_a_query_are_what_they_are(reading: Reading) -> None:
    assert _read(reading, "SELECT 5 % 3 AS x, 'a%sb' LIKE 'a%' AS y").rows == [{"x": 2, "y": True}]


def test_a_query_that_takes_too_long_is_ended(reading: Reading, postgres_server: PostgresServer) -> None:
    secret = SourceSecret(
        reading.directory / "source-secret", "spec.source.sql.credentialsSecret", "warehouse"
    )
    server = Server("127.0.0.1", postgres_server.port, DATABASE, "prefer", secret, statement_seconds=1)
    query = "SELECT count(*) AS x FROM generate_series(1, 100000) a, generate_series(1, 100000) b"
    with pytest.raises(DataError, match=r"took longer than PostgreSQL at .* lets it"):
        drained(SqlAnswer(server, query, reading.context()))


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"password": "wrong"}, "= 'warehouse': PostgreSQL at 127.0.0.1:[0-9]+ refuses the credentials"),
        ({"username": "nobody"}, "refuses the credentials"),
        ({"database": "elsewhere"}, "its key database is not a database of PostgreSQL at"),
        ({"port": "many"}, "its key port is not a number from 1 to 65535"),
        ({"sslmode": "none"}, "its key sslmode is not one of"),
        ({"sslmode": "require"}, "its key sslmode is not one that PostgreSQL at .* can serve"),
        ({"sslmode": "verify-full"}, "the key ca.crt is not in the Secret"),
        ({"host": ""}, "the key host is empty"),
        ({"password": ""}, "the key password is empty"),
    ],
)
def test_a_wrong_key_of_the_secret_is_named(
    reading: Reading, postgres_server: PostgresServer, warehouse: str, keys: dict[str, str], said: str
) -> None:
    right = {
        "host": "127.0.0.1",
        "port": str(postgres_server.port),
        "database": DATABASE,
        "username": warehouse,
        "password": _PASSWORD,
    }
    reading.secret(**(right | keys))
    with pytest.raises(InvalidSpecError, match=f"spec.source.sql.credentialsSecret.*{said}") as caught:
        _read(reading, "SELECT 1 AS x")
    assert _PASSWORD not in str(caught.value)


def test_the_authority_of_the_secret_vouches_for_the_server(reading: Reading, tmp_path: Path) -> None:
    ours, another = (Authority(_made(tmp_path / name), datetime.now(UTC)) for name in ("ours", "another"))
    with running_postgres() as server:
        with server.administrator() as connection:
            _speak_tls(connection, ours.server("postgres", ["127.0.0.1"]))
            connection.execute(sql.SQL("CREATE ROLE reader LOGIN PASSWORD {}").format(sql.Literal(_PASSWORD)))
        keys = {"host": "127.0.0.1", "port": str(server.port), "database": DATABASE, "sslmode": "verify-full"}
        keys |= {"username": "reader", "password": _PASSWORD}
        reading.secret(**keys, **{"ca.crt": ours.pair.certificate.read_text()})
        assert _read(reading, "SELECT bool_or(ssl) AS x FROM pg_stat_ssl").rows == [{"x": True}]
        reading.secret(**keys, **{"ca.crt": another.pair.certificate.read_text()})
        with pytest.raises(
            InvalidSpecError, match=r"its key ca.crt is not of the authority that PostgreSQL at"
        ):
            _read(reading, "SELECT 1 AS x")


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory


def _speak_tls(connection: "psycopg.Connection[tuple[object, ...]]", pair: KeyPair) -> None:
    """Turns TLS on, with copies of the files that the server's account may read."""
    found = connection.execute("SHOW data_directory").fetchone()
    assert found is not None
    data = Path(str(found[0]))
    for name, source in (("server.crt", pair.certificate), ("server.key", pair.key)):
        (data / name).write_bytes(source.read_bytes())
        (data / name).chmod(0o600)
        os.chown(data / name, data.stat().st_uid, data.stat().st_gid)
    connection.execute("ALTER SYSTEM SET ssl TO on")
    connection.execute("SELECT pg_reload_conf()")

    def is_on() -> bool:
        return connection.execute("SHOW ssl").fetchone() == ("on",)

    until(is_on, 10, "TLS of the server")


def test_a_server_that_does_not_answer_is_an_outage(reading: Reading) -> None:
    reading.patience = replace(reading.patience, total=0.2)
    reading.secret(host="127.0.0.1", port="1", database="d", username="u", password="p")
    with pytest.raises(PlatformError, match=r"PostgreSQL at 127.0.0.1:1: no answer"):
        _read(reading, "SELECT 1 AS x")


def test_columns_of_the_first_load_are_kept_and_drift_is_refused(reading: Reading) -> None:
    first = _read(reading, "SELECT 1 AS id, 0.5::float8 AS price, TIMESTAMPTZ '2024-05-01 10:00+02' AS at")
    later = reading.read(
        _source("SELECT TIMESTAMPTZ '2024-05-01 10:00+03' AS at, 2 AS id, 3 AS price"), columns=first.columns
    )
    assert later.rows == [{"id": 2, "price": 3.0, "at": "2024-05-01T07:00:00.000000Z"}]
    with pytest.raises(DataError, match="price is missing; cost is new; id is Text, was Integer"):
        reading.read(_source("SELECT 'a' AS id, 1.5 AS cost, now() AS at"), columns=first.columns)


def test_a_column_that_was_declared_and_is_not_in_the_answer_is_named(reading: Reading) -> None:
    with pytest.raises(
        DataError, match=r"column colour: is declared in spec.columns, and the answer of the query"
    ):
        _read(reading, "SELECT 1 AS color", colour=ColumnType.TEXT)


def test_the_connection_is_closed_when_reading_ends_early(
    reading: Reading, postgres_server: PostgresServer, warehouse: str
) -> None:
    opened = reading.open(_source("SELECT n AS id FROM generate_series(1, 100000) n"))
    next(opened.batches())
    opened.close()

    def is_gone() -> bool:
        with postgres_server.administrator() as connection:
            found = connection.execute("SELECT 1 FROM pg_stat_activity WHERE usename = %s", (warehouse,))
            return found.fetchone() is None

    until(is_gone, 10, "the end of the connection")
