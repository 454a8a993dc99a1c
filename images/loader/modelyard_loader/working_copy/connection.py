"""Connections to Postgres, and what its errors mean for a step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import psycopg
from psycopg import errors

from modelyard_api.contract.steps import PostgresEndpoint
from modelyard_runtime.credentials import Login
from modelyard_runtime.errors import DataError, PlatformError
from modelyard_runtime.retry import Patience, patiently

Result = TypeVar("Result")

_CONNECT_SECONDS = 5
_OPTIONS = "-c lock_timeout=60s -c statement_timeout=30min -c timezone=UTC"

_NOT_PROVISIONED = (
    errors.InsufficientPrivilege,
    errors.InvalidSchemaName,
    errors.UndefinedColumn,
    errors.UndefinedTable,
)


class Postgres:
    """The project's schema. Work is handed over as a function of a connection, so that it can be done again."""

    def __init__(self, endpoint: PostgresEndpoint, login: Login, patience: Patience | None = None) -> None:
        self.endpoint = endpoint
        self._login = login
        self._patience = patience or Patience(total=90.0)

    @property
    def schema(self) -> str:
        """Schema of the project."""
        return self.endpoint.schema_

    def transact(self, work: Callable[[psycopg.Connection], Result]) -> Result:
        """Result of ``work`` in one transaction, done again from its beginning if the server went away.

        ``work`` must find out by itself what an earlier try has committed. Raises PlatformError when the server does
        not answer in time or refuses the project's role, DataError where it refuses the rows.
        """

        def attempt() -> Result:
            with self._connect() as connection:
                return work(connection)

        with self._explained():
            return patiently(attempt, _may_pass, self._patience, f"Postgres at {self.endpoint.host}")

    @contextmanager
    def session(self) -> Iterator[psycopg.Connection]:
        """A connection for the time of the block, for what belongs to it, such as advisory locks. Raises PlatformError."""
        with self._explained():
            connection = patiently(
                self._connect, _may_pass, self._patience, f"Postgres at {self.endpoint.host}"
            )
            try:
                yield connection
            finally:
                connection.close()

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(
            host=self.endpoint.host,
            port=self.endpoint.port,
            dbname=self.endpoint.database,
            user=self._login.username,
            password=self._login.password,
            sslmode=self.endpoint.sslmode,
            connect_timeout=_CONNECT_SECONDS,
            application_name="modelyard-loader",
            options=_OPTIONS,
            # A peer that is gone without a word is noticed after 30 s, not after the kernel's two hours.
            keepalives_idle=15,
            keepalives_interval=5,
            keepalives_count=3,
        )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        where = f"Postgres at {self.endpoint.host}:{self.endpoint.port}"
        try:
            yield
        except (psycopg.DataError, psycopg.IntegrityError, errors.ProgramLimitExceeded) as error:
            raise DataError(
                f"Postgres refuses the rows: {_first_line(error)}",
                remedy="change the values in the source, or choose another primaryKey",
            ) from error
        except _NOT_PROVISIONED as error:
            raise PlatformError(
                _first_line(error),
                field=f"schema {self.schema}",
                remedy="wait for the project's provisioning, or repair the rights of its role",
            ) from error
        except psycopg.OperationalError as error:
            raise PlatformError(
                f"no answer ({_first_line(error)})",
                field=where,
                remedy="check that the server is up and reachable from the project's namespace",
            ) from error


def _may_pass(error: Exception) -> bool:
    lasting = (errors.ProgramLimitExceeded,)
    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) and not isinstance(
        error, lasting
    )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().split("\n")
    return lines[0].strip() or type(error).__name__
