"""A real PostgreSQL server on the loopback, from the machine's packages, for as long as a test run."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from bringup.context import Context
from bringup.debian import install_packages
from modelyard_api.contract.steps import PostgresEndpoint
from modelyard_provisioner.credentials import Login
from modelyard_provisioner.postgres import ensure_project
from tests.support.ports import free_port
from tests.support.waiting import until

DATABASE = "modelyard"
_ADMINISTRATOR = "administrator"
_DEBIAN = Path("/usr/lib/postgresql")
_START_SECONDS = 60.0


@dataclass(frozen=True)
class Project:
    """A role and the schema that it works in, as the provisioning makes them."""

    schema: str
    username: str
    password: str


def postgres_endpoint(server: "PostgresServer", project: Project) -> PostgresEndpoint:
    """The project's schema, as a step names it."""
    return PostgresEndpoint(
        host="127.0.0.1", port=server.port, database=DATABASE, schema_=project.schema, sslmode="disable"
    )


class PostgresServer:
    """One server and its data directory."""

    def __init__(self, directory: Path, binaries: Path, user: str | None) -> None:
        self.port = free_port()
        self._directory = directory
        self._binaries = binaries
        self._user = user
        self._process: subprocess.Popen[bytes] | None = None

    def initialise(self) -> None:
        """Makes the data directory and the database."""
        data = self._directory / "data"
        arguments = ["-D", str(data), "-U", _ADMINISTRATOR, "--auth=trust", "--no-sync", "--encoding=UTF8"]
        subprocess.run(
            [self._binaries / "initdb", *arguments, "--locale=C.UTF-8"],
            check=True,
            user=self._user,
            cwd=self._directory,
            stdout=subprocess.DEVNULL,
        )
        # Roles of projects prove their password; the administrator is whoever reaches the loopback.
        (data / "pg_hba.conf").write_text(
            f"host all {_ADMINISTRATOR} 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        )
        self.start()
        with self.administrator("postgres") as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))

    def start(self) -> None:
        """Starts the server and returns when it answers."""
        flags = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self._directory),
            "fsync": "off",
        }
        with (self._directory / "log").open("ab") as output:
            self._process = subprocess.Popen(
                [
                    self._binaries / "postgres",
                    "-D",
                    self._directory / "data",
                    *(f"-c{key}={value}" for key, value in flags.items()),
                ],
                user=self._user,
                cwd=self._directory,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        until(self._answers, _START_SECONDS, f"PostgreSQL answering on port {self.port}")

    def stop(self) -> None:
        """Ends the server at once, breaking its connections; what is committed stays."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)
            self._process = None

    @contextmanager
    def administrator(self, database: str = DATABASE) -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
        """A connection that may do everything; each statement is its own transaction."""
        with psycopg.connect(
            host="127.0.0.1", port=self.port, dbname=database, user=_ADMINISTRATOR, autocommit=True
        ) as connection:
            yield connection

    @contextmanager
    def session_of(self, project: Project) -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
        """A connection of a project's role; each statement is its own transaction."""
        with psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            dbname=DATABASE,
            user=project.username,
            password=project.password,
            autocommit=True,
        ) as connection:
            yield connection

    def make_project(self, name: str) -> Project:
        """A project as the provisioning makes it, by its own means."""
        project = Project(schema=name, username=name, password=f"secret of {name}")
        with self.administrator() as connection:
            ensure_project(connection, DATABASE, name, Login(name, project.password))
        return project

    def _answers(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise RuntimeError(f"PostgreSQL ended:\n{(self._directory / 'log').read_text()[-2000:]}")
        try:
            with self.administrator("postgres") as connection:
                connection.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True


def _binaries() -> Path:
    """Where the server's programs are; Debian keeps them off the path. Installs the package if there are none."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    if not sorted(_DEBIAN.glob("*/bin/initdb")):
        install_packages(Context.here(), ["postgresql"])
    return max(_DEBIAN.glob("*/bin/initdb"), key=lambda path: float(path.parts[-3])).parent


def _account() -> pwd.struct_passwd | None:
    """The account that the server runs as where the tests run as root, whom it refuses."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One server for all tests of a run; tests separate themselves by project."""
    with running_postgres() as server:
        yield server


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """A server of its own for the time of the block."""
    binaries = _binaries()
    account = _account()
    with tempfile.TemporaryDirectory(prefix="modelyard-postgres-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        if account is not None:
            os.chown(directory, account.pw_uid, account.pw_gid)
        server = PostgresServer(directory, binaries, account.pw_name if account else None)
        try:
            server.initialise()
            yield server
        finally:
            server.stop()
