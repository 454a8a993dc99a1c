"""Where everything happens: a Postgres and a store of the benchmark's own, and the interpreters of the contenders."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import obstore
from obstore.store import S3Store

from bringup.paths import REPOSITORY
from modelyard_api.v1alpha1.sources import FileFormat, S3Source, Source
from tests.bench.data.rows import COLUMNS, KEY
from tests.support.postgres import DATABASE, PostgresServer, Project, running_postgres
from tests.support.s3 import BUCKET, S3Server, running_store

PROJECT = "bench"
_BUILD = REPOSITORY / "build" / "bench"
_PACKAGES = ("operator/api", "images/runtime", "images/loader")


@dataclass(frozen=True)
class Stage:
    """Servers, a project in both, and a directory for files."""

    postgres: PostgresServer
    s3: S3Server
    project: Project
    directory: Path

    @property
    def log(self) -> Path:
        """Where programs write what they have to say."""
        return self.directory / "programs.log"

    @property
    def url(self) -> str:
        """The database as the project's role, for programs that take a URL."""
        password = self.project.password.replace(" ", "%20")
        place = f"127.0.0.1:{self.postgres.port}/{DATABASE}"
        return f"postgresql://{self.project.username}:{password}@{place}"

    @property
    def environment(self) -> dict[str, str]:
        """Environment of contenders: names of tables are those of the project's schema."""
        return {**os.environ, "PGOPTIONS": f"-c search_path={self.project.schema}"}

    @property
    def s3_environment(self) -> dict[str, str]:
        """Credentials of the store, for programs that are not the loader."""
        return {"AWS_ACCESS_KEY_ID": self.s3.login.username, "AWS_SECRET_ACCESS_KEY": self.s3.login.password}

    def upload(self, file: Path, key: str) -> Source:
        """Puts a file next to the project's record, and says how a Dataset names it."""
        store = S3Store(
            BUCKET,
            endpoint=self.s3.url,
            region="us-east-1",
            access_key_id=self.s3.login.username,
            secret_access_key=self.s3.login.password,
            virtual_hosted_style_request=False,
            client_options={"allow_http": True},
        )
        obstore.put(store, key, file)
        return self.source(key, FileFormat.CSV if file.suffix == ".csv" else FileFormat.PARQUET)

    def source(self, key: str, form: FileFormat) -> Source:
        """Objects of the store as a source."""
        return Source(s3=S3Source(uri=f"s3://{BUCKET}/{key}", format=form))

    def make_table(self, name: str, *, keyed: bool = True) -> None:
        """An empty table of the project's role, with the key that the loader's has too."""
        self.drop(name)
        columns = [f'"{column}" {kind}' for column, kind in COLUMNS.items()]
        key = [f'PRIMARY KEY ("{KEY}")'] if keyed else []
        schema, role = self.project.schema, self.project.username
        with self.postgres.administrator() as connection:
            connection.execute(f'CREATE TABLE "{schema}"."{name}" ({", ".join([*columns, *key])})')
            connection.execute(f'ALTER TABLE "{schema}"."{name}" OWNER TO "{role}"')
            connection.execute("CHECKPOINT")

    def drop(self, name: str) -> None:
        """Removes a table, if it is there, with what was made of it."""
        with self.postgres.administrator() as connection:
            connection.execute(f'DROP TABLE IF EXISTS "{self.project.schema}"."{name}" CASCADE')


def interpreter(name: str) -> Path:
    """Python of a contender's own virtual environment, which `hack/bench` makes."""
    return _BUILD / f"venv-{name}" / "bin" / "python"


def package_path() -> str:
    """Where the loader's packages are, as in its image."""
    return os.pathsep.join(str(REPOSITORY / package) for package in _PACKAGES)


@contextmanager
def staged(directory: Path) -> Iterator[Stage]:
    """Fresh servers for the time of the block."""
    directory.mkdir(parents=True, exist_ok=True)
    with running_postgres() as postgres, running_store("minio") as s3:
        yield Stage(postgres, s3, postgres.make_project(PROJECT), directory)
