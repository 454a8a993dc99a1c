"""The image of the cluster's node: kind's own where it can be pulled, else one made here."""

import tarfile
import tempfile
import time
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from bringup.building import Build, build_image
from bringup.context import Context
from bringup.errors import BringUpError
from bringup.keys import files_under, key_of
from bringup.registry import Registry, ensure_debian, image_id, key_label, present, pulled
from bringup.shell import Options
from bringup.tools import TOOLS, ensure_tools, version_of

_TOOLS = ("apiserver", "node", "etcd", "coredns", "pause", "local-path-provisioner")
_COPIED = ("kubeadm", "kubectl", "kubelet", "kube-proxy", "local-path-provisioner")
_STORAGE = "rancher/local-path-provisioner"
_WORKBENCH = "modelyard-node-build"
_CONTAINERD_SECONDS = 60.0
_ENTRYPOINT = 'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]'
# Started by their image's own entry point; the other programs are named by kubeadm's manifests.
_ENTRY_POINTS = {"coredns": "/coredns", "pause": "/pause"}


@dataclass(frozen=True)
class NodeImage:
    """What `kind create cluster` is given."""

    reference: str
    configuration: str
    key: str


def ensure_node_image(context: Context, registry: Registry) -> NodeImage:
    """Pulls kind's image of the pinned Kubernetes version, or builds one of the same version."""
    version = version_of(context, TOOLS["node"])
    official = f"kindest/node:{version}"
    own_reference = f"modelyard/node:{version}"
    # Once one was built here, the registry is not asked again.
    if pulled(context, official) or (not present(context, own_reference) and registry.pull(official)):
        return NodeImage(official, "pulled.yaml", official)
    base = ensure_debian(context, registry, "bookworm")
    binaries = ensure_tools(context, _TOOLS)
    folder = context.paths.images / "node"
    built_from = [version, image_id(context, base), *(str(b.resolve()) for b in binaries.values())]
    key = key_of(built_from, files_under(folder), folder)
    own = NodeImage(own_reference, "built.yaml", key)
    if key_label(context, own.reference) != key:
        with context.reporter.step(f"node: building {own.reference}"):
            _Builder(context, version, binaries).build(own)
    return own


class _Builder:
    def __init__(self, context: Context, version: str, binaries: dict[str, Path]) -> None:
        self._context = context
        self._version = version
        self._binaries = binaries
        self._folder = context.paths.images / "node"

    def build(self, image: NodeImage) -> None:
        wanted = self._wanted_images()
        references = [
            self._import(reference) for reference in wanted if self._name(reference) != "kube-proxy"
        ]
        proxy = next(r for r in wanted if self._name(r) == "kube-proxy")
        storage = f"{_STORAGE}:{version_of(self._context, TOOLS['local-path-provisioner'])}"
        self._target("kube-proxy", proxy)
        self._target("storage", storage)
        pause = next(r for r in wanted if self._name(r) == "pause")
        bare = "modelyard/node-bare:build"
        self._target("node", bare, {"PAUSE_IMAGE": pause})
        self._assemble(bare, [*references, proxy, storage], image)

    def _wanted_images(self) -> list[str]:
        """The images that kubeadm will ask for, under the names that it asks for."""
        question = ["config", "images", "list", "--kubernetes-version", self._version]
        said = self._context.shell.ask([self._binaries["kubeadm"], *question])
        if not said:
            raise BringUpError("kubeadm does not say which images it wants")
        return said.split()

    def _name(self, reference: str) -> str:
        return reference.rpartition("/")[2].partition(":")[0]

    def _import(self, reference: str) -> str:
        """An image of nothing but one binary."""
        name = self._name(reference)
        entry = _ENTRY_POINTS.get(name)
        place = entry or f"/usr/local/bin/{name}"
        changes = ["--change", f'ENTRYPOINT ["{place}"]', "--change", "ENV PATH=/usr/local/bin"]
        with tempfile.TemporaryFile() as stream:
            with tarfile.open(fileobj=stream, mode="w") as archive:
                content = self._binaries[name].read_bytes()
                member = tarfile.TarInfo(place.lstrip("/"))
                member.size, member.mode = len(content), 0o755
                archive.addfile(member, BytesIO(content))
            stream.seek(0)
            argv = ["docker", "import", *changes, "-", reference]
            self._context.shell.run(f"node-{name}", argv, Options(stdin=stream))
        return reference

    def _target(self, target: str, reference: str, arguments: dict[str, str] | None = None) -> None:
        # The classic builder makes every stage before the wanted one, so each build gets all the files.
        files = {f.name: f for f in files_under(self._folder)} | {b: self._binaries[b] for b in _COPIED}
        given = {"KUBERNETES_VERSION": self._version, **(arguments or {})}
        build = Build((reference,), "", files, target=target, arguments=given)
        build_image(self._context, build, f"node-{target}")

    def _assemble(self, bare: str, references: list[str], image: NodeImage) -> None:
        """Puts the images into the node's own store, in a container that is then committed."""
        shell = self._context.shell
        remove_workbench(self._context)
        try:
            run = ["docker", "run", "--detach", "--privileged", "--name", _WORKBENCH, "--network", "none"]
            shell.run("node-bench", [*run, "--entrypoint", "sleep", bare, "infinity"])
            shell.run("node-bench", ["docker", "exec", "--detach", _WORKBENCH, "containerd"])
            self._await_containerd()
            into = [
                "docker",
                "exec",
                "--interactive",
                _WORKBENCH,
                "ctr",
                "--namespace",
                "k8s.io",
                "images",
                "import",
            ]
            shell.pipe("node-images", ["docker", "save", *references], [*into, "--no-unpack", "-"])
            shell.run("node-bench", ["docker", "exec", _WORKBENCH, "pkill", "--exact", "containerd"])
            shell.run("node-bench", ["docker", "stop", "--time", "1", _WORKBENCH])
            label = f"LABEL modelyard.dev/key={image.key}"
            changes = [w for c in (_ENTRYPOINT, "CMD []", label) for w in ("--change", c)]
            shell.run("node-commit", ["docker", "commit", *changes, _WORKBENCH, image.reference])
        finally:
            remove_workbench(self._context)

    def _await_containerd(self) -> None:
        deadline = time.monotonic() + _CONTAINERD_SECONDS
        while self._context.shell.ask(["docker", "exec", _WORKBENCH, "ctr", "version"]) is None:
            if time.monotonic() > deadline:
                raise BringUpError("containerd does not start in the node image")
            time.sleep(0.5)


def remove_workbench(context: Context) -> None:
    """Removes the container that a node image is made in, if an interrupted build left it."""
    context.shell.ask(["docker", "rm", "--force", "--volumes", _WORKBENCH])
