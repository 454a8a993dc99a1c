"""The API server's own record of who asked for what and when: the one clock and counter for all contenders."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bringup.paths import REPOSITORY

WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
READS = frozenset({"get", "list"})

_POLICY = REPOSITORY / "manifests" / "kind" / "audit-policy.yaml"


@dataclass(frozen=True)
class Request:
    """One answered request; times are seconds since the epoch on the API server's clock."""

    user: str
    verb: str
    resource: str
    name: str
    code: int
    received: float
    answered: float

    @property
    def succeeded(self) -> bool:
        return 200 <= self.code < 300

    @property
    def is_lease(self) -> bool:
        return self.resource == "leases"


class AuditLog:
    """Has an API server write its record, and follows it; the policy keeps what service accounts do."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._file = directory / "audit.log"
        self._file.unlink(missing_ok=True)
        self._offset = 0
        self.requests: list[Request] = []

    @property
    def apiserver_flags(self) -> Sequence[str]:
        return (
            f"--audit-policy-file={_POLICY}",
            f"--audit-log-path={self._file}",
            "--audit-log-maxsize=1000",
        )

    def follow(self) -> list[Request]:
        """Reads what was written since the last call; returns only that."""
        with self._file.open("rb") as stream:
            stream.seek(self._offset)
            text = stream.read()
        # The last line may still be under way.
        complete = text[: text.rfind(b"\n") + 1]
        self._offset += len(complete)
        fresh = [_request(json.loads(line)) for line in complete.splitlines()]
        self.requests += fresh
        return fresh


def _request(event: dict[str, Any]) -> Request:
    target = event.get("objectRef", {})
    resource = target.get("resource", "")
    if "subresource" in target:
        resource = f"{resource}/{target['subresource']}"
    return Request(
        user=event["user"]["username"],
        verb=event["verb"],
        resource=resource,
        name=target.get("name", ""),
        code=event.get("responseStatus", {}).get("code", 0),
        received=_seconds(event["requestReceivedTimestamp"]),
        answered=_seconds(event["stageTimestamp"]),
    )


def _seconds(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()
