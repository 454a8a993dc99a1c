"""The warm loader: there only where small steps are handed over, and what the operator takes for granted of it."""

import pytest

from modelyard_api import labels
from modelyard_api.contract.progress import PROGRESS_PORT
from modelyard_api.contract.warm import STEPS_DIRECTORY, STEPS_MAP, WARM_ARGUMENT, WARM_PATH
from modelyard_operator.resources.pods import POSTGRES_KEYS, S3_KEYS
from tests.charts.test_network import HTTP, PROJECT, Network, selects
from tests.support.rendering import NAMESPACE, Rendered, Renderer

ON = {"pods": {"loader": {"warm": {"maxRows": 50000, "beginSeconds": 7}}}}
POD = {"app.kubernetes.io/managed-by": "modelyard", labels.WARM_LOADER: "true"}


@pytest.fixture(scope="module")
def warm(renderer: Renderer) -> Rendered:
    return renderer.render(ON)


def variables(rendered: Rendered, component: str) -> dict[str, str]:
    (container,) = rendered.pod(component).spec["containers"]
    return {item["name"]: item.get("value", "") for item in container["env"]}


def test_without_a_limit_there_is_no_warm_loader(default: Rendered) -> None:
    assert variables(default, "operator")["MODELYARD_WARM__MAX_ROWS"] == "0"
    assert [item for item in default.of("Deployment") if item["metadata"]["namespace"] != NAMESPACE] == []
    assert [item for item in default.of("ConfigMap") if item["metadata"]["name"] == STEPS_MAP] == []


def test_the_operator_is_told_the_limit_in_plain_digits(warm: Rendered) -> None:
    found = variables(warm, "operator")
    assert (found["MODELYARD_WARM__MAX_ROWS"], found["MODELYARD_WARM__BEGIN_SECONDS"]) == ("50000", "7")


def test_the_steps_are_the_operator_s_and_survive_an_upgrade(warm: Rendered) -> None:
    steps = warm.one("ConfigMap", STEPS_MAP, PROJECT)
    assert "data" not in steps
    assert steps["metadata"]["labels"][labels.MANAGED_BY] == labels.MANAGER


def test_the_operator_and_the_pod_agree_on_labels_files_port_and_page(warm: Rendered) -> None:
    deployment = warm.one("Deployment", "modelyard-loader", PROJECT)["spec"]
    assert deployment["strategy"] == {"type": "Recreate"}
    template = deployment["template"]
    assert POD.items() <= template["metadata"]["labels"].items()
    assert selects(deployment["selector"], template["metadata"]["labels"])
    (container,) = template["spec"]["containers"]
    assert container["args"] == [WARM_ARGUMENT]
    assert container["ports"] == [{"name": "http", "containerPort": PROGRESS_PORT}]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"] == {"path": WARM_PATH, "port": "http"}
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts["steps"] == STEPS_DIRECTORY
    volumes = {volume["name"]: volume for volume in template["spec"]["volumes"]}
    assert volumes["steps"]["configMap"] == {"name": STEPS_MAP}


def test_the_pod_has_the_credentials_of_a_load_and_no_others(warm: Rendered) -> None:
    spec = warm.one("Deployment", "modelyard-loader", PROJECT)["spec"]["template"]["spec"]
    (volume,) = (volume for volume in spec["volumes"] if volume["name"] == "credentials")
    (source,) = volume["projected"]["sources"]
    assert [item["key"] for item in source["secret"]["items"]] == [*POSTGRES_KEYS, *S3_KEYS]


def test_the_operator_alone_asks_it_and_it_reaches_postgres_and_store(warm: Rendered) -> None:
    network = Network(warm)
    network.pods["warm"] = (PROJECT, POD)
    assert network.allows("operator", "warm", HTTP)
    assert network.allows("warm", "postgres", 5432)
    assert network.allows("warm", "minio", 9000)
    for other in ("pod", "server", "stranger", "outsider", "prometheus"):
        assert not network.allows(other, "warm", HTTP), other


def test_public_sources_are_reached_by_it_as_by_other_loaders(renderer: Renderer) -> None:
    opened = renderer.render({**ON, "networkPolicy": {"publicSources": True}})
    first, second = (
        opened.one("NetworkPolicy", name, PROJECT)["spec"]["egress"]
        for name in ("modelyard-loaders", "modelyard-warm-loaders")
    )
    assert first == second


def test_rights_of_the_operator_are_the_same_with_and_without_it(warm: Rendered, default: Rendered) -> None:
    assert warm.of("Role") == default.of("Role")
