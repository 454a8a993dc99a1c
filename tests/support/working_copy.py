"""A working copy that is loaded by the loader's own means but without its process, for tests that then damage it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg
import pyarrow as pa
from psycopg import sql

from modelyard_api.contract.manifest import Part
from modelyard_api.contract.steps import Owner, PostgresEndpoint
from modelyard_loader.record.files import write_batch
from modelyard_loader.record.loads import LoadContent, LoadRecords
from modelyard_loader.working_copy.connection import Postgres
from modelyard_loader.working_copy.history import make_history, record_updates
from modelyard_loader.working_copy.ledger import GENESIS, LedgerEntry, append, head
from modelyard_loader.working_copy.rows import copy_rows, make_table, name_rows
from modelyard_loader.working_copy.tables import DatasetTable
from modelyard_runtime.columns import canonical_columns
from modelyard_runtime.credentials import Login
from modelyard_runtime.s3 import ObjectStore
from tests.support.postgres import DATABASE, PostgresServer, Project
from tests.support.s3 import S3Server

UID = "0a1b2c3d-0000-4000-8000-000000000000"
START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_INCOMING = sql.Identifier("pg_temp", "incoming")
_AUDIT = ("data_loads", "data_changes", "data_rejects")

Row = tuple[object, ...]
Session = psycopg.Connection[Row]


@dataclass(frozen=True)
class WorkingCopy:
    """The Dataset ``houses`` of one project, with the key ``id``."""

    server: PostgresServer
    s3: S3Server
    project: Project
    uid: str = UID

    @property
    def owner(self) -> Owner:
        """The resource."""
        return Owner(project=self.project.schema, name="houses", uid=self.uid, generation=1, image="image")

    @property
    def postgres(self) -> Postgres:
        """The project's schema as its role sees it."""
        endpoint = PostgresEndpoint(
            host="127.0.0.1", port=self.server.port, database=DATABASE, schema_=self.project.schema
        )
        return Postgres(endpoint, Login(self.project.username, self.project.password))

    @property
    def store(self) -> ObjectStore:
        """The project's part of the store."""
        return self.s3.store(self.project.schema)

    @property
    def records(self) -> LoadRecords:
        """The record of the loads."""
        return LoadRecords(self.store, "houses", self.uid)

    def load(
        self, rows: pa.Table, *, updated: int = 0, rejects: Sequence[str] = (), recorded: bool = True
    ) -> LedgerEntry:
        """Loads rows as the next load; ``updated`` of them replace rows of the same id."""
        part = write_batch(self.store, "houses", rows)
        refused = self._rejects(rejects)
        entry = self.postgres.transact(
            lambda connection: self._commit(connection, rows, part, updated, refused)
        )
        if recorded:
            self.records.write(entry)
        return entry

    def damage(self, *statements: str) -> None:
        """What an administrator, or an accident, does in the project's schema."""
        with self.server.administrator() as session:
            session.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(self.project.schema)))
            for statement in statements:
                session.execute(statement.encode())

    def lose_schema(self) -> None:
        """Drops all that Postgres has of the project, and provisions it anew."""
        self.damage(f'DROP SCHEMA "{self.project.schema}" CASCADE')
        self.server.make_project(self.project.schema)

    def state(self) -> dict[str, list[Row]]:
        """Everything that can be asked of the working copy, each row as text, in a fixed order."""
        relations = {name: name for name in (*_AUDIT, "houses", "houses_history")}
        relations |= {f"as of {sequence}": f"houses_as_of({sequence})" for sequence in (1, 2)}
        with self.session() as session:
            return {name: texts_of(session, relation) for name, relation in relations.items()}

    def holds(self) -> set[Row]:
        """What the view of loads says of the chain."""
        with self.session() as session:
            return set(session.execute("SELECT entry_holds, link_holds FROM loads").fetchall())

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A connection of the project's role."""
        with self.server.session_of(self.project) as session:
            yield session

    def _commit(
        self,
        connection: psycopg.Connection,
        rows: pa.Table,
        part: Part,
        updated: int,
        rejects: tuple[Part, pa.Table] | None,
    ) -> LedgerEntry:
        schema = self.project.schema
        before = head(connection, schema, self.uid)
        sequence = before.sequence + 1 if before else 1
        moment = START + timedelta(minutes=sequence)
        table = DatasetTable.of(schema, self.owner, ("id",), canonical_columns(rows.schema))
        if before is None:
            make_table(connection, table.identifier, rows.schema, table.key)
        make_table(connection, _INCOMING, rows.schema, table.key)
        copy_rows(connection, _INCOMING, rows.schema, rows.to_batches(), sequence=sequence)
        if before is not None:
            record_updates(connection, table, sequence, moment, _INCOMING)
            connection.execute(
                "DELETE FROM houses AS old USING pg_temp.incoming AS new WHERE old.id = new.id"
            )
        connection.execute("INSERT INTO houses SELECT * FROM pg_temp.incoming")
        if before is None:
            name_rows(connection, table.identifier, table.key)
            make_history(connection, table)
        if rejects is not None:
            self._set_aside(connection, rejects[1], sequence)
        content = LoadContent(
            parts=[part],
            key=["id"],
            columns=canonical_columns(rows.schema),
            updated=updated,
            rejects=rejects[0] if rejects else None,
        )
        entry = LedgerEntry(
            dataset="houses",
            dataset_uid=self.uid,
            sequence=sequence,
            batch_name=f"houses-{sequence:06d}",
            percentage="12.50",
            total_rows=(before.total_rows if before else 0) + rows.num_rows - updated,
            offered=rows.num_rows,
            accepted=rows.num_rows,
            rejected=rejects[1].num_rows if rejects else 0,
            source_digest="sha256:0",
            generation=1,
            image="image",
            started_at=moment - timedelta(seconds=1.5),
            completed_at=moment,
            metadata=content.to_wire(),
            requested_by="anna",
            trigger="Schedule",
        ).sealed(before.hash if before else GENESIS)
        append(connection, schema, entry)
        return entry

    def _set_aside(self, connection: psycopg.Connection, rejects: pa.Table, sequence: int) -> None:
        for row in rejects.to_pylist():
            connection.execute(
                "INSERT INTO data_rejects VALUES ('houses', %s, %s, %s, %s, %s)",
                [self.uid, sequence, row["reason"], row["row_number"], row["content"]],
            )

    def _rejects(self, reasons: Sequence[str]) -> tuple[Part, pa.Table] | None:
        if not reasons:
            return None
        numbers: list[int | None] = [None, *range(7, 6 + len(reasons))]
        table = pa.table(
            {
                "reason": pa.array(list(reasons), pa.string()),
                "row_number": pa.array(numbers, pa.int64()),
                "content": pa.array([f"{reason}, ü" for reason in reasons], pa.string()),
            }
        )
        return write_batch(self.store, "houses", table), table


def texts_of(session: Session, relation: str) -> list[Row]:
    """Rows of a relation as text, which tells every value apart, in a fixed order."""
    return session.execute(f"SELECT r::text FROM {relation} AS r ORDER BY 1".encode()).fetchall()  # noqa: S608


def houses(ids: Sequence[int], price: float | None = 0.1) -> pa.Table:
    """Rows of these ids; everything but the price follows from the id."""
    return pa.table(
        {
            "id": pa.array(ids, pa.int64()),
            "price": pa.array([price] * len(ids), pa.float64()),
            "sold": pa.array([each % 3 == 0 if each % 2 else None for each in ids], pa.bool_()),
            "Old Owner": pa.array([f"ä {each}" if each % 5 else None for each in ids], pa.string()),
        }
    )
