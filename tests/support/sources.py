"""Reading a source as a load step does, in a directory of its own."""

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pyarrow as pa

from modelyard_api.contract.manifest import Column
from modelyard_api.contract.steps import NetworkRules, Owner, Published, S3Endpoint
from modelyard_api.v1alpha1.loading import ColumnSpec
from modelyard_api.v1alpha1.sources import Files, Source
from modelyard_loader.sources import OpenSource, Reject, SourceContext, open_source
from modelyard_loader.sources.files import FilesSource, Listing, RemoteFile
from modelyard_runtime.credentials import Login
from modelyard_runtime.retry import Patience
from modelyard_runtime.s3 import ObjectStore, Outage

_NUMBERS = itertools.count(1)


def nowhere() -> ObjectStore:
    """A store that nothing answers for."""
    endpoint = S3Endpoint(endpoint_url="http://127.0.0.1:1", bucket="modelyard", prefix="demo")
    return ObjectStore(endpoint, Login("nobody", "nothing"), Outage(total=0.1, retries=0))


@dataclass(frozen=True)
class Given:
    """Everything that one reading of a source gave."""

    columns: tuple[Column, ...]
    table: pa.Table
    numbers: list[int]
    rejects: list[Reject]
    digest: str
    consumed: dict[str, str]
    whole: bool
    changed: tuple[str, ...]
    vanished: tuple[str, ...]

    @property
    def types(self) -> dict[str, str]:
        """Canonical type of each column."""
        return {column.name: column.type.value for column in self.columns}

    @property
    def rows(self) -> list[dict[str, object]]:
        """The rows as dicts."""
        rows: list[dict[str, object]] = self.table.to_pylist()
        return rows

    @property
    def reasons(self) -> dict[int | None, str]:
        """Reason by the number of the rejected row."""
        return {reject.row_number: reject.reason for reject in self.rejects}


@dataclass
class Reading:
    """What sources are read with."""

    directory: Path
    store: ObjectStore = field(default_factory=nowhere)
    project: str = "demo"
    dataset: str = "houses"
    network: NetworkRules = field(default_factory=lambda: NetworkRules(private_addresses=True))
    patience: Patience = field(
        default_factory=lambda: Patience(total=2.0, first_pause=0.01, longest_pause=0.05)
    )

    def secret(self, **keys: str) -> None:
        """Makes the Secret of the source."""
        secrets = self.directory / "source-secret"
        secrets.mkdir(exist_ok=True)
        for old in secrets.iterdir():
            old.unlink()
        for key, value in keys.items():
            (secrets / key.replace("_", "-")).write_text(value)

    def open(
        self,
        source: Mapping[str, object],
        *,
        columns: Sequence[Column] = (),
        declared: Sequence[ColumnSpec] = (),
        consumed: Mapping[str, str] | None = None,
        first_row: int = 1,
        parent: Published | None = None,
    ) -> OpenSource:
        """Opens a source as a user writes it."""
        context = replace(self.context(columns, declared, consumed), first_row=first_row, parent=parent)
        return open_source(Source.model_validate(source), context)

    def context(
        self,
        columns: Sequence[Column] = (),
        declared: Sequence[ColumnSpec] = (),
        consumed: Mapping[str, str] | None = None,
    ) -> SourceContext:
        """What a source is told."""
        scratch = self.directory / f"scratch-{next(_NUMBERS)}"
        scratch.mkdir()
        return SourceContext(
            store=self.store,
            owner=Owner(project=self.project, name=self.dataset, uid="u", generation=1),
            secrets=self.directory / "source-secret",
            scratch=scratch,
            network=self.network,
            key=("id",),
            columns=tuple(columns),
            declared=tuple(declared),
            consumed=consumed or {},
            patience=self.patience,
        )

    def files(
        self, contents: Mapping[str, bytes], files: Files | None = None, context: SourceContext | None = None
    ) -> Given:
        """Reads files that lie on this machine, as they would be read from anywhere."""
        remote = [RemoteFile(name, name, partial(_put, content)) for name, content in contents.items()]
        return drained(
            FilesSource(context or self.context(), files or Files(), "spec.source.s3", Listing(remote))
        )

    def read(
        self,
        source: Mapping[str, object],
        *,
        columns: Sequence[Column] = (),
        declared: Sequence[ColumnSpec] = (),
        consumed: Mapping[str, str] | None = None,
        first_row: int = 1,
        parent: Published | None = None,
    ) -> Given:
        """Reads a source to its end."""
        opened = self.open(
            source, columns=columns, declared=declared, consumed=consumed, first_row=first_row, parent=parent
        )
        return drained(opened)


def _put(content: bytes, target: Path) -> str:
    target.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def drained(opened: OpenSource) -> Given:
    """Reads an open source to its end."""
    with opened as source:
        batches = list(source.batches())
        tables = [pa.Table.from_batches([batch.rows]) for batch in batches]
        return Given(
            columns=source.columns,
            table=pa.concat_tables(tables) if tables else pa.table({}),
            numbers=[int(number) for batch in batches for number in batch.numbers],
            rejects=list(source.rejects),
            digest=source.digest,
            consumed=source.consumed,
            whole=source.whole,
            changed=source.changed,
            vanished=source.vanished,
        )
