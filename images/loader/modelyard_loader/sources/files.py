"""Sources that are made of files: spooled to the local disk, looked through once for types, then read in order."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from modelyard_api.contract.manifest import Column
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_api.v1alpha1.loading import ColumnSpec
from modelyard_api.v1alpha1.sources import Files
from modelyard_loader.sources.conversion import Conversion, gathered
from modelyard_loader.sources.drift import Wanted, check_declared, check_frozen
from modelyard_loader.sources.formats import FORMATS, format_of
from modelyard_loader.sources.formats.format import FileText, Format
from modelyard_loader.sources.reading import EmptySourceError, OpenSource, Reject, SourceBatch, SourceContext
from modelyard_loader.sources.survey import Survey
from modelyard_loader.sources.values import Form, Target
from modelyard_runtime.errors import PlatformError
from modelyard_runtime.s3 import FULL

_FILE = "file:"
_FORM = "form:"
_FORMS_KNOWN = "forms"
ALL_KNOWN: Mapping[str, str] = {_FORMS_KNOWN: "known"}
"""What was consumed, where the types say all and no text is a time."""


@dataclass(frozen=True)
class RemoteFile:
    """A file somewhere else."""

    name: str
    """Name in messages and in the digest."""
    tag: str
    """Changes with the content."""
    fetch: Callable[[Path], str]
    """Puts the file there and gives the SHA-256 of its bytes as hex."""


@dataclass(frozen=True)
class Listing:
    """What there is to read, and what became of the files that were consumed before."""

    fresh: Sequence[RemoteFile]
    changed: tuple[str, ...] = ()
    """Names of files that are fresh because they have other content than the one that was consumed."""
    vanished: tuple[str, ...] = ()
    same: Sequence[RemoteFile] = ()
    """Files that are as they were when they were consumed; needed where others are changed."""


def file_tags(consumed: Mapping[str, str]) -> dict[str, list[str]]:
    """Tags under which each file was consumed."""
    return {
        name.removeprefix(_FILE): tags.split() for name, tags in consumed.items() if name.startswith(_FILE)
    }


def without_files(consumed: Mapping[str, str], names: Collection[str]) -> dict[str, str]:
    """What was consumed, as if these files had not been."""
    return {name: tags for name, tags in consumed.items() if name.removeprefix(_FILE) not in names}


class FilesSource(OpenSource):
    """Rows of files, one file after the other in the order of the listing."""

    def __init__(self, context: SourceContext, files: Files, field: str, listing: Listing) -> None:
        super().__init__()
        self._context = context
        self.listing = listing
        self._spool = Spool(context.scratch)
        self._formats = {
            file.name: FORMATS[kind](files, field)
            for file in (*listing.fresh, *listing.same)
            for kind in [format_of(files, file.name, field)]
        }
        self.changed, self.vanished = listing.changed, listing.vanished
        self.whole = not file_tags(context.consumed)
        self._inferred = False
        self._wanted = self._decide()
        self.columns = tuple(Column(name=each.name, type=each.target.type) for each in self._wanted)
        self._hashes: dict[str, str] = {}
        self._finished = False

    def batches(self) -> Iterator[SourceBatch]:
        """The rows of what was not consumed before."""
        before = self._context.first_row - 1
        for file in self.listing.fresh:
            sink = _Numbered(before, self.rejects)
            for batch in gathered(self._rows(file, sink)):
                sink.reached(int(batch.numbers[-1]) if len(batch.numbers) else 0)
                yield SourceBatch(batch.rows, batch.numbers + before)
            before = sink.last
            self._hashes[file.name] = self._spool.forget(file)
        self._finished = True

    def others(self) -> Iterator[SourceBatch]:
        """Rows of the files that are as they were; those that do not fit were refused when they were first read."""
        for file in self.listing.same:
            yield from gathered(self._rows(file, _Numbered(0, [])))
            self._spool.forget(file)

    @property
    def digest(self) -> str:
        """Of one file its SHA-256, of several that over their names and SHA-256s."""
        self._must_be_finished()
        if len(self._hashes) == 1:
            return f"sha256:{next(iter(self._hashes.values()))}"
        lines = "".join(f"{sha256}  {name}\n" for name, sha256 in sorted(self._hashes.items()))
        return f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"

    @property
    def consumed(self) -> dict[str, str]:
        """Files by name and tag, and which texts are times."""
        self._must_be_finished()
        kept = dict(self._context.consumed)
        tags = file_tags(kept)
        for file in self.listing.fresh:
            kept[_FILE + file.name] = " ".join([*tags.get(file.name, []), file.tag])
        for each in self._wanted:
            if each.target.form is not Form.PLAIN:
                kept[_FORM + each.name] = each.target.form.value
        kept[_FORMS_KNOWN] = "known"
        return kept

    def unchanged(self, consumed: Mapping[str, str], digest: str) -> bool:
        """Whether no file is new."""
        del consumed, digest
        return not self.listing.fresh and not self.changed and not self.vanished

    def close(self) -> None:
        """Removes what is spooled."""
        self._spool.clear()

    def _decide(self) -> list[Wanted]:
        """The columns: those of the spec, else those of the first load, else what the files have."""
        context = self._context
        known = {
            name.removeprefix(_FORM): Form(form)
            for name, form in context.consumed.items()
            if name.startswith(_FORM)
        }
        if context.declared:
            return [_declared(each, known) for each in context.declared]
        forms_known = _FORMS_KNOWN in context.consumed or all(
            each.settles_times for each in self._formats.values()
        )
        if context.columns and forms_known:
            return [Wanted(each.name, Target(each.type, _form(each, known))) for each in context.columns]
        found = self._survey()
        if not context.columns:
            self._inferred = True
            return found
        forms = {each.name: each.target.form for each in found if each.target.type is ColumnType.TEXT}
        return [
            Wanted(
                each.name,
                Target(each.type, _form(each, forms)),
            )
            for each in context.columns
        ]

    def _survey(self) -> list[Wanted]:
        survey = Survey()
        for file in self.listing.fresh:
            self._formats[file.name].survey(self._spool.fetched(file), survey)
        found = survey.found()
        if not found:
            raise EmptySourceError(
                "there are no columns in it",
                field="spec.source",
                remedy="put rows there, or declare spec.columns",
            )
        return [Wanted(each.name, each.target) for each in found]

    def _rows(self, file: RemoteFile, sink: _Numbered) -> Iterator[SourceBatch]:
        local = self._spool.fetched(file)
        form = self._formats[file.name]
        self._check(form, local)
        conversion = Conversion(self._wanted, local.name, sink.add, inferred=self._inferred)
        for raw in form.rows(local, self._wanted, sink.add):
            yield conversion.apply(raw)

    def _check(self, form: Format, local: FileText) -> None:
        names = form.names(local)
        if names is None:
            form.only_wanted = not self._context.declared
        elif self._context.declared:
            check_declared(self._wanted, names, self._context.key, local.name)
        elif not self._inferred:
            check_frozen(self._wanted, names, form.types(local), local.name)

    def _must_be_finished(self) -> None:
        if not self._finished:
            raise RuntimeError("batches() must be read to its end first")


def _declared(column: ColumnSpec, known: Mapping[str, Form]) -> Wanted:
    """A column of the spec; one whose texts turned out to be times when they were first read goes on so."""
    return Wanted(column.name, Target(column.type, _form(column, known), rounded=True))


def _form(column: Column | ColumnSpec, known: Mapping[str, Form]) -> Form:
    return known.get(column.name, Form.PLAIN) if column.type is ColumnType.TEXT else Form.PLAIN


class _Numbered:
    """Adds rejects with their number in the source instead of that in their file."""

    def __init__(self, before: int, rejects: list[Reject]) -> None:
        self._before = before
        self._rejects = rejects
        self.last = before
        """Number of the last row that was seen."""

    def add(self, reject: Reject) -> None:
        number = self._before + (reject.row_number or 0)
        self.last = max(self.last, number)
        self._rejects.append(Reject(number, reject.reason, reject.row))

    def reached(self, number: int) -> None:
        self.last = max(self.last, self._before + number)


class Spool:
    """Local copies of files, fetched when they are first asked for."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._held: dict[str, tuple[Path, str]] = {}
        self._count = 0

    def fetched(self, file: RemoteFile) -> FileText:
        """The local copy. Raises PlatformError where the disk is full."""
        if file.name not in self._held:
            self._count += 1
            path = self._directory / f"spool-{self._count}"
            try:
                self._held[file.name] = (path, file.fetch(path))
            except OSError as error:
                if error.errno not in FULL:
                    raise
                path.unlink(missing_ok=True)
                raise PlatformError(
                    "there is no space left on the pod's disk for the file",
                    field=file.name,
                    remedy="raise resources.limits ephemeral-storage, or free space on the node",
                ) from error
        return FileText(self._held[file.name][0], file.name)

    def forget(self, file: RemoteFile) -> str:
        """Removes a copy; returns its SHA-256."""
        path, sha256 = self._held.pop(file.name)
        path.unlink(missing_ok=True)
        return sha256

    def clear(self) -> None:
        """Removes all copies."""
        for path, _ in self._held.values():
            path.unlink(missing_ok=True)
        self._held.clear()


def written(chunks: Iterator[bytes], target: Path) -> str:
    """Writes chunks into a file; returns the SHA-256 of all of them as hex."""
    sha256 = hashlib.sha256()
    with target.open("wb") as out:
        for chunk in chunks:
            sha256.update(chunk)
            out.write(chunk)
    return sha256.hexdigest()


def sha256_of(path: Path) -> str:
    """SHA-256 of a file as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
