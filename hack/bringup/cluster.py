"""The kind cluster: made once, found again, and made anew if its making was interrupted."""

import os
import shutil
import time
from dataclasses import dataclass

from bringup.context import Context
from bringup.errors import BringUpError
from bringup.keys import key_of
from bringup.node import NodeImage
from bringup.shell import Options
from bringup.tools import ensure_tools

# In the node: written when its creation was completed, whether or not its API server answers just now.
_KEY_FILE = "/kind/modelyard-key"
_AUDIT_POLICY = "audit-policy.yaml"
_READY_SECONDS = 180.0


def cluster_name() -> str:
    """Name of the cluster on this machine."""
    return os.environ.get("MODELYARD_CLUSTER", "modelyard")


@dataclass(frozen=True)
class Cluster:
    """Commands against one cluster, through the kubeconfig of the checkout."""

    context: Context
    name: str

    @property
    def node(self) -> str:
        """The container of the only node."""
        return f"{self.name}-control-plane"

    def environment(self) -> dict[str, str]:
        return {"KUBECONFIG": str(self.context.paths.kubeconfig)}

    def kubectl(self, *words: str, timeout: float = 60.0) -> str | None:
        """What kubectl prints, or None if it fails."""
        return self.ask("kubectl", *words, timeout=timeout)

    def ask(self, *argv: str, timeout: float = 60.0) -> str | None:
        """What a program that talks to the cluster prints, or None if it fails."""
        return self.context.shell.ask(argv, Options(env=self.environment(), timeout=timeout))

    def run(self, log: str, *argv: str, timeout: float | None = None) -> None:
        """Runs a program that talks to the cluster; raises with the end of its output if it fails."""
        self.context.shell.run(log, argv, Options(env=self.environment(), timeout=timeout))

    def exists(self) -> bool:
        said = self.context.shell.ask(["kind", "get", "clusters"]) or ""
        return self.name in said.splitlines()

    def write_kubeconfig(self) -> None:
        """Writes the way to the cluster into the build directory; the user's own file is left alone."""
        file = self.context.paths.kubeconfig
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_name(".kubeconfig.new")
        fresh.unlink(missing_ok=True)
        self.run(
            "kubeconfig", "kind", "export", "kubeconfig", "--name", self.name, "--kubeconfig", str(fresh)
        )
        fresh.rename(file)

    def created_from(self) -> str | None:
        """The key that a completed creation left in the node."""
        return self.context.shell.ask(["docker", "exec", self.node, "cat", _KEY_FILE])

    def create(self, image: NodeImage, key: str) -> None:
        """Creates the cluster; its last act is to leave the key that `created_from` finds."""
        # The node mounts files from here for as long as it lives, whatever becomes of the checkout.
        place = self.context.paths.cache / "kind" / key
        shutil.copytree(self.context.paths.manifests / "kind", place, dirs_exist_ok=True)
        fresh = self.context.paths.build / ".kubeconfig.create"
        argv = ["kind", "create", "cluster", "--name", self.name, "--image", image.reference]
        argv += ["--config", image.configuration, "--kubeconfig", str(fresh), "--wait", "120s", "--retain"]
        self.context.shell.run("kind-create", argv, Options(cwd=place))
        fresh.unlink(missing_ok=True)
        self.write_kubeconfig()
        self.run("node-ready", "kubectl", "wait", "node", "--all", "--for=condition=Ready", "--timeout=120s")
        # One node: a second copy of the name server would only cost memory.
        self.run("coredns", "kubectl", "-n", "kube-system", "scale", "deployment", "coredns", "--replicas=1")
        self.run(
            "coredns",
            "kubectl",
            "-n",
            "kube-system",
            "rollout",
            "status",
            "deployment/coredns",
            "--timeout=180s",
        )
        write = f"echo {key} > {_KEY_FILE}"
        self.run("node-key", "docker", "exec", self.node, "sh", "-c", write)

    def delete(self) -> None:
        self.run("kind-delete", "kind", "delete", "cluster", "--name", self.name)
        self.context.paths.kubeconfig.unlink(missing_ok=True)

    def start(self) -> None:
        """Starts the node again after the engine or the machine was stopped."""
        self.context.shell.ask(["docker", "start", self.node])

    def wait_ready(self) -> None:
        """Waits for the API server of a cluster that was there already."""
        deadline = time.monotonic() + _READY_SECONDS
        while self.kubectl("get", "--raw", "/readyz", timeout=5) != "ok":
            if time.monotonic() > deadline:
                raise BringUpError(
                    f"the API server of cluster {self.name} does not become ready; try `make down`"
                )
            time.sleep(1)


def ensure_cluster(context: Context, image: NodeImage) -> Cluster:
    """Returns a cluster whose API server answers."""
    ensure_tools(context, ["kind", "kubectl"])
    cluster = Cluster(context, cluster_name())
    folder = context.paths.manifests / "kind"
    key = key_of([image.key], [folder / image.configuration, folder / _AUDIT_POLICY])[:16]
    with context.store.locked(f"cluster-{cluster.name}"):
        if cluster.exists():
            cluster.start()
            if cluster.created_from():
                cluster.write_kubeconfig()
                cluster.wait_ready()
            else:
                context.reporter.say(f"  cluster {cluster.name} was not completed; it is made anew")
                cluster.delete()
        if not cluster.exists():
            with context.reporter.step(f"cluster: creating {cluster.name} from {image.reference}"):
                cluster.create(image, key)
    if cluster.created_from() != key:
        context.reporter.say(
            "  the cluster was made from another node image or configuration; `make down` to renew it"
        )
    return cluster
