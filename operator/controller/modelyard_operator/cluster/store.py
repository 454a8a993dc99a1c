"""What was last seen of each object: a hint that saves reads, never proof that something exists or does not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple, cast

from pydantic import BaseModel

from modelyard_api import labels
from modelyard_operator.cluster.kinds import DATASET, PARENTS, PROMOTION, TRAINING_JOB, Kind, Model


class Key(NamedTuple):
    """A parent: what a reconcile is about."""

    kind: str
    namespace: str
    name: str


PARENT_LABELS = {
    labels.DATASET: DATASET.name,
    labels.TRAINING_JOB: TRAINING_JOB.name,
    labels.PROMOTION: PROMOTION.name,
    labels.PROMOTION_STEP: PROMOTION.name,
}
_PARENT_NAMES = frozenset(kind.name for kind in PARENTS)


def parent_of(child: Any) -> Key | None:  # noqa: ANN401  of any kind
    """The parent that a child's labels name."""
    metadata = child.metadata
    known = metadata.labels or {}
    for label, kind in PARENT_LABELS.items():
        if label in known:
            return Key(kind, metadata.namespace, known[label])
    return None


class Store:
    """Objects by kind, namespace and name; children also by parent."""

    def __init__(self) -> None:
        self._objects: dict[tuple[str, str, str], BaseModel] = {}
        self._children: defaultdict[Key, set[tuple[str, str, str]]] = defaultdict(set)
        self._training_jobs: defaultdict[tuple[str, str], set[str]] = defaultdict(set)

    def put(self, kind: Kind[Model], item: Model) -> bool:
        """Remembers what was seen, unless something newer is known. Returns whether it is news."""
        metadata = _metadata(item)
        place = (kind.name, metadata.namespace, metadata.name)
        known = self._objects.get(place)
        if known is not None and not _newer(metadata, _metadata(known)):
            return False
        self._objects[place] = item
        self._index(kind, place, item)
        return True

    def knows_newer(self, kind: Kind[Any], item: Any) -> bool:  # noqa: ANN401
        """Whether what is seen is outdated already."""
        known = self._objects.get((kind.name, item.metadata.namespace, item.metadata.name))
        return known is not None and _newer(_metadata(known), item.metadata)

    def remove(self, kind: Kind[Any], namespace: str, name: str, uid: str | None) -> None:
        """Forgets an object; one made anew under the same name stays."""
        place = (kind.name, namespace, name)
        known = self._objects.get(place)
        if known is None or (uid is not None and _metadata(known).uid != uid):
            return
        del self._objects[place]
        if kind is TRAINING_JOB:
            if (dataset := _dataset_of(known)) is not None:
                self._training_jobs[(namespace, dataset)].discard(name)
        elif kind.name not in _PARENT_NAMES and (parent := parent_of(known)) is not None:
            self._children[parent].discard(place)
            if not self._children[parent]:
                del self._children[parent]

    def get(self, kind: Kind[Model], namespace: str, name: str) -> Model | None:
        """What was last seen of an object."""
        return cast("Model | None", self._objects.get((kind.name, namespace, name)))

    def children(self, kind: Kind[Model], parent: Key) -> list[Model]:
        """Children of a kind that are labelled with the parent, whoever owns them."""
        places = self._children.get(parent, ())
        return [cast("Model", self._objects[place]) for place in places if place[0] == kind.name]

    def all(self, kind: Kind[Model], namespace: str | None = None) -> list[Model]:
        """All objects of a kind."""
        return [
            cast("Model", item)
            for place, item in self._objects.items()
            if place[0] == kind.name and namespace in {None, place[1]}
        ]

    def replace(
        self, kind: Kind[Model], namespace: str, before: list[Model], seen: Iterable[Model]
    ) -> list[Model]:
        """Takes over a complete list, and returns what was news or is gone.

        ``before`` is what was known when the list was asked for: what came since cannot be in it.
        """
        gone = {_metadata(item).name: item for item in before}
        news = []
        for item in seen:
            gone.pop(_metadata(item).name, None)
            if self.put(kind, item):
                news.append(item)
        for name, item in gone.items():
            if self.get(kind, namespace, name) is item:
                self.remove(kind, namespace, name, None)
                news.append(item)
        return news

    def waiting_for(self, namespace: str, dataset: str) -> list[Key]:
        """TrainingJobs that refer to a Dataset, and Datasets that are made from it."""
        names = self._training_jobs.get((namespace, dataset), ())
        made = (item.metadata.name for item in self.all(DATASET, namespace) if _source_of(item) == dataset)
        return [
            *(Key(TRAINING_JOB.name, namespace, name) for name in names),
            *(Key(DATASET.name, namespace, name) for name in made),
        ]

    def promotions_of(self, namespace: str, training_job: BaseModel) -> list[Key]:
        """ModelPromotions of the model that a TrainingJob has registered."""
        model = training_job.status.model  # type: ignore[attr-defined]
        return [] if model is None else self._promotions(namespace, model.name)

    def promotions_beside(self, namespace: str, promotion: BaseModel) -> list[Key]:
        """ModelPromotions of the same model, which may want the same alias."""
        name = getattr(promotion.spec, "model_name", None)  # type: ignore[attr-defined]
        return [] if name is None else self._promotions(namespace, name)

    def _promotions(self, namespace: str, model: str) -> list[Key]:
        return [
            Key(PROMOTION.name, namespace, item.metadata.name)
            for item in self.all(PROMOTION, namespace)
            if getattr(item.spec, "model_name", None) == model
        ]

    def _index(self, kind: Kind[Any], place: tuple[str, str, str], item: BaseModel) -> None:
        if kind is TRAINING_JOB:
            if (dataset := _dataset_of(item)) is not None:
                self._training_jobs[(place[1], dataset)].add(place[2])
        elif kind.name not in _PARENT_NAMES and (parent := parent_of(item)) is not None:
            self._children[parent].add(place)


def _source_of(dataset: BaseModel) -> str | None:
    source = getattr(dataset.spec, "source", None)  # type: ignore[attr-defined]
    return None if source is None or source.dataset is None else str(source.dataset.name)


def _dataset_of(training_job: BaseModel) -> str | None:
    reference = getattr(training_job.spec, "dataset_ref", None)  # type: ignore[attr-defined]
    return None if reference is None else str(reference.name)


def _metadata(item: BaseModel) -> Any:  # noqa: ANN401  of a parent or of a child
    return item.metadata  # type: ignore[attr-defined]


def _newer(metadata: Any, known: Any) -> bool:  # noqa: ANN401
    return _number(metadata.resource_version) > _number(known.resource_version)


def _number(version: str | None) -> int:
    return int(version) if version and version.isdigit() else 0
