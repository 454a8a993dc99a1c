"""The answer of a query to a PostgreSQL server: read once, by a cursor of the server, in a transaction that cannot write.

Every value comes as the text that the server writes, and goes the way of the values of a CSV file.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from psycopg import errors, sql
from psycopg.types.string import TextLoader

from modelyard_api.contract.manifest import Column
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_api.v1alpha1.sources import Source, SqlSource
from modelyard_loader.sources.conversion import Conversion, RawBatch, gathered
from modelyard_loader.sources.drift import Wanted, check_declared, check_frozen
from modelyard_loader.sources.reading import OpenSource, SourceBatch, SourceContext
from modelyard_loader.sources.secret import SourceSecret
from modelyard_loader.sources.sql_query import FIELD as QUERY
from modelyard_loader.sources.sql_query import judged
from modelyard_loader.sources.values import Form, Target
from modelyard_runtime.errors import DataError, InvalidSpecError, PlatformError, StepError
from modelyard_runtime.retry import patiently

_SECRET = "spec.source.sql.credentialsSecret"  # noqa: S105  a field's name
_FETCH_ROWS = 16_384
_STATEMENT_SECONDS = 1800
_LOCK_SECONDS = 30
_CONNECT_SECONDS = 5
_SETTINGS = (
    "SET LOCAL timezone TO 'UTC'",
    "SET LOCAL datestyle TO 'ISO'",
    "SET LOCAL intervalstyle TO 'iso_8601'",
    "SET LOCAL extra_float_digits TO 3",
)
"""How values are written, whatever the server's own settings are."""
_INTEGERS = frozenset({"int2", "int4", "int8", "oid"})
_NUMBERS = frozenset({"float4", "float8", "numeric"})
_REFUSED = frozenset({"bytea", "record"})
_FORMS = {"timestamptz": Form.INSTANT, "timestamp": Form.LOCAL}
_MODES = frozenset({"disable", "allow", "prefer", "require", "verify-ca", "verify-full"})
_LOGIN = re.compile(
    r"password|authentication|no pg_hba\.conf entry|role .* (does not exist|is not permitted)"
)
_AUTHORITY = "ca.crt"
_UNTRUSTED = re.compile(
    r"certificate verify failed|signature failure|server certificate for|could not read root certificate"
)
_PLAIN = re.compile(r"server does not support SSL")
_DATABASE = re.compile(r"database .* does not exist")
_MISTAKES = (
    errors.UndefinedTable,
    errors.UndefinedColumn,
    errors.UndefinedFunction,
    errors.SyntaxError,
    errors.InsufficientPrivilege,
    errors.InvalidSchemaName,
    errors.AmbiguousColumn,
    errors.GroupingError,
    errors.DatatypeMismatch,
    errors.WrongObjectType,
)


@dataclass(frozen=True)
class _Told:
    """A column of the answer, by the server's description."""

    name: str
    oid: int
    type: str
    is_array: bool

    def target(self) -> Target:
        """What its values become. Raises InvalidSpecError for types that have no canonical one."""
        if self.type in _REFUSED or self.is_array:
            raise InvalidSpecError(
                f"column {self.name} is of type {self.type}{'[]' if self.is_array else ''}, which has no canonical type",
                field=QUERY,
                remedy="leave it out, or cast it to text in the query",
            )
        if self.type in _INTEGERS:
            return Target(ColumnType.INTEGER)
        if self.type in _NUMBERS:
            return Target(ColumnType.NUMBER, exact=self.type == "numeric")
        if self.type == "bool":
            return Target(ColumnType.BOOLEAN)
        return Target(ColumnType.TEXT, _FORMS.get(self.type, Form.PLAIN))


def open_sql(source: Source, context: SourceContext) -> OpenSource:
    """The rows of the answer; all of them, however often it is asked."""
    if source.sql is None:
        raise InvalidSpecError("is not set", field="spec.source.sql")
    query = judged(source.sql.query)
    server = Server.of(source.sql, SourceSecret(context.secrets, _SECRET, source.sql.credentials_secret.name))
    return SqlAnswer(server, query, context)


