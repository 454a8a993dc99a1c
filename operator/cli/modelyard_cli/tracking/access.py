"""The way to MLflow: what the environment names, else a port forwarded to the cluster's, with the project's login."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from modelyard_api.contract.steps import MLFLOW_PASSWORD, MLFLOW_USERNAME
from modelyard_cli.cluster.client import Cluster
from modelyard_cli.cluster.kinds import SECRET
from modelyard_cli.errors import CommandError
from modelyard_cli.tracking.client import Tracking

URI_VARIABLE = "MLFLOW_TRACKING_URI"
LOGIN_VARIABLES = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
SERVICE_VARIABLE = "MODELYARD_TRACKING_SERVICE"
_SERVICE = "modelyard/modelyard-mlflow:5000"
_PROJECT_SECRET = "modelyard-project"  # noqa: S105  a name
_WORKSPACE = "X-MLFLOW-WORKSPACE"
_TIMEOUT = httpx.Timeout(60.0, connect=10.0)


@dataclass(frozen=True)
class Place:
    """A Service of the cluster."""

    namespace: str
    name: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Place:
        """``namespace/name:port``. Raises CommandError for another form."""
        namespace, slash, rest = text.partition("/")
        name, colon, port = rest.partition(":")
        if not (slash and colon and namespace and name and port.isdigit()):
            raise CommandError(f"{SERVICE_VARIABLE}={text} is not NAMESPACE/SERVICE:PORT")
        return cls(namespace, name, int(port))


@contextmanager
def open_tracking(cluster: Cluster, environment: Mapping[str, str] | None = None) -> Iterator[Tracking]:
    """The project's workspace while the block runs."""
    given = os.environ if environment is None else environment
    login = _login(cluster, given)
    with (
        _address(cluster, given) as url,
        httpx.Client(
            base_url=url.rstrip("/"),
            auth=login,
            headers={_WORKSPACE: cluster.namespace},
            timeout=_TIMEOUT,
            trust_env=URI_VARIABLE in given,
        ) as http,
    ):
        yield Tracking(http)


@contextmanager
def _address(cluster: Cluster, environment: Mapping[str, str]) -> Iterator[str]:
    url = environment.get(URI_VARIABLE)
    if url:
        yield url
        return
    place = Place.parse(environment.get(SERVICE_VARIABLE) or _SERVICE)
    with cluster.kubectl.forward(place.namespace, place.name, place.port) as forwarded:
        yield forwarded


def _login(cluster: Cluster, environment: Mapping[str, str]) -> tuple[str, str] | None:
    """The person's own, else the project's; none where there is no such Secret, as servers without users need none."""
    username, password = (environment.get(name) for name in LOGIN_VARIABLES)
    if username and password:
        return username, password
    secret = cluster.find(SECRET, _PROJECT_SECRET)
    if secret is None:
        return None
    files = {key: base64.b64decode(value).decode().strip() for key, value in secret.get("data", {}).items()}
    if MLFLOW_USERNAME not in files or MLFLOW_PASSWORD not in files:
        return None
    return files[MLFLOW_USERNAME], files[MLFLOW_PASSWORD]
