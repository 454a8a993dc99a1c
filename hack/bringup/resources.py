"""Reading the three kinds from the cluster: what each still waits for, and what it last said."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bringup.cluster import Cluster

# The condition that is True when a resource has reached its end, in the order in which the kinds need one another.
SUMMARY = {"Dataset": "Ready", "TrainingJob": "Succeeded", "ModelPromotion": "Ready"}
_PLURALS = "datasets,trainingjobs,modelpromotions"
# No other attempt follows; the word is kstatus's.
_STALLED = "Stalled"


@dataclass(frozen=True)
class Resource:
    """One Dataset, TrainingJob or ModelPromotion as it was last seen."""

    kind: str
    name: str
    generation: int
    status: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> "Resource":
        metadata = document["metadata"]
        return cls(
            document["kind"], metadata["name"], metadata.get("generation", 0), document.get("status", {})
        )

    @property
    def title(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def done(self) -> bool:
        """Whether the summary condition holds for the present spec."""
        return self._condition(SUMMARY[self.kind]).get("status") == "True"

    @property
    def failed(self) -> bool:
        """Whether nothing more will be tried for the present spec."""
        return self._condition(_STALLED).get("status") == "True"

    @property
    def word(self) -> str:
        """Reason and message of the summary condition, as a person reads them."""
        condition = self._condition(SUMMARY[self.kind])
        reason, message = condition.get("reason", "Unseen"), condition.get("message", "")
        return f"{reason}: {message}" if message else str(reason)

    def _condition(self, kind: str) -> Mapping[str, Any]:
        for condition in self.status.get("conditions", []):
            # What was said of an earlier spec is not about this one.
            if (
                condition["type"] == kind
                and condition.get("observedGeneration", self.generation) >= self.generation
            ):
                return dict(condition)
        return {}


def read_resources(cluster: Cluster, namespace: str) -> list[Resource]:
    """All resources of a namespace, Datasets first, promotions last."""
    said = cluster.kubectl("get", _PLURALS, "--namespace", namespace, "--output", "json")
    items = json.loads(said or '{"items": []}')["items"]
    order = list(SUMMARY)
    return sorted((Resource.parse(i) for i in items), key=lambda r: (order.index(r.kind), r.name))
