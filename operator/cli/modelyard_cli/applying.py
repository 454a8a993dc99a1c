"""Files of one kind, judged offline before anything is applied."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from modelyard_cli.cluster.client import Cluster
from modelyard_cli.cluster.kinds import Kind
from modelyard_cli.errors import CommandError
from modelyard_cli.objects import Document
from modelyard_cli.validation.documents import read_files
from modelyard_cli.validation.judge import judge


def documents_of(files: Sequence[str], kind: Kind) -> list[Document]:
    """The resources of one kind; others in the files are left alone. Raises CommandError where there is none."""
    found: list[Document] = []
    for document in read_files(files):
        for line, fault in document.faults:
            raise CommandError(f"{document.source}:{line}: {fault}")
        if isinstance(document.content, dict) and document.content.get("kind") == kind.name:
            found.append(document.content)
    if not found:
        raise CommandError(f"{', '.join(files)} has no {kind.name}")
    return found


def insist(document: Document) -> None:
    """Raises CommandError with every fault, so that nothing faulty is applied."""
    verdict = judge(document, datetime.now(UTC))
    if verdict.faults:
        told = "\n  ".join(fault.sentence() for fault in verdict.faults)
        raise CommandError(f"{verdict.kind} {verdict.name} has faults:\n  {told}")


def apply(cluster: Cluster, kind: Kind, document: Document) -> Document:
    """Applies a resource in the namespace of the command line, or in its own if it names one.

    Raises CommandError where the two differ.
    """
    metadata = document["metadata"]
    own = metadata.get("namespace")
    if own is not None and own != cluster.namespace:
        raise CommandError(
            f"{kind.name} {metadata['name']} is for the namespace {own}", f"Add --namespace {own}"
        )
    return cluster.apply(kind, document)
