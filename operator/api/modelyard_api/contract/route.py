"""The route document: which versions a server holds and who gets the traffic; and what a pod says it serves.

The operator writes it into a ConfigMap that the pod sees as a file. A pod needs no token of the cluster for it.
"""

from __future__ import annotations

from modelyard_api.base import StatusModel
from modelyard_api.digests import canonical_digest

ROUTE_FILE = "route.json"
STATE_PATH = "/admin/route"


class RoutedModel(StatusModel):
    """A version that the server holds."""

    version: str
    run_id: str
    model_digest: str
    bundle_uri: str
    dataset_digest: str | None = None


class Route(StatusModel):
    """What is to be served."""

    model_name: str
    champion: RoutedModel
    previous: RoutedModel | None = None
    """Kept loaded for an instant way back."""

    def digest(self) -> str:
        """Identity of the route: ``sha256:…`` of its canonical JSON."""
        return canonical_digest(self.to_wire())


class RouteState(StatusModel):
    """Answer of a pod at ``STATE_PATH``."""

    route_digest: str | None = None
    """Route that is being served; None before the first is warm."""
    wanted_digest: str | None = None
    """Route last read from the file."""
    version: str | None = None
    """Champion's version."""
    compiled: bool | None = None
    """Whether the champion's compiled program answers for it."""
    not_compiled_because: str | None = None
    """Why it does not."""
    error: str | None = None
    """Why the wanted route is not served."""
    requests: int = 0
    errors: int = 0
    """Answers of 500 and above."""
