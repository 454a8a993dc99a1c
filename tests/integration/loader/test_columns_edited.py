"""Columns that are edited after rows were loaded: a load of its own gives the rows other columns."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from psycopg import sql

from modelyard_api.contract.outcome import LoadOutcome
from modelyard_api.contract.steps import LoadStep
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_api.v1alpha1.loading import ColumnSpec, OnReject, Quarantine
from modelyard_api.v1alpha1.sources import Source, UploadSource
from modelyard_api.v1alpha1.transforms import Variant
from modelyard_loader.record.loads import LoadContent, LoadRecords
from modelyard_loader.working_copy.connection import Postgres
from modelyard_loader.working_copy.rebuild import rebuilt
from modelyard_runtime.credentials import Login
from modelyard_runtime.errors import DataError, InvalidSpecError
from tests.integration.loader.test_california import versions_of
from tests.integration.loader.test_incremental_refresh import again, asked, chain
from tests.support.loading import LoaderRun

_QUARANTINE = OnReject(quarantine=Quarantine(limit=2))
_TYPES = {"I": ColumnType.INTEGER, "N": ColumnType.NUMBER, "B": ColumnType.BOOLEAN, "T": ColumnType.TEXT}


@pytest.fixture
def offers(loader: LoaderRun) -> LoaderRun:
    """A Dataset named offers whose rows have a key of their own."""
    return replace(loader, name="offers", primary_key=["id"])


def _put(run: LoaderRun, name: str, *lines: str) -> None:
    schema = run.project.schema
    run.s3.store(schema).create(f"{schema}/inbox/{run.name}/{name}", "\n".join(lines).encode())


def _step(run: LoaderRun, columns: str = "", variants: Sequence[object] = ({"name": "v1"},)) -> LoadStep:
    """A first load; ``columns`` for example ``id:I price:N``, an exclamation mark behind what must have a value."""
    declared = [
        ColumnSpec(name=name, type=_TYPES[kind[0]], nullable=not kind.endswith("!"))
        for name, kind in (each.split(":") for each in columns.split())
    ]
    return run.step(variants).model_copy(
        update={"source": Source(upload=UploadSource()), "columns": declared}
    )


def _everything(run: LoaderRun) -> dict[str, object]:
    """Rows, audit and history, as anyone reads them."""
    queries = [
        "SELECT to_jsonb(o)::text FROM offers AS o ORDER BY id",
        "SELECT sequence, operation, key, old_row, old_sequence FROM data_changes ORDER BY sequence, key::text",
        "SELECT sequence, reason, row_number, content FROM data_rejects ORDER BY content",
        "SELECT to_jsonb(h)::text FROM offers_history AS h ORDER BY 1",
        *(f"SELECT to_jsonb(o)::text FROM offers_as_of({at}) AS o ORDER BY id" for at in range(1, 5)),  # noqa: S608
        "SELECT sequence, entry_holds, link_holds FROM loads ORDER BY sequence",
    ]
    return {query: asked(run, query) for query in queries}


def _values(run: LoaderRun, outcome: LoadOutcome) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = versions_of(run, outcome)["v1"].table.to_pylist()
    return rows


def test_columns_come_go_and_get_another_type_by_an_edit_alone(offers: LoaderRun) -> None:
    _put(offers, "a.csv", "id,price,size,owner", "1,10,1.5,Ann", "2,20,,Bob", "3,,3,")
    first = offers.here(_step(offers))
    edited = _step(offers, "id:I price:T size:N colour:T")
    second = offers.here(edited)
    assert (second.sequence, second.rows, second.changed, second.percent) == (2, 3, True, "100")
    assert asked(offers, "SELECT id, price, size, colour, load_sequence FROM offers ORDER BY id") == [
        (1, "10", 1.5, None, 1), (2, "20", None, None, 1), (3, None, 3.0, None, 1),
    ]  # fmt: skip
    assert [column.name for column in second.columns] == ["id", "price", "size", "colour"]
    assert [(column.name, column.missing) for column in second.columns][1:] == [
        ("price", 1), ("size", 1), ("colour", 3),
    ]  # fmt: skip
    assert _values(offers, second)[0] == {"id": 1, "price": "10", "size": 1.5, "colour": None}
    assert _values(offers, first)[0] == {"id": 1, "price": 10, "size": 1.5, "owner": "Ann"}
    assert asked(offers, "SELECT id, price FROM offers_as_of(1) ORDER BY id")[0] == (1, "10")
    assert offers.here(edited).model_copy(update={"changed": True}) == second
    assert [each.sequence for each in chain(offers)] == [1, 2]


def test_the_version_is_that_of_a_dataset_that_had_the_columns_from_the_beginning(offers: LoaderRun) -> None:
    lines = ["id,price,owner", *(f"{key},{key % 7},o{key}" for key in range(1, 201))]
    _put(offers, "a.csv", *lines)
    offers.here(_step(offers))
    edited = offers.here(_step(offers, "owner:T id:I price:N"))
    other = replace(offers, name="others", uid="22222222-0000-4000-8000-000000000000")
    _put(other, "a.csv", *lines)
    from_the_beginning = other.here(_step(other, "id:I price:N owner:T"))
    assert edited.variants[0].digest == from_the_beginning.variants[0].digest


def test_a_value_that_the_new_type_cannot_hold_fails_the_step_and_changes_nothing(offers: LoaderRun) -> None:
    _put(offers, "a.csv", "id,price", "1,10", "2,n/a", "3,soon")
    offers.here(_step(offers))
    before = _everything(offers)
    told = "2 loaded rows have a value that the new type cannot hold .column price: 'n/a' is not Number"
    with pytest.raises(DataError, match=told):
        offers.here(_step(offers, "id:I price:N"))
    assert _everything(offers) == before
    assert len(LoadRecords(offers.s3.store(offers.project.schema), "offers", offers.uid).chain()) == 1


def test_with_quarantine_such_rows_are_set_aside_and_their_removal_is_in_the_history(
    offers: LoaderRun,
) -> None:
    _put(offers, "a.csv", "id,price", "1,10", "2,n/a", "3,30")
    offers.here(_step(offers))
    edited = _step(offers, "id:I price:N").model_copy(update={"on_reject": _QUARANTINE})
    second = offers.here(edited)
    assert (second.sequence, second.rows, second.rejected) == (2, 2, 1)
    assert [row["id"] for row in _values(offers, second)] == [1, 3]
    assert asked(offers, "SELECT sequence, operation, key, old_row FROM data_changes") == [
        (2, "DELETE", {"id": 2}, {"id": 2, "price": "n/a"})
    ]
    assert asked(offers, "SELECT sequence, row_number, content FROM data_rejects") == [
        (2, None, '{"id": 2, "price": "n/a"}')
    ]
    history = "SELECT operation_type, load_batch_id, id, price FROM offers_history ORDER BY 3, 2"
    assert asked(offers, history) == [
        ("INSERT", 1, 1, 10.0), ("INSERT", 1, 2, None), ("DELETE", 2, 2, None), ("INSERT", 1, 3, 30.0),
    ]  # fmt: skip
    assert asked(offers, "SELECT id, price FROM offers_as_of(1) ORDER BY id") == [
        (1, 10.0), (2, None), (3, 30.0),
    ]  # fmt: skip
    assert len(asked(offers, "SELECT FROM offers_as_of(2)")) == 2


def test_drift_of_the_source_is_accepted_by_the_columns_that_are_wanted_from_now_on(
    offers: LoaderRun,
) -> None:
    _put(offers, "a.csv", "id,price,at", "1,10,2024-05-01T10:00:00+02:00", "2,20,2024-05-02T10:00:00Z")
    offers.here(_step(offers))
    _put(offers, "b.csv", "id,colour,at", "3,red,2024-05-03T01:00:00+01:00")
    with pytest.raises(DataError, match="price is missing; colour is new"):
        offers.here(again(_step(offers), 2))
    edited = _step(offers, "id:I colour:T at:T")
    changed = offers.here(edited)
    looked = offers.here(again(edited, changed.sequence + 1))
    assert (looked.sequence, looked.rows) == (3, 3)
    assert _values(offers, looked) == [
        {"id": 1, "at": "2024-05-01T08:00:00.000000Z", "colour": None},
        {"id": 2, "at": "2024-05-02T10:00:00.000000Z", "colour": None},
        {"id": 3, "at": "2024-05-03T00:00:00.000000Z", "colour": "red"},
    ]
    nothing = offers.here(again(edited, 4))
    assert not nothing.changed


def test_rows_that_wait_for_their_step_come_in_the_new_columns(offers: LoaderRun) -> None:
    lines = ["id,price,owner", *(f"{key},{key}{'.5' * (key % 50 == 0)},o" for key in range(1, 101))]
    _put(offers, "a.csv", *lines)
    offers.here(_step(offers).model_copy(update={"percent": "40"}))
    edited = _step(offers, "id:I price:I colour:T").model_copy(
        update={"percent": "40", "on_reject": _QUARANTINE}
    )
    changed = offers.here(edited)
    assert (changed.sequence, changed.percent) == (2, "40")
    last = offers.here(edited.model_copy(update={"sequence": 3, "percent": "100"}))
    assert (last.sequence, last.rows, last.rejected) == (3, 98, 2)
    assert [row["price"] for row in _values(offers, last)] == [key for key in range(1, 101) if key % 50]
    store = offers.s3.store(offers.project.schema)
    assert not list(store.keys(f"{offers.project.schema}/datasets/offers/staging"))


def test_the_working_copy_is_made_again_from_s3_through_a_change_of_columns(offers: LoaderRun) -> None:
    _put(offers, "a.csv", "id,price,owner", "1,10,Ann", "2,n/a,Bob", "3,30,Cid")
    offers.here(_step(offers))
    _put(offers, "b.csv", "id,price,owner", "1,11,Ann")
    offers.here(again(_step(offers), 2))
    edited = _step(offers, "id:I price:N colour:T").model_copy(update={"on_reject": _QUARANTINE})
    offers.here(edited.model_copy(update={"sequence": 2}))
    _put(offers, "c.csv", "id,price,colour", "1,12,red", "4,40,blue")
    last = offers.here(again(edited, 4))
    assert (last.sequence, last.rows) == (4, 3)
    before = _everything(offers)
    step, login = edited, Login(offers.project.username, offers.project.password)
    postgres, store = Postgres(step.postgres, login), offers.s3.store(offers.project.schema)
    assert rebuilt(postgres, store, step.owner).repaired == ()
    with offers.postgres.administrator() as connection:
        connection.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(offers.project.schema)))
        connection.execute("DROP TABLE offers CASCADE")
        connection.execute("DELETE FROM data_changes; DELETE FROM data_rejects; DELETE FROM data_loads")
    assert offers.here(again(edited, 5)).sequence == 4
    assert _everything(offers) == before


def test_a_column_that_must_have_a_value_by_now_is_refused_with_the_rows_that_have_none(
    offers: LoaderRun,
) -> None:
    _put(offers, "a.csv", "id,price,size", "1,10,1", "2,,2", "3,,3")
    offers.here(_step(offers))
    for columns in ("id:I price:I! size:I", "id:I price:T! size:I"):
        with pytest.raises(DataError, match="no value where nullable is false: 2 in price"):
            offers.here(_step(offers, columns))
    with pytest.raises(DataError, match="no value where nullable is false: 3 in colour"):
        offers.here(_step(offers, "id:I price:I size:I colour:T!"))
    assert len(chain(offers)) == 1
    assert offers.here(_step(offers, "id:I price:I size:I!")).sequence == 1


def test_columns_that_variants_need_and_columns_of_the_key_stay(offers: LoaderRun) -> None:
    cheap = {"name": "cheap", "from": "v1", "transforms": [{"filter": {"where": "price < 15"}}]}
    variants = [{"name": "v1"}, cheap]
    _put(offers, "a.csv", "id,price,owner", "1,10,Ann", "2,20,Bob")
    offers.here(_step(offers, variants=variants))
    before = _everything(offers)
    with pytest.raises(InvalidSpecError, match="unknown column price"):
        offers.here(_step(offers, "id:I owner:T", variants))
    with pytest.raises(InvalidSpecError, match="makes id Text, which is part of the key"):
        offers.here(_step(offers, "id:T price:I owner:T", variants))
    assert _everything(offers) == before
    changed = offers.here(_step(offers, "id:I price:N", variants))
    rows = versions_of(offers, changed)["cheap"].table.to_pylist()
    assert rows == [{"id": 1, "price": 10.0}]


def test_what_people_built_on_a_column_stops_its_change_with_its_name(offers: LoaderRun) -> None:
    _put(offers, "a.csv", "id,price,owner", "1,10,Ann")
    offers.here(_step(offers))
    name = sql.Identifier(offers.project.schema)
    with offers.postgres.administrator() as connection:
        connection.execute(sql.SQL("SET search_path TO {}").format(name))
        connection.execute("CREATE VIEW owners AS SELECT owner FROM offers")
    with pytest.raises(DataError, match="view owners depends on column owner"):
        offers.here(_step(offers, "id:I price:I"))
    assert offers.here(_step(offers, "id:I price:I owner:T colour:T")).sequence == 2
    assert asked(offers, "SELECT owner FROM owners") == [("Ann",)]


def test_an_edit_that_is_taken_back_is_one_more_load_and_what_was_dropped_stays_empty(
    offers: LoaderRun,
) -> None:
    _put(offers, "a.csv", "id,price,owner", "1,10,Ann")
    offers.here(_step(offers))
    offers.here(_step(offers, "id:I price:I"))
    back = offers.here(_step(offers, "id:I price:I owner:T").model_copy(update={"variants": _both()}))
    assert back.sequence == 3
    assert _values(offers, back) == [{"id": 1, "price": 10, "owner": None}]
    contents = [LoadContent.of(each) for each in chain(offers)]
    assert [each.reshaped for each in contents] == [False, True, True]


def _both() -> list[Variant]:
    documents = [{"name": "v1"}, {"name": "named", "from": "v1", "transforms": [{"dropMissing": {}}]}]
    return [Variant.model_validate(each) for each in documents]
