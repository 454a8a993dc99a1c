"""A promotion on a simulated clock: pods that serve what they are told, and counts that a test gives them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from modelyard_api.conditions import find_condition
from modelyard_api.contract.route import RoleCounts, Route, RouteState, ServedRole
from modelyard_api.v1alpha1.model_promotion import ModelPromotionSpec
from modelyard_operator.decisions.candidates import Registry
from modelyard_operator.decisions.direction import PromotionFacts, direct
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
