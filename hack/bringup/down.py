"""Taking away all that was brought up on this machine; the cache stays."""

from pathlib import Path

from bringup.cluster import Cluster, cluster_name
from bringup.context import Context
from bringup.engine import answers, own_engine, stop_engine
from bringup.node import remove_workbench
from bringup.tools import ensure_tools


def down(context: Context) -> None:
    """Removes cluster, containers and network, and stops the engine if it was started here."""
    if answers(context):
        _remove_cluster(context)
        remove_workbench(context)
    if own_engine(context):
        stop_engine(context)
    for place in mounts_under(context.paths.cache, Path("/proc/self/mounts").read_text()):
        context.shell.run("unmount", ["umount", "--lazy", place])
    context.paths.kubeconfig.unlink(missing_ok=True)


def mounts_under(place: Path, mounts: str) -> list[str]:
    """Mount points at or under a place, innermost first, from the text of /proc/self/mounts."""
    points = [line.split()[1].replace("\\040", " ") for line in mounts.splitlines() if line]
    inside = [p for p in points if Path(p) == place or place in Path(p).parents]
    return sorted(inside, key=len, reverse=True)


def _remove_cluster(context: Context) -> None:
    # Nothing to remove where not even a container of that name is there; then no tool is built for it either.
    cluster = Cluster(context, cluster_name())
    label = f"label=io.x-k8s.kind.cluster={cluster.name}"
    if context.shell.ask(["docker", "ps", "--all", "--quiet", "--filter", label]):
        ensure_tools(context, ["kind"])
        with context.reporter.step(f"cluster: deleting {cluster.name}"):
            cluster.delete()
    if not context.shell.ask(["docker", "ps", "--all", "--quiet", "--filter", "label=io.x-k8s.kind.cluster"]):
        context.shell.ask(["docker", "network", "rm", "kind"])
