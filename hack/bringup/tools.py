"""Programs that the bring-up needs: the machine's own where they are good enough, else built from their modules.

Each module folder under `hack/modules` pins one program and all it depends on by version and checksum.
"""

import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from bringup.context import Context
from bringup.errors import BringUpError
from bringup.golang import ensure_go
from bringup.keys import files_under, key_of
from bringup.shell import Options
from bringup.store import replace_link
from bringup.versions import Version, required_version


@dataclass(frozen=True)
class Acceptable:
    """How to ask the machine's own program for its version, and the oldest one that will do."""

    argv: tuple[str, ...]
    oldest: Version


@dataclass(frozen=True)
class Tool:
    """One build: packages of one module folder, giving the binaries of the same names."""

    name: str
    folder: str
    module: str
    packages: tuple[str, ...]
    stamps: tuple[str, ...] = ()
    acceptable: Acceptable | None = None
    renamed: dict[str, str] = field(default_factory=dict)

    @property
    def binaries(self) -> tuple[str, ...]:
        """File names of what is built."""
        return tuple(self.renamed.get(p, p.rsplit("/", 1)[-1]) for p in self.packages)


_KUBERNETES_STAMPS = tuple(
    f"{package}.{stamp}"
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    for stamp in ("gitVersion={version}", "gitMajor={major}", "gitMinor={minor}", "gitTreeState=clean")
)


def _kubernetes(name: str, *commands: str, acceptable: Acceptable | None = None) -> Tool:
    packages = tuple(f"k8s.io/kubernetes/cmd/{c}" for c in commands)
    return Tool(name, "kubernetes", "k8s.io/kubernetes", packages, _KUBERNETES_STAMPS, acceptable)


_ETCD = "go.etcd.io/etcd/server/v3"
_STORAGE = "github.com/rancher/local-path-provisioner"
_HELM_STAMPS = (
    "helm.sh/helm/v3/internal/version.version={version}",
    "helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor=1",
    "helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=35",
)

TOOLS = {
    tool.name: tool
    for tool in (
        _kubernetes(
            "kubectl",
            "kubectl",
            acceptable=Acceptable(("kubectl", "version", "--client", "-o", "json"), Version(1, 34)),
        ),
        _kubernetes("apiserver", "kube-apiserver", "kube-controller-manager"),
        _kubernetes("node", "kubeadm", "kubectl", "kubelet", "kube-proxy", "kube-scheduler"),
        Tool("etcd", "etcd", _ETCD, (_ETCD,), renamed={_ETCD: "etcd"}),
        Tool(
            "kind",
            "kind",
            "sigs.k8s.io/kind",
            ("sigs.k8s.io/kind",),
            acceptable=Acceptable(("kind", "version"), Version(0, 30)),
        ),
        Tool(
            "helm",
            "helm",
            "helm.sh/helm/v3",
            ("helm.sh/helm/v3/cmd/helm",),
            _HELM_STAMPS,
            Acceptable(("helm", "version", "--short"), Version(3, 16)),
        ),
        Tool(
            "kubeconform",
            "kubeconform",
            "github.com/yannh/kubeconform",
            ("github.com/yannh/kubeconform/cmd/kubeconform",),
            ("main.version={version}",),
            Acceptable(("kubeconform", "-v"), Version(0, 6)),
        ),
        Tool("coredns", "coredns", "github.com/coredns/coredns", ("modelyard.dev/build/coredns",)),
        Tool("pause", "pause", "", ("modelyard.dev/build/pause",)),
        Tool("local-path-provisioner", "local-path-provisioner", _STORAGE, (_STORAGE,)),
        Tool("minio", "minio", "github.com/minio/minio", ("github.com/minio/minio",)),
        Tool(
            "versitygw",
            "versitygw",
            "github.com/versity/versitygw",
            ("github.com/versity/versitygw/cmd/versitygw",),
        ),
    )
}


def ensure_tools(context: Context, names: Iterable[str]) -> dict[str, Path]:
    """Makes the named tools available and returns every binary of theirs by its name."""
    found: dict[str, Path] = {}
    for name in names:
        if name not in TOOLS:
            raise BringUpError(f"there is no tool {name!r}; known are {', '.join(sorted(TOOLS))}")
        found |= _ensure(context, TOOLS[name])
    return found


def version_of(context: Context, tool: Tool) -> str:
    """The version, with its `v`, that the tool's module folder pins."""
    return required_version((context.paths.modules / tool.folder / "go.mod").read_text(), tool.module)


def _ensure(context: Context, tool: Tool) -> dict[str, Path]:
    own = _acceptable_on_path(context, tool)
    if own:
        return {tool.name: own}
    folder = context.paths.modules / tool.folder
    stamps = _stamps(context, tool)
    key = key_of([*tool.packages, *stamps, os.uname().machine], files_under(folder), folder)
    place = context.store.ensure(tool.name, key, lambda partial: _build(context, tool, stamps, partial))
    built = {binary: place / binary for binary in tool.binaries}
    for binary, target in built.items():
        replace_link(context.paths.cache / "bin" / binary, target)
    return built


def _acceptable_on_path(context: Context, tool: Tool) -> Path | None:
    if tool.acceptable is None:
        return None
    # Only what the machine had: a link of ours on the path is what the store decides about.
    ours = str(context.paths.cache / "bin")
    path = os.pathsep.join(p for p in context.shell.search_path.split(os.pathsep) if p != ours)
    program = shutil.which(tool.acceptable.argv[0], path=path)
    if not program:
        return None
    said = context.shell.ask([program, *tool.acceptable.argv[1:]]) or ""
    version = Version.parse(_git_version(said))
    return Path(program) if version and version >= tool.acceptable.oldest else None


def _git_version(said: str) -> str:
    """Kubernetes' tools answer in JSON, where other numbers come first."""
    try:
        return str(json.loads(said)["clientVersion"]["gitVersion"])
    except (ValueError, KeyError, TypeError):
        return said


def _stamps(context: Context, tool: Tool) -> list[str]:
    if not tool.stamps:
        return []
    version = version_of(context, tool)
    parsed = Version.parse(version) or Version(0, 0)
    return [s.format(version=version, major=parsed.major, minor=parsed.minor) for s in tool.stamps]


def _build(context: Context, tool: Tool, stamps: list[str], partial: Path) -> None:
    go = ensure_go(context)
    flags = " ".join(["-s", "-w", *(f"-X {s}" for s in stamps)])
    environment = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}
    options = Options(cwd=context.paths.modules / tool.folder, env=environment)
    with context.reporter.step(f"{tool.name}: building {', '.join(tool.binaries)}"):
        argv: list[str | Path] = [go, "build", "-ldflags", flags]
        if tool.renamed:
            for package, binary in tool.renamed.items():
                context.shell.run(f"build-{tool.name}", [*argv, "-o", partial / binary, package], options)
        else:
            context.shell.run(f"build-{tool.name}", [*argv, "-o", f"{partial}/", *tool.packages], options)
