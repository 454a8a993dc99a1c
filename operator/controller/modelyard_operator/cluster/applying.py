"""Children that are kept as they should be: applied when they are wanted otherwise or were changed by somebody else."""

from __future__ import annotations

from modelyard_api.digests import canonical_digest
from modelyard_operator.cluster.client import Cluster
from modelyard_operator.cluster.kinds import AUTOSCALER, DEPLOYMENT, DISRUPTION_BUDGET, Kind, Model
from modelyard_operator.cluster.store import Store
from modelyard_operator.objects.meta import KubeObject

_WITH_STATUS = frozenset({DEPLOYMENT, DISRUPTION_BUDGET})


class AppliedMemory:
    """Remembers what was applied and what the API server made of it, so that nothing is written at rest.

    Forgetting, as after a restart, costs one apply a child, which the API server takes without storing anything.
    """

    def __init__(self, cluster: Cluster, store: Store) -> None:
        self._cluster = cluster
        self._store = store
        self._applied: dict[str, tuple[str, str]] = {}

    async def ensure(self, kind: Kind[Model], wanted: KubeObject, owner_uid: str) -> str:
        """Applies the child where needed. Returns the name of a stranger that stands in its place, or nothing."""
        namespace, name = wanted.metadata.namespace or "", wanted.metadata.name
        digest = canonical_digest(wanted.to_wire())
        known = self._store.get(kind, namespace, name)
        if known is not None and self._applied.get(_uid(known)) == (digest, _mark(kind, known)):
            return ""
        if known is None or _owner(known) != owner_uid:
            live = await self._cluster.get(kind, namespace, name)
            if live is not None and _owner(live) != owner_uid:
                return f"{kind.name} {name}"
        applied = await self._cluster.apply(kind, wanted)
        self._store.put(kind, applied)
        self._applied[_uid(applied)] = (digest, _mark(kind, applied))
        return ""


def _mark(kind: Kind[Model], item: Model) -> str:
    """What changes when somebody edits the child: where it has a status, that moves its resourceVersion all the time."""
    metadata = item.metadata  # type: ignore[attr-defined]
    if kind is AUTOSCALER:
        # It may have no generation.
        return canonical_digest(item.spec.to_wire())  # type: ignore[attr-defined]
    return str(metadata.generation if kind in _WITH_STATUS else metadata.resource_version)


def _uid(item: object) -> str:
    return str(item.metadata.uid)  # type: ignore[attr-defined]


def _owner(item: object) -> str | None:
    uid: str | None = item.metadata.controller_uid  # type: ignore[attr-defined]
    return uid
