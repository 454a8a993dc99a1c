"""NetworkPolicies as a graph: who may talk to whom, worked out from the labels of the rendered pods."""

import ipaddress

import pytest

from tests.support.rendering import NAMESPACE, Document, Rendered, Renderer

PROJECT = "demo"
Labels = dict[str, str]
POD_OF_A_PROJECT = {"app.kubernetes.io/managed-by": "modelyard"}
SERVER = {**POD_OF_A_PROJECT, "modelyard.dev/promotion": "housing"}
LOADER = {**POD_OF_A_PROJECT, "modelyard.dev/dataset": "houses"}

TRAINER = {**POD_OF_A_PROJECT, "modelyard.dev/training-job": "forest"}


class Network:
    """Evaluates policies for pods of two namespaces."""

    def __init__(self, rendered: Rendered) -> None:
        self.policies = rendered.of("NetworkPolicy")
        self.namespaces = {
            NAMESPACE: {"kubernetes.io/metadata.name": NAMESPACE},
            PROJECT: {
                "kubernetes.io/metadata.name": PROJECT,
                **rendered.one("Namespace", PROJECT, "")["metadata"]["labels"],
            },
            "elsewhere": {"kubernetes.io/metadata.name": "elsewhere"},
        }
        self.pods: dict[str, tuple[str, Labels]] = {
            pod.component(): (NAMESPACE, pod.metadata["labels"]) for pod in rendered.pods()
        }
        self.pods |= {
            "pod": (PROJECT, POD_OF_A_PROJECT),
            "server": (PROJECT, SERVER),
            "loader": (PROJECT, LOADER),
            "trainer": (PROJECT, TRAINER),
            "stranger": (PROJECT, {}),
            "outsider": ("elsewhere", {}),
        }

    def allows(self, source: str, target: str, port: int) -> bool:
        """Whether both ends let a connection through."""
        return self._side(source, target, port, "Egress") and self._side(target, source, port, "Ingress")

    def _side(self, mine: str, other: str, port: int, direction: str) -> bool:
        namespace, labels = self.pods[mine]
        applying = [
            policy["spec"]
            for policy in self.policies
            if policy["metadata"]["namespace"] == namespace
            and direction in policy["spec"]["policyTypes"]
            and selects(policy["spec"]["podSelector"], labels)
        ]
        if not applying:
            return True
        peers = "to" if direction == "Egress" else "from"
        rules = [rule for spec in applying for rule in spec.get(direction.lower(), [])]
        return any(self._peer(rule.get(peers), namespace, other) and opens(rule, port) for rule in rules)

    def _peer(self, peers: list[Document] | None, own_namespace: str, other: str) -> bool:
        if peers is None:
            return True
        namespace, labels = self.pods[other]
        return any(
            (
                selects(peer["namespaceSelector"], self.namespaces[namespace])
                if "namespaceSelector" in peer
                else namespace == own_namespace
            )
            and selects(peer.get("podSelector", {}), labels)
            for peer in peers
            if "ipBlock" not in peer
        )


def selects(selector: Document, labels: Labels) -> bool:
    """Whether a selector of the forms that the chart uses matches."""
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    return all(
        (expression["key"] in labels) is (expression["operator"] == "Exists")
        for expression in selector.get("matchExpressions", [])
    )


def opens(rule: Document, port: int) -> bool:
    """Whether a rule is about this port."""
    return "ports" not in rule or any(entry["port"] == port for entry in rule["ports"])


@pytest.fixture(scope="module")
def network(default: Rendered) -> Network:
    return Network(default)


POSTGRES, STORE, MLFLOW, HTTP, GRPC, PROMETHEUS, METRICS = 5432, 9000, 5000, 8080, 8081, 9090, 9102
ALLOWED = {
    ("operator", "mlflow", MLFLOW), ("operator", "prometheus", PROMETHEUS), ("operator", "server", HTTP),
    ("provision", "postgres", POSTGRES), ("provision", "minio", STORE), ("provision", "mlflow", MLFLOW),
    ("mlflow", "postgres", POSTGRES), ("mlflow", "minio", STORE),
    ("prometheus", "operator", HTTP), ("prometheus", "minio", STORE), ("prometheus", "mlflow", METRICS),
    ("prometheus", "server", HTTP),
    ("pod", "postgres", POSTGRES), ("pod", "minio", STORE), ("pod", "mlflow", MLFLOW),
    ("server", "minio", STORE),
    ("operator", "loader", HTTP), ("operator", "trainer", HTTP),
    ("trainer", "postgres", POSTGRES), ("trainer", "minio", STORE), ("trainer", "mlflow", MLFLOW),
    ("loader", "postgres", POSTGRES), ("loader", "minio", STORE), ("loader", "mlflow", MLFLOW),
}  # fmt: skip


