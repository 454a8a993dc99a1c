"""The samples, from `kubectl apply` to an answer over HTTP and the count of it in Prometheus."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from bringup.paths import REPOSITORY
from modelyard_api.conditions import find_condition
from tests.support.kubeapi import DATASET, EVENT, PROMOTION, TRAINING_JOB
from tests.support.kubectl import Command
from tests.support.manifests import PROJECT, Project
from tests.support.platform import Platform
from tests.support.queries import of_dashboards, of_rules
from tests.support.resources import replay
from tests.support.waiting import until

# With its fixtures, on a machine that does other things too.
pytestmark = pytest.mark.timeout(900)

SAMPLES = REPOSITORY / "manifests" / "samples"
REQUESTS = SAMPLES / "requests"
PLAUSIBLE_PRICE = (1.0, 6.0)
CATEGORY = "Mobile Phones"
_NOTHING_WENT_WRONG = re.compile(r"_(failures|rejected)_total")
"""Series that are there once something did."""


def request(promotion: str) -> dict[str, list[dict[str, object]]]:
    """The example request that is shipped with a promotion."""
    document: dict[str, list[dict[str, object]]] = json.loads((REQUESTS / f"{promotion}.json").read_text())
    return document


@pytest.fixture(scope="module")
def samples(platform: Platform, kubectl: Command) -> Project:
    """All samples applied and done."""
    kubectl.run("apply", "-n", PROJECT, "-f", SAMPLES)
    project = Project(platform.api, PROJECT)
    for name in ("california-housing", "product-titles"):
        project.await_true(DATASET, name, "Ready")
    for name in ("housing-v1", "housing-v2", "housing-v3", "titles-classifier"):
        project.await_true(TRAINING_JOB, name, "Succeeded")
    for name in ("housing-production", "titles-production"):
        project.await_true(PROMOTION, name, "Ready")
    return project


@pytest.fixture(scope="module")
def housing(platform: Platform, samples: Project) -> Iterator[httpx.Client]:
    with platform.server(samples.name, "housing-production") as client:
        yield client


@pytest.fixture(scope="module")
def titles(platform: Platform, samples: Project) -> Iterator[httpx.Client]:
    with platform.server(samples.name, "titles-production") as client:
        yield client


def columns_of(kubectl: Command, resource: str) -> list[dict[str, str]]:
    """What `kubectl get` prints, a mapping of column to cell for each line."""
    printed = kubectl.run("get", resource, "-n", PROJECT).splitlines()
    heads = re.findall(r"\S+\s*", printed[0])
    starts = [sum(map(len, heads[:i])) for i in range(len(heads))]
    bounds = list(zip(starts, [*starts[1:], None], strict=True))
    return [
        {head.strip(): line[a:b].strip() for head, (a, b) in zip(heads, bounds, strict=True)}
        for line in printed[1:]
    ]


def test_california_has_its_three_variants_in_the_status(samples: Project) -> None:
    status = samples.dataset("california-housing").status
    assert status.load
    assert status.load.rows == 20_640
    assert [(v.name, v.rows, v.columns) for v in status.variants] == [
        ("v1", 20_640, 9),
        ("v2", 9_261, 9),
        ("v3", 9_261, 13),
    ]


def test_the_working_copy_holds_each_row_once(platform: Platform, samples: Project) -> None:
    uid = samples.dataset("california-housing").metadata.uid
    with platform.postgres(samples.name) as connection:
        rows = connection.execute('SELECT count(*), count(DISTINCT "row") FROM california_housing').fetchone()
        loads = connection.execute(
            "SELECT count(*), sum(accepted) FROM data_loads WHERE dataset_uid = %s", [uid]
        ).fetchone()
    assert rows == (20_640, 20_640)
    assert loads == (1, 20_640)


def test_kubectl_get_datasets_shows_rows_and_variants(samples: Project, kubectl: Command) -> None:
    del samples
    lines = {line["NAME"]: line for line in columns_of(kubectl, "datasets")}
    california = lines["california-housing"]
    assert california["READY"] == "True"
    assert california["ROWS"] == "20640"
    for variant in ("v1", "v2", "v3"):
        assert variant in california["VARIANTS"]


def test_kubectl_get_trainingjobs_shows_metric_and_model_version(samples: Project, kubectl: Command) -> None:
    lines = {line["NAME"]: line for line in columns_of(kubectl, "trainingjobs")}
    assert lines["titles-classifier"]["METRIC"].startswith("f1_macro=0.9")
    for name in ("housing-v1", "housing-v2", "housing-v3", "titles-classifier"):
        model = samples.training_job(name).status.model
        assert model
        assert lines[name]["MODEL"] == model.name
        assert lines[name]["VERSION"] == model.version
    for name in ("housing-v1", "housing-v2", "housing-v3"):
        assert lines[name]["METRIC"].startswith("rmse=0.")
    assert len({lines[f"housing-v{n}"]["VERSION"] for n in (1, 2, 3)}) == 3


def test_kubectl_get_modelpromotions_shows_champion_and_stage(samples: Project, kubectl: Command) -> None:
    lines = {line["NAME"]: line for line in columns_of(kubectl, "modelpromotions")}
    production = lines["housing-production"]
    assert production["READY"] == "True"
    assert production["STAGE"] == "production"
    model = samples.training_job("housing-v2").status.model
    assert model
    assert production["CHAMPION"] == model.version


@pytest.mark.parametrize(
    ("resource", "condition"),
    [
        ("dataset/california-housing", "Ready"),
        ("trainingjob/housing-v1", "Succeeded"),
        ("modelpromotion/titles-production", "Ready"),
    ],
)
def test_kubectl_wait_returns_for_each_kind(
    samples: Project, kubectl: Command, resource: str, condition: str
) -> None:
    said = kubectl.run("wait", resource, "-n", samples.name, f"--for=condition={condition}", "--timeout=10s")
    assert "condition met" in said


@pytest.mark.parametrize("kind", ["dataset", "trainingjob", "modelpromotion"])
def test_kubectl_explain_describes_every_field(samples: Project, kubectl: Command, kind: str) -> None:
    del samples
    document = json.loads(kubectl.run("get", "--raw", "/openapi/v3/apis/modelyard.dev/v1alpha1"))
    schema = next(s for n, s in document["components"]["schemas"].items() if n.lower().endswith(f".{kind}"))
    assert sorted(_undescribed(schema, kind)) == []
    said = kubectl.run("explain", f"{kind}.spec", "--recursive")
    assert "<empty>" not in said
    assert "FIELDS:" in said


def _undescribed(schema: dict[str, object], path: str) -> Iterator[str]:
    for name, field in _properties(schema).items():
        here = f"{path}.{name}"
        if here.endswith((".metadata", ".apiVersion", ".kind")) and here.count(".") == 1:
            continue
        if not field.get("description"):
            yield here
        yield from _undescribed(field, here)
    for key in ("items", "additionalProperties"):
        inner = schema.get(key)
        if isinstance(inner, dict):
            yield from _undescribed(inner, f"{path}[]")


def _properties(schema: dict[str, object]) -> dict[str, dict[str, object]]:
    found = schema.get("properties", {})
    assert isinstance(found, dict)
    return found


def test_the_title_classifier_is_good_enough_and_was_promoted_by_its_gate(samples: Project) -> None:
    status = samples.promotion("titles-production").status
    assert status.champion
    assert status.candidate
    gate = status.candidate.gates[0]
    assert gate.passed
    assert float(gate.observed) >= 0.93
    metrics = {m.name: float(m.value) for m in samples.training_job("titles-classifier").status.metrics}
    assert metrics["f1_macro"] >= 0.93


def test_each_training_job_left_one_finished_run_and_one_version(
    platform: Platform, samples: Project
) -> None:
    with platform.tracking(samples.name) as tracking:
        for name in ("housing-v1", "housing-v2", "housing-v3", "titles-classifier"):
            job = samples.training_job(name)
            if job.status.cache and job.status.cache.hit:
                continue  # on a cluster that has run the samples before
            uid = job.metadata.uid
            assert [run["info"]["status"] for run in tracking.runs_of(uid)] == ["FINISHED"], name
            assert len(tracking.versions_of(uid)) == 1, name


@pytest.mark.parametrize("name", ["housing-v2", "titles-classifier"])
def test_a_run_of_the_samples_is_made_again_and_nothing_differs(samples: Project, name: str) -> None:
    run = samples.training_job(name).status.run
    assert run is not None
    again = f"{name}-again"
    samples.apply(replay(again, samples.name, run.id))
    samples.await_true(TRAINING_JOB, again, "Succeeded")
    reproduced = find_condition(samples.training_job(again).status.conditions, "Reproduced")
    assert reproduced is not None
    assert (reproduced.status, reproduced.reason) == ("True", "SameResult"), reproduced.message


def test_the_alias_points_to_the_champion(platform: Platform, samples: Project) -> None:
    champion = samples.promotion("housing-production").status.champion
    assert champion
    with platform.tracking(samples.name) as tracking:
        assert tracking.alias("housing", "production") == champion.version


def test_predict_answers_with_a_price(housing: httpx.Client) -> None:
    answer = housing.post("/predict", json=request("housing-production"))
    assert answer.status_code == 200, answer.text
    low, high = PLAUSIBLE_PRICE
    assert low < answer.json()["predictions"][0] < high


def test_the_three_dialects_give_the_same_number(housing: httpx.Client) -> None:
    (block,) = request("housing-production")["rows"]
    typed = housing.post("/predict", json=request("housing-production")).json()["predictions"][0]
    mlflow = housing.post("/invocations", json={"dataframe_records": [block]})
    assert mlflow.status_code == 200, mlflow.text
    assert mlflow.json()["predictions"] == [typed]
    inputs = [{"name": k, "shape": [1], "datatype": "FP64", "data": [v]} for k, v in block.items()]
    inferred = housing.post("/v2/models/housing/infer", json={"inputs": inputs})
    assert inferred.status_code == 200, inferred.text
    assert inferred.json()["outputs"][0]["data"] == [typed]


def test_a_title_is_put_into_its_category(titles: httpx.Client) -> None:
    answer = titles.post("/predict", json=request("titles-production"))
    assert answer.status_code == 200, answer.text
    assert answer.json()["predictions"][0] == CATEGORY


def test_prometheus_counts_the_predictions(platform: Platform, titles: httpx.Client) -> None:
    for _ in range(5):
        assert titles.post("/predict", json=request("titles-production")).status_code == 200
    with platform.prometheus() as prometheus:

        def counted() -> bool:
            found = query(prometheus, f'sum(modelyard_predictions_total{{namespace="{PROJECT}"}})')
            return bool(found) and float(found[0]["value"][1]) >= 5

        until(counted, 60, "modelyard_predictions_total in Prometheus")


def query(prometheus: httpx.Client, expression: str) -> list[dict[str, list[str]]]:
    answer = prometheus.get("/api/v1/query", params={"query": expression})
    assert answer.is_success, answer.text
    found: list[dict[str, list[str]]] = answer.json()["data"]["result"]
    return found


def use(client: httpx.Client, promotion: str) -> None:
    """A window of predictions, and labels for some of them."""
    row, *_ = request(promotion)["rows"]
    answer = client.post("/predict", json={"rows": [row] * 500})
    assert answer.status_code == 200, answer.text
    name, predicted = answer.headers["x-request-id"], answer.json()["predictions"]
    labels = [{"request_id": name, "row": place, "label": predicted[place]} for place in range(20)]
    taken = client.post("/feedback", json={"labels": labels})
    assert (taken.status_code, taken.json()) == (202, {"accepted": 20}), taken.text


def test_prometheus_answers_every_query_of_rules_and_dashboards(
    platform: Platform, housing: httpx.Client, titles: httpx.Client
) -> None:
    asked = [*of_rules("record"), *of_dashboards()]
    with platform.prometheus() as prometheus:

        def answered() -> bool:
            # Rates need counters that move between scrapes.
            use(housing, "housing-production")
            use(titles, "titles-production")
            silent = [
                each.place
                for each in asked
                if not query(prometheus, each.text) and not _NOTHING_WENT_WRONG.search(each.text)
            ]
            assert not silent
            return True

        until(answered, 180, "an answer to every query")
        for alert in of_rules("alert"):
            query(prometheus, alert.text)


def test_traffic_unlike_the_rows_of_the_training_is_a_condition_and_a_warning(
    platform: Platform, samples: Project, housing: httpx.Client
) -> None:
    """One row over and over is no sample of California."""

    def told() -> str | None:
        use(housing, "housing-production")
        found = samples.condition(PROMOTION, "housing-production", "Drifted")
        return found.message if found is not None and found.reason == "TrafficDrifted" else None

    message = until(told, 90, "Drifted being True")
    assert "differs from the rows that it was trained on" in message
    assert "MedInc" in message

    def warned() -> bool:
        events = platform.api.items(EVENT, samples.name)
        return any(
            (e["type"], e["reason"], e["message"]) == ("Warning", "TrafficDrifted", message) for e in events
        )

    until(warned, 60, "the event")


def test_prometheus_has_taken_the_rules_without_an_error(platform: Platform, samples: Project) -> None:
    del samples
    with platform.prometheus() as prometheus:

        def evaluated() -> bool:
            groups = prometheus.get("/api/v1/rules").json()["data"]["groups"]
            health = {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}
            wanted = [each.place for each in (*of_rules("record"), *of_rules("alert"))]
            return set(wanted) <= set(health) and all(health[name] == "ok" for name in wanted)

        until(evaluated, 90, "every rule being evaluated")


def test_prometheus_scrapes_operator_servers_and_tracking(platform: Platform, samples: Project) -> None:
    del samples
    with platform.prometheus() as prometheus:

        def all_up() -> bool:
            targets = prometheus.get("/api/v1/targets").json()["data"]["activeTargets"]
            up = {target["labels"].get("pod", "") for target in targets if target["health"] == "up"}
            wanted = (f"{platform.release}-operator", f"{platform.release}-mlflow", "housing-production")
            return all(any(pod.startswith(word) for pod in up) for word in wanted)

        until(all_up, 90, "targets of operator, server and MLflow being up")


def test_a_second_apply_of_the_samples_changes_nothing(samples: Project, kubectl: Command) -> None:
    said = kubectl.run("apply", "-n", samples.name, "-f", SAMPLES)
    assert {line.split()[-1] for line in said.splitlines()} == {"unchanged"}


def test_the_samples_pass_a_strict_dry_run(samples: Project, kubectl: Command) -> None:
    files = sorted(Path(SAMPLES).glob("*.yaml"))
    assert files
    for file in files:
        kubectl.run("apply", "-n", samples.name, "--dry-run=server", "--validate=strict", "-f", file)
