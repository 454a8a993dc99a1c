"""Services that somebody else runs: nothing of ours is rendered for them, and everybody is told where they are."""

import json

import pytest

from tests.support.rendering import Rendered, Renderer, environment

HOST = {"host": "postgres.example.org", "adminSecret": "admin"}
SHARED = {"endpointUrl": "https://s3.example.org", "credentialsSecret": "store"}
SERVICES = {
    "postgres": HOST,
    "minio": SHARED,
    "mlflow": {"url": "https://mlflow.example.org", "adminSecret": "mlflow-admin"},
    "prometheus": {"url": ""},
}


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_a_service_elsewhere_leaves_nothing_here(renderer: Renderer, service: str) -> None:
    rendered = renderer.render({service: {"enabled": False, "external": SERVICES[service]}})
    label = "app.kubernetes.io/name"
    left = [d for d in rendered.documents if d["metadata"]["labels"].get(label) == service]
    assert left == []
    assert len(rendered.pods()) == 5


def test_everybody_is_told_where_postgres_is(renderer: Renderer) -> None:
    external = {**HOST, "port": 6432, "sslmode": "verify-full", "maintenanceDatabase": "defaultdb"}
    rendered = renderer.render({"postgres": {"enabled": False, "external": external}})
    (operator,) = rendered.pod("operator").spec["containers"]
    assert environment(operator)["MODELYARD_POSTGRES__HOST"] == "postgres.example.org"
    assert environment(operator)["MODELYARD_POSTGRES__PORT"] == "6432"
    assert rendered.one("ConfigMap", "modelyard-platform")["data"]["MODELYARD_POSTGRES_PORT"] == "6432"
    plan = json.loads(rendered.plan())["postgres"]
    assert plan["maintenance_database"] == "defaultdb"
    assert plan["private"] is False


def test_a_store_elsewhere_shares_one_credential_and_the_notes_say_so(renderer: Renderer) -> None:
    rendered = renderer.render({"minio": {"enabled": False, "external": SHARED}})
    assert json.loads(rendered.plan())["store"]["make_users"] is False
    keys = {
        secret["data"]["s3-secret-key"]
        for secret in rendered.of("Secret")
        if "s3-secret-key" in secret["data"]
    }
    assert len(keys) == 1


def test_a_store_elsewhere_that_makes_users_gives_each_project_its_own(renderer: Renderer) -> None:
    external = {**SHARED, "makesUsers": True}
    projects = [{"name": "one"}, {"name": "two"}]
    rendered = renderer.render({"minio": {"enabled": False, "external": external}, "projects": projects})
    keys = {rendered.one("Secret", "modelyard-project", p)["data"]["s3-secret-key"] for p in ("one", "two")}
    assert len(keys) == 2


def test_an_mlflow_elsewhere_keeps_its_own_databases(renderer: Renderer) -> None:
    rendered = renderer.render({"mlflow": {"enabled": False, "external": SERVICES["mlflow"]}})
    assert json.loads(rendered.plan())["postgres"]["tracking_databases"] == []
    assert json.loads(rendered.plan())["tracking"] == {"url": "https://mlflow.example.org"}


def test_prometheus_looks_into_the_platform_and_every_project(renderer: Renderer) -> None:
    rendered = renderer.render({"projects": [{"name": "one"}, {"name": "two"}]})
    config = rendered.one("ConfigMap", "modelyard-prometheus")["data"]["prometheus.yml"]
    assert '["modelyard","one","two"]' in config
    for namespace in ("modelyard", "one", "two"):
        assert rendered.one("RoleBinding", "modelyard-prometheus", namespace)


def test_pods_that_have_metrics_ask_to_be_scraped(default: Rendered) -> None:
    asking = {
        pod.component()
        for pod in default.pods()
        if pod.metadata.get("annotations", {}).get("prometheus.io/scrape") == "true"
    }
    assert asking == {"operator", "mlflow", "minio"}
