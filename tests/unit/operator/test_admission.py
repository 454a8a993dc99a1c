"""Approval, and the history of champions: what a promotion says and does once gates have answered."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from modelyard_api import labels
from modelyard_api.conditions import find_condition
from modelyard_api.contract.route import RouteState
from modelyard_api.contract.steps import AskedMetric
from modelyard_api.v1alpha1.model_promotion import HISTORY_LIMIT, ModelPromotionSpec
from modelyard_operator.decisions.candidates import Registry
from modelyard_operator.decisions.direction import PromotionFacts, direct
from modelyard_operator.decisions.fleet import Fleet
from modelyard_operator.decisions.history import Recording, recorded, take_charge, unrecorded
from modelyard_operator.decisions.promotion import decide_promotion
from modelyard_operator.objects.custom import PromotionObject
from modelyard_operator.objects.gates import GateEvidence, QueryAnswer, Wanted
from modelyard_operator.resources.common import Parent
from modelyard_operator.resources.promotion_steps import (
    champions_errand,
    improvement_errand,
    inspection_errand,
)
from modelyard_operator.resources.step_job import JobDefaults, build_step_job
from modelyard_operator.settings import Settings
from tests.unit.operator.making import NOW, promotion, version

SETTINGS = Settings(projects=["demo"])
PARENT = Parent("ModelPromotion", "demo", "housing", "uid", 1)


def facts(*numbers: int, **more: Any) -> PromotionFacts:  # noqa: ANN401
    versions = tuple(version(number) for number in sorted(numbers, reverse=True))
    return PromotionFacts(now=NOW, registry=Registry(versions=versions), **more)


def annotated(seen: PromotionObject, value: str) -> PromotionObject:
    metadata = seen.metadata.model_copy(update={"annotations": {labels.APPROVED_VERSION: value}})
    return seen.model_copy(update={"metadata": metadata})


def step(seen: PromotionObject, known: PromotionFacts) -> PromotionObject:
    """One reconcile, in which pods serve at once what they are told to."""
    route = direct(seen, known).route
    if route is not None:
        digest = route.digest()
        state = RouteState(route_digest=digest, wanted_digest=digest)
        known = replace(known, fleet=Fleet(("pod",), frozenset({"pod"}), {"pod": state}))
    return seen.model_copy(update={"status": decide_promotion(seen, known).status})


def told(seen: PromotionObject, type_: str) -> tuple[str, str, str]:
    found = find_condition(seen.status.conditions, type_)
    return (str(found.status), found.reason, found.message) if found else ("", "", "")


def champion(seen: PromotionObject) -> str:
    return seen.status.champion.version if seen.status.champion else ""


def test_a_candidate_waits_for_approval_and_the_message_says_how_it_is_given() -> None:
    seen = step(promotion(approval="Manual"), facts(1))
    assert champion(seen) == ""
    assert told(seen, "GatesPassed")[:2] == ("True", "GatesPassed")
    status, reason, message = told(seen, "Approved")
    assert (status, reason) == ("False", "WaitingForApproval")
    assert message.endswith(
        "kubectl annotate modelpromotion -n demo housing --overwrite modelyard.dev/approved-version=1"
    )
    assert told(seen, "Ready")[1] == "WaitingForApproval"
    approved = step(annotated(seen, "1"), facts(1))
    assert champion(approved) == "1"
    assert told(approved, "Approved")[:2] == ("True", "Approved")


def test_the_approval_of_one_version_is_not_that_of_the_next() -> None:
    seen = step(annotated(promotion(approval="Manual"), "1"), facts(1))
    later = step(seen, facts(1, 2))
    assert champion(later) == "1"
    assert told(later, "Approved")[1:] == ("WaitingForApproval", told(later, "Approved")[2])
    assert "Version 1 is approved, not this one" in told(later, "Approved")[2]
    assert told(later, "Ready")[:2] == ("True", "Serving")


def test_an_approval_that_is_taken_back_later_does_not_stop_what_was_admitted() -> None:
    seen = step(annotated(promotion(approval="Manual"), "1"), facts(1))
    later = step(annotated(seen, ""), facts(1))
    assert later.status.candidate == seen.status.candidate
    assert champion(later) == "1"
    assert told(later, "Approved") == told(seen, "Approved")


def test_a_candidate_that_fails_is_not_said_to_be_approved() -> None:
    gates = [{"metric": {"name": "r2", "min": "0.9"}}]
    first = facts(1)
    seen = step(annotated(promotion(approval="Manual"), "1"), first)
    seen = seen.model_copy(update={"spec": promotion(approval="Manual", gates=gates).spec})
    assert told(step(annotated(seen, "2"), facts(1, 2)), "Approved")[:2] == ("Unknown", "MetricMissing")


def test_nothing_is_said_of_approval_where_nobody_has_to_be_asked() -> None:
    assert told(step(promotion(), facts(1)), "Approved") == ("", "", "")


def test_what_prometheus_said_before_the_rollout_holds_for_the_rollout() -> None:
    gates = [{"prometheus": {"query": "up", "min": "1"}}]
    good = GateEvidence(answers={"up": QueryAnswer((1.0,))})
    bad = GateEvidence(answers={"up": QueryAnswer((0.0,))})
    seen = promotion(gates=gates)
    waiting = step(seen, facts(1))
    assert told(waiting, "GatesPassed")[:2] == ("Unknown", "TryingGates")
    refused = step(waiting, facts(1, evidence=bad))
    assert told(refused, "GatesPassed")[:2] == ("False", "GateFailed")
    passed = step(refused, facts(1, evidence=good))
    assert champion(passed) == "1"
    assert told(step(passed, facts(1, evidence=bad)), "GatesPassed")[:2] == ("True", "GatesPassed")


def test_champions_are_numbered_and_kept_in_the_status_until_postgres_has_them() -> None:
    seen = promotion(historyLimit=1)
    for number in (1, 2, 3):
        seen = step(seen, facts(number))
    assert [served.number for served in unrecorded(seen.status)] == [1, 2, 3]
    assert told(seen, "Recorded")[:2] == ("False", "Recording")
    written = step(seen, facts(3, recording=Recording(number=3)))
    assert written.status.recorded == 3
    assert [served.version for served in written.status.history] == ["3"]
    assert told(written, "Recorded")[:2] == ("True", "Recorded")
    silent = step(seen, facts(3, recording=Recording(fault="Postgres did not answer")))
    assert told(silent, "Recorded")[:2] == ("False", "NotRecorded")
    assert "version 1, 2, 3 in charge: Postgres did not answer" in told(silent, "Recorded")[2]


def test_the_status_stays_small_however_long_postgres_is_silent() -> None:
    status = promotion().status
    route = step(promotion(), facts(1)).status.champion
    assert route is not None
    for _ in range(2 * HISTORY_LIMIT):
        status = take_charge(status, route, 1)
    assert len(status.history) == HISTORY_LIMIT
    assert status.history[0].number == 2 * HISTORY_LIMIT
    assert recorded(status, Recording(), 1)[0].history == status.history


def test_a_new_champion_is_recorded_at_once_also_where_the_last_was_just_written() -> None:
    def pause(seen: PromotionObject, known: PromotionFacts) -> float | None:
        route = direct(seen, known).route
        assert route is not None
        state = RouteState(route_digest=route.digest(), wanted_digest=route.digest())
        known = replace(known, fleet=Fleet(("pod",), frozenset({"pod"}), {"pod": state}))
        return decide_promotion(seen, known).after

    first = step(promotion(), facts(1))
    assert pause(promotion(), facts(1)) == 0
    assert pause(first, facts(1)) is None
    assert pause(first, facts(1, 2, recording=Recording(number=1))) == 0


def test_errands_have_one_job_for_one_purpose_and_their_pods_are_no_servers() -> None:
    served = step(promotion(), facts(1)).status.champion
    spec = promotion().spec
    assert served is not None
    assert isinstance(spec, ModelPromotionSpec)
    asked = Wanted(metrics=(AskedMetric(metric="rmse", confidence="0.95"),))
    errands = [
        improvement_errand(PARENT, version(2), served, asked, SETTINGS),
        inspection_errand(PARENT, version(2), served, SETTINGS),
        inspection_errand(PARENT, version(2), None, SETTINGS),
        champions_errand(PARENT, spec, [served], SETTINGS),
    ]
    assert len({errand.identity for errand in errands}) == len(errands)
    again = improvement_errand(PARENT, version(2), served, asked, SETTINGS)
    assert again.identity == errands[0].identity
    defaults = JobDefaults(secret="modelyard-project", pull_policy="IfNotPresent", ttl_seconds=60)
    for errand in errands:
        job = build_step_job(errand.job(PARENT, 1, 0), defaults)
        assert labels.PROMOTION in (job.metadata.labels or {})
        assert labels.PROMOTION not in (job.spec.template.metadata.labels or {})
        assert len(job.metadata.name) <= 63
    images = [errand.job(PARENT, 1, 0).pod.image for errand in errands]
    assert images == ["modelyard/trainer:0.1.0", *["modelyard/server:0.1.0"] * 2, "modelyard/trainer:0.1.0"]


def test_an_edit_of_the_spec_compares_again_but_records_nobody_twice() -> None:
    served = step(promotion(), facts(1)).status.champion
    spec = promotion().spec
    assert served is not None
    assert isinstance(spec, ModelPromotionSpec)
    edited = replace(PARENT, generation=2)
    first, second = (inspection_errand(parent, version(2), served, SETTINGS) for parent in (PARENT, edited))
    assert first.identity != second.identity
    first, second = (champions_errand(parent, spec, [served], SETTINGS) for parent in (PARENT, edited))
    assert first.identity == second.identity
    entry = first.step(1).champions
    assert entry is not None
    assert (entry.entries[0].number, entry.entries[0].since) == (1, datetime(2026, 3, 1, 12, tzinfo=UTC))
