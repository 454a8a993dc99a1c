"""ModelPromotion against a real MLflow: candidates, gates, the alias, and swaps that all pods have to confirm."""

from datetime import UTC, datetime

from modelyard_api import labels
from modelyard_api.contract.outcome import ImprovementOutcome, MetricChange, Outcome
from tests.support.kubeapi import DEPLOYMENT, PROMOTION, SERVICE, Document
from tests.support.operating import Kubelet, condition
from tests.support.promoting import Stage
from tests.support.resources import promotion
from tests.support.waiting import until

NAMESPACE = "promoting"
_BETTER = (
    Outcome(
        improvement=ImprovementOutcome(
            rows=4102,
            changes=[
                MetricChange(
                    metric="rmse", confidence="0.95", candidate=0.3, champion=0.5, better_by=0.2, at_least=0.1
                )
            ],
        )
    )
    .to_json()
    .decode()
)


def test_a_version_that_passes_its_gate_is_served_and_gets_the_alias(stage: Stage) -> None:
    version = stage.registry.register("first", rmse=0.4, r2=0.81)
    gates = [{"metric": {"name": "r2", "min": "0.70"}}]
    stage.api.apply(PROMOTION, promotion("housing", NAMESPACE, modelName="first", gates=gates))
    waiting = stage.await_reason("Ready", "RollingOut")
    assert "champion" not in waiting["status"]
    assert stage.registry.alias("first") is None
    stage.pods.become_ready()
    done = stage.await_reason("Ready", "Serving")
    status = done["status"]
    assert status["champion"]["version"] == version
    assert status["candidate"]["gates"] == [
        {"gate": "metric r2", "required": "≥ 0.70", "observed": "0.81", "passed": True}
    ]
    assert status["url"] == f"http://housing.{NAMESPACE}.svc"
    assert status["readyReplicas"] == 1
    assert stage.registry.alias("first") == version


def test_a_better_version_takes_over_only_when_the_pods_serve_it(stage: Stage) -> None:
    old = stage.registry.register("second", rmse=0.5)
    stage.api.apply(
        PROMOTION, promotion("housing", NAMESPACE, modelName="second", candidate={"best": {"metric": "rmse"}})
    )
    stage.pods.become_ready()
    stage.await_champion(old)
    new = str(int(old) + 1)
    stage.pods.refused = {new}
    stage.registry.register("second", rmse=0.3)
    rolling = stage.await_reason("Progressing", "ModelUnusable")
    assert rolling["status"]["champion"]["version"] == old
    assert condition(rolling, "Ready")["status"] == "True"
    put_back = until(lambda: _refused(stage), 30, "the refusal being recorded")
    assert "digest" in put_back["status"]["candidate"]["refused"]
    until(lambda: (route := stage.pods.route()) and route.champion.version == old, 30, "the old route")
    assert stage.registry.alias("second") == old
    worse = stage.registry.register("second", rmse=0.9)
    best = stage.registry.register("second", rmse=0.2)
    done = stage.await_champion(best)
    assert done["status"]["previous"]["version"] == old
    assert [item["version"] for item in done["status"]["history"]] == [best, old]
    assert worse not in {item["version"] for item in done["status"]["history"]}
    assert stage.registry.alias("second") == best


def test_a_version_below_its_gate_never_gets_a_server(stage: Stage) -> None:
    stage.registry.register("third", f1_macro=0.65)
    gates = [{"metric": {"name": "f1_macro", "min": "0.70"}}]
    stage.api.apply(PROMOTION, promotion("housing", NAMESPACE, modelName="third", gates=gates))
    seen = stage.await_reason("Ready", "GateFailed")
    message = condition(seen, "Ready")["message"]
    assert message.startswith("spec.gates[0]: metric f1_macro is 0.65, required is ≥ 0.70")
    assert condition(seen, "GatesPassed")["status"] == "False"
    assert stage.api.read(DEPLOYMENT, NAMESPACE, "housing") is None


def test_a_candidate_that_does_not_exist_is_waited_for(stage: Stage) -> None:
    stage.registry.register("fourth", rmse=0.5)
    stage.api.apply(
        PROMOTION, promotion("housing", NAMESPACE, modelName="fourth", candidate={"version": "77"})
    )
    seen = stage.await_reason("Ready", "CandidateNotFound")
    assert "has no version 77, it has 1" in condition(seen, "Ready")["message"]


def test_an_alias_moved_by_hand_is_put_back_and_told(stage: Stage) -> None:
    other = stage.registry.register("fifth", rmse=0.5)
    version = stage.registry.register("fifth", rmse=0.4)
    stage.api.apply(PROMOTION, promotion("housing", NAMESPACE, modelName="fifth"))
    stage.pods.become_ready()
    stage.await_champion(version)
    stage.registry.move_alias("fifth", other)
    seen = stage.await_reason("AliasInSync", "AliasRestored")
    assert f"pointed to version {other}" in condition(seen, "AliasInSync")["message"]
    assert stage.registry.alias("fifth") == version


