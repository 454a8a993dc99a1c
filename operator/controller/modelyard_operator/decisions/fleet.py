"""The server pods of a promotion and what they say of themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from modelyard_api.contract.route import RoleCounts, RouteState, ServedRole
from modelyard_api.v1alpha1.rollout import RolloutCounts, SwapStatus


@dataclass(frozen=True)
class Fleet:
    """The server pods and what they say."""

    pods: tuple[str, ...] = ()
    """Names of the pods that are meant to live."""
    ready: frozenset[str] = frozenset()
    states: Mapping[str, RouteState] = field(default_factory=dict)
    restarts: int = 0
    """How often containers of these pods were started again."""

    def serving(self, digest: str) -> int:
        """Ready pods that serve the route."""
        return len(self.states_of(digest))

    def states_of(self, digest: str) -> list[RouteState]:
        """What ready pods that serve the route say, in the order of their names."""
        return [
            state
            for name in sorted(self.ready)
            if (state := self.states.get(name)) is not None and state.route_digest == digest
        ]

    def all_serve(self, digest: str, wanted: int) -> bool:
        """Whether every ready pod serves the route, and at least as many as are wanted."""
        serving = self.serving(digest)
        return serving >= wanted and serving >= len(self.ready)

    def error(self, digest: str) -> str:
        """What a pod has against the route."""
        for name, state in self.states.items():
            if state.wanted_digest == digest and state.route_digest != digest and state.error:
                return f"{name}: {state.error}"
        return ""

    def counts(self, digest: str, version: str) -> RolloutCounts:
        """What a version did under a route, over all pods that serve it."""
        return _sum(self._counts(digest, version))

    def drifting(self, digest: str, version: str) -> list[str]:
        """Names of what drifts in a version's traffic, those of one pod after those of the other, each once."""
        return list(dict.fromkeys(name for each in self._counts(digest, version) for name in each.drifting))

    def swap(self, digest: str, version: str) -> SwapStatus:
        """What clients saw while the pods came to this route."""
        states = [state for state in self.states.values() if state.route_digest == digest]
        return SwapStatus(
            version=version,
            requests=sum(state.rollout_requests for state in states),
            errors=sum(state.rollout_errors for state in states),
        )

    def _counts(self, digest: str, version: str) -> list[RoleCounts]:
        return [
            counts
            for state in self.states.values()
            if state.route_digest == digest
            for counts in state.counts
            if counts.version == version and counts.role is not ServedRole.PREVIOUS
        ]


def _sum(counts: list[RoleCounts]) -> RolloutCounts:
    return RolloutCounts(
        requests=sum(each.requests for each in counts),
        errors=sum(each.errors for each in counts),
        slow=sum(each.slow for each in counts),
        compared=sum(each.compared for each in counts),
        disagreed=sum(each.disagreed for each in counts),
        windows=sum(each.windows for each in counts),
        drifted=sum(each.drifted for each in counts),
    )
