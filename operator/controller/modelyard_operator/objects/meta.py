"""Metadata that every object has."""

from __future__ import annotations

from datetime import datetime

from modelyard_api.base import StatusModel


class OwnerReference(StatusModel):
    """metav1.OwnerReference."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool = False


class Meta(StatusModel):
    """metav1.ObjectMeta of a child."""

    name: str = ""
    namespace: str | None = None
    uid: str | None = None
    resource_version: str | None = None
    generation: int | None = None
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owner_references: list[OwnerReference] | None = None

    def label(self, key: str) -> str | None:
        """Value of a label."""
        return (self.labels or {}).get(key)

    def annotation(self, key: str) -> str | None:
        """Value of an annotation."""
        return (self.annotations or {}).get(key)

    @property
    def controller_uid(self) -> str | None:
        """Uid of the owner that controls this object."""
        return next((owner.uid for owner in self.owner_references or [] if owner.controller), None)


class KubeObject(StatusModel):
    """What is common to all objects."""

    api_version: str | None = None
    kind: str | None = None
    metadata: Meta = Meta()


class ObjectCondition(StatusModel):
    """A condition of a built-in kind; which fields are there depends on the kind."""

    type: str
    status: str
    reason: str | None = None
    message: str | None = None
    last_transition_time: datetime | None = None
