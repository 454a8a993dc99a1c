"""MLflow over HTTP: authentication, workspace, outages, and errors that say what to do.

A pod that uses it names httpx among its own requirements, so that servers, which do not, need not carry it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self, TypeVar

import httpx

from modelyard_api.contract.exit_codes import FailureClass
from modelyard_api.contract.steps import MLflowEndpoint
from modelyard_api.v1alpha1.common import Json
from modelyard_runtime.credentials import Login
from modelyard_runtime.errors import PlatformError, StepError
from modelyard_runtime.retry import Patience, patiently

Made = TypeVar("Made")

_API = "/api/2.0/mlflow"
_ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"
_WORKSPACE = "X-MLFLOW-WORKSPACE"
_TIMEOUT_SECONDS = 60.0
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_MESSAGE_LIMIT = 300


class RefusedError(StepError):
    """MLflow understood the request and refuses it."""

    failure_class = FailureClass.CODE

    def __init__(self, what: str, code: str, message: str) -> None:
        self.code = code
        super().__init__(
            f"MLflow refuses {what}: {message[:_MESSAGE_LIMIT]}", remedy="See the log of MLflow's server"
        )


class AccountRefusedError(PlatformError):
    """The project's account may not do this; of an object by its id also where there is none of that id."""


class _PassingError(Exception):
    """An answer that another try may better."""


def _passes(error: Exception) -> bool:
    return isinstance(error, _PassingError | httpx.TransportError)


class MLflowClient:
    """One workspace. Every method raises PlatformError when MLflow does not answer or refuses the credential."""

    def __init__(self, endpoint: MLflowEndpoint, login: Login, patience: Patience | None = None) -> None:
        self._endpoint = endpoint
        self._patience = patience or Patience()
        self._http = httpx.Client(
            base_url=endpoint.url,
            auth=(login.username, login.password),
            headers={_WORKSPACE: endpoint.workspace} if endpoint.workspace else {},
            timeout=_TIMEOUT_SECONDS,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def get(self, path: str, parameters: Mapping[str, str]) -> dict[str, Json]:
        """Reads; tried again while an outage may pass."""
        return self._json(path, httpx.Request("GET", self._url(path), params=dict(parameters)))

    def post(self, path: str, body: Mapping[str, Json]) -> dict[str, Json]:
        """Writes what may be written twice without harm; tried again while an outage may pass."""
        return self._json(path, httpx.Request("POST", self._url(path), json=dict(body)))

    def delete(self, path: str, body: Mapping[str, Json]) -> None:
        """Removes what may be removed twice without harm; tried again while an outage may pass."""
        self._json(path, httpx.Request("DELETE", self._url(path), json=dict(body)))

    def create(
        self,
        path: str,
        body: Mapping[str, Json],
        *,
        find: Callable[[], Made | None],
        made: Callable[[dict[str, Json]], Made],
    ) -> Made:
        """Makes something unless ``find`` finds it; looks again before each try, since an answer can be lost."""
        request = httpx.Request("POST", self._url(path), json=dict(body))

        def attempt() -> Made:
            found = find()
            return made(self._object(path, self._send(request))) if found is None else found

        try:
            return patiently(attempt, _passes, self._patience, f"MLflow {path}")
        except (_PassingError, httpx.TransportError) as error:
            raise self._silent(path, error) from error

    def upload(self, artifact_uri: str, path: str, content: bytes) -> None:
        """Stores a file among the artifacts of a run, replacing what is there."""
        base = artifact_uri.removeprefix("mlflow-artifacts:").strip("/")
        request = httpx.Request("PUT", f"{self._endpoint.url}{_ARTIFACTS}/{base}/{path}", content=content)
        self._answer(f"artifact {path}", request)

    def download(self, artifact_uri: str, path: str) -> bytes | None:
        """A file among the artifacts of a run, or None where there is none."""
        base = artifact_uri.removeprefix("mlflow-artifacts:").strip("/")
        request = httpx.Request("GET", f"{self._endpoint.url}{_ARTIFACTS}/{base}/{path}")
        response = self._answer(f"artifact {path}", request)
        if response.is_success:
            return response.content
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        raise self._refused(f"artifact {path}", response)

    def _url(self, path: str) -> str:
        return f"{self._endpoint.url.rstrip('/')}{_API}/{path}"

    def _json(self, what: str, request: httpx.Request) -> dict[str, Json]:
        return self._object(what, self._answer(what, request))

    def _answer(self, what: str, request: httpx.Request) -> httpx.Response:
        try:
            return patiently(
                lambda: self._send(request),
                _passes,
                self._patience,
                f"MLflow {what}",
            )
        except (_PassingError, httpx.TransportError) as error:
            raise self._silent(what, error) from error

    def _send(self, request: httpx.Request) -> httpx.Response:
        request.headers.update(self._http.headers)
        response = self._http.send(request)
        if response.status_code in _PASSING:
            raise _PassingError(f"HTTP {response.status_code}")
        return response

    def _object(self, what: str, response: httpx.Response) -> dict[str, Json]:
        body = _read(response)
        if response.is_success and isinstance(body, dict):
            return body
        raise self._refused(what, response)

    def _refused(self, what: str, response: httpx.Response) -> StepError:
        body = _read(response)
        code = str(body.get("error_code", "")) if isinstance(body, dict) else ""
        if not code and response.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            return AccountRefusedError(
                f"refuses the project's account (HTTP {response.status_code})",
                field=f"MLflow {what}",
                remedy="Check the MLflow user of the project's Secret and its role in the workspace",
            )
        message = str(body.get("message", "")) if isinstance(body, dict) else ""
        return RefusedError(
            what, code or str(response.status_code), message or f"HTTP {response.status_code}"
        )

    def _silent(self, what: str, error: Exception) -> PlatformError:
        reason = str(error) or type(error).__name__
        return PlatformError(
            f"did not answer ({reason})",
            field=f"MLflow {what} at {self._endpoint.url}",
            remedy="Check that MLflow is up and reachable from the project's namespace",
        )


def _read(response: httpx.Response) -> Json:
    try:
        body: Json = response.json()
    except ValueError:
        return {}
    return body
