"""A source that is looked at again: what is new is appended, what has other values is replaced, what is gone is refused."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from psycopg import sql

from modelyard_api.contract.outcome import LoadOutcome
from modelyard_api.contract.steps import LoadStep
from modelyard_api.v1alpha1.loading import HashOrder, OnReject, Order, Quarantine
from modelyard_api.v1alpha1.sources import SecretRef, Source, SqlSource, UploadSource
from modelyard_loader.record.loads import LoadContent
from modelyard_loader.working_copy.ledger import LedgerEntry, entries
from modelyard_runtime.errors import DataError
from modelyard_runtime.hashing import row_hashes
from tests.integration.loader.test_california import versions_of
from tests.support.loading import LoaderRun
from tests.support.postgres import DATABASE

_VARIANTS: Sequence[object] = [
    {"name": "v1"},
    {"name": "cheap", "from": "v1", "transforms": [{"filter": {"where": "price < 100"}}]},
]
_SQL = Source(
    sql=SqlSource(credentials_secret=SecretRef(name="warehouse"), query="SELECT id, price FROM offers")
)


@pytest.fixture
def offers(loader: LoaderRun) -> LoaderRun:
    """A Dataset named offers whose rows have a key of their own."""
    return replace(loader, name="offers", primary_key=["id"])


@pytest.fixture
def warehouse(offers: LoaderRun) -> Path:
    """A table of another schema, and the Secret that leads to it."""
    schema = f"warehouse_{offers.project.schema}"
    with offers.postgres.administrator() as connection:
        connection.execute(f"CREATE SCHEMA {schema}; CREATE TABLE {schema}.offers (id bigint, price float8)")
        connection.execute(f"CREATE ROLE {schema} LOGIN PASSWORD 'hush'")
        connection.execute(
            f"GRANT USAGE ON SCHEMA {schema} TO {schema}; GRANT SELECT ON {schema}.offers TO {schema}"
        )
        connection.execute(f"GRANT CONNECT ON DATABASE {DATABASE} TO {schema}")
        connection.execute(f"ALTER ROLE {schema} SET search_path TO {schema}")
    secrets = offers.directory / "warehouse"
    secrets.mkdir()
    for name, value in {
        "host": "127.0.0.1", "port": str(offers.postgres.port), "database": DATABASE,
        "username": schema, "password": "hush",
    }.items():  # fmt: skip
        (secrets / name).write_text(value)
    return secrets


def put(run: LoaderRun, name: str, rows: Mapping[int, float | None]) -> None:
    """Sends a CSV file of offers into the inbox."""
    lines = ["id,price", *(f"{key},{'' if price is None else price}" for key, price in rows.items())]
    schema = run.project.schema
    run.s3.store(schema).create(f"{schema}/inbox/{run.name}/{name}", ("\n".join(lines) + "\n").encode())


def uploaded(run: LoaderRun, **changes: object) -> LoadStep:
    """A load of what is in the inbox."""
    return run.step(_VARIANTS).model_copy(update={"source": Source(upload=UploadSource()), **changes})


def again(step: LoadStep, sequence: int, **changes: object) -> LoadStep:
    """The same step as a later look."""
    return step.model_copy(update={"sequence": sequence, "refresh": True, **changes})


def chain(run: LoaderRun) -> list[LedgerEntry]:
    """The ledger, proven."""
    with run.postgres.administrator() as connection:
        return entries(connection, run.project.schema, run.uid)


def asked(run: LoaderRun, query: str) -> list[tuple[object, ...]]:
    """Rows of a query in the project's schema."""
    with run.postgres.administrator() as connection:
        connection.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(run.project.schema)))
        return connection.execute(query).fetchall()


def values(run: LoaderRun, outcome: LoadOutcome, variant: str = "v1") -> dict[int, float | None]:
    """Prices by id of a published version."""
    return {row["id"]: row["price"] for row in versions_of(run, outcome)[variant].table.to_pylist()}


def test_a_look_that_finds_nothing_new_writes_nothing(offers: LoaderRun) -> None:
    put(offers, "a.csv", {1: 10, 2: 200})
    step = uploaded(offers)
    first = offers.here(step)
    store = offers.s3.store(offers.project.schema)
    before = set(store.keys(offers.project.schema))
    second = offers.here(again(step, 2))
    assert not second.changed
    assert second.model_copy(update={"changed": True}) == first
    assert len(chain(offers)) == 1
    assert set(store.keys(offers.project.schema)) == before


def test_new_rows_are_appended_and_changed_ones_replaced_with_their_history(offers: LoaderRun) -> None:
    put(offers, "a.csv", {1: 10, 2: 200, 3: 30, 4: None})
    step = uploaded(offers)
    first = offers.here(step)
    put(offers, "b.csv", {5: 50, 2: 20, 3: 30})
    second = offers.here(again(step, 2))
    assert (second.rows, second.changed, second.sequence) == (5, True, 2)
    assert values(offers, second) == {1: 10, 2: 20, 3: 30, 4: None, 5: 50}
    assert values(offers, second, "cheap") == {1: 10, 2: 20, 3: 30, 5: 50}
    assert values(offers, first) == {1: 10, 2: 200, 3: 30, 4: None}
    assert asked(offers, "SELECT id, price, load_sequence FROM offers ORDER BY id") == [
        (1, 10, 1), (2, 20, 2), (3, 30, 1), (4, None, 1), (5, 50, 2),
    ]  # fmt: skip
    assert asked(offers, "SELECT operation, key, old_row, old_sequence, sequence FROM data_changes") == [
        ("UPDATE", {"id": 2}, {"id": 2, "price": 200}, 1, 2)
    ]
    assert asked(offers, "SELECT id, price FROM offers_as_of(1) ORDER BY id") == [
        (1, 10),
        (2, 200),
        (3, 30),
        (4, None),
    ]
    entry = chain(offers)[-1]
    assert (entry.offered, entry.accepted, entry.rejected, entry.total_rows) == (3, 2, 0, 5)
    assert LoadContent.of(entry).updated == 1
    manifest = versions_of(offers, second)["v1"].manifest
    assert sum(part.rows for part in manifest.parts) == 5
    missing = {column.name: column.missing for column in second.columns}
    assert missing == {"id": 0, "price": 1}


