"""Rollouts on a simulated clock: pods that serve what they are told, and counts that a test gives them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from modelyard_api.conditions import find_condition
from modelyard_api.contract.route import RoleCounts, Route, RouteState, ServedRole
from modelyard_api.v1alpha1.model_promotion import ModelPromotionSpec
from modelyard_operator.decisions.candidates import Registry
from modelyard_operator.decisions.direction import PromotionFacts, direct
from modelyard_operator.decisions.evidence import binomial_tail, exceeds
from modelyard_operator.decisions.fleet import Fleet
from modelyard_operator.decisions.promotion import decide_promotion
from modelyard_operator.decisions.rollout import query_of
from modelyard_operator.objects.custom import PromotionObject
from modelyard_operator.objects.gates import QueryAnswer
from tests.unit.operator.making import later, promotion, version

CANARY = {
    "canary": {
        "steps": [{"percent": 10, "seconds": 60}, {"percent": 50, "seconds": 60}],
        "maxErrorPercent": "1",
        "maxLatencySeconds": "0.05",
    }
}
SHADOW = {"shadow": {"percent": 100, "seconds": 60, "maxDisagreementPercent": "5"}}
ROLLBACK = {"onErrorPercent": "5", "windowSeconds": 600}

Counts = Callable[[str], dict[str, int]]
"""What a version did, by its number; the same in every route."""


@dataclass
class World:
    """A promotion, its pods and a clock."""

    seen: PromotionObject
    now: float = 0.0
    versions: tuple[int, ...] = (1,)
    counts: Counts = lambda _: {}
    restarts: int = 0
    loading: bool = False
    """Whether a second pod is still on another route."""
    error: str = ""
    """What pods say of a route with version 2 instead of serving it."""
    mlflow: bool = True
    answer: QueryAnswer | None = None
    """Of Prometheus."""
    alias: str | None = None

    def facts(self) -> PromotionFacts:
        registry = Registry(
            versions=tuple(version(n) for n in sorted(self.versions, reverse=True)), alias=self.alias
        )
        known = PromotionFacts(now=later(self.now), registry=registry if self.mlflow else None)
        spec = self.seen.spec
        assert isinstance(spec, ModelPromotionSpec)
        if query_of(spec, self.seen.status, known.now):
            known = replace(known, watched=self.answer)
        route = direct(self.seen, known).route
        return replace(known, fleet=self.fleet(route) if route is not None else Fleet())

    def fleet(self, route: Route) -> Fleet:
        held = {ServedRole.CHAMPION: route.champion}
        if route.candidate is not None:
            held[ServedRole.CANDIDATE] = route.candidate.model
        refused = self.error and any(each.version == "2" for each in held.values())
        state = RouteState(
            route_digest=None if refused else route.digest(),
            wanted_digest=route.digest(),
            error=self.error or None,
            rollout_requests=7,
            counts=[
                RoleCounts(role=role, version=each.version, **self.counts(each.version))
                for role, each in held.items()
            ],
        )
        states = {"pod": state}
        if self.loading:
            states["slower"] = RouteState(route_digest="sha256:another", wanted_digest=route.digest())
        return Fleet(tuple(states), frozenset(states), states, self.restarts)

    def step(self, seconds: float = 1.0) -> None:
        """One look, so many seconds after the one before."""
        self.now += seconds
        plan = decide_promotion(self.seen, self.facts())
        self.alias = plan.set_alias or self.alias
        self.seen = self.seen.model_copy(update={"status": plan.status})

    def run(self, seconds: int) -> None:
        """A look every second."""
        for _ in range(seconds):
            self.step()

    @property
    def route(self) -> Route:
        route = direct(self.seen, self.facts()).route
        assert route is not None
        return route

    @property
    def champion(self) -> str:
        champion = self.seen.status.champion
        assert champion is not None
        return champion.version

    @property
    def percent(self) -> int:
        """Share of the candidate in the route."""
        return self.route.candidate.percent if self.route.candidate is not None else 0

    def condition(self, type_: str) -> tuple[str, str]:
        found = find_condition(self.seen.status.conditions, type_)
        return (str(found.status), found.reason) if found is not None else ("", "")


def world(rollout: dict[str, Any], **spec: Any) -> World:  # noqa: ANN401  JSON
    """Version 1 is in charge, and version 2 has just appeared."""
    made = World(promotion(rollout=rollout, **spec))
    made.step()
    made.step()
    assert made.champion == "1"
    made.versions = (1, 2)
    return made


def test_a_canary_goes_through_its_steps_and_then_takes_charge() -> None:
    made = world(CANARY)
    made.counts = lambda number: {"requests": 300} if number == "2" else {}
    shares: list[int] = []
    for _ in range(140):
        made.step()
        if made.champion == "2":
            break
        shares.append(made.percent)
    assert 60 <= shares.count(10) <= 63
    assert 60 <= shares.count(50) <= 63
    assert shares == sorted(shares, key=[10, 50, 0].index)
    assert (made.champion, made.alias) == ("2", "2")
    assert made.condition("RolledBack") == ("False", "RolledOut")
    candidate = made.seen.status.candidate
    assert candidate is not None
    assert candidate.rollout is not None
    assert candidate.rollout.counts.requests == 300
    assert made.seen.status.last_swap is not None
    assert (made.seen.status.last_swap.version, made.seen.status.last_swap.requests) == ("2", 7)


def test_a_step_counts_its_time_from_when_all_pods_serve_it() -> None:
    made = world(CANARY)
    made.error = "still loading"
    made.run(100)
    assert made.percent == 10
    made.error = ""
    made.run(59)
    assert made.percent == 10
    made.run(3)
    assert made.percent == 50


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        ({"requests": 4, "errors": 4}, "TooManyErrors"),
        ({"requests": 1000, "errors": 50}, "TooManyErrors"),
        ({"requests": 20, "slow": 20}, "TooSlow"),
    ],
)
def test_a_broken_canary_is_stopped_long_before_its_step_is_over(counts: dict[str, int], reason: str) -> None:
    made = world(CANARY)
    made.run(3)
    made.counts = lambda number: counts if number == "2" else {"requests": 1000}
    made.run(3)
    assert (made.champion, made.percent, made.alias) == ("1", 0, "1")
    assert made.condition("RolledBack") == ("True", reason)
    assert made.condition("Ready") == ("True", "Serving")
    candidate = made.seen.status.candidate
    assert candidate is not None
    assert candidate.refused is not None
    assert candidate.rollout is not None
    assert candidate.rollout.counts.requests == counts["requests"]
    made.run(200)
    assert (made.champion, made.percent) == ("1", 0)


def test_at_the_end_of_a_step_the_share_itself_is_judged() -> None:
    made = world(CANARY)
    made.counts = lambda number: {"requests": 100, "errors": 2} if number == "2" else {}
    made.run(55)
    assert made.percent == 10
    made.run(10)
    assert made.percent == 0
    assert made.condition("RolledBack") == ("True", "TooManyErrors")


def test_one_slow_answer_among_few_stops_no_canary() -> None:
    made = world(CANARY)
    made.counts = lambda number: {"requests": 20, "slow": 1} if number == "2" else {}
    made.run(130)
    assert made.champion == "2"


@pytest.mark.parametrize(
    ("disagreed", "champion", "reason"), [(40, "2", "RolledOut"), (60, "1", "TooMuchDisagreement")]
)
def test_a_shadow_that_agrees_takes_charge_and_one_that_does_not_is_given_up(
    disagreed: int, champion: str, reason: str
) -> None:
    made = world(SHADOW)
    made.counts = lambda _: {"compared": 1000, "disagreed": disagreed}
    made.run(70)
    assert made.champion == champion
    assert made.condition("RolledBack")[1] == reason


def test_the_operator_may_be_another_one_at_every_step() -> None:
    made = world(CANARY)
    for _ in range(140):
        made.step()
        made.seen = PromotionObject.model_validate(
            {
                "metadata": made.seen.metadata.to_wire(),
                "spec": made.seen.spec.to_wire(),
                "status": made.seen.status.to_wire(),
            }
        )
    assert made.champion == "2"


def test_a_rollout_waits_while_mlflow_does_not_answer_and_counts_its_step_anew() -> None:
    made = world(CANARY)
    made.run(50)
    made.mlflow = False
    made.run(100)
    assert (made.champion, made.percent) == ("1", 0)
    made.mlflow = True
    made.run(50)
    assert made.percent == 10
    made.run(15)
    assert made.percent == 50


def test_an_edit_of_the_spec_begins_the_rollout_anew() -> None:
    made = world(CANARY)
    made.run(65)
    assert made.percent == 50
    made.seen = made.seen.model_copy(
        update={"metadata": made.seen.metadata.model_copy(update={"generation": 2})}
    )
    made.run(2)
    assert made.percent == 10


def test_a_newer_version_takes_the_place_of_the_candidate_from_the_first_step() -> None:
    made = world(CANARY)
    made.run(65)
    made.versions = (1, 2, 3)
    made.run(2)
    assert made.route.candidate is not None
    assert (made.route.candidate.model.version, made.percent) == ("3", 10)


@pytest.mark.parametrize("rollout", [CANARY, {"immediate": {}}])
def test_a_candidate_under_which_a_server_ends_is_given_up_at_once(rollout: dict[str, Any]) -> None:
    made = world(rollout)
    made.error = "not there yet"
    made.run(2)
    made.restarts = 1
    made.run(2)
    assert made.champion == "1"
    assert made.condition("RolledBack") == ("True", "ServerEnded")


def test_a_candidate_that_is_never_loaded_is_given_up() -> None:
    made = world({"immediate": {}})
    made.error = "being loaded"
    made.run(119)
    assert made.condition("RolledBack") == ("False", "RolledOut")
    made.run(3)
    assert made.condition("RolledBack") == ("True", "ModelUnusable")


def test_a_version_that_fails_while_some_pods_still_load_it_never_takes_charge() -> None:
    made = world({"immediate": {}}, rollback=ROLLBACK)
    made.loading = True
    made.counts = lambda number: {"requests": 20, "errors": 20} if number == "2" else {"requests": 500}
    made.run(3)
    assert made.condition("RolledBack") == ("True", "TooManyErrors")
    made.loading = False
    made.run(3)
    assert (made.champion, made.route.champion.version, made.alias) == ("1", "1", "1")


def test_a_champion_that_is_slow_within_its_window_gives_way_to_the_one_before() -> None:
    made = world({"immediate": {}}, rollback={"onLatencySeconds": "0.2"})
    assert made.route.max_latency_seconds == "0.2"
    made.run(3)
    assert made.champion == "2"
    made.counts = lambda number: {"requests": 200, "slow": 40} if number == "2" else {}
    made.run(4)
    assert made.champion == "1"
    assert made.condition("RolledBack") == ("True", "TooSlow")


def test_a_champion_that_fails_within_its_window_gives_way_to_the_one_before() -> None:
    made = world({"immediate": {}}, rollback=ROLLBACK)
    made.run(3)
    assert made.champion == "2"
    made.counts = lambda number: {"requests": 200, "errors": 40} if number == "2" else {}
    made.run(4)
    assert (made.champion, made.alias) == ("1", "1")
    assert made.condition("RolledBack") == ("True", "TooManyErrors")
    assert made.route.previous is None
    assert [item.version for item in made.seen.status.history] == ["1", "2", "1"]
    made.counts = lambda _: {"requests": 200, "errors": 200}
    made.run(50)
    assert made.champion == "1"


def test_a_way_back_needs_no_answer_of_mlflow_for_the_servers_and_one_for_the_record() -> None:
    made = world({"immediate": {}}, rollback=ROLLBACK)
    made.run(3)
    made.mlflow = False
    made.counts = lambda number: {"requests": 200, "errors": 40} if number == "2" else {}
    made.run(3)
    assert made.route.champion.version == "1"
    assert (made.champion, made.alias) == ("2", "2")
    made.mlflow = True
    made.run(2)
    assert (made.champion, made.alias) == ("1", "1")


DRIFT = {"onQuery": {"query": "max(drift)", "max": "0.2"}}


def test_a_step_ends_only_when_prometheus_answers_and_stops_when_the_answer_is_out_of_bounds() -> None:
    made = world(CANARY, rollback=DRIFT)
    for nothing in (None, QueryAnswer(fault="it does not answer"), QueryAnswer((float("nan"),))):
        made.answer = nothing
        made.run(50)
        assert made.percent == 10
    made.answer = QueryAnswer((0.1,))
    made.run(2)
    assert made.percent == 50
    made.answer = QueryAnswer((0.1, 0.3))
    made.run(2)
    assert (made.champion, made.percent) == ("1", 0)
    assert made.condition("RolledBack") == ("True", "QueryOutOfBounds")


def test_a_champion_under_which_an_answer_leaves_its_bounds_gives_way_and_an_outage_is_no_reason() -> None:
    made = world({"immediate": {}}, rollback=DRIFT)
    made.run(3)
    assert made.champion == "2"
    for nothing in (None, QueryAnswer(fault="it does not answer"), QueryAnswer((float("nan"),))):
        made.answer = nothing
        made.run(5)
        assert made.champion == "2"
    made.answer = QueryAnswer((0.3,))
    made.run(3)
    assert made.champion == "1"
    assert made.condition("RolledBack") == ("True", "QueryOutOfBounds")


@pytest.mark.parametrize("spec", [{}, {"rollback": ROLLBACK}])
def test_without_a_rollback_or_after_its_window_the_champion_stays(spec: dict[str, Any]) -> None:
    made = world({"immediate": {}}, **spec)
    made.run(3)
    made.step(700)
    made.counts = lambda _: {"requests": 200, "errors": 200}
    made.run(5)
    assert made.champion == "2"


def test_at_rest_after_a_rollout_nothing_changes() -> None:
    made = world(CANARY, rollback=ROLLBACK)
    made.run(140)
    assert made.champion == "2"
    before = made.seen.status
    made.run(3)
    assert made.seen.status == before


def test_counts_are_noted_in_status_every_ten_seconds_and_not_at_every_look() -> None:
    made = world(CANARY)
    noted = set()
    for requests in range(40):
        made.counts = lambda _, count=requests: {"requests": count}  # type: ignore[misc]
        made.step()
        candidate = made.seen.status.candidate
        assert candidate is not None
        assert candidate.rollout is not None
        noted.add(candidate.rollout.counts.requests)
    assert 3 <= len(noted) <= 5


@pytest.mark.parametrize(
    ("count", "total", "share", "expected"),
    [(1, 1, 0.5, 0.5), (3, 10, 0.1, 0.0701908264), (5, 5, 0.1, 1e-5), (0, 5, 0.1, 1.0), (1, 5, 0.0, 0.0)],
)
def test_the_tail_of_the_binomial_is_what_tables_say(
    count: int, total: int, share: float, expected: float
) -> None:
    assert binomial_tail(count, total, share) == pytest.approx(expected)


def test_a_limit_of_nothing_is_broken_by_the_first_error_and_not_before() -> None:
    assert not exceeds(0, 100, "0", 1e-4)
    assert exceeds(1, 100_000, "0", 1e-4)
    assert not exceeds(0, 0, "1")
