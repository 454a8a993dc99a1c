"""The charts as Helm renders them, and the pods that are in them."""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bringup.paths import REPOSITORY

CHART = REPOSITORY / "charts" / "modelyard"
CRD_CHART = REPOSITORY / "charts" / "modelyard-crds"
NAMESPACE = "modelyard"
RELEASE = "modelyard"

Document = dict[str, Any]
_RANDOM = re.compile(r"(provision-)[0-9a-f]{10}|(checksum/credentials: )[0-9a-f]{64}")


@dataclass(frozen=True)
class PodTemplate:
    """A pod as a workload describes it."""

    owner: str
    metadata: Document
    spec: Document

    def containers(self) -> Iterator[Document]:
        """Those that run, and those before them."""
        yield from self.spec.get("initContainers", [])
        yield from self.spec["containers"]

    def component(self) -> str:
        return str(self.metadata["labels"]["app.kubernetes.io/name"])


@dataclass(frozen=True)
class Rendered:
    """All objects of one rendering."""

    documents: tuple[Document, ...]

    def of(self, kind: str) -> list[Document]:
        return [document for document in self.documents if document["kind"] == kind]

    def one(self, kind: str, name: str, namespace: str = NAMESPACE) -> Document:
        """The object of this name; there must be one."""
        found = [
            document
            for document in self.of(kind)
            if document["metadata"]["name"] == name
            and document["metadata"].get("namespace", namespace) == namespace
        ]
        assert len(found) == 1, f"{len(found)} objects {kind} {namespace}/{name}"
        return found[0]

    def pods(self) -> list[PodTemplate]:
        """The pod templates of all workloads."""
        return [
            PodTemplate(
                f"{document['kind']} {document['metadata']['name']}",
                document["spec"]["template"]["metadata"],
                _with_claims(document["spec"]),
            )
            for document in self.documents
            if "template" in document.get("spec", {})
        ]

    def pod(self, component: str) -> PodTemplate:
        """The only pod template of a component."""
        (found,) = (pod for pod in self.pods() if pod.component() == component)
        return found

    def plan(self) -> str:
        """What the provisioning is asked for, as JSON."""
        (container,) = self.pod("provision").spec["containers"]
        return environment(container)["MODELYARD_PROVISION"]

    def snapshot(self) -> str:
        """Everything in a stable order, without what is random at each rendering."""
        documents = sorted(self.documents, key=_place)
        text = yaml.safe_dump_all((_masked(document) for document in documents), width=110, sort_keys=True)
        return _RANDOM.sub(lambda found: f"{found[1] or found[2]}<random>", text)


def environment(container: Document) -> dict[str, str]:
    """Variables of a container that have a literal value."""
    return {entry["name"]: entry["value"] for entry in container.get("env", []) if "value" in entry}


@dataclass(frozen=True)
class Renderer:
    """Helm, which needs no cluster for this."""

    program: Path

    def attempt(
        self, values: Mapping[str, Any], chart: Path = CHART, namespace: str = NAMESPACE
    ) -> "subprocess.CompletedProcess[str]":
        """What Helm answers to these values, be it a refusal."""
        return subprocess.run(
            [self.program, "template", RELEASE, chart, "--namespace", namespace, "--values", "-"],
            input=json.dumps(values),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def render(self, values: Mapping[str, Any] | None = None, chart: Path = CHART) -> Rendered:
        """The objects; a refusal is an error here."""
        done = self.attempt(values or {}, chart)
        assert done.returncode == 0, done.stderr
        # libyaml, which takes a tenth of the time that PyYAML's own reader takes for thousands of lines.
        documents = yaml.load_all(done.stdout, yaml.CSafeLoader)
        return Rendered(tuple(document for document in documents if document))


def _with_claims(workload: Document) -> Document:
    """The pod's spec with the volumes that a StatefulSet adds to it."""
    spec: Document = workload["template"]["spec"]
    claims = [
        {"name": claim["metadata"]["name"], "persistentVolumeClaim": {"claimName": claim["metadata"]["name"]}}
        for claim in workload.get("volumeClaimTemplates", [])
    ]
    return {**spec, "volumes": [*spec["volumes"], *claims]}


def _place(document: Document) -> tuple[str, str, str]:
    metadata = document["metadata"]
    return document["kind"], metadata.get("namespace", ""), _RANDOM.sub(r"\1", metadata["name"])


def _masked(document: Document) -> Document:
    if document["kind"] != "Secret":
        return document
    return {**document, "data": dict.fromkeys(document["data"], "<secret>")}