def test_the_digest_after_updates_is_that_of_the_rows_as_they_are(offers: LoaderRun) -> None:
    put(offers, "a.csv", {1: 10, 2: 200, 3: 30})
    step = uploaded(offers)
    offers.here(step)
    put(offers, "b.csv", {4: 40, 1: None})
    second = offers.here(again(step, 2))
    put(offers, "c.csv", {1: 11, 4: 41})
    third = offers.here(again(step, 3))
    other = replace(offers, name="others", uid="22222222-0000-4000-8000-000000000000")
    put(other, "x.csv", {4: 40, 3: 30, 1: None, 2: 200})
    assert [each.digest for each in other.here(uploaded(other)).variants] == [
        each.digest for each in second.variants
    ]
    assert values(offers, third) == {1: 11, 2: 200, 3: 30, 4: 41}
    assert asked(offers, "SELECT sequence, old_sequence FROM data_changes ORDER BY sequence, old_sequence") == [
        (2, 1), (3, 2), (3, 2),
    ]  # fmt: skip


def test_rows_without_a_key_go_on_being_numbered(offers: LoaderRun) -> None:
    run = replace(offers, primary_key=["row"])
    put(run, "a.csv", {1: 10, 2: 20})
    step = uploaded(run)
    run.here(step)
    put(run, "b.csv", {1: 10})
    run.here(again(step, 2))
    assert asked(run, 'SELECT "row", id, load_sequence FROM offers ORDER BY "row"') == [
        (1, 1, 1),
        (2, 2, 1),
        (3, 1, 2),
    ]


def test_rows_that_do_not_fit_are_set_aside_with_each_look(offers: LoaderRun) -> None:
    policy = OnReject(quarantine=Quarantine(limit=1))
    put(offers, "a.csv", {1: 10, 2: 20})
    step = uploaded(offers, on_reject=policy)
    offers.here(step)
    schema = offers.project.schema
    store = offers.s3.store(schema)
    store.create(f"{schema}/inbox/offers/b.csv", b"id,price\n3,30\n,40\n")
    second = offers.here(again(step, 2))
    assert (second.rows, second.rejected) == (3, 1)
    assert asked(offers, "SELECT sequence, reason, row_number FROM data_rejects") == [
        (2, "primaryKey id has no value", 4)
    ]
    store.create(f"{schema}/inbox/offers/c.csv", b"id,price\n4,40\n4,50\n4,60\n")
    with pytest.raises(
        DataError, match=r"names an earlier row too\); so does 1 more, and 1 may be set aside"
    ):
        offers.here(again(step, 3))
    assert len(chain(offers)) == 2
    assert asked(offers, "SELECT count(*) FROM offers") == [(3,)]


def _fill(run: LoaderRun, rows: range, price: float = 1) -> None:
    with run.postgres.administrator() as connection:
        connection.execute(
            f"INSERT INTO warehouse_{run.project.schema}.offers SELECT n, %s FROM generate_series(%s::int, %s::int) AS n",  # noqa: S608
            [price, rows.start, rows.stop - 1],
        )


def test_a_query_is_compared_with_what_is_loaded(offers: LoaderRun, warehouse: Path) -> None:
    _fill(offers, range(1, 11))
    step = offers.step(_VARIANTS).model_copy(update={"source": _SQL})
    offers.here(step, warehouse)
    assert not offers.here(again(step, 2), warehouse).changed
    _fill(offers, range(11, 13))
    with offers.postgres.administrator() as connection:
        connection.execute(f"UPDATE warehouse_{offers.project.schema}.offers SET price = 2 WHERE id = 3")  # noqa: S608
    second = offers.here(again(step, 2), warehouse)
    assert (second.rows, second.source_rows) == (12, 12)
    assert values(offers, second)[3] == 2
    with offers.postgres.administrator() as connection:
        connection.execute(f"DELETE FROM warehouse_{offers.project.schema}.offers WHERE id < 3")  # noqa: S608
    with pytest.raises(DataError, match="the source shrank: 2 of 12 loaded rows are no longer in it"):
        offers.here(again(step, 3), warehouse)
    assert len(chain(offers)) == 2


def test_less_than_all_of_a_source_stays_the_same_share_while_it_grows(
    offers: LoaderRun, warehouse: Path
) -> None:
    _fill(offers, range(1, 501))
    order = Order(hash=HashOrder(seed=3))
    step = offers.step(_VARIANTS).model_copy(update={"source": _SQL, "percent": "50", "order": order})
    assert offers.here(step, warehouse).rows == 250
    _fill(offers, range(501, 1001))
    second = offers.here(again(step, 2), warehouse)
    hashes = row_hashes(pa.table({"id": range(1, 1001)}), ["id"], 3)
    border = sorted(hashes[:500])[249]
    assert second.rows == int((hashes <= border).sum())
    assert 200 < second.rows - 250 < 300
    whole = offers.here(again(step, 3, percent="100", refresh=False), warehouse)
    assert whole.rows == 1000
    assert sorted(values(offers, whole)) == list(range(1, 1001))
