"""Rules and dashboards: that they are delivered, and that what they ask for is what the programs count."""

import json
import re
from pathlib import Path

import pytest
import yaml

from modelyard_operator.metrics import Metrics
from modelyard_server.metrics import ServerMetrics
from modelyard_server.monitoring.metrics import MonitoringMetrics
from tests.support.queries import DASHBOARDS, RULES, of_dashboards, of_rules, rules
from tests.support.rendering import Rendered, Renderer

_NAME = re.compile(r"\bmodelyard[_:][a-z0-9_:]+")
_HISTOGRAM = re.compile(r"_(bucket|sum|count)$")


def counted() -> set[str]:
    """Names of all that operator and server count, as a query spells them."""
    server = ServerMetrics()
    MonitoringMetrics(server.registry)
    families = (*server.registry.metrics(), *Metrics().registry.collect())
    return {f"{each.name}_total" if each.type == "counter" else each.name for each in families}


def test_every_query_asks_for_what_is_counted() -> None:
    recorded = of_rules("record")
    known = counted() | {query.place for query in recorded}
    for query in (*recorded, *of_rules("alert"), *of_dashboards()):
        for name in _NAME.findall(query.text):
            assert name in known or _HISTOGRAM.sub("", name) in known, f"{query.place}: {name}"


def test_the_questions_of_panels_and_variables_are_found_with_everything_chosen() -> None:
    asked = {query.text for query in of_dashboards()}
    assert 'modelyard:drift:ratio_30m{namespace=~".*", promotion=~".*"}' in asked
    assert 'modelyard_server_ready{namespace=~".*"}' in asked


def test_the_check_of_names_would_find_one_that_is_misspelt() -> None:
    assert _NAME.findall("rate(modelyard_predicted_total[5m])") == ["modelyard_predicted_total"]
    assert "modelyard_predicted_total" not in counted()


def test_every_alert_says_how_bad_it_is_and_what_it_means() -> None:
    alerts = [rule for rule in rules() if "alert" in rule]
    assert alerts
    for alert in alerts:
        assert alert["labels"]["severity"] in ("critical", "warning")
        assert alert["annotations"]["summary"]
    assert len({alert["alert"] for alert in alerts}) == len(alerts)


def test_prometheus_reads_the_rules(default: Rendered) -> None:
    data = default.one("ConfigMap", "modelyard-prometheus")["data"]
    assert yaml.safe_load(data["rules.yml"]) == yaml.safe_load(RULES.read_text())
    assert yaml.safe_load(data["prometheus.yml"])["rule_files"] == ["/etc/modelyard/prometheus/rules.yml"]


def test_only_pods_of_the_platform_speak_of_other_namespaces(default: Rendered) -> None:
    config = yaml.safe_load(default.one("ConfigMap", "modelyard-prometheus")["data"]["prometheus.yml"])
    (pods,) = (job for job in config["scrape_configs"] if job["job_name"] == "pods")
    assert pods["metric_relabel_configs"] == [
        {
            "source_labels": ["namespace", "exported_namespace"],
            "regex": "modelyard;(.+)",
            "target_label": "namespace",
        },
        {"regex": "exported_namespace", "action": "labeldrop"},
    ]


def test_no_dashboards_are_made_unless_they_are_asked_for(default: Rendered) -> None:
    assert not [each for each in default.of("ConfigMap") if "dashboard" in each["metadata"]["name"]]


def test_dashboards_are_found_by_grafanas_sidecar(renderer: Renderer) -> None:
    asked = {"enabled": True, "namespace": "grafana", "annotations": {"grafana_folder": "Modelyard"}}
    rendered = renderer.render({"dashboards": asked})
    for file in DASHBOARDS:
        made = rendered.one("ConfigMap", f"modelyard-dashboard-{file.stem}", "grafana")
        assert made["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert made["metadata"]["annotations"] == {"grafana_folder": "Modelyard"}
        assert json.loads(made["data"][f"modelyard-{file.name}"]) == json.loads(file.read_text())


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
def test_panels_of_a_dashboard_have_names_and_places_of_their_own(file: Path) -> None:
    panels = json.loads(file.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len(set(places)) == len(places)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)
