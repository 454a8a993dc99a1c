"""Objects as the operator sees them, small and typed."""

from datetime import UTC, datetime, timedelta
from typing import Any

from modelyard_api import labels
from modelyard_operator.objects.custom import DatasetObject, PromotionObject, TrainingJobObject
from modelyard_operator.objects.pods import Pod
from modelyard_operator.objects.registry import Version
from modelyard_operator.objects.workloads import Job
from tests.support import resources

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
UID = "11111111-2222-3333-4444-555555555555"


def later(seconds: float) -> datetime:
    """So many seconds after now."""
    return NOW + timedelta(seconds=seconds)


def text(moment: datetime) -> str:
    """As the API server writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def dataset(name: str = "houses", **spec: Any) -> DatasetObject:  # noqa: ANN401  JSON
    """A Dataset without a status."""
    return DatasetObject.model_validate(seen_as(resources.dataset(name, "demo", **spec)))


def training_job(name: str = "forest", **spec: Any) -> TrainingJobObject:  # noqa: ANN401  JSON
    """A TrainingJob without a status."""
    return TrainingJobObject.model_validate(seen_as(resources.training_job(name, "demo", **spec)))


def promotion(name: str = "housing", **spec: Any) -> PromotionObject:  # noqa: ANN401  JSON
    """A ModelPromotion without a status."""
    return PromotionObject.model_validate(seen_as(resources.promotion(name, "demo", **spec)))


def job(attempt: int = 1, **status: Any) -> Job:  # noqa: ANN401  JSON
    """A Job of an attempt; the status is that of the API server."""
    return Job.model_validate(
        {
            "metadata": {
                "name": f"forest-{attempt}",
                "namespace": "demo",
                "uid": f"job-{attempt}",
                "annotations": {labels.ATTEMPT: str(attempt)},
                "ownerReferences": [
                    {"apiVersion": "v1", "kind": "any", "name": "any", "uid": UID, "controller": True}
                ],
            },
            "spec": {"template": {"spec": {}}},
            "status": status,
        }
    )


def complete(attempt: int = 1) -> Job:
    """A Job that succeeded."""
    return job(attempt, conditions=[_condition("Complete")])


def broken(attempt: int = 1, reason: str = "BackoffLimitExceeded") -> Job:
    """A Job that failed a minute ago."""
    return job(attempt, conditions=[{**_condition("Failed"), "reason": reason}])


def pod(attempt: int = 1, phase: str = "Running", *, deleted: bool = False, **status: Any) -> Pod:  # noqa: ANN401
    """A pod of an attempt's Job."""
    metadata = {
        "name": f"pod-{attempt}",
        "namespace": "demo",
        "creationTimestamp": text(NOW),
        "ownerReferences": [
            {"apiVersion": "v1", "kind": "Job", "name": "any", "uid": f"job-{attempt}", "controller": True}
        ],
    }
    if deleted:
        metadata["deletionTimestamp"] = text(NOW)
    return Pod.model_validate({"metadata": metadata, "status": {"phase": phase, **status}})


def ended(attempt: int = 1, exit_code: int = 0, message: str = "", reason: str = "Error", **more: Any) -> Pod:  # noqa: ANN401
    """A pod whose container ended."""
    terminated = {"exitCode": exit_code, "reason": reason, "message": message}
    container = {"name": "step", "state": {"terminated": terminated}}
    phase = "Failed" if exit_code else "Succeeded"
    return pod(attempt, phase, containerStatuses=[container], **more)


def before(name: str, exit_code: int, message: str = "", reason: str = "Error", **more: Any) -> Pod:  # noqa: ANN401
    """A pod with own code of which a container before the step's ended like this, and the next was not begun."""
    terminated = {"exitCode": exit_code, "reason": reason, "message": message}
    statuses = [{"name": name, "state": {"terminated": terminated}}]
    if name != "prepare":
        statuses.insert(
            0, {"name": "prepare", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}
        )
    step = {"name": "step", "state": {"waiting": {"reason": "PodInitializing"}}}
    phase = "Failed" if exit_code else "Pending"
    return pod(1, phase, initContainerStatuses=statuses, containerStatuses=[step], **more)


def version(number: int, **tags: str) -> Version:
    """A version that a TrainingJob made."""
    given = {
        labels.TAG_MODEL_DIGEST: f"sha256:{number:064x}",
        labels.TAG_BUNDLE_URI: f"s3://modelyard/demo/models/{number:064x}",
        **tags,
    }
    pairs = [{"key": key, "value": value} for key, value in given.items()]
    return Version.model_validate(
        {"name": "housing", "version": str(number), "run_id": f"run-{number}", "tags": pairs}
    )


def seen_as(document: dict[str, Any]) -> dict[str, Any]:
    meta = {"uid": UID, "generation": 1, "resourceVersion": "1", "creationTimestamp": text(NOW)}
    return {**document, "metadata": {**document["metadata"], **meta}}


def _condition(type_: str) -> dict[str, str]:
    return {"type": type_, "status": "True", "lastTransitionTime": text(later(-60))}
