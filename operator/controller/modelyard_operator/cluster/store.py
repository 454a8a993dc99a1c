"""What was last seen of each object: a hint that saves reads, never proof that something exists or does not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
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
        self._objects: defaultdict[tuple[str, str], dict[str, BaseModel]] = defaultdict(dict)
        self._children: defaultdict[Key, set[tuple[str, str]]] = defaultdict(set)
        self._waiting: defaultdict[tuple[str, str], set[Key]] = defaultdict(set)

    def put(self, kind: Kind[Model], item: Model) -> bool:
        """Remembers what was seen, unless something newer is known. Returns whether it is news."""
        metadata = _metadata(item)
        there = self._objects[(kind.name, metadata.namespace)]
        known = there.get(metadata.name)
        if known is not None and not _newer(metadata, _metadata(known)):
            return False
        if known is not None:
            self._unindex(kind, known)
        there[metadata.name] = item
        self._index(kind, item)
        return True

    def knows_newer(self, kind: Kind[Any], item: Any) -> bool:  # noqa: ANN401
        """Whether what is seen is outdated already."""
        known = self.get(kind, item.metadata.namespace, item.metadata.name)
        return known is not None and _newer(_metadata(known), item.metadata)

    def remove(self, kind: Kind[Any], namespace: str, name: str, uid: str | None) -> None:
        """Forgets an object; one made anew under the same name stays."""
        known = self.get(kind, namespace, name)
        if known is None or (uid is not None and _metadata(known).uid != uid):
            return
        del self._objects[(kind.name, namespace)][name]
        self._unindex(kind, known)

    def get(self, kind: Kind[Model], namespace: str, name: str) -> Model | None:
        """What was last seen of an object."""
        return cast("Model | None", self._objects[(kind.name, namespace)].get(name))

    def children(self, kind: Kind[Model], parent: Key) -> list[Model]:
        """Children of a kind that are labelled with the parent, whoever owns them."""
        there = self._objects[(kind.name, parent.namespace)]
        names = (name for own, name in self._children.get(parent, ()) if own == kind.name)
        return [cast("Model", there[name]) for name in names]

    def all(self, kind: Kind[Model], namespace: str | None = None) -> list[Model]:
        """All objects of a kind."""
        return [
            cast("Model", item)
            for (name, place), items in self._objects.items()
            if name == kind.name and namespace in {None, place}
            for item in items.values()
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
        """TrainingJobs that refer to a Dataset and have not ended, and Datasets that are made from it."""
        return list(self._waiting.get((namespace, dataset), ()))

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

    def _index(self, kind: Kind[Any], item: BaseModel) -> None:
        for index, place, own in self._places(kind, item):
            index[place].add(own)

    def _unindex(self, kind: Kind[Any], item: BaseModel) -> None:
        for index, place, own in self._places(kind, item):
            index[place].discard(own)
            if not index[place]:
                del index[place]

    def _places(self, kind: Kind[Any], item: BaseModel) -> Iterator[tuple[dict[Any, set[Any]], Any, Any]]:
        """Where an object is found besides by its name: the index, the place in it, and what is kept there."""
        metadata = _metadata(item)
        if kind.name not in _PARENT_NAMES:
            if (parent := parent_of(item)) is not None:
                yield self._children, parent, (kind.name, metadata.name)
        elif (dataset := _awaited_by(item)) is not None:
            own = Key(kind.name, metadata.namespace, metadata.name)
            yield self._waiting, (metadata.namespace, dataset), own


def _awaited_by(item: Any) -> str | None:  # noqa: ANN401  of any of our kinds
    """The Dataset that a resource is made from; none where it came to its end, which is never taken back."""
    if getattr(item.status, "completion_time", None) is not None:
        return None
    source = getattr(item.spec, "source", None)
    reference = getattr(item.spec, "dataset_ref", None) or getattr(source, "dataset", None)
    return None if reference is None else str(reference.name)


def _metadata(item: BaseModel) -> Any:  # noqa: ANN401  of a parent or of a child
    return item.metadata  # type: ignore[attr-defined]


def _newer(metadata: Any, known: Any) -> bool:  # noqa: ANN401
    return _number(metadata.resource_version) > _number(known.resource_version)


def _number(version: str | None) -> int:
    return int(version) if version and version.isdigit() else 0
