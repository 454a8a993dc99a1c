"""What S3 alone is good for once Postgres is gone: every version, and the whole working copy."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pyarrow as pa
import pytest

from modelyard_api.contract.outcome import LoadOutcome, RebuildOutcome
from modelyard_api.contract.progress import PROGRESS_VARIABLE
from modelyard_api.contract.steps import CREDENTIALS_VARIABLE, LoadStep, RebuildStep, Step
from modelyard_api.v1alpha1.loading import OnReject, Quarantine
from modelyard_api.v1alpha1.sources import BuiltinName, Source
from modelyard_api.v1alpha1.training_job import DatasetVersion
from modelyard_loader.dispatch import carry_out
from modelyard_runtime.table import load_version
from modelyard_runtime.versions import Reference, resolve_version
from tests.support.loading import LoaderRun
from tests.support.working_copy import Row, texts_of

_VARIANTS = [
    {"name": "v1"},
    {"name": "v2", "from": "v1", "transforms": [{"filter": {"where": "petal_length > 3"}}]},
]
_START = datetime(2026, 1, 2, tzinfo=UTC)
_RELATIONS = ("data_loads", "data_changes", "data_rejects")
_FIRST = "id,price\n1,0.1\n2,0.2\n3,oops\n4,\n"
_SECOND = "id,price\n2,0.25\n5,0.5\nsix,0.6\n"


@pytest.fixture
def iris(loader_on_each_store: LoaderRun) -> LoaderRun:
    return replace(loader_on_each_store, source=BuiltinName.IRIS, name="iris")


@pytest.fixture
def prices(loader: LoaderRun) -> LoaderRun:
    return replace(loader, name="prices", primary_key=["id"])


def carried_out(loader: LoaderRun, step: Step, minute: int = 0) -> LoadOutcome | RebuildOutcome:
    """What a step answers that begins so many minutes after the start."""
    environment = {CREDENTIALS_VARIABLE: str(loader.mounted()), PROGRESS_VARIABLE: "0"}
    outcome = carry_out(step, environment, lambda: _START + timedelta(minutes=minute))
    answer = outcome.load or outcome.rebuild
    assert answer is not None
    return answer


def steps_of(loader: LoaderRun) -> list[LoadStep]:
    """Iris in three loads of two variants."""
    whole = loader.step(_VARIANTS)
    return [
        whole.model_copy(update={"sequence": number, "percent": percent, "trigger": trigger})
        for number, percent, trigger in ((1, "40", "Initial"), (2, "70", "Schedule"), (3, "100", "Request"))
    ]


def rebuilding(step: LoadStep) -> Step:
    """The step that makes the working copy of the same Dataset again."""
    names = RebuildStep.model_fields
    return Step(rebuild=RebuildStep(**{name: getattr(step, name) for name in names}))


@contextmanager
def as_project(loader: LoaderRun) -> Iterator["psycopg.Connection[Row]"]:
    with loader.postgres.session_of(loader.project) as session:
        yield session


def state(loader: LoaderRun, loads: int) -> dict[str, list[Row]]:
    """All that Postgres tells of the Dataset."""
    table = loader.name.replace("-", "_")
    relations = [
        *_RELATIONS,
        table,
        f"{table}_history",
        *(f"{table}_as_of({n})" for n in range(1, loads + 1)),
    ]
    with as_project(loader) as session:
        return {relation: texts_of(session, relation) for relation in relations}


def lose_schema(loader: LoaderRun) -> None:
    with loader.postgres.administrator() as connection:
        connection.execute(f'DROP SCHEMA "{loader.project.schema}" CASCADE')


def test_every_version_is_read_from_s3_alone_by_load_digest_or_time(iris: LoaderRun) -> None:
    digests: dict[tuple[str, int], str] = {}
    for minute, step in enumerate(steps_of(iris), start=1):
        outcome = carried_out(iris, Step(load=step), minute)
        assert isinstance(outcome, LoadOutcome)
        digests |= {(each.name, step.sequence): f"sha256:{each.digest}" for each in outcome.variants}
    assert len(set(digests.values())) == 6
    lose_schema(iris)
    store = iris.s3.store(iris.project.schema)

    def resolved(variant: str, **wanted: object) -> DatasetVersion:
        return resolve_version(store, Reference("iris", variant, **wanted))  # type: ignore[arg-type]

    rows: dict[tuple[str, int], pa.Table] = {}
    for (variant, sequence), digest in digests.items():
        found = resolved(variant, sequence=sequence)
        assert (found.sequence, found.digest) == (sequence, digest)
        assert resolved(variant, digest=digest) == found
        assert resolved(variant, as_of=_START + timedelta(minutes=sequence, seconds=30)) == found
        rows[variant, sequence] = load_version(found.uri, store).table
    assert [rows["v1", sequence].num_rows for sequence in (1, 2, 3)] == [60, 105, 150]
    for variant in ("v1", "v2"):
        named = [set(rows[variant, sequence].column("row").to_pylist()) for sequence in (1, 2, 3)]
        assert named[0] < named[1] < named[2]


def test_postgres_is_made_again_from_s3_alone_by_a_rebuild_or_by_the_next_step(iris: LoaderRun) -> None:
    steps = steps_of(iris)
    for minute, step in enumerate(steps[:2], start=1):
        carried_out(iris, Step(load=step), minute)
    before = state(iris, 2)
    lose_schema(iris)
    iris.postgres.make_project(iris.project.schema)
    outcome = carried_out(iris, rebuilding(steps[0]))
    assert isinstance(outcome, RebuildOutcome)
    assert outcome.repaired == ["data_loads lacked 2 loads", "there was no table iris"]
    assert (outcome.sequence, outcome.rows) == (2, 105)
    assert state(iris, 2) == before
    lose_schema(iris)
    iris.postgres.make_project(iris.project.schema)
    after = carried_out(iris, Step(load=steps[2]), 3)
    assert isinstance(after, LoadOutcome)
    assert after.rows == 150
    assert state(iris, 3)["data_loads"][:2] == before["data_loads"]
    assert state(iris, 2)["iris_as_of(2)"] == before["iris_as_of(2)"]
    again = carried_out(iris, rebuilding(steps[2]))
    assert isinstance(again, RebuildOutcome)
    assert again.repaired == []


def test_replaced_and_refused_rows_come_back_too(prices: LoaderRun) -> None:
    store = prices.s3.store(prices.project.schema)
    on_reject = OnReject(quarantine=Quarantine(limit=10))
    source = Source.model_validate({"upload": {"format": "CSV"}})
    columns = [{"name": "id", "type": "Integer"}, {"name": "price", "type": "Number"}]
    first = LoadStep.model_validate(
        {
            **prices.step([{"name": "v1"}]).to_wire(),
            "source": source.to_wire(),
            "columns": columns,
            "onReject": on_reject.to_wire(),
            "trigger": "Initial",
            "requestedBy": "anna",
        }
    )
    second = first.model_copy(update={"sequence": 2, "refresh": True, "trigger": "Schedule"})
    for minute, (step, name, content) in enumerate(
        ((first, "one.csv", _FIRST), (second, "two.csv", _SECOND)), start=1
    ):
        store.create(f"{prices.project.schema}/inbox/prices/{name}", content.encode())
        carried_out(prices, Step(load=step), minute)
    before = state(prices, 2)
    assert before["prices"] == [("(1,0.1,1)",), ("(2,0.25,2)",), ("(4,,1)",), ("(5,0.5,2)",)]
    assert before["prices_as_of(1)"] == [("(1,0.1,1)",), ("(2,0.2,1)",), ("(4,,1)",)]
    assert [len(before[name]) for name in _RELATIONS] == [2, 1, 2]
    with as_project(prices) as session:
        found = session.execute(
            "SELECT sequence, requested_by, trigger, rejected, entry_holds, link_holds FROM loads ORDER BY 1"
        ).fetchall()
    assert found == [(1, "anna", "Initial", 1, True, True), (2, "anna", "Schedule", 1, True, True)]
    lose_schema(prices)
    prices.postgres.make_project(prices.project.schema)
    outcome = carried_out(prices, rebuilding(second))
    assert isinstance(outcome, RebuildOutcome)
    assert outcome.rows == 4
    assert state(prices, 2) == before
