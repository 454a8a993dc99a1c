"""What runs, at a glance."""

from bringup.charts import NAMESPACE
from bringup.cluster import Cluster, cluster_name
from bringup.context import Context
from bringup.engine import answers
from bringup.samples import PROMETHEUS, sample_project

_KINDS = "datasets,trainingjobs,modelpromotions"


def show_status(context: Context) -> None:
    """Prints engine, cluster, releases, pods, resources, and how to reach them."""
    say = context.reporter.say
    if not answers(context):
        say("engine: none answers (`make cluster` starts one)")
        return
    cluster = Cluster(context, cluster_name())
    if cluster.kubectl("get", "--raw", "/readyz", timeout=5) != "ok":
        say(f"cluster {cluster.name}: not there (`make cluster`)")
        return
    for heading, argv in {
        f"cluster {cluster.name}": ["kubectl", "get", "nodes"],
        "releases": ["helm", "list", "--namespace", NAMESPACE],
        "platform": ["kubectl", "get", "pods", "--namespace", NAMESPACE],
        f"project {sample_project()}": ["kubectl", "get", _KINDS, "--namespace", sample_project()],
    }.items():
        context.reporter.heading(heading)
        say(cluster.ask(*argv) or "(nothing)")
    show_addresses(context)


def show_addresses(context: Context) -> None:
    """Prints the commands by which a person reaches what runs."""
    kubeconfig = context.paths.kubeconfig.relative_to(context.paths.repository)
    forward = f"kubectl --namespace {NAMESPACE} port-forward"
    service, port = PROMETHEUS
    context.reporter.heading("addresses")
    for line in (
        f"export KUBECONFIG=$PWD/{kubeconfig} PATH={context.paths.cache / 'bin'}:$PATH",
        f"{forward} service/modelyard-mlflow 5000     # http://localhost:5000",
        f"{forward} service/{service} {port}  # http://localhost:{port}",
        f"kubectl --namespace {sample_project()} get {_KINDS}",
    ):
        context.reporter.say(f"  {line}")
