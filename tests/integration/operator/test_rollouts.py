"""Rollouts against a real registry: steps, ways back, and the number of pods."""

from tests.support.kubeapi import AUTOSCALER, DEPLOYMENT, DISRUPTION_BUDGET, EVENT, PROMOTION
from tests.support.operating import condition
from tests.support.promoting import Stage
from tests.support.resources import promotion
from tests.support.waiting import until

NAMESPACE = "rolling-out"
CANARY = {
    "canary": {
        "steps": [{"percent": 10, "seconds": 2}, {"percent": 50, "seconds": 2}],
        "maxErrorPercent": "1",
    }
}


def _trying(stage: Stage, percent: int) -> bool:
    route = stage.pods.route()
    return route is not None and route.candidate is not None and route.candidate.percent == percent


def test_a_canary_goes_through_its_steps_before_it_takes_charge(stage: Stage) -> None:
    old = stage.registry.register("canary-that-is-good", rmse=0.5)
    stage.api.apply(
        PROMOTION, promotion("housing", NAMESPACE, modelName="canary-that-is-good", rollout=CANARY)
    )
    stage.pods.become_ready()
    stage.await_champion(old)
    new = str(int(old) + 1)
    stage.pods.counts = {new: {"requests": 100}}
    stage.registry.register("canary-that-is-good", rmse=0.4)
    until(lambda: _trying(stage, 10), 30, "the first step")
    seen = stage.await_reason("Progressing", "Canary")
    assert seen["status"]["champion"]["version"] == old
    assert stage.registry.alias("canary-that-is-good") == old
    until(lambda: _trying(stage, 50), 30, "the second step")
    done = stage.await_champion(new)
    assert done["status"]["candidate"]["rollout"]["counts"]["requests"] == 100
    assert done["status"]["lastSwap"]["version"] == new
    assert stage.registry.alias("canary-that-is-good") == new


def test_a_canary_that_fails_is_given_up_and_an_event_says_why(stage: Stage) -> None:
    old = stage.registry.register("canary-that-fails", rmse=0.5)
    stage.api.apply(PROMOTION, promotion("housing", NAMESPACE, modelName="canary-that-fails", rollout=CANARY))
    stage.pods.become_ready()
    stage.await_champion(old)
    stage.pods.counts = {str(int(old) + 1): {"requests": 20, "errors": 20}}
    stage.registry.register("canary-that-fails", rmse=0.4)
    seen = stage.await_reason("RolledBack", "TooManyErrors")
    assert "failed to answer 20 of 20 requests, 1 % are allowed" in condition(seen, "RolledBack")["message"]
    assert seen["status"]["champion"]["version"] == old
    until(lambda: (route := stage.pods.route()) and route.candidate is None, 30, "the champion's route")
    assert stage.registry.alias("canary-that-fails") == old
    told = [event for event in stage.api.items(EVENT, NAMESPACE) if event.get("reason") == "TooManyErrors"]
    assert told[0]["type"] == "Warning"


def test_a_champion_that_fails_gives_alias_route_and_record_back(stage: Stage) -> None:
    old = stage.registry.register("champion-that-fails", rmse=0.5)
    rollback = {"onErrorPercent": "5", "windowSeconds": 600}
    stage.api.apply(
        PROMOTION, promotion("housing", NAMESPACE, modelName="champion-that-fails", rollback=rollback)
    )
    stage.pods.become_ready()
    stage.await_champion(old)
    new = stage.registry.register("champion-that-fails", rmse=0.4)
    stage.await_champion(new)
    stage.pods.counts = {new: {"requests": 100, "errors": 60}}
    stage.await_reason("RolledBack", "TooManyErrors")
    done = stage.await_champion(old)
    assert [item["version"] for item in done["status"]["history"]] == [old, new, old]
    assert done["status"]["candidate"]["refused"]
    until(lambda: stage.registry.alias("champion-that-fails") == old, 30, "the alias")


def test_an_autoscaler_comes_and_goes_with_the_spec(stage: Stage) -> None:
    stage.registry.register("scaled", rmse=0.5)

    def serve(**replicas: int) -> None:
        wanted = promotion("housing", NAMESPACE, modelName="scaled", serving={"replicas": replicas})
        stage.api.apply(PROMOTION, wanted)

    def replicas() -> int:
        found = stage.api.read(DEPLOYMENT, NAMESPACE, "housing")
        return int(found["spec"]["replicas"]) if found else 0

    serve(min=3)
    until(lambda: replicas() == 3, 30, "three pods")
    budget = until(lambda: stage.api.read(DISRUPTION_BUDGET, NAMESPACE, "housing"), 30, "a budget")
    assert budget["spec"]["maxUnavailable"] == 1
    serve(min=2, max=5, targetCpuPercent=60)
    scaler = until(lambda: stage.api.read(AUTOSCALER, NAMESPACE, "housing"), 30, "an autoscaler")
    assert (scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"]) == (2, 5)
    assert replicas() == 3
    serve(min=2)
    until(lambda: stage.api.read(AUTOSCALER, NAMESPACE, "housing") is None, 30, "no autoscaler")
    until(lambda: replicas() == 2, 30, "two pods")
