"""Kinds that the operator touches, and where the API server keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from modelyard_api import API_VERSION
from modelyard_operator.objects.custom import DatasetObject, PromotionObject, TrainingJobObject
from modelyard_operator.objects.pods import Pod
from modelyard_operator.objects.scaling import HorizontalPodAutoscaler, PodDisruptionBudget
from modelyard_operator.objects.workloads import ConfigMap, Deployment, Event, Job, Lease, Service

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Kind(Generic[Model]):
    """A kind and its model."""

    api_version: str
    name: str
    plural: str
    model: type[Model]

    def path(self, namespace: str, name: str = "", subresource: str = "") -> str:
        """Path of a collection, an object or a subresource."""
        root = "api" if "/" not in self.api_version else "apis"
        parts = [root, self.api_version, "namespaces", namespace, self.plural, name, subresource]
        return "/" + "/".join(part for part in parts if part)


DATASET = Kind(API_VERSION, "Dataset", "datasets", DatasetObject)
TRAINING_JOB = Kind(API_VERSION, "TrainingJob", "trainingjobs", TrainingJobObject)
PROMOTION = Kind(API_VERSION, "ModelPromotion", "modelpromotions", PromotionObject)
JOB = Kind("batch/v1", "Job", "jobs", Job)
POD = Kind("v1", "Pod", "pods", Pod)
DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments", Deployment)
SERVICE = Kind("v1", "Service", "services", Service)
AUTOSCALER = Kind(
    "autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", HorizontalPodAutoscaler
)
DISRUPTION_BUDGET = Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", PodDisruptionBudget)
CONFIG_MAP = Kind("v1", "ConfigMap", "configmaps", ConfigMap)
EVENT = Kind("v1", "Event", "events", Event)
LEASE = Kind("coordination.k8s.io/v1", "Lease", "leases", Lease)

PARENTS: tuple[Kind[Any], ...] = (DATASET, TRAINING_JOB, PROMOTION)
CHILDREN: tuple[Kind[Any], ...] = (JOB, POD, DEPLOYMENT, SERVICE, CONFIG_MAP, AUTOSCALER, DISRUPTION_BUDGET)
