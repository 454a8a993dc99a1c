"""Small resources of the three kinds, as a person would write them, and what became of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelyard_api.conditions import Condition, ConditionStatus, find_condition
from modelyard_api.v1alpha1 import Dataset, ModelPromotion, TrainingJob
from tests.support.kubeapi import DATASET, OWN_KINDS, POD, PROMOTION, TRAINING_JOB, Document, Kind, KubeApi
from tests.support.waiting import until

API_VERSION = "modelyard.dev/v1alpha1"
PROJECT = "e2e"
"""The project that end-to-end tests share."""

Spec = Mapping[str, Any]


def dataset(name: str, builtin: str = "iris", **spec: object) -> Document:
    """A Dataset of a data set that is shipped with the loader."""
    return _resource("Dataset", name, {"source": {"builtin": {"name": builtin}}, **spec})


def training_job(name: str, data: str = "iris", **spec: object) -> Document:
    """A TrainingJob that fits a small tree on iris, always anew; anything of its spec may be replaced."""
    usual: Spec = {
        "datasetRef": {"name": data, "variant": "v1"},
        "task": "Classification",
        "target": "species",
        "pipeline": {"estimator": {"class": "DecisionTreeClassifier", "params": {"random_state": 7}}},
        "register": {"modelName": name},
        "cachePolicy": "Never",
    }
    return _resource("TrainingJob", name, {**usual, **spec})


def slow_pipeline(iterations: int = 12_000) -> Spec:
    """A small model that takes some seconds (about 2000 iterations each) to fit, to be hit in the middle."""
    params = {
        "hidden_layer_sizes": [8],
        "max_iter": iterations,
        "n_iter_no_change": iterations,
        "tol": 0,
        "random_state": 7,
    }
    return {"estimator": {"class": "MLPClassifier", "params": params}}


def promotion(name: str, model: str, **spec: object) -> Document:
    """A ModelPromotion of the newest version of a model."""
    return _resource("ModelPromotion", name, {"modelName": model, "candidate": {"latest": {}}, **spec})


def _resource(kind: str, name: str, spec: Spec) -> Document:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": dict(spec)}


@dataclass(frozen=True)
class Project:
    """One namespace of the operator, and its resources."""

    api: KubeApi
    name: str

    def apply(self, document: Document) -> Document:
        """Applies a resource of one of the three kinds in this namespace."""
        return self.api.apply(OWN_KINDS[document["kind"]], self.placed(document))

    def placed(self, document: Document) -> Document:
        """The resource with this namespace in its metadata."""
        return {**document, "metadata": {**document["metadata"], "namespace": self.name}}

    def empty(self) -> None:
        """Removes all resources, and waits for their pods to be gone."""
        for kind in OWN_KINDS.values():
            for item in self.api.items(kind, self.name):
                self.api.delete(kind, self.name, item["metadata"]["name"])
        until(lambda: not self.api.items(POD, self.name), 90, f"no pod being left in {self.name}")

    def dataset(self, name: str) -> Dataset:
        return Dataset.model_validate(self._read(DATASET, name))

    def training_job(self, name: str) -> TrainingJob:
        return TrainingJob.model_validate(self._read(TRAINING_JOB, name))

    def promotion(self, name: str) -> ModelPromotion:
        return ModelPromotion.model_validate(self._read(PROMOTION, name))

    def condition(self, kind: Kind, name: str, type_: str) -> Condition | None:
        """A condition of a resource, if it is about the present generation."""
        found = self._read(kind, name)
        conditions = [Condition.model_validate(c) for c in found.get("status", {}).get("conditions", [])]
        condition = find_condition(conditions, type_)
        return (
            condition
            if condition and condition.observed_generation == found["metadata"]["generation"]
            else None
        )

    def await_reason(self, kind: Kind, name: str, type_: str, reason: str, seconds: float = 120) -> Condition:
        """Waits until a condition gives this reason."""

        def look() -> Condition | None:
            condition = self.condition(kind, name, type_)
            assert condition, f"{name} has no condition {type_} yet"
            assert condition.reason == reason, f"{condition.reason}: {condition.message}"
            return condition

        return until(look, seconds, f"{type_} of {name} with reason {reason}")

    def await_true(self, kind: Kind, name: str, type_: str, seconds: float = 240) -> Condition:
        """Waits until a condition is True."""

        def look() -> Condition | None:
            condition = self.condition(kind, name, type_)
            assert condition, f"{name} has no condition {type_} yet"
            assert condition.status is ConditionStatus.TRUE, f"{condition.reason}: {condition.message}"
            return condition

        return until(look, seconds, f"{type_} of {name}")

    def _read(self, kind: Kind, name: str) -> Document:
        found = self.api.read(kind, self.name, name)
        assert found, f"there is no {kind.plural} {self.name}/{name}"
        return found
