"""Reading and writing of objects through kubectl's proxy."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from modelyard_cli.cluster.kinds import POD, Kind
from modelyard_cli.cluster.kubectl import Kubectl
from modelyard_cli.errors import CommandError, PassingError, TimeoutPassedError, UnavailableError
from modelyard_cli.objects import Document
from modelyard_cli.options import Target

FIELD_MANAGER = "modelyard-cli"

_TIMEOUT = httpx.Timeout(30.0, connect=10.0)
_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"
_PAGE = 500
_ABOUT_THE_REQUEST = frozenset({400, 404, 409, 422})
_WATCH_SECONDS = 60
"""How long one watch lasts; the next begins with a look at the object."""
_PATIENCE = 60
_PAUSE = 1


class Cluster:
    """One namespace of a cluster, with the rights of the person at the terminal."""

    def __init__(self, http: httpx.Client, kubectl: Kubectl) -> None:
        self._http = http
        self.kubectl = kubectl
        self.namespace = kubectl.namespace()

    def find(self, kind: Kind, name: str) -> Document | None:
        """An object, or None where there is none."""
        answer = self._send("GET", kind.path(self.namespace, name))
        return None if answer.status_code == httpx.codes.NOT_FOUND else self._document(answer)

    def read(self, kind: Kind, name: str) -> Document:
        """An object. Raises CommandError where there is none."""
        found = self.find(kind, name)
        if found is None:
            raise CommandError(f"the namespace {self.namespace} has no {kind.name} {name}")
        return found

    def items(self, kind: Kind, labels: str = "") -> list[Document]:
        """All objects of a kind that carry the labels."""
        query = {"limit": str(_PAGE), **({"labelSelector": labels} if labels else {})}
        found: list[Document] = []
        while True:
            page = self._document(self._send("GET", kind.path(self.namespace), query=query))
            found += page["items"]
            following = page["metadata"].get("continue")
            if not following:
                return found
            query["continue"] = following

    def apply(self, kind: Kind, document: Document, *, dry_run: bool = False) -> Document:
        """Makes an object or brings it to what the document says, as `kubectl apply --server-side` does."""
        query = {"fieldManager": FIELD_MANAGER, "force": "true", "fieldValidation": "Strict"}
        if dry_run:
            query["dryRun"] = "All"
        path = kind.path(self.namespace, document["metadata"]["name"])
        return self._document(self._send("PATCH", path, query=query, body=document, content_type=_APPLY))

    def merge(self, kind: Kind, name: str, change: Document) -> Document:
        """Merges a change into an object."""
        query = {"fieldManager": FIELD_MANAGER}
        path = kind.path(self.namespace, name)
        return self._document(self._send("PATCH", path, query=query, body=change, content_type=_MERGE))

    def delete(self, kind: Kind, name: str) -> None:
        """Removes an object; one that is gone already is fine."""
        answer = self._send("DELETE", kind.path(self.namespace, name))
        if answer.status_code != httpx.codes.NOT_FOUND:
            self._document(answer)

    def who_am_i(self) -> str:
        """The name by which the API server knows the person."""
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        answer = self._send("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body=review)
        return str(self._document(answer)["status"]["userInfo"]["username"])

    def follow(self, kind: Kind, name: str, seconds: float) -> Iterator[Document]:
        """The object now and after every change, through an API server that is away for a while.

        Raises TimeoutPassedError once the time is over, PassingError after a minute without an answer.
        """
        end = time.monotonic() + seconds
        heard = time.monotonic()
        while True:
            try:
                for document in self._changes(kind, name, end):
                    heard = time.monotonic()
                    yield document
            except PassingError:
                if not heard + _PATIENCE > time.monotonic() < end:
                    raise
                time.sleep(_PAUSE)

    def log_lines(self, pod: str, container: str, *, follow: bool, tail: int | None) -> Iterator[str]:
        """What a container writes, line by line; to its end where it is followed."""
        query = {"container": container, "follow": str(follow).lower()}
        if tail is not None:
            query["tailLines"] = str(tail)
        path = f"{POD.path(self.namespace, pod)}/log"
        timeout = httpx.Timeout(_TIMEOUT.connect, read=None if follow else 30.0)
        with self._explained(), self._http.stream("GET", path, params=query, timeout=timeout) as answer:
            if answer.is_error:
                answer.read()
                self._document(answer)
            yield from answer.iter_lines()

    def _changes(self, kind: Kind, name: str, end: float) -> Iterator[Document]:
        """The object now and after every change, until the API server ends the watch, as it does after a while."""
        document = self.read(kind, name)
        yield document
        for event in self._events(kind, name, document["metadata"]["resourceVersion"], end):
            if event["type"] == "DELETED":
                raise CommandError(f"{kind.name} {name} was deleted")
            if event["type"] == "ERROR":
                return
            yield event["object"]

    def _events(self, kind: Kind, name: str, version: str, end: float) -> Iterator[Document]:
        query = {
            "watch": "true",
            "fieldSelector": f"metadata.name={name}",
            "resourceVersion": version,
            "timeoutSeconds": str(max(1, round(min(end - time.monotonic(), _WATCH_SECONDS)))),
        }
        timeout = httpx.Timeout(_TIMEOUT.connect, read=_WATCH_SECONDS + 10)
        path = kind.path(self.namespace)
        with self._explained(), self._http.stream("GET", path, params=query, timeout=timeout) as answer:
            if answer.is_error:
                answer.read()
                if answer.status_code != httpx.codes.GONE:
                    self._document(answer)
                return
            for line in answer.iter_lines():
                if line:
                    yield json.loads(line)
        if time.monotonic() >= end - 1:
            raise TimeoutPassedError(f"{kind.name} {name} is not there yet when the time is over")

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Document | None = None,
        content_type: str = "application/json",
    ) -> httpx.Response:
        with self._explained():
            return self._http.request(
                method,
                path,
                params=query,
                content=json.dumps(body) if body is not None else None,
                headers={"Content-Type": content_type},
            )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except httpx.TransportError as error:
            raise PassingError(f"the API server does not answer: {error}") from error

    def _document(self, answer: httpx.Response) -> Document:
        try:
            found: Any = answer.json()
        except ValueError:
            found = {}
        if answer.is_success and isinstance(found, dict):
            return found
        message = found.get("message") if isinstance(found, dict) else None
        said = message or answer.text.strip()[:500] or f"HTTP {answer.status_code}"
        words = f"the API server says: {said}"
        if answer.status_code in _ABOUT_THE_REQUEST:
            raise CommandError(words)
        passing = answer.is_server_error or answer.status_code == httpx.codes.TOO_MANY_REQUESTS
        raise (PassingError if passing else UnavailableError)(words)


@contextmanager
def open_cluster(target: Target) -> Iterator[Cluster]:
    """The cluster of a command line while the block runs."""
    kubectl = Kubectl(target)
    with kubectl.proxy() as socket:
        transport = httpx.HTTPTransport(uds=str(socket))
        with httpx.Client(
            base_url="http://localhost", transport=transport, timeout=_TIMEOUT, trust_env=False
        ) as http:
            yield Cluster(http, kubectl)
