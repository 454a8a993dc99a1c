"""The kind node as a machine: its API server can be ended, its audit log read, its pods' logs all be seen."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from tests.support.kubeapi import NODE, KubeApi
from tests.support.waiting import until

AUDIT_LOG = "/var/log/kubernetes/audit.log"
_FIND_APISERVER = """
for process in /proc/[0-9]*; do
  read -r name <"$process/comm" 2>/dev/null && [ "$name" = kube-apiserver ] && echo "${process#/proc/}"
done; true"""


@dataclass(frozen=True)
class Request:
    """One request that the API server answered, as the audit log has it."""

    user: str
    verb: str
    group: str
    resource: str
    subresource: str
    namespace: str
    name: str
    code: int
    time: datetime

    @property
    def writes(self) -> bool:
        """Whether it asked for a change."""
        return self.verb in {"create", "update", "patch", "delete", "deletecollection"}


@dataclass(frozen=True)
class NodeMachine:
    """The container that kind runs a node in."""

    container: str

    @classmethod
    def of(cls, api: KubeApi) -> "NodeMachine":
        """The only node: kind gives it the name of its container."""
        return cls(str(api.items(NODE)[0]["metadata"]["name"]))

    def run(self, *words: str, seconds: float = 60) -> str:
        """What a program on the node prints."""
        done = subprocess.run(
            ["docker", "exec", self.container, *words],
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
        return done.stdout

    def restart_apiserver(self, api: KubeApi) -> None:
        """Ends the API server at once; the kubelet starts another. Returns when that one is ready."""
        before = self._apiserver()
        self.run("kill", "-KILL", *before)

        def answers() -> bool:
            now = self._apiserver()
            return bool(now) and not set(now) & set(before) and api.ready()

        until(answers, 120, "an API server that is another one and ready")

    def requests(self, user: str, since: datetime) -> Iterator[Request]:
        """Requests of a user from a point in time on, oldest first; none where nothing is audited."""
        for line in self._audit_lines(user):
            request = _parsed(json.loads(line))
            if request.user == user and request.time >= since:
                yield request

    def audits(self) -> bool:
        """Whether this cluster was made with an audit log."""
        done = subprocess.run(
            ["docker", "exec", self.container, "test", "-s", AUDIT_LOG], capture_output=True, check=False
        )
        return done.returncode == 0

    def _audit_lines(self, user: str) -> list[str]:
        return self.run("grep", "-hF", f'"{user}"', AUDIT_LOG).splitlines()

    def _apiserver(self) -> list[str]:
        """Process ids; the node has no more than a shell for certain."""
        return self.run("sh", "-c", _FIND_APISERVER).split()


def _parsed(event: dict[str, object]) -> Request:
    reference, user, status = (event.get(key) or {} for key in ("objectRef", "user", "responseStatus"))
    assert isinstance(reference, dict)
    assert isinstance(user, dict)
    assert isinstance(status, dict)
    return Request(
        user=str(user.get("username", "")),
        verb=str(event["verb"]),
        group=str(reference.get("apiGroup", "")),
        resource=str(reference.get("resource", "")),
        subresource=str(reference.get("subresource", "")),
        namespace=str(reference.get("namespace", "")),
        name=str(reference.get("name", "")),
        code=int(status.get("code", 0)),
        time=datetime.fromisoformat(str(event["requestReceivedTimestamp"])),
    )