def test_of_two_promotions_on_one_alias_the_older_one_owns_it(stage: Stage) -> None:
    stage.registry.register("sixth", rmse=0.5)
    stage.api.apply(PROMOTION, promotion("housing", NAMESPACE, modelName="sixth"))
    stage.await_reason("Ready", "RollingOut")
    until(lambda: stage.promotion()["metadata"]["creationTimestamp"] < _now(), 5)
    stage.api.apply(PROMOTION, promotion("intruder", NAMESPACE, modelName="sixth"))
    seen = stage.await_reason("Ready", "AliasConflict", "intruder")
    assert "housing is older" in condition(seen, "Ready")["message"]
    assert stage.api.read(DEPLOYMENT, NAMESPACE, "intruder") is None
    stage.api.delete(PROMOTION, NAMESPACE, "housing")
    stage.await_reason("Ready", "RollingOut", "intruder")
    stage.api.delete(PROMOTION, NAMESPACE, "intruder")
    for kind in (DEPLOYMENT, SERVICE):
        stage.api.delete(kind, NAMESPACE, "intruder")


def test_a_candidate_is_compared_with_the_champion_by_a_job_whose_pod_is_no_server(stage: Stage) -> None:
    kubelet = Kubelet(stage.api, NAMESPACE)
    old = stage.registry.register("seventh", rmse=0.5)
    gates = [{"improvement": {"metric": "rmse"}}, {"signature": {}}]
    stage.api.apply(PROMOTION, promotion("housing", NAMESPACE, modelName="seventh", gates=gates))
    stage.pods.become_ready()
    first = stage.await_champion(old)
    assert {gate["observed"] for gate in first["status"]["candidate"]["gates"]} == {
        "no version is in charge yet"
    }

    new = stage.registry.register("seventh", rmse=0.3)
    compare, inspect = stage.await_job("improvement"), stage.await_job("inspection")
    pod = kubelet.pod_of(compare)
    assert pod["metadata"]["labels"]["modelyard.dev/promotion-step"] == "housing"
    assert labels.PROMOTION not in pod["metadata"]["labels"]
    kubelet.succeed(compare, _BETTER)
    assert stage.await_reason("GatesPassed", "TryingGates")["status"]["champion"]["version"] == old
    kubelet.succeed(inspect, '{"inspection": {"signature": ["input \\"a\\" is gone"], "inputs": 3}}')
    refused = stage.await_reason("GatesPassed", "GateFailed")
    message = condition(refused, "GatesPassed")["message"]
    assert message.startswith(
        'spec.gates[1]: signature: input "a" is gone, required is requests and answers of'
    )
    assert refused["status"]["champion"]["version"] == old

    # Without the gate that failed nothing has to be compared again.
    stage.api.apply(PROMOTION, promotion("housing", NAMESPACE, modelName="seventh", gates=gates[:1]))
    done = stage.await_champion(new)
    (gate,) = done["status"]["candidate"]["gates"]
    assert gate["passed"] is True
    assert gate["observed"] == ("0.3 after 0.5 on 4,102 common test rows, better by 0.2, by at least 0.1")
    assert len(stage.jobs("improvement")) == 1


def test_an_unapproved_candidate_waits_and_its_champions_are_recorded_in_order(stage: Stage) -> None:
    kubelet = Kubelet(stage.api, NAMESPACE)
    version = stage.registry.register("eighth", rmse=0.5)
    wanted = promotion("housing", NAMESPACE, modelName="eighth", approval="Manual")
    stage.api.apply(PROMOTION, wanted)
    waiting = stage.await_reason("Ready", "WaitingForApproval")
    assert f"approved-version={version}" in condition(waiting, "Approved")["message"]
    assert stage.api.read(DEPLOYMENT, NAMESPACE, "housing") is None
    change = {"metadata": {"annotations": {labels.APPROVED_VERSION: version}}}
    assert stage.api.merge(PROMOTION, NAMESPACE, "housing", change).is_success
    stage.await_reason("Ready", "RollingOut")
    stage.pods.become_ready()
    assert condition(stage.await_champion(version), "Recorded")["status"] == "False"
    record = stage.await_job("champions")
    kubelet.succeed(record, '{"champions": {"number": 1}}')
    assert stage.await_reason("Recorded", "Recorded")["status"]["recorded"] == 1


def test_without_a_prometheus_its_gate_fails_and_says_what_to_name(stage: Stage) -> None:
    stage.registry.register("ninth", rmse=0.5)
    gates = [{"prometheus": {"query": "sum(up)", "min": "1"}}]
    stage.api.apply(PROMOTION, promotion("housing", NAMESPACE, modelName="ninth", gates=gates))
    seen = stage.await_reason("Ready", "GateFailed")
    assert "spec.gates[0]: prometheus sum(up): no Prometheus is known" in condition(seen, "Ready")["message"]
    assert stage.api.read(DEPLOYMENT, NAMESPACE, "housing") is None


def _refused(stage: Stage) -> Document | None:
    seen = stage.promotion()
    return seen if seen["status"]["candidate"].get("refused") else None


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
