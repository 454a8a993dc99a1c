"""Data sets that are shipped with the loader, so that a first run needs no internet."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path

from modelyard_api.contract.manifest import Column
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_api.v1alpha1.sources import BuiltinName, FileFormat, Files, Source
from modelyard_loader.sources.files import ALL_KNOWN, FilesSource, Listing, RemoteFile, written
from modelyard_loader.sources.reading import OpenSource, SourceContext
from modelyard_runtime.errors import InvalidSpecError

_TEXT = ColumnType.TEXT
_INTEGER = ColumnType.INTEGER


@dataclass(frozen=True)
class BuiltinFile:
    """A gzipped CSV file of the package. Types are said, not guessed, so that they never change by themselves."""

    name: str
    type: ColumnType = ColumnType.NUMBER
    """Type of all columns but ``others``."""
    others: Mapping[str, ColumnType] = field(default_factory=dict)

    def content(self) -> bytes:
        """The CSV file."""
        return gzip.decompress(
            resources.files(__package__).joinpath("data", f"{self.name}.csv.gz").read_bytes()
        )

    def put(self, target: Path) -> str:
        """Writes the CSV file; returns its SHA-256."""
        return written(iter([self.content()]), target)


FILES: Mapping[BuiltinName, BuiltinFile] = {
    BuiltinName.CALIFORNIA_HOUSING: BuiltinFile("california_housing"),
    BuiltinName.PRODUCT_TITLES: BuiltinFile(
        "product_titles", _TEXT, {"product_id": _INTEGER, "merchant_id": _INTEGER}
    ),
    BuiltinName.IRIS: BuiltinFile("iris", others={"species": _TEXT}),
    BuiltinName.WINE: BuiltinFile("wine", others={"cultivar": _TEXT}),
    BuiltinName.BREAST_CANCER: BuiltinFile("breast_cancer", others={"diagnosis": _TEXT}),
    BuiltinName.DIABETES: BuiltinFile("diabetes"),
    BuiltinName.DIGITS: BuiltinFile("digits", _INTEGER),
}


def open_builtin(source: Source, context: SourceContext) -> OpenSource:
    """Rows of a built-in data set; all of them, however often it is asked."""
    if source.builtin is None:
        raise InvalidSpecError("is not set", field="spec.source.builtin")
    file = FILES[source.builtin.name]
    columns = context.columns or tuple(
        Column(name=name, type=file.others.get(name, file.type)) for name in _names(file.content())
    )
    remote = RemoteFile(f"{file.name}.csv", "", file.put)
    known = replace(context, columns=columns, first_row=1, consumed=ALL_KNOWN)
    return _Builtin(known, Files(format=FileFormat.CSV), "spec.source.builtin", Listing([remote]))


class _Builtin(FilesSource):
    """Pinned by the image, so there is nothing new."""

    def unchanged(self, consumed: Mapping[str, str], digest: str) -> bool:
        """Always."""
        del consumed, digest
        return True


def _names(content: bytes) -> list[str]:
    return content[: content.index(b"\n")].decode().rstrip("\r").split(",")
