"""Each kind of source through the loader: the same rows are the same version, wherever they come from."""

import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from psycopg import sql

from modelyard_api.contract.outcome import LoadOutcome
from modelyard_api.contract.steps import NetworkRules, Published
from modelyard_api.v1alpha1.sources import Source
from tests.support.http_server import FileServer, Page, serving_files
from tests.support.loading import LoaderRun
from tests.support.postgres import DATABASE
from tests.support.s3 import BUCKET

_ROWS = [
    {
        "id": number,
        "price": None if number % 7 == 0 else number / 8,
        "sold": number % 2 == 0,
        "name": f"number {number}",
        "at": f"2024-05-01T08:{number % 60:02}:00.000000Z",
    }
    for number in range(1, 2001)
]
_CSV = "id,price,sold,name,at\n" + "".join(
    f"{row['id']},{'' if row['price'] is None else row['price']},{str(row['sold']).lower()},{row['name']},{row['at']}\n"
    for row in _ROWS
)


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving_files() as files:
        yield files


def _loaded(run: LoaderRun, name: str, source: dict[str, object], **more: object) -> LoadOutcome:
    own = replace(
        run, name=name, uid=f"{hashlib.sha256(name.encode()).hexdigest()[:8]}-0", primary_key=["id"]
    )
    step = own.step([{"name": "v1"}])
    asked = {"source": Source.model_validate(source), "network": NetworkRules(private_addresses=True), **more}
    return own.here(step.model_copy(update=asked), own.directory / "source-secret")


def _parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(_ROWS), sink, row_group_size=333)
    return sink.getvalue()


def test_the_same_rows_are_the_same_version_from_every_source(loader: LoaderRun, server: FileServer) -> None:
    store, schema = loader.s3.store(loader.project.schema), loader.project.schema
    jsonl = "\n".join(json.dumps(row) for row in reversed(_ROWS)).encode()
    for key, content in (
        ("lake/rows.csv", _CSV.encode()),
        ("lake/rows.jsonl", jsonl),
        ("lake/rows.parquet", _parquet()),
        ("inbox/from-upload/1.csv", _CSV.encode()),
    ):
        store.create(f"{schema}/{key}", content)
    server.pages["/rows.csv"] = Page(_CSV.encode(), breaks=[10_000])
    _fill_warehouse(loader)
    lake = f"s3://{BUCKET}/{schema}/lake"
    http = {"url": f"{server.url}/rows.csv", "sha256": hashlib.sha256(_CSV.encode()).hexdigest()}
    query = "SELECT id, price, sold, name, at FROM public.rows ORDER BY id DESC"
    given = {
        "from-csv": _loaded(loader, "from-csv", {"s3": {"uri": f"{lake}/*.csv"}}),
        "from-jsonl": _loaded(loader, "from-jsonl", {"s3": {"uri": f"{lake}/*.jsonl"}}),
        "from-parquet": _loaded(loader, "from-parquet", {"s3": {"uri": f"{lake}/*.parquet"}}),
        "from-upload": _loaded(loader, "from-upload", {"upload": {}}),
        "from-http": _loaded(loader, "from-http", {"http": http}),
    }
    (version,) = given["from-csv"].variants
    uri = f"s3://{BUCKET}/{schema}/datasets/from-csv/manifests/v1/{version.manifest}.json"
    parent = Published(variant="v1", digest=f"sha256:{version.digest}", uri=uri)
    given["from-dataset"] = _loaded(
        loader, "from-dataset", {"dataset": {"name": "from-csv", "variant": "v1"}}, parent=parent
    )
    given["from-sql"] = _loaded(
        loader, "from-sql", {"sql": {"credentialsSecret": {"name": "warehouse"}, "query": query}}
    )
    assert {name: outcome.rows for name, outcome in given.items()} == dict.fromkeys(given, 2000)
    digests = {name: outcome.variants[0].digest for name, outcome in given.items()}
    assert set(digests.values()) == {version.digest}, digests
    assert given["from-dataset"].source_digest == parent.digest


def _fill_warehouse(loader: LoaderRun) -> None:
    secrets = loader.directory / "source-secret"
    secrets.mkdir()
    keys = {
        "host": "127.0.0.1",
        "port": str(loader.postgres.port),
        "database": DATABASE,
        "username": loader.project.username,
        "password": loader.project.password,
    }
    for key, value in keys.items():
        (secrets / key).write_text(value)
    with loader.postgres.administrator() as connection:
        connection.execute("DROP TABLE IF EXISTS public.rows")
        connection.execute(
            "CREATE TABLE public.rows (id int, price float8, sold bool, name text, at timestamptz)"
        )
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO public.rows VALUES (%(id)s, %(price)s, %(sold)s, %(name)s, %(at)s)", _ROWS
            )
        grant = sql.SQL("GRANT SELECT ON public.rows TO {}")
        connection.execute(grant.format(sql.Identifier(loader.project.username)))