@dataclass(frozen=True)
class Server:
    """Where the query goes."""

    host: str
    port: int
    database: str
    sslmode: str
    secret: SourceSecret
    statement_seconds: int = _STATEMENT_SECONDS

    @classmethod
    def of(cls, asked: SqlSource, secret: SourceSecret) -> Server:
        """The server that the Secret names."""
        port, sslmode = secret.optional("port") or "5432", secret.optional("sslmode") or "prefer"
        if not port.isdecimal() or not 0 < int(port) < 2**16:
            raise _bad_key(secret, "port", "a number from 1 to 65535")
        if sslmode not in _MODES:
            raise _bad_key(secret, "sslmode", f"one of {', '.join(sorted(_MODES))}")
        if sslmode.startswith("verify"):
            secret.required(_AUTHORITY)
        del asked
        return cls(secret.required("host"), int(port), secret.required("database"), sslmode, secret)

    def __str__(self) -> str:
        return f"PostgreSQL at {self.host}:{self.port}"

    def connect(self) -> psycopg.Connection:
        """A connection whose transactions cannot write and see one state of the data."""
        connection = psycopg.connect(
            host=self.host,
            port=self.port,
            dbname=self.database,
            user=self.secret.required("username"),
            password=self.secret.required("password"),
            sslmode=self.sslmode,
            sslrootcert=str(self.secret.directory / _AUTHORITY)
            if self.sslmode.startswith("verify")
            else None,
            connect_timeout=_CONNECT_SECONDS,
            application_name="modelyard-source",
            client_encoding="UTF8",
            keepalives_idle=15,
            keepalives_interval=5,
            keepalives_count=3,
        )
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        return connection


class SqlAnswer(OpenSource):
    """The answer while it is fetched."""

    def __init__(self, server: Server, query: str, context: SourceContext) -> None:
        super().__init__()
        self._server = server
        self._query = query
        self._context = context
        self._connection: psycopg.Connection | None = None
        self._opened: psycopg.ServerCursor[tuple[object, ...]] | None = None
        self._hash: _AnswerHash | None = None
        self._finished = False
        with self._explained():
            self._cursor = patiently(self._asked, _may_pass, context.patience, str(server))
        try:
            self._told = self._described()
            self._wanted, self._inferred = self._decide()
        except StepError:
            self.close()
            raise
        self.columns = tuple(Column(name=each.name, type=each.target.type) for each in self._wanted)

    def batches(self) -> Iterator[SourceBatch]:
        """The rows, in the order of the answer."""
        yield from gathered(self._batches())
        self._finished = True

    @property
    def digest(self) -> str:
        """Over names, types and values, in the order of the answer."""
        if not self._finished or self._hash is None:
            raise RuntimeError("batches() must be read to its end first")
        return self._hash.digest()

    @property
    def consumed(self) -> dict[str, str]:
        """Nothing: the whole answer is read each time."""
        return {}

    def close(self) -> None:
        """Ends the transaction and the connection."""
        for each in (self._opened, self._connection):
            if each is not None:
                with suppress(psycopg.Error):
                    each.close()
        self._opened = self._connection = None

    def _asked(self) -> psycopg.ServerCursor[tuple[object, ...]]:
        self.close()
        self._connection = connection = self._server.connect()
        for setting in _SETTINGS:
            connection.execute(setting)
        for name, seconds in (
            ("statement_timeout", self._server.statement_seconds),
            ("lock_timeout", _LOCK_SECONDS),
        ):
            connection.execute(
                sql.SQL("SET LOCAL {} TO {}").format(sql.Identifier(name), sql.Literal(seconds * 1000))
            )
        self._opened = cursor = connection.cursor(name="modelyard_source")
        # A query without parameters is sent as it is: a percent sign in it is no place for one.
        cursor.execute(self._query.encode())
        return cursor

    def _described(self) -> list[_Told]:
        told = []
        for column in self._cursor.description or []:
            info = self._cursor.adapters.types.get(column.type_code)
            is_array = info is not None and info.array_oid == column.type_code
            told.append(_Told(column.name, column.type_code, info.name if info else "text", is_array))
            self._cursor.adapters.register_loader(column.type_code, TextLoader)
        names = [each.name for each in told]
        twins = sorted({name for name in names if names.count(name) > 1 or name == "?column?"})
        if twins:
            raise InvalidSpecError(
                f"more than one column is called {twins[0]}"
                if twins[0] != "?column?"
                else "a column has no name",
                field=QUERY,
                remedy="name each column of the answer with AS",
            )
        return told

    def _decide(self) -> tuple[list[Wanted], bool]:
        context, names = self._context, [each.name for each in self._told]
        if context.declared:
            declared = [Wanted(each.name, Target(each.type, rounded=True)) for each in context.declared]
            check_declared(declared, names, context.key, "the answer of the query")
            return [self._with_form(each) for each in declared], False
        if not context.columns:
            return [Wanted(each.name, each.target()) for each in self._told], True
        frozen = [Wanted(each.name, Target(each.type)) for each in context.columns]
        types = {each.name: each.target().type for each in self._told}
        check_frozen(frozen, names, types, "the answer of the query")
        return [self._with_form(each) for each in frozen], False

    def _with_form(self, wanted: Wanted) -> Wanted:
        told = next(each for each in self._told if each.name == wanted.name).target()
        form = told.form if wanted.target.type is ColumnType.TEXT else Form.PLAIN
        return Wanted(wanted.name, replace(wanted.target, form=form, exact=told.exact))

    def _batches(self) -> Iterator[SourceBatch]:
        conversion = Conversion(
            self._wanted, "the answer of the query", self.rejects.append, inferred=self._inferred
        )
        places = [[each.name for each in self._told].index(wanted.name) for wanted in self._wanted]
        self._hash = _AnswerHash(self._told)
        reached = 0
        while rows := self._fetched():
            arrays = [pa.array(values, pa.string()) for values in zip(*rows, strict=True)]
            self._hash.add(arrays)
            numbers = np.arange(reached + 1, reached + 1 + len(rows), dtype=np.int64)
            reached += len(rows)
            names = [each.name for each in self._wanted]
            chosen = pa.RecordBatch.from_arrays([arrays[place] for place in places], names=names)
            yield conversion.apply(RawBatch(chosen, numbers))

    def _fetched(self) -> Sequence[tuple[object, ...]]:
        with self._explained():
            return self._cursor.fetchmany(_FETCH_ROWS)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            self.close()
            raise self._told_error(error) from error

    def _told_error(self, error: psycopg.Error) -> StepError:
        said, query = _first_line(error), " ".join(self._query.split())
        if isinstance(error, errors.ReadOnlySqlTransaction):
            return InvalidSpecError(
                f"writes ({said}), and a source is only read",
                field=QUERY,
                value=query,
                remedy="leave out what writes",
            )
        if isinstance(error, errors.QueryCanceled | errors.LockNotAvailable):
            return DataError(
                f"took longer than {self._server} lets it ({said})",
                field=QUERY,
                value=query,
                remedy="make the query faster, or read less with it",
            )
        if isinstance(error, _MISTAKES):
            return InvalidSpecError(
                said,
                field=QUERY,
                value=query,
                remedy="correct the query, or grant the role the right to read",
            )
        if isinstance(error, psycopg.DataError | psycopg.ProgrammingError | psycopg.NotSupportedError):
            return DataError(said, field=QUERY, value=query, remedy="correct the query or the values")
        if _DATABASE.search(str(error)):
            return _bad_key(self._server.secret, "database", f"a database of {self._server}")
        if _UNTRUSTED.search(str(error)):
            return _bad_key(
                self._server.secret, _AUTHORITY, f"of the authority that {self._server} is known by ({said})"
            )
        if _PLAIN.search(str(error)):
            return _bad_key(self._server.secret, "sslmode", f"one that {self._server} can serve ({said})")
        if _LOGIN.search(str(error)):
            return self._server.secret.refused(str(self._server), said)
        return PlatformError(
            f"no answer ({said})",
            field=str(self._server),
            remedy="check that the server is up and can be reached from the project's namespace",
        )


