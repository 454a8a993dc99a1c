"""Stands where server pods would, for tests of a control plane without nodes: says that it serves what the route says."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from modelyard_api.contract.route import ROUTE_FILE, RoleCounts, Route, RoutedModel, RouteState, ServedRole
from tests.support.kubeapi import CONFIG_MAP, POD, Document, KubeApi
from tests.support.waiting import until


@dataclass
class ServerPods:
    """The pods of one promotion, all at one loopback address."""

    api: KubeApi
    namespace: str
    promotion: str
    port: int
    refused: set[str] = field(default_factory=set)
    """Versions that the servers do not take."""
    served: Route | None = None
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    """What versions did, in whatever role: fields of RoleCounts by version."""

    def route(self) -> Route | None:
        """The route that the operator wrote."""
        found = self.api.read(CONFIG_MAP, self.namespace, f"{self.promotion}-route")
        return Route.model_validate_json(found["data"][ROUTE_FILE]) if found else None

    def state(self) -> RouteState:
        """Serves the wanted route at once, unless its version is refused."""
        wanted = self.route()
        if wanted is not None and not self.refused & {each.version for each in _held(wanted).values()}:
            self.served = wanted
        behind = wanted is not None and self.served != wanted
        return RouteState(
            route_digest=self.served.digest() if self.served else None,
            wanted_digest=wanted.digest() if wanted else None,
            version=self.served.champion.version if self.served else None,
            error="the bundle's digest is another" if behind else None,
            counts=[
                RoleCounts(role=role, version=each.version, **self.counts.get(each.version, {}))
                for role, each in _held(self.served).items()
            ]
            if self.served
            else [],
        )

    def become_ready(self, count: int = 1) -> list[Document]:
        """The kubelet's part: the pods run and are ready."""
        pods = until(lambda: self._pods(count), 30, f"{count} server pods")
        for pod in pods:
            condition = {
                "type": "Ready",
                "status": "True",
                "lastProbeTime": None,
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }
            status = {"phase": "Running", "podIP": "127.0.0.1", "podIPs": [{"ip": "127.0.0.1"}]}
            change = {"status": {**status, "conditions": [condition]}}
            answer = self.api.merge(POD, self.namespace, f"{pod['metadata']['name']}/status", change)
            assert answer.is_success, answer.text
        return pods

    def _pods(self, count: int) -> list[Document]:
        found = self.api.items(POD, self.namespace, f"modelyard.dev/promotion={self.promotion}")
        return found if len(found) == count else []


def _held(route: Route) -> dict[ServedRole, RoutedModel]:
    """Champion and candidate of a route."""
    held = {ServedRole.CHAMPION: route.champion}
    if route.candidate is not None:
        held[ServedRole.CANDIDATE] = route.candidate.model
    return held


@contextmanager
def answering(pods: ServerPods) -> Iterator[ServerPods]:
    """Answers the operator's questions for the time of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = pods.state().model_dump_json(by_alias=True).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", pods.port), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield pods
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
