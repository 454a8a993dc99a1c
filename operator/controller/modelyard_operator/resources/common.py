"""Names, labels and owners: what all children have."""

from __future__ import annotations

from dataclasses import dataclass

from modelyard_api import API_VERSION, labels
from modelyard_operator.objects.meta import Meta, OwnerReference

_LABEL_OF_KIND = {
    "Dataset": labels.DATASET,
    "TrainingJob": labels.TRAINING_JOB,
    "ModelPromotion": labels.PROMOTION,
}


@dataclass(frozen=True)
class Parent:
    """The resource that children are made for."""

    kind: str
    namespace: str
    name: str
    uid: str
    generation: int

    def labels(self) -> dict[str, str]:
        """Labels by which its children are found."""
        return {labels.MANAGED_BY: labels.MANAGER, _LABEL_OF_KIND[self.kind]: self.name}

    def step_labels(self) -> dict[str, str]:
        """Labels of pods that carry out its steps: not those by which a promotion's Service finds its servers."""
        if self.kind == "ModelPromotion":
            return {labels.MANAGED_BY: labels.MANAGER, labels.PROMOTION_STEP: self.name}
        return self.labels()

    def owner(self) -> OwnerReference:
        """The reference by which children go when it goes."""
        return OwnerReference(
            api_version=API_VERSION,
            kind=self.kind,
            name=self.name,
            uid=self.uid,
            controller=True,
        )

    def meta(self, name: str, annotations: dict[str, str] | None = None) -> Meta:
        """Metadata of a child."""
        return Meta(
            name=name,
            namespace=self.namespace,
            labels=self.labels(),
            annotations=annotations,
            owner_references=[self.owner()],
        )
