"""The Helm releases: installed or upgraded only when charts, values or images differ from what is deployed."""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bringup.cluster import Cluster
from bringup.context import Context
from bringup.errors import BringUpError
from bringup.images import Image
from bringup.keys import files_under, key_of
from bringup.settling import wait_settled
from bringup.store import write_whole
from bringup.tools import ensure_tools

NAMESPACE = "modelyard"
_KEY_LABEL = "modelyard.dev/key"
_PATIENCE_SECONDS = 600.0
_POD_IMAGES = ("loader", "trainer", "server")


@dataclass(frozen=True)
class Release:
    """One chart under the release name that it is installed as, and files of values for it."""

    name: str
    chart: Path
    values: tuple[Path, ...] = ()

    @property
    def key(self) -> str:
        """Changes with anything that would change what is deployed; fits a label."""
        return key_of([self.name], [*files_under(self.chart), *self.values])[:32]


def install(context: Context, cluster: Cluster, images: Iterable[Image]) -> None:
    """Brings both releases to what the checkout says, and returns when everything runs."""
    ensure_tools(context, ["helm", "kubectl"])
    charts = context.paths.repository / "charts"
    values = context.paths.build / "values-images.json"
    write_whole(values, json.dumps(image_values(images), indent=1, sort_keys=True) + "\n")
    extra = os.environ.get("MODELYARD_VALUES", "").split()
    _ensure_namespace(cluster)
    _release(context, cluster, Release("modelyard-crds", charts / "modelyard-crds"))
    files = (values, *(Path(f).resolve() for f in extra))
    _release(context, cluster, Release("modelyard", charts / "modelyard", files))
    with context.reporter.step("charts: waiting for what they install"):
        wait_settled(cluster, NAMESPACE, _PATIENCE_SECONDS)


def image_values(images: Iterable[Image]) -> dict[str, object]:
    """The chart's values that name exactly these images; those of a project's pods stand under `pods`."""
    tags = {image.name: {"image": {"tag": image.tag}} for image in images if image.name != "runtime"}
    pods = {name: tags.pop(name) for name in _POD_IMAGES if name in tags}
    return {**tags, "pods": pods}


def deployed_key(cluster: Cluster, name: str) -> str | None:
    """The key of the release as it is deployed; None if it is absent or its last upgrade did not succeed."""
    # Helm lists no labels, so they are read off the Secret that it keeps the release in.
    selector = f"owner=helm,name={name}"
    said = cluster.kubectl("get", "secrets", "--namespace", NAMESPACE, "--selector", selector, "-o", "json")
    labels = [s["metadata"]["labels"] for s in json.loads(said or '{"items": []}')["items"]]
    newest: dict[str, str] = max(labels, key=lambda label: int(label["version"]), default={})
    return newest.get(_KEY_LABEL) if newest.get("status") == "deployed" else None


def _ensure_namespace(cluster: Cluster) -> None:
    manifest = cluster.context.paths.manifests / "kind" / "namespace.yaml"
    cluster.run("namespace", "kubectl", "apply", "--server-side", "--filename", str(manifest))


def _release(context: Context, cluster: Cluster, release: Release) -> None:
    if deployed_key(cluster, release.name) == release.key:
        return
    _unlock(cluster, release.name)
    argv = ["helm", "upgrade", "--install", release.name, str(release.chart), "--namespace", NAMESPACE]
    argv += ["--labels", f"{_KEY_LABEL}={release.key}", "--timeout", f"{_PATIENCE_SECONDS:.0f}s"]
    # What somebody set by hand, such as another project, stays.
    argv.append("--reset-then-reuse-values")
    for file in release.values:
        argv += ["--values", str(file)]
    with context.reporter.step(f"charts: installing {release.name}"):
        try:
            cluster.run(f"helm-{release.name}", *argv)
        except BringUpError:
            _say_what_is_wrong(context, cluster)
            raise


def _unlock(cluster: Cluster, name: str) -> None:
    """Removes the record of an upgrade that was killed half way: Helm would refuse every later one for its sake."""
    for state in ("pending-install", "pending-upgrade", "pending-rollback"):
        selector = f"owner=helm,name={name},status={state}"
        cluster.kubectl("delete", "secrets", "--namespace", NAMESPACE, "--selector", selector)


def _say_what_is_wrong(context: Context, cluster: Cluster) -> None:
    for title, words in {
        "pods": ["get", "pods", "--namespace", NAMESPACE],
        "last warnings": ["get", "events", "--namespace", NAMESPACE, "--field-selector", "type=Warning"],
    }.items():
        lines = (cluster.kubectl(*words) or "").splitlines()[-12:]
        context.reporter.say(f"  {title}:\n" + "\n".join(f"    {line}" for line in lines))