def test_exactly_the_needed_flows_are_open(network: Network) -> None:
    names = sorted(network.pods)
    ports = (POSTGRES, STORE, MLFLOW, HTTP, PROMETHEUS, METRICS)
    found = {
        (source, target, port)
        for source in names
        for target in names
        for port in ports
        if source != target
        and target not in ("stranger", "outsider")
        and network.allows(source, target, port)
    }
    assert sorted(found ^ ALLOWED) == []


@pytest.mark.parametrize("target", ["postgres", "minio", "mlflow", "operator", "prometheus", "server"])
@pytest.mark.parametrize("source", ["stranger", "outsider"])
def test_nobody_else_gets_in(network: Network, source: str, target: str) -> None:
    assert not any(network.allows(source, target, port) for port in range(1, 10000))


def test_a_server_reaches_nothing_but_the_store_whatever_else_the_project_opens(renderer: Renderer) -> None:
    anywhere: Document = {"to": [{"namespaceSelector": {}}]}
    network = Network(renderer.render({"projects": [{"name": PROJECT, "egress": [anywhere]}]}))
    assert network.allows("loader", "outsider", 443)
    assert not network.allows("server", "outsider", 443)
    assert not network.allows("server", "server", HTTP)


def test_a_project_s_clients_reach_its_servers(renderer: Renderer) -> None:
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "elsewhere"}}}
    network = Network(renderer.render({"projects": [{"name": PROJECT, "clients": [peer]}]}))
    assert network.allows("outsider", "server", HTTP)
    assert network.allows("outsider", "server", GRPC)
    assert not network.allows("outsider", "pod", HTTP)


def test_sources_at_public_addresses_are_reached_by_loaders_only_where_that_is_switched_on(
    renderer: Renderer,
) -> None:
    closed = renderer.render({}).one("NetworkPolicy", "modelyard-loaders", PROJECT)["spec"]
    assert "egress" not in closed
    opened = renderer.render({"networkPolicy": {"publicSources": True, "publicSourcePorts": [443]}})
    spec = opened.one("NetworkPolicy", "modelyard-loaders", PROJECT)["spec"]
    (rule,) = spec["egress"]
    assert [entry["port"] for entry in rule["ports"]] == [443]
    blocks = [ipaddress.ip_network(peer["ipBlock"]["cidr"]) for peer in rule["to"]]
    private = [ipaddress.ip_network(text) for peer in rule["to"] for text in peer["ipBlock"]["except"]]
    assert [block.version for block in blocks] == [4, 6]
    for address in ("10.96.0.1", "172.18.0.2", "192.168.1.1", "169.254.169.254", "127.0.0.1", "fd00::1"):
        assert any(ipaddress.ip_address(address) in block for block in private), address
    assert not any(ipaddress.ip_address("93.184.216.34") in block for block in private)
    assert selects(spec["podSelector"], LOADER)
    assert not selects(spec["podSelector"], SERVER)


def test_policies_can_be_left_to_others(renderer: Renderer) -> None:
    assert renderer.render({"networkPolicy": {"enabled": False}}).of("NetworkPolicy") == []


def test_services_elsewhere_are_reached_at_their_ports(renderer: Renderer) -> None:
    elsewhere = {
        "postgres": {"enabled": False, "external": {"host": "db", "port": 6432, "adminSecret": "a"}},
        "minio": {
            "enabled": False,
            "external": {"endpointUrl": "https://s3.example.org", "credentialsSecret": "a"},
        },
        "mlflow": {"enabled": False, "external": {"url": "http://mlflow:5001", "adminSecret": "a"}},
    }
    rendered = renderer.render(elsewhere)
    for name, namespace in (("modelyard-operator", NAMESPACE), ("modelyard-pods", PROJECT)):
        rules = rendered.one("NetworkPolicy", name, namespace)["spec"]["egress"]
        ports = {entry["port"] for rule in rules if "to" not in rule for entry in rule["ports"]}
        assert {6432, 443, 5001} <= ports
