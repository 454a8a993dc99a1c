"""Candidates, gates and rollouts, one row for each case."""

from dataclasses import replace
from typing import Any

import pytest

from modelyard_api.conditions import find_condition
from modelyard_api.contract.route import RouteState
from modelyard_api.v1alpha1.gates import Gate
from modelyard_api.v1alpha1.model_promotion import ModelPromotionSpec
from modelyard_operator.decisions.candidates import NoCandidate, Registry, choose, runs_needed
from modelyard_operator.decisions.direction import PromotionFacts, direct
from modelyard_operator.decisions.fleet import Fleet
from modelyard_operator.decisions.gates import GateFacts, judge
from modelyard_operator.decisions.history import Recording
from modelyard_operator.decisions.promotion import PromotionPlan, decide_promotion
from modelyard_operator.objects.custom import PromotionObject
from modelyard_operator.objects.registry import Version
from tests.unit.operator.making import NOW, later, promotion, version

METRICS = {"run-1": {"rmse": 0.5}, "run-2": {"rmse": 0.3}, "run-3": {"rmse": 0.4}}
REGISTRY = Registry(versions=(version(3), version(2), version(1)), metrics=METRICS)


def spec_of(**spec: Any) -> ModelPromotionSpec:  # noqa: ANN401  JSON
    found = promotion(**spec).spec
    assert isinstance(found, ModelPromotionSpec)
    return found


@pytest.mark.parametrize(
    ("candidate", "expected"),
    [
        ({"latest": {}}, "3"),
        ({"version": "1"}, "1"),
        ({"best": {"metric": "rmse"}}, "2"),
        ({"version": "77"}, "has no version 77, it has 3, 2, 1"),
        ({"best": {"metric": "rmsle"}}, "rmsle is not a metric"),
        ({"best": {"metric": "r2"}}, "no version of housing has the metric r2"),
        ({"trainingJob": {"name": "forest"}}, "the TrainingJob forest is not there"),
    ],
)
def test_the_candidate_is_the_one_that_is_meant(candidate: dict[str, Any], expected: str) -> None:
    chosen = choose(spec_of(candidate=candidate), REGISTRY, None)
    assert expected in (chosen.version if isinstance(chosen, Version) else chosen.message)


def test_a_version_of_somebody_else_is_unusable() -> None:
    foreign = version(4).model_copy(update={"tags": ()})
    chosen = choose(spec_of(), replace(REGISTRY, versions=(foreign,)), None)
    assert isinstance(chosen, NoCandidate)
    assert chosen.reason == "ModelUnusable"


def test_the_version_of_a_training_job_is_found_when_the_job_is_gone() -> None:
    made = version(2, **{"modelyard.dev/training-job": "forest"})
    chosen = choose(
        spec_of(candidate={"trainingJob": {"name": "forest"}}),
        replace(REGISTRY, versions=(version(3), made)),
        None,
    )
    assert chosen is made


def test_of_equal_versions_the_older_one_is_best() -> None:
    even = {"run-1": {"rmse": 0.3}, "run-2": {"rmse": 0.3}, "run-3": {"rmse": float("nan")}}
    chosen = choose(spec_of(candidate={"best": {"metric": "rmse"}}), replace(REGISTRY, metrics=even), None)
    assert isinstance(chosen, Version)
    assert chosen.version == "1"


def test_metrics_are_asked_for_only_where_something_depends_on_them() -> None:
    gates = [{"metric": {"name": "r2", "min": "0.7"}}]
    assert runs_needed(spec_of(), REGISTRY, None) == frozenset()
    assert runs_needed(spec_of(gates=gates), REGISTRY, None) == {"run-3"}
    assert runs_needed(spec_of(candidate={"best": {"metric": "rmse"}}), REGISTRY, None) == set(METRICS)


@pytest.mark.parametrize(
    ("bounds", "value", "passed", "required"),
    [
        ({"min": "0.70"}, 0.7, True, "≥ 0.70"),
        ({"min": "0.70"}, 0.6999999, False, "≥ 0.70"),
        ({"max": "1"}, 1.0, True, "≤ 1"),
        ({"min": "0", "max": "1e-3"}, 0.002, False, "≥ 0 and ≤ 1e-3"),
        ({"min": "0.70"}, float("nan"), False, "≥ 0.70"),
    ],
)
def test_a_metric_gate_compares_decimals(
    bounds: dict[str, str],
    value: float,
    passed: bool,  # noqa: FBT001  a column
    required: str,
) -> None:
    gate = Gate.model_validate({"metric": {"name": "r2", **bounds}})
    verdict = judge([gate], GateFacts({"r2": value}))
    assert verdict.passed is passed
    assert verdict.results[0].required == required


