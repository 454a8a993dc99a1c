"""Killed at every single statement, block, commit and write, a load is made once and is the same.

Up to its commit a load is killed at everything that it does. Behind that, an ordinary run kills at the first event of each
kind and at an even share of all, a thorough one at every event.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import pytest
from psycopg import sql

from modelyard_api.contract.progress import PROGRESS_VARIABLE
from modelyard_api.contract.steps import CREDENTIALS_VARIABLE, LoadStep
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_api.v1alpha1.loading import ColumnSpec, OnReject, Quarantine
from modelyard_api.v1alpha1.sources import Source, UploadSource
from modelyard_loader.record.loads import LoadRecords
from modelyard_loader.working_copy.ledger import entries
from modelyard_runtime.s3 import ObjectStore
from modelyard_runtime.table import load_version
from modelyard_runtime.versions import pointed_uri, versions
from tests.support.killing import Nursery, nursery
from tests.support.loading import LoaderRun
from tests.support.thorough import Sweep

_VARIANTS = [{"name": "v1"}]
_MOST_EVENTS = 150
_SHARE = 12
"""Events that an ordinary run kills at besides the first of each kind."""
_AT_ONCE = 2
"""Loaders that are tried beside each other."""

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def nurseries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Nursery]]:
    """Programs with everything imported."""
    directory = tmp_path_factory.mktemp("tries")
    with ExitStack() as stack:
        yield [stack.enter_context(nursery(directory, str(number))) for number in range(_AT_ONCE)]


@pytest.fixture
def loaders(loader: LoaderRun, nurseries: list[Nursery]) -> list[Nursery]:
    """Loaders that can be killed."""
    environment = {CREDENTIALS_VARIABLE: str(loader.mounted()), PROGRESS_VARIABLE: "0"}
    return [program.given(environment) for program in nurseries]


def _named(loader: LoaderRun, number: int) -> LoaderRun:
    return replace(
        loader, name=f"offers-{number}", uid=f"{number:08d}-0000-4000-8000-000000000000", primary_key=["id"]
    )


def _step(run: LoaderRun, sequence: int, **changes: object) -> LoadStep:
    policy = OnReject(quarantine=Quarantine(limit=10))
    given = {"source": Source(upload=UploadSource()), "on_reject": policy, "sequence": sequence, **changes}
    return run.step(_VARIANTS).model_copy(update=given)


def _put(run: LoaderRun, name: str, lines: list[str]) -> None:
    schema = run.project.schema
    content = "\n".join(["id,price", *lines]).encode()
    run.s3.store(schema).create(f"{schema}/inbox/{run.name}/{name}", content)


def _state(run: LoaderRun) -> dict[str, Any]:
    """Everything that a Dataset has, without what tells one try from another."""
    schema, table = run.project.schema, run.name.replace("-", "_")
    store = run.s3.store(schema)
    with run.postgres.administrator() as connection:
        connection.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(schema)))
        chain = entries(connection, schema, run.uid)
        rows = connection.execute(f"SELECT * FROM {table} ORDER BY id").fetchall()  # noqa: S608
        changes = (
            "SELECT sequence, operation, key, old_row, old_sequence FROM data_changes WHERE dataset_uid = %s"
        )
        rejects = "SELECT sequence, reason, row_number, content FROM data_rejects WHERE dataset_uid = %s"
        aside = [
            sorted(connection.execute(query, [run.uid]).fetchall(), key=repr) for query in (changes, rejects)
        ]
    recorded = LoadRecords(store, run.name, run.uid).chain()
    assert [each.hash for each in recorded] == [each.hash for each in chain]
    return {
        "rows": rows,
        "aside": aside,
        "ledger": [
            (each.sequence, each.percentage, each.total_rows, each.offered, each.accepted, each.rejected)
            for each in chain
        ],
        "versions": _versions(store, run),
        "staging": [key.partition(run.uid)[2] for key in store.keys(f"{schema}/datasets/{run.name}/staging")],
    }


def _versions(store: ObjectStore, run: LoaderRun) -> list[tuple[int, str, str]]:
    """Number and digest of each version; the table of it is read as training does, and proven."""
    pointers = versions(store, run.name, "v1", run.uid)
    tables = [load_version(pointed_uri(store, run.name, pointer), store) for pointer in pointers]
    return [
        (pointer.sequence, version.manifest.content_digest, str(version.table.num_rows))
        for pointer, version in zip(pointers, tables, strict=True)
    ]


@dataclass(frozen=True)
class Trial:
    """The same load again and again, killed at another place each time."""

    loader: LoaderRun
    prepare: Callable[[LoaderRun], None]
    """Makes what is there before the load."""
    step: Callable[[LoaderRun], LoadStep]

    def killed(self, loaders: Nursery, kill_at: int) -> tuple[list[str], dict[str, Any]]:
        """What a load was killed at, and what there is when it was made by a second loader."""
        run = _named(self.loader, kill_at)
        self.prepare(run)
        tried = loaders.load(self.step(run), kill_at)
        assert not tried.failed, tried.log
        killed = tried.events[-1:] if tried.killed else []
        run.here(self.step(run))
        return killed, _state(run)

    def before_the_commit(self, loaders: Nursery) -> list[str]:
        """Kills one loader after the other on the same rows until one has committed; returns what they were killed at.

        Only for a load that finds the same places however often it is tried.
        """
        run = _named(self.loader, _MOST_EVENTS)
        self.prepare(run)
        before = _standing(run)
        events: list[str] = []
        while _standing(run) == before:
            tried = loaders.load(self.step(run), len(events) + 1)
            assert tried.killed, tried.log
            events += tried.events[-1:]
        return events

    def everywhere(self, loaders: list[Nursery], sweep: Sweep, first: int = 1) -> list[str]:
        """Kills at the events from number ``first`` on that the sweep takes; returns what was killed at."""
        expected, there = self._undisturbed(loaders[0])
        numbers = range(first, len(there) + 1)
        chosen = {*sweep.of(numbers, _SHARE), *_first_of_each_kind(there, first)}
        events: list[str] = []
        with ThreadPoolExecutor(len(loaders)) as pool:
            # What threads do comes in any order, so that a kind may be missed; then it goes on with the other events.
            for some in (sorted(chosen), sorted({*numbers} - chosen)):
                for start in range(0, len(some), len(loaders)):
                    if some[0] not in chosen and _kinds(events) >= _kinds(there[first - 1 :]):
                        return events
                    pair = some[start : start + len(loaders)]
                    for number, (killed, found) in zip(
                        pair, pool.map(self.killed, loaders, pair), strict=False
                    ):
                        assert found == expected, f"killed at event {number}: {killed}"
                        events += killed
        return events

    def _undisturbed(self, loader: Nursery) -> tuple[dict[str, Any], list[str]]:
        """What there is, and what a loader did for it, when no one kills."""
        run = _named(self.loader, 0)
        self.prepare(run)
        tried = loader.load(self.step(run))
        assert not tried.failed, tried.log
        return _state(run), tried.events


def _first_of_each_kind(events: list[str], first: int) -> set[int]:
    """Numbers, from 1, of events from number ``first`` on."""
    found: dict[str, int] = {}
    for number, event in enumerate(events[first - 1 :], start=first):
        found.setdefault(_kind(event), number)
    return {*found.values()}


def _standing(run: LoaderRun) -> tuple[object, ...] | None:
    """Loads, rows, changes and refused rows that others see."""
    schema, table = run.project.schema, run.name.replace("-", "_")
    with run.postgres.administrator() as connection:
        chain = entries(connection, schema, run.uid)
        if not chain:
            return None
        query = sql.SQL(
            "SELECT count(*), sum(price), sum(load_sequence), (SELECT count(*) FROM {changes} WHERE dataset_uid = %s),"
            " (SELECT count(*) FROM {rejects} WHERE dataset_uid = %s) FROM {table}"
        ).format(
            table=sql.Identifier(schema, table),
            changes=sql.Identifier(schema, "data_changes"),
            rejects=sql.Identifier(schema, "data_rejects"),
        )
        return (len(chain), connection.execute(query, [run.uid, run.uid]).fetchone())


def _kind(event: str) -> str:
    """First word of an event, with the directory for a write."""
    word = event.split(maxsplit=1)[0]
    return f"{word} {event.split('/')[3]}" if word in ("put", "delete") else word


def _kinds(events: list[str]) -> set[str]:
    return {_kind(event) for event in events}


def test_the_first_load_in_steps_is_the_same_wherever_it_is_killed(
    loader: LoaderRun, loaders: list[Nursery], sweep: Sweep
) -> None:
    def prepare(run: LoaderRun) -> None:
        _put(run, "a.csv", [*(f"{key},{key * 7 % 200}" for key in range(1, 101)), ",1"])

    events = Trial(loader, prepare, lambda run: _step(run, 1, percent="40")).everywhere(loaders, sweep)
    assert _kinds(events) >= {
        "SELECT", "SET", "CREATE", "ALTER", "INSERT", "COPY", "copy:", "commit", "savepoint", "release",
        "put staging", "put batches", "put rejects", "put loads", "put profiles", "put manifests", "put versions",
    }  # fmt: skip


def test_a_further_step_is_the_same_wherever_it_is_killed(
    loader: LoaderRun, loaders: list[Nursery], sweep: Sweep
) -> None:
    def prepare(run: LoaderRun) -> None:
        _put(run, "a.csv", [*(f"{key},{key * 7 % 200}" for key in range(1, 101)), ",1"])
        run.here(_step(run, 1, percent="40"))

    trial = Trial(loader, prepare, lambda run: _step(run, 2, percent="100"))
    before = trial.before_the_commit(loaders[0])
    after = trial.everywhere(loaders, sweep, first=len(before))
    assert {"COPY", "copy:", "INSERT", "put batches", "commit"} <= _kinds(before)
    assert {"put loads", "delete staging", "put manifests", "put versions"} <= _kinds(after)


def test_a_second_look_is_the_same_wherever_it_is_killed(
    loader: LoaderRun, loaders: list[Nursery], sweep: Sweep
) -> None:
    def prepare(run: LoaderRun) -> None:
        _put(run, "a.csv", [f"{key},{key * 7 % 200}" for key in range(1, 101)])
        run.here(_step(run, 1))
        _put(run, "b.csv", [*(f"{key},1" for key in range(90, 111)), ",1"])

    trial = Trial(loader, prepare, lambda run: _step(run, 2, refresh=True))
    before = trial.before_the_commit(loaders[0])
    after = trial.everywhere(loaders, sweep, first=len(before))
    assert {
        "CREATE",
        "ANALYZE",
        "UPDATE",
        "INSERT",
        "COPY",
        "put batches",
        "put rejects",
        "commit",
    } <= _kinds(before)
    assert {"put loads", "put manifests", "put versions"} <= _kinds(after)


def test_a_change_of_columns_is_the_same_wherever_it_is_killed(
    loader: LoaderRun, loaders: list[Nursery], sweep: Sweep
) -> None:
    def prepare(run: LoaderRun) -> None:
        _put(run, "a.csv", [f"{key},{key}{'.5' * (key % 10 == 0)}" for key in range(1, 101)])
        run.here(_step(run, 1, percent="40"))

    columns = [
        ColumnSpec(name="id", type=ColumnType.INTEGER),
        ColumnSpec(name="price", type=ColumnType.INTEGER),
        ColumnSpec(name="colour", type=ColumnType.TEXT),
    ]
    trial = Trial(loader, prepare, lambda run: _step(run, 1, percent="40", columns=columns))
    before = trial.before_the_commit(loaders[0])
    after = trial.everywhere(loaders, sweep, first=len(before))
    assert {
        "DROP", "ALTER", "UPDATE", "DELETE", "INSERT", "COPY", "put batches", "put rejects", "commit",
    } <= _kinds(before)  # fmt: skip
    assert {"put loads", "put manifests", "put versions"} <= _kinds(after)
