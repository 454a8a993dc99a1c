"""Values: what is accepted, what is refused, and that each is told and used."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import chart_docs
from modelyard_operator.settings import Settings
from modelyard_provisioner.plan import Plan
from tests.support.rendering import CHART, CRD_CHART, Rendered, Renderer, environment

# Settings that a pod has no use for, or that are right as they are.
NOT_IN_THE_CHART = {
    "host", "port", "server_port", "progress_port", "kubeconfig", "credentials_directory", "project_secret",
    "write_grace_seconds", "retry",
}  # fmt: skip


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"operatr": {}}, "operatr"),
        ({"operator": {"replicas": 2}}, "replicas"),
        ({"global": {"region": "eu"}}, "region"),
        ({"postgres": {"replicas": 2}}, "replicas"),
        ({"postgres": {"external": {"hostname": "x"}}}, "hostname"),
        ({"minio": {"enabled": False, "external": {"endpoint": "x"}}}, "endpoint"),
        ({"minio": {"external": {"endpointUrl": "s3.example.org"}}}, "endpointUrl"),
        ({"mlflow": {"backup": {"keep": 0}}}, "keep"),
        ({"prometheus": {"scrapeInterval": "often"}}, "scrapeInterval"),
        ({"projects": []}, "projects"),
        ({"projects": [{"nmae": "demo"}]}, "nmae"),
        ({"projects": [{"name": "Demo"}]}, "name"),
        ({"projects": [{"name": "mlflow"}]}, "name"),
        ({"projects": [{"name": "postgres"}]}, "name"),
        ({"projects": [{"name": "kube-system"}]}, "name"),
        ({"projects": [{"name": "a" * 41}]}, "name"),
        ({"operator": {"image": {"tag": "latest"}}}, "tag"),
        ({"operator": {"image": {"digest": "sha256:abc"}}}, "digest"),
        ({"operator": {"workers": "many"}}, "workers"),
        ({"bucket": "Not A Bucket"}, "bucket"),
        ({"database": "drop table"}, "database"),
    ],
    ids=lambda value: json.dumps(value)[:60] if isinstance(value, dict) else "",
)
def test_a_wrong_value_is_refused_with_its_name(
    renderer: Renderer, values: dict[str, Any], complaint: str
) -> None:
    done = renderer.attempt(values)
    assert done.returncode != 0
    assert "schema" in done.stderr
    assert complaint in done.stderr


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"projects": [{"name": "twice"}, {"name": "twice", "quota": {}}]}, "twice is listed twice"),
        (
            {"postgres": {"enabled": False, "external": {"adminSecret": "x"}}},
            "postgres.external.host is needed",
        ),
        (
            {"postgres": {"enabled": False, "external": {"host": "x"}}},
            "postgres.external.adminSecret is needed",
        ),
        ({"minio": {"enabled": False}}, "minio.external.credentialsSecret is needed"),
        ({"mlflow": {"enabled": False, "external": {"adminSecret": "x"}}}, "mlflow.external.url is needed"),
        (
            {"mlflow": {"enabled": False, "external": {"url": "http://x"}}},
            "mlflow.external.adminSecret is needed",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_values_that_do_not_go_together_are_refused_with_what_is_missing(
    renderer: Renderer, values: dict[str, Any], complaint: str
) -> None:
    done = renderer.attempt(values)
    assert done.returncode != 0
    assert complaint in done.stderr


def test_the_release_s_own_namespace_is_no_project(renderer: Renderer) -> None:
    done = renderer.attempt({"projects": [{"name": "here"}]}, namespace="here")
    assert "here is the release's own namespace" in done.stderr


def test_the_definitions_chart_takes_no_values(renderer: Renderer) -> None:
    assert "keep" in renderer.attempt({"keep": False}, CRD_CHART).stderr


@pytest.mark.parametrize("chart", sorted(CHART.rglob("Chart.yaml")), ids=lambda file: file.parent.name)
def test_every_value_is_told_in_the_readme(chart: Path) -> None:
    folder = chart.parent
    source = (folder / "values.yaml").read_text()
    readme = (folder / "README.md").read_text()
    assert chart_docs.rendered(readme, source) == readme
    for value in chart_docs.values(source):
        assert f"`{value.path}`" in readme


def test_a_value_without_a_comment_is_reported() -> None:
    with pytest.raises(chart_docs.UndocumentedError, match="b has no comment"):
        chart_docs.values("# One.\na: 1\nb: 2\n")


def test_every_setting_of_the_operator_has_a_value_in_the_chart(default: Rendered) -> None:
    (container,) = default.pod("operator").spec["containers"]
    names = {entry["name"] for entry in container["env"]}
    given = {name.removeprefix("MODELYARD_").split("__")[0].lower() for name in names}
    assert sorted(set(Settings.model_fields) - given - NOT_IN_THE_CHART) == []
    assert sorted(given - set(Settings.model_fields)) == []


def test_the_operator_reads_its_settings_as_the_chart_writes_them(
    rendered: Rendered, monkeypatch: pytest.MonkeyPatch
) -> None:
    (container,) = rendered.pod("operator").spec["containers"]
    for name, value in environment(container).items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.projects == [project["name"] for project in projects_of(rendered)]
    for kind in ("loader", "trainer", "server"):
        pod = getattr(settings, kind)
        assert pod.image.endswith(f"modelyard/{kind}:0.1.0")
        assert pod.resources.limits["memory"]
        for project in settings.projects:
            assert rendered.one("ServiceAccount", pod.service_account, project)


def projects_of(rendered: Rendered) -> list[dict[str, Any]]:
    """Name of each project, in order, as the provisioning has them."""
    return [{"name": name} for name in json.loads(rendered.plan())["projects"]]


def test_the_provisioning_reads_its_plan_as_the_chart_writes_it(rendered: Rendered) -> None:
    plan = Plan.model_validate_json(rendered.plan())
    paths = {
        item["path"]
        for volume in rendered.pod("provision").spec["volumes"]
        for source in volume.get("projected", {}).get("sources", [])
        for item in source["secret"]["items"]
    }
    for project in plan.projects:
        assert f"projects/{project}.postgres-password" in paths
    assert {"postgres/password", "store/secret-key", "tracking/admin-password"} <= paths


def test_the_provisioning_runs_again_exactly_when_it_would_do_something_else(renderer: Renderer) -> None:
    # Nothing is kept between renderings, so all that may be compared is the plan.
    one, same = renderer.render(), renderer.render({"operator": {"logLevel": "DEBUG"}})
    assert one.plan() == same.plan()
    assert one.plan() != renderer.render({"projects": [{"name": "other"}]}).plan()
    assert one.plan() != renderer.render({"bucket": "other"}).plan()


def test_the_version_is_that_of_the_images(renderer: Renderer) -> None:
    versions = {
        yaml.safe_load(file.read_text())[key]
        for root in (CHART, CRD_CHART)
        for file in root.rglob("Chart.yaml")
        for key in ("version", "appVersion")
    }
    assert len(versions) == 1, "charts, subcharts and images go together"
    assert renderer.render().pod("operator").spec["containers"][0]["image"].endswith(f":{versions.pop()}")
