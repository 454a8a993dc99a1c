"""From the rows of a Dataset to the pods that serve a model: what was made from what, as one tree."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from modelyard_api.conditions import find_condition
from modelyard_api.labels import PROMOTION
from modelyard_cli.objects import DatasetSeen, Document, PromotionSeen, TrainingJobSeen

_SHORT = len("sha256:") + 12


@dataclass(frozen=True)
class Node:
    """A thing and what was made from it."""

    kind: str
    name: str
    text: str
    """What is to be known of it, in one line."""
    state: str = ""
    """ok, failed or waiting; empty where it has none."""
    children: tuple[Node, ...] = ()

    def document(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "kind": self.kind,
            "name": self.name,
            "text": self.text,
            **({"state": self.state} if self.state else {}),
            **({"children": [child.document() for child in self.children]} if self.children else {}),
        }


@dataclass(frozen=True)
class Namespace:
    """All that is in a namespace."""

    datasets: Sequence[DatasetSeen] = ()
    jobs: Sequence[TrainingJobSeen] = ()
    promotions: Sequence[PromotionSeen] = ()
    pods: Sequence[Document] = ()
    """Of servers."""


@dataclass
class _Version:
    """A version of a variant and the jobs that were trained on it."""

    rows: str
    jobs: list[TrainingJobSeen] = field(default_factory=list)


def grow(seen: Namespace) -> list[Node]:
    """A tree for every Dataset, then what hangs on none of them."""
    pods = _pods_of(seen.pods)
    by_run: dict[str, list[Node]] = defaultdict(list)
    for promotion in seen.promotions:
        champion = promotion.status.champion
        by_run[champion.run_id if champion is not None else ""].append(_promotion(promotion, pods))
    trees = [_dataset(dataset, seen.jobs, by_run) for dataset in seen.datasets]
    names = {dataset.name for dataset in seen.datasets}
    orphans = [job for job in seen.jobs if _dataset_of(job) not in names]
    known = {job.status.run.id for job in seen.jobs if job.status.run is not None}
    trees += [_job(job, by_run) for job in orphans]
    trees += [node for run, nodes in by_run.items() if run not in known for node in nodes]
    return trees


def only(seen: Namespace, dataset: str) -> Namespace:
    """What belongs to one Dataset."""
    jobs = [job for job in seen.jobs if _dataset_of(job) == dataset]
    runs = {job.status.run.id for job in jobs if job.status.run is not None}
    kept = [
        promotion
        for promotion in seen.promotions
        if promotion.status.champion is not None and promotion.status.champion.run_id in runs
    ]
    datasets = [item for item in seen.datasets if item.name == dataset]
    return Namespace(datasets, jobs, kept, seen.pods)


def _dataset_of(job: TrainingJobSeen) -> str:
    """Empty where a job names none, such as one that makes an earlier run again."""
    return str(job.spec.get("datasetRef", {}).get("name", ""))


def _dataset(
    dataset: DatasetSeen, jobs: Sequence[TrainingJobSeen], by_run: Mapping[str, Sequence[Node]]
) -> Node:
    own = [job for job in jobs if _dataset_of(job) == dataset.name]
    children = [*_variants(dataset, own, by_run)]
    children += [_job(job, by_run) for job in own if job.status.dataset_version is None]
    load = dataset.status.load
    rows = "nothing loaded yet"
    if load is not None and load.sequence:
        share = f" ({load.percent} % of the source)" if load.percent else ""
        rejected = f", {load.rejected:,} set aside" if load.rejected else ""
        rows = f"{load.rows:,} rows{share} by load {load.sequence}{rejected}"
    return Node("Dataset", dataset.name, rows, _state(dataset.status.conditions, "Ready"), tuple(children))


def _variants(
    dataset: DatasetSeen, jobs: Sequence[TrainingJobSeen], by_run: Mapping[str, Sequence[Node]]
) -> Iterator[Node]:
    """Latest versions in the order of the spec, each after the earlier ones that jobs were trained on."""
    for variant in dataset.status.variants:
        versions = {
            (variant.sequence, variant.digest): _Version(f"{variant.rows:,} rows x {variant.columns} columns")
        }
        for job in jobs:
            used = job.status.dataset_version
            if used is not None and used.variant == variant.name:
                place = (used.sequence, used.digest)
                versions.setdefault(place, _Version("an earlier version")).jobs.append(job)
        for (sequence, digest), version in sorted(versions.items()):
            children = tuple(_job(job, by_run) for job in version.jobs)
            text = f"{version.rows}, {digest[:_SHORT]}"
            yield Node("Version", f"{variant.name} of load {sequence}", text, children=children)


def _job(job: TrainingJobSeen, by_run: Mapping[str, Sequence[Node]]) -> Node:
    status = job.status
    succeeded = find_condition(status.conditions, "Succeeded")
    told = [status.summary or (succeeded.reason if succeeded is not None else "Pending")]
    if status.model is not None:
        told.append(f"{status.model.name} version {status.model.version}")
    children = tuple(by_run.get(status.run.id, ())) if status.run is not None else ()
    return Node("TrainingJob", job.name, ", ".join(told), _state(status.conditions, "Succeeded"), children)


def _promotion(promotion: PromotionSeen, pods: Mapping[str, Sequence[Node]]) -> Node:
    spec, champion = promotion.spec, promotion.status.champion
    stage = f"{spec['modelName']} {spec.get('stage', 'production')}"
    serves = f"version {champion.version} in charge" if champion is not None else "no version in charge"
    where = f" at {promotion.status.url}" if promotion.status.url else ""
    state = _state(promotion.status.conditions, "Ready")
    children = tuple(pods.get(promotion.name, ()))
    return Node("ModelPromotion", promotion.name, f"{stage}: {serves}{where}", state, children)


def _pods_of(pods: Sequence[Document]) -> dict[str, list[Node]]:
    found: dict[str, list[Node]] = defaultdict(list)
    for pod in pods:
        metadata, status = pod["metadata"], pod.get("status", {})
        conditions = {item["type"]: item["status"] for item in status.get("conditions", [])}
        ready = conditions.get("Ready") == "True"
        ending = "deletionTimestamp" in metadata
        text = "ending" if ending else "ready" if ready else str(status.get("phase", "Pending")).lower()
        node = Node("Pod", metadata["name"], text, "ok" if ready and not ending else "waiting")
        found[metadata["labels"][PROMOTION]].append(node)
    return found


def _state(conditions: Sequence[Any], type_: str) -> str:
    summary = find_condition(conditions, type_)
    if summary is None or summary.status == "Unknown":
        return "waiting"
    return "ok" if summary.status == "True" else "failed"