def test_a_missing_metric_says_which_there_are() -> None:
    gate = Gate.model_validate({"metric": {"name": "r2", "min": "0"}})
    verdict = judge([gate], GateFacts({"rmse": 0.5, "mae": 0.4}))
    assert verdict.reason == "MetricMissing"
    assert "metric r2 is missing: the candidate's run has mae, rmse" in verdict.message


def test_a_gate_may_ask_for_one_class_for_folds_and_for_the_low_end_of_an_interval() -> None:
    asked = ("f1_class_phone", "cv_mean_f1_macro", "f1_macro_low")
    gates = [Gate.model_validate({"metric": {"name": name, "min": "0.5"}}) for name in asked]
    assert judge(gates, GateFacts(dict.fromkeys(asked, 0.6))).passed
    missing = judge(gates, GateFacts({"f1_macro": 0.6} | {f"f1_class_{n}": 0.1 for n in range(500)}))
    assert missing.results[0].observed == "missing"
    assert "the candidate's run has f1_macro, 500 others of classes, folds and intervals" in missing.message


def test_the_best_version_may_be_that_of_one_class() -> None:
    metrics = {"run-1": {"recall_class_tv": 0.5}, "run-2": {"recall_class_tv": 0.9}}
    registry = Registry(versions=(version(2), version(1)), metrics=metrics)
    found = choose(spec_of(candidate={"best": {"metric": "recall_class_tv"}}), registry, None)
    assert isinstance(found, Version)
    assert found.version == "2"


def fleet(route: Any, *, error: str = "", old: Any = None, pods: int = 1) -> Fleet:  # noqa: ANN401
    served = old.digest() if old is not None else None if error else route.digest()
    state = RouteState(route_digest=served, wanted_digest=route.digest(), error=error or None)
    names = tuple(f"pod-{number}" for number in range(pods))
    return Fleet(pods=names, ready=frozenset(names), states=dict.fromkeys(names, state))


def after(seen: PromotionObject, plan: PromotionPlan) -> PromotionObject:
    return seen.model_copy(update={"status": plan.status})


def reason(seen: PromotionObject, type_: str = "Ready") -> tuple[str, str]:
    found = find_condition(seen.status.conditions, type_)
    return (str(found.status), found.reason) if found else ("", "")


def facts(*numbers: int, alias: str | None = None) -> PromotionFacts:
    versions = tuple(version(number) for number in sorted(numbers, reverse=True))
    return PromotionFacts(now=NOW, registry=Registry(versions=versions, alias=alias, metrics=METRICS))


def in_charge(number: int) -> PromotionObject:
    seen, known = promotion(), facts(number)
    known = replace(known, fleet=fleet(direct(seen, known).route))
    return after(seen, decide_promotion(seen, known))


def test_nobody_is_in_charge_before_the_pods_serve_it() -> None:
    seen, known = promotion(), facts(1)
    plan = decide_promotion(seen, known)
    assert plan.set_alias is None
    assert plan.after is not None
    assert plan.status.champion is None
    assert reason(after(seen, plan)) == ("False", "RollingOut")


def test_alias_and_record_move_once_the_pods_serve_it() -> None:
    seen, known = promotion(), facts(1)
    plan = decide_promotion(seen, replace(known, fleet=fleet(direct(seen, known).route)))
    told = after(seen, plan)
    assert plan.set_alias == "1"
    assert told.status.champion is not None
    assert told.status.champion.version == "1"
    assert reason(told) == ("True", "Serving")
    assert told.status.ready_replicas == 1


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([(True, None), (True, None)], (True, None)),
        ([(True, None), (False, "2 of 9 labels differ")], (False, "2 of 9 labels differ")),
        ([(True, None), (None, None)], (None, None)),
        ([(False, "x" * 300)], (False, "x" * 256)),
    ],
    ids=["all by the program", "one by scikit-learn", "one of an older release", "a long reason"],
)
def test_the_status_says_what_answers_for_the_champion_and_forgets_it_of_the_one_before(
    said: list[tuple[bool | None, str | None]], expected: tuple[bool | None, str | None]
) -> None:
    seen, known = promotion(), facts(1)
    route = direct(seen, known).route
    assert route is not None
    states = {
        f"pod-{number}": RouteState(
            route_digest=route.digest(),
            wanted_digest=route.digest(),
            compiled=compiled,
            not_compiled_because=why,
        )
        for number, (compiled, why) in enumerate(said)
    }
    told = after(
        seen, decide_promotion(seen, replace(known, fleet=Fleet(tuple(states), frozenset(states), states)))
    )
    champion = told.status.champion
    assert champion is not None
    assert (champion.compiled, champion.not_compiled_because) == expected
    assert told.status.history[0].compiled is None
    known = facts(1, 2, alias="1")
    swapped = after(told, decide_promotion(told, replace(known, fleet=fleet(direct(told, known).route))))
    assert swapped.status.previous is not None
    assert (swapped.status.previous.version, swapped.status.previous.compiled) == ("1", None)


