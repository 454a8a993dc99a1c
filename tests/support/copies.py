"""Many copies of an object, written where the API server keeps them: a thousand take seconds, not half a minute."""

import base64
import copy
import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from tests.support import plain
from tests.support.controlplane import ControlPlane
from tests.support.kubeapi import Document, Kind


class Copies:
    """Custom resources as the API server has stored them; it tells its watchers of them as of any other."""

    def __init__(self, etcd: httpx.Client) -> None:
        self._etcd = etcd

    def add(self, kind: Kind, document: Document, count: int) -> None:
        """So many objects that differ in name and uid alone."""
        fresh = copy.deepcopy(document)
        metadata = fresh["metadata"]
        namespace, name = metadata["namespace"], metadata["name"]
        del metadata["resourceVersion"]
        for number in range(count):
            metadata.update(name=f"{name}-{number:05d}", uid=str(uuid.uuid4()))
            value = _encoded(json.dumps(fresh))
            self._ask("put", key=_encoded(_key(kind, namespace, metadata["name"])), value=value)

    def remove_all(self, kind: Kind, namespace: str) -> None:
        """Every object of a kind in a namespace, copied or not."""
        first = _key(kind, namespace, "")
        # The first key past all that begin so.
        end = first[:-1] + chr(ord(first[-1]) + 1)
        self._ask("deleterange", key=_encoded(first), range_end=_encoded(end))

    def _ask(self, what: str, **body: Any) -> None:  # noqa: ANN401  JSON
        self._etcd.post(f"/v3/kv/{what}", json=body).raise_for_status()


@contextmanager
def copies(plane: ControlPlane) -> Iterator[Copies]:
    """Copies in the store of a control plane."""
    with plain.client(plane.store_url) as client:
        yield Copies(client)


def _key(kind: Kind, namespace: str, name: str) -> str:
    group = kind.group.split("/")[1]
    return f"/registry/{group}/{kind.plural}/{namespace}/{name}"


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
