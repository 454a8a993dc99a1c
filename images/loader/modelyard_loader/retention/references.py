"""What MLflow knows of: content digests that runs and registered model versions carry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from modelyard_api.labels import TAG_DATASET_DIGEST
from modelyard_api.v1alpha1.common import Json
from modelyard_runtime.tracking import MLflowClient

_PAGE = 1000
_MODELS_PAGE = 200
_FILTER = f"tags.`{TAG_DATASET_DIGEST}` LIKE 'sha256:%'"


def referred_digests(client: MLflowClient) -> frozenset[str]:
    """Digests that a run which is not deleted, or a version of a registered model, refers to in this workspace.

    Raises PlatformError where MLflow does not answer.
    """
    return frozenset(_tags(client))


def _tags(client: MLflowClient) -> Iterator[str]:
    experiments = [
        str(each["experiment_id"])
        for each in _pages(
            lambda page: client.post("experiments/search", {"max_results": _PAGE, **page}), "experiments"
        )
    ]
    if experiments:
        query = {"experiment_ids": experiments, "filter": _FILTER, "max_results": _PAGE}
        for run in _pages(lambda page: client.post("runs/search", {**query, **page}), "runs"):
            yield from _digests(run.get("data", {}).get("tags", []))
    asked = {"filter": _FILTER, "max_results": str(_MODELS_PAGE)}
    for version in _pages(
        lambda page: client.get("model-versions/search", {**asked, **page}), "model_versions"
    ):
        yield from _digests(version.get("tags", []))


def _pages(ask: Callable[[Mapping[str, str]], dict[str, Json]], member: str) -> Iterator[dict[str, Any]]:
    page: dict[str, str] = {}
    while True:
        answer = ask(page)
        yield from answer.get(member, [])
        token = answer.get("next_page_token")
        if not token:
            return
        page = {"page_token": str(token)}


def _digests(tags: list[dict[str, str]]) -> Iterator[str]:
    for tag in tags:
        if tag["key"] == TAG_DATASET_DIGEST:
            yield tag["value"]