class _AnswerHash:
    """Digest of an answer, the same in whatever pieces it is fetched."""

    def __init__(self, told: Sequence[_Told]) -> None:
        self._told = told
        self._rows = 0
        self._lengths = [hashlib.sha256() for _ in told]
        self._values = [hashlib.sha256() for _ in told]

    def add(self, arrays: Sequence[pa.StringArray]) -> None:
        """Takes the next rows, each array from its own first value."""
        self._rows += len(arrays[0]) if arrays else 0
        for lengths, values, array in zip(self._lengths, self._values, arrays, strict=True):
            lengths.update(pc.fill_null(pc.binary_length(array), -1).to_numpy().astype("<i4").tobytes())
            data = array.buffers()[2]
            if data is not None:
                values.update(data)

    def digest(self) -> str:
        """``sha256:<hex>``."""
        whole = hashlib.sha256(f"modelyard answer 1\n{self._rows}\n".encode())
        for told, lengths, values in zip(self._told, self._lengths, self._values, strict=True):
            line = f"{told.name}\n{told.type}\n{lengths.hexdigest()}\n{values.hexdigest()}\n"
            whole.update(line.encode())
        return f"sha256:{whole.hexdigest()}"


def _bad_key(secret: SourceSecret, key: str, wanted: str) -> InvalidSpecError:
    return InvalidSpecError(
        f"its key {key} is not {wanted}",
        field=secret.field,
        value=secret.name,
        remedy=f"correct the key {key} of the Secret {secret.name}",
    )


def _may_pass(error: Exception) -> bool:
    lasting = (
        _LOGIN.search(str(error)) or _DATABASE.search(str(error)) or isinstance(error, errors.QueryCanceled)
    )
    return isinstance(error, psycopg.OperationalError) and not lasting


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", maxsplit=1)[0] or type(error).__name__
