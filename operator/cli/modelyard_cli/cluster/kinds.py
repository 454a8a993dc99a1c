"""Kinds by every name that kubectl knows them by."""

from __future__ import annotations

from dataclasses import dataclass

from modelyard_api import GROUP, VERSION, labels
from modelyard_api.crd.definition import KINDS
from modelyard_cli.errors import CommandError


@dataclass(frozen=True)
class Kind:
    """Where the API server keeps the objects of a kind."""

    name: str
    plural: str
    names: frozenset[str]
    label: str = ""
    """Label of its children, which holds its name."""
    root: str = f"/apis/{GROUP}/{VERSION}"

    def path(self, namespace: str, name: str = "") -> str:
        """Path of a collection or, with a name, of one object."""
        return f"{self.root}/namespaces/{namespace}/{self.plural}" + (f"/{name}" if name else "")


_LABELS = {
    "Dataset": labels.DATASET,
    "TrainingJob": labels.TRAINING_JOB,
    "ModelPromotion": labels.PROMOTION,
}
OWN = tuple(
    Kind(
        kind.name,
        kind.plural,
        frozenset({kind.name.lower(), kind.plural, kind.short}),
        _LABELS[kind.name],
    )
    for kind in KINDS
)
DATASET, TRAINING_JOB, PROMOTION = OWN
POD = Kind("Pod", "pods", frozenset({"pod", "pods", "po"}), root="/api/v1")
SECRET = Kind("Secret", "secrets", frozenset({"secret", "secrets"}), root="/api/v1")


def parse_reference(word: str) -> tuple[Kind, str]:
    """``kind/name`` as kubectl takes it. Raises CommandError for another form or an unknown kind."""
    kind, slash, name = word.partition("/")
    if not slash or not name:
        raise CommandError(f"{word} is not KIND/NAME", "For example trainingjob/housing-v1")
    return find_kind(kind), name


def find_kind(word: str) -> Kind:
    """The kind of a word in any of its spellings."""
    plain = word.lower().removesuffix(f".{GROUP}")
    found = next((kind for kind in OWN if plain in kind.names), None)
    if found is None:
        known = ", ".join(f"{kind.name.lower()} ({min(kind.names, key=len)})" for kind in OWN)
        raise CommandError(f"{word} is no kind of Modelyard", f"There are {known}")
    return found
