"""Reaching a Service of the cluster from this machine for the time of a block."""

import json
import re
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bringup.cluster import Cluster
from bringup.errors import BringUpError

_LISTENING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")
_SECONDS = 30.0


@contextmanager
def forwarded(cluster: Cluster, namespace: str, service: str, port: int) -> Iterator[str]:
    """Yields an address on the loopback interface that leads to the Service."""
    argv = ["kubectl", "port-forward", "--namespace", namespace, f"service/{service}", f":{port}"]
    argv += ["--address", "127.0.0.1"]
    child = subprocess.Popen(
        argv,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=cluster.context.shell.environment(cluster.environment()),
        text=True,
    )
    try:
        said = child.stdout.readline() if child.stdout else ""
        found = _LISTENING.search(said)
        if not found:
            raise BringUpError(f"service {service} in {namespace} cannot be reached: {said.strip()}")
        yield f"http://127.0.0.1:{found[1]}"
    finally:
        child.terminate()
        child.wait()


def request_json(url: str, body: bytes | None = None) -> dict[str, Any]:
    """Asks once, or again while nobody listens yet, and returns the decoded answer."""
    deadline = time.monotonic() + _SECONDS
    headers = {"Content-Type": "application/json"} if body is not None else {}
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while True:
        try:
            request = urllib.request.Request(url, data=body, headers=headers)  # noqa: S310 - ours, always http
            with direct.open(request, timeout=_SECONDS) as answer:
                return dict(json.loads(answer.read()))
        except urllib.error.HTTPError as error:
            raise BringUpError(
                f"{url} answered {error.code}: {error.read().decode(errors='replace')[:500]}"
            ) from error
        except (urllib.error.URLError, ConnectionError) as error:
            if time.monotonic() > deadline:
                raise BringUpError(f"{url} does not answer: {error}") from error
            time.sleep(0.5)