def test_at_rest_nothing_changes() -> None:
    seen = in_charge(1)
    known = facts(1, alias="1")
    plan = decide_promotion(seen, replace(known, fleet=fleet(direct(seen, known).route)))
    assert plan.set_alias is None
    assert plan.after is None
    assert plan.status == seen.status


def test_the_champion_stays_in_charge_while_a_pod_still_serves_it() -> None:
    seen = in_charge(1)
    known = facts(1, 2, alias="1")
    direction = direct(seen, known)
    assert direction.route is not None
    assert direction.route.previous is not None
    assert (direction.route.champion.version, direction.route.previous.version) == ("2", "1")
    old = direct(seen, facts(1)).route
    plan = decide_promotion(seen, replace(known, fleet=fleet(direction.route, old=old)))
    told = after(seen, plan)
    assert plan.set_alias is None
    assert told.status.champion is not None
    assert told.status.champion.version == "1"
    assert reason(told) == ("True", "Serving")
    assert reason(told, "Progressing") == ("True", "RollingOut")


def test_a_version_that_pods_refuse_is_given_up_after_a_while_and_tried_again_after_an_edit() -> None:
    seen = in_charge(1)
    known = facts(1, 2, alias="1")
    route, old = direct(seen, known).route, direct(seen, facts(1)).route
    known = replace(known, fleet=fleet(route, old=old, error="digest"))
    rolling = after(seen, decide_promotion(seen, known))
    assert reason(rolling, "Progressing") == ("True", "ModelUnusable")
    given_up = after(rolling, decide_promotion(rolling, replace(known, now=later(121))))
    assert given_up.status.candidate is not None
    assert given_up.status.candidate.refused is not None
    assert direct(given_up, known).route == old
    edited = given_up.model_copy(update={"metadata": given_up.metadata.model_copy(update={"generation": 2})})
    assert direct(edited, known).route == route


def test_an_alias_moved_by_hand_is_put_back_and_told() -> None:
    seen = in_charge(1)
    known = facts(1, alias="7")
    plan = decide_promotion(seen, replace(known, fleet=fleet(direct(seen, known).route)))
    assert plan.set_alias == "1"
    assert reason(after(seen, plan), "AliasInSync") == ("True", "AliasRestored")


def test_without_mlflow_the_champion_goes_on_and_nothing_else_moves() -> None:
    seen = in_charge(1)
    known = PromotionFacts(now=NOW, trouble="MLflow does not answer")
    plan = decide_promotion(seen, replace(known, fleet=fleet(direct(seen, known).route)))
    assert reason(after(seen, plan)) == ("True", "Serving")
    assert plan.set_alias is None
    assert plan.after is not None
    fresh = decide_promotion(promotion(), known)
    assert reason(after(promotion(), fresh)) == ("False", "Platform")


def test_suspension_keeps_the_champion_whatever_appears() -> None:
    seen = promotion(suspend=True).model_copy(update={"status": in_charge(1).status})
    route = direct(seen, facts(1, 2)).route
    assert route is not None
    assert route.champion.version == "1"


def test_the_history_is_bounded_and_the_latest_comes_first() -> None:
    seen = promotion(historyLimit=2)
    for number in (1, 2, 3):
        known = facts(number, alias=None)
        recording = Recording(number=seen.status.champion.number if seen.status.champion else 0)
        plan = decide_promotion(
            seen, replace(known, fleet=fleet(direct(seen, known).route), recording=recording)
        )
        seen = after(seen, plan)
    assert [(item.version, item.number) for item in seen.status.history] == [("3", 3), ("2", 2)]


def test_the_younger_promotion_on_an_alias_makes_no_server() -> None:
    known = replace(facts(1), owner="housing-old")
    assert direct(promotion(), known).route is None
    told = after(promotion(), decide_promotion(promotion(), known))
    assert reason(told) == ("False", "AliasConflict")
