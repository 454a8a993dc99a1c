"""Where the rows of a Dataset come from: one model a kind of source, one-of by key."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from modelyard_api.base import ApiModel, OneOf
from modelyard_api.v1alpha1.common import ResourceName


class BuiltinName(StrEnum):
    """Data sets that are shipped with the loader image."""

    CALIFORNIA_HOUSING = "california-housing"
    PRODUCT_TITLES = "product-titles"
    IRIS = "iris"
    WINE = "wine"
    BREAST_CANCER = "breast-cancer"
    DIABETES = "diabetes"
    DIGITS = "digits"


class FileFormat(StrEnum):
    """How a file holds rows."""

    CSV = "CSV"
    JSON_LINES = "JSONLines"
    PARQUET = "Parquet"


class CsvOptions(ApiModel):
    """How a CSV file is written, where it differs from RFC 4180 in UTF-8 with a header."""

    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    """Character between values."""
    quote: Annotated[str, Field(min_length=1, max_length=1)] = '"'
    """Character around values that hold a delimiter."""
    encoding: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]+$", max_length=32)] = "UTF-8"
    """Encoding of the text, by its IANA name."""
    null_values: Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=16)] = [""]
    """Texts that stand for a missing value."""


class SecretRef(ApiModel):
    """A Secret of the same namespace; its keys are mounted as files, the operator never reads them."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=253)]
    """Name of the Secret."""


class BuiltinSource(ApiModel):
    """A data set of the loader image, so that a first run needs no internet."""

    name: BuiltinName
    """Which one."""


class Files(ApiModel):
    """How the files of a source are read."""

    format: FileFormat | None = None
    """Format of the files; told by the ending of their names if unset.

    CSV and JSON lines may be packed with gzip or zstd; Parquet packs its columns itself.
    """
    csv: CsvOptions | None = None
    """How CSV files are written."""


class S3Source(Files):
    """Files of an S3 bucket. What appears later is loaded by later steps, each object once."""

    uri: Annotated[str, Field(pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.+$", max_length=1024)]
    """``s3://bucket/key``; ``*``, ``?`` and ``**`` match as in a shell."""
    endpoint_url: Annotated[str, Field(pattern=r"^https?://[^\s@]+$", max_length=512)] | None = None
    """URL of the store; that of the project's own record if unset."""
    region: Annotated[str, Field(max_length=64)] = "us-east-1"
    """Region of the bucket."""
    credentials_secret: SecretRef | None = None
    """Secret with the keys ``access-key`` and ``secret-key`` (and ``session-token``); the project's own if unset."""


class HttpSource(Files):
    """One file behind a URL, pinned by its digest."""

    url: Annotated[str, Field(pattern=r"^https?://[^\s@]+$", max_length=2048)]
    """Address without user or password."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", max_length=64)]
    """SHA-256 of the file as it is served, as hex."""
    credentials_secret: SecretRef | None = None
    """Secret with the key ``token`` (sent as bearer token), or ``username`` and ``password``."""


class SqlSource(ApiModel):
    """The answer of a query to any PostgreSQL server, read in a transaction that cannot write."""

    credentials_secret: SecretRef
    """Secret with ``host``, ``database``, ``username``, ``password``; if need be ``port``, ``sslmode`` and ``ca.crt``."""
    query: Annotated[str, Field(min_length=1, max_length=8192)]
    """One SELECT statement."""


class UploadSource(Files):
    """Files that are put below ``<project>/inbox/<dataset>/`` of the record's bucket, each loaded once."""


class DatasetSource(ApiModel):
    """A variant of another Dataset of the same namespace."""

    name: ResourceName
    """Name of the Dataset."""
    variant: Annotated[str, Field(max_length=30)]
    """Variant of it."""


class Source(OneOf):
    """Where the rows come from."""

    builtin: BuiltinSource | None = None
    """A data set shipped with the loader image."""
    s3: S3Source | None = None
    """Files of an S3 bucket."""
    http: HttpSource | None = None
    """One file behind a URL."""
    sql: SqlSource | None = None
    """The answer of a query to a PostgreSQL server."""
    upload: UploadSource | None = None
    """Files that are put into the Dataset's inbox."""
    dataset: DatasetSource | None = None
    """A variant of another Dataset."""

    @property
    def grows(self) -> bool:
        """Whether rows may appear after everything was loaded; the others are pinned by name or digest."""
        return self.chosen in {"s3", "sql", "upload", "dataset"}

    @property
    def secret(self) -> str | None:
        """Name of the Secret with the source's credentials, where it has one."""
        chosen = getattr(self, self.chosen)
        reference: SecretRef | None = getattr(chosen, "credentials_secret", None)
        return reference.name if reference else None
