"""The route document: which versions a server holds and who gets the traffic; and what a pod says it serves.

The operator writes it into a ConfigMap that the pod sees as a file. A pod needs no token of the cluster for it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from modelyard_api.base import StatusModel
from modelyard_api.digests import canonical_digest
from modelyard_api.v1alpha1.common import DecimalString

ROUTE_FILE = "route.json"
STATE_PATH = "/admin/route"


class RoutedModel(StatusModel):
    """A version that the server holds."""

    version: str
    run_id: str
    model_digest: str
    bundle_uri: str
    dataset_digest: str | None = None


class TrialMode(StrEnum):
    """How a candidate is tried beside the champion."""

    CANARY = "Canary"
    """It answers its share of the requests; what it cannot answer, the champion does."""
    SHADOW = "Shadow"
    """Its share of the requests is repeated for it once the champion has answered; nobody reads its answers."""


class Trial(StatusModel):
    """A candidate beside the champion, and its share of the requests."""

    model: RoutedModel
    mode: TrialMode
    percent: Annotated[int, Field(ge=1, le=100)]
    max_latency_seconds: DecimalString | None = None
    """Answers that take longer are counted as slow; None counts none."""
    tolerance: DecimalString | None = None
    """Numbers that differ by at most this share of the larger one agree; None asks for equal ones. Labels must be equal."""


class Route(StatusModel):
    """What is to be served."""

    model_name: str
    champion: RoutedModel
    candidate: Trial | None = None
    """Tried beside the champion."""
    previous: RoutedModel | None = None
    """Kept loaded for an instant way back."""
    max_latency_seconds: DecimalString | None = None
    """The champion's answers that take longer are counted as slow; None counts none."""

    def digest(self) -> str:
        """Identity of the route: ``sha256:…`` of its canonical JSON."""
        return canonical_digest(self.to_wire())


class ServedRole(StrEnum):
    """What a version is held for."""

    CHAMPION = "champion"
    CANDIDATE = "candidate"
    SHADOW = "shadow"
    PREVIOUS = "previous"


class RoleCounts(StatusModel):
    """What became of the requests of one version, since the pod serves its present route."""

    role: ServedRole
    version: str
    requests: int = 0
    """Requests that it was asked, the failed ones included."""
    errors: int = 0
    """Of the champion: answers of 500 and above that were its own fault, and requests that it had no number for and the
    version before it did. Of a candidate: requests that the champion answered and it did not."""
    slow: int = 0
    """Answers that took longer than ``max_latency_seconds`` of the trial, or of the route for its champion."""
    compared: int = 0
    """Rows of a shadow that were compared with the champion's answers."""
    disagreed: int = 0
    """Of these, the rows answered otherwise or not at all."""
    windows: int = 0
    """The latest windows of its traffic that were compared with its training data, at most 20 of a process."""
    drifted: int = 0
    """Of these, the windows in which some feature or the output was above its limit."""
    drifting: list[str] = []
    """Names of the features, or of the output, that were so most often; a few."""


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
    rollout_requests: int = 0
    """Requests answered since the pod first read of its champion, as a candidate or as the champion."""
    rollout_errors: int = 0
    """Of these, answers of 500 and above."""
    counts: list[RoleCounts] = []
    """One entry a version that is held."""
