"""The one mutable thing of a server: which route it serves, which it should, and how it has been doing."""

from __future__ import annotations

from dataclasses import dataclass, field

from modelyard_api.contract.route import Route, RouteState
from modelyard_server.errors import NotReadyError
from modelyard_server.serving import Serving

_SERVER_FAULT = 500


@dataclass
class ServerState:
    """Changed by the route keeper, the requests and the signal handler, all on the event loop."""

    serving: Serving | None = None
    wanted_digest: str | None = None
    error: str | None = None
    draining: bool = False
    requests: int = 0
    errors: int = 0
    rollouts: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By digest of the models that take charge or are tried: requests and errors when the first route named them."""

    @property
    def ready(self) -> bool:
        """Whether new requests should come here."""
        return self.serving is not None and not self.draining

    def demand(self) -> Serving:
        """What is served. Raises NotReadyError before the first route is warm."""
        if self.serving is None:
            raise NotReadyError(f"no model is ready: {self.error or 'the first one is being loaded'}")
        return self.serving

    def follow(self, route: Route) -> None:
        """Notes which route is wanted, and from when on its versions are being rolled out."""
        self.wanted_digest = route.digest()
        models = [route.champion, *([route.candidate.model] if route.candidate else [])]
        now = (self.requests, self.errors)
        self.rollouts = {model.model_digest: self.rollouts.get(model.model_digest, now) for model in models}

    def count(self, status: int) -> None:
        """Counts an answered prediction request."""
        self.requests += 1
        if status >= _SERVER_FAULT:
            self.errors += 1

    def route_state(self) -> RouteState:
        """What the operator reads."""
        serving = self.serving
        champion = serving.champion.model if serving else None
        now = (self.requests, self.errors)
        requests, errors = self.rollouts.get(champion.digest, now) if champion else now
        return RouteState(
            route_digest=serving.route.digest() if serving else None,
            wanted_digest=self.wanted_digest,
            version=serving.champion.version if serving else None,
            compiled=champion.compiled if champion else None,
            not_compiled_because=champion.not_compiled_because if champion else None,
            error=self.error,
            requests=self.requests,
            errors=self.errors,
            rollout_requests=self.requests - requests,
            rollout_errors=self.errors - errors,
            counts=[served.counts for served in serving.held] if serving else [],
        )
