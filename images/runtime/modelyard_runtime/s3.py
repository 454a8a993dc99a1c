"""Plain S3: read, list and create-only writes. Nothing here depends on one store's extras.

Objects are named by their content or made once, so a write never replaces: it carries ``If-None-Match: *``, and an
object that is there already is as good as one just written.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

import obstore
from obstore import exceptions
from obstore.store import S3Store

from modelyard_api.contract.steps import S3Endpoint
from modelyard_runtime.credentials import Login
from modelyard_runtime.errors import ObjectMissingError, PlatformError
from modelyard_runtime.retry import Patience, patiently, tell_nobody

Result = TypeVar("Result")

_SCHEME = "s3://"
_CHUNK_BYTES = 4 * 1024 * 1024
_REFUSED = (exceptions.UnauthenticatedError, exceptions.PermissionDeniedError)


LONG_SECONDS = 3600.0
"""What one request for a large object may take."""
_REFUSAL = re.compile(r"non-2xx status code: 40[13]\b")
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Errors of the machine's own disk, which are no matter of the store."""
_QUICK_RETRIES = 2
_QUICK_SECONDS = 3.0
"""What the library tries by itself: a dropped connection, not an outage, of which someone wants to hear."""


@dataclass(frozen=True)
class Outage:
    """How long an outage of the store is waited out, in seconds, and who is told that it is."""

    total: float = 100.0
    connect: float = 5.0
    retries: int = _QUICK_RETRIES
    """How often the library tries again before the outage is called one."""
    notice: Callable[[str], None] = tell_nobody


@dataclass(frozen=True)
class Entry:
    """An object as a listing shows it."""

    key: str
    size: int
    modified: datetime


def s3_client(
    endpoint: S3Endpoint,
    login: Login,
    outage: Outage,
    *,
    session_token: str | None = None,
    seconds: float | None = None,
) -> S3Store:
    """A client of a bucket; ``seconds`` is what one request may take, the whole object included."""
    return S3Store(
        endpoint.bucket,
        endpoint=endpoint.endpoint_url or None,
        region=endpoint.region,
        access_key_id=login.username,
        secret_access_key=login.password,
        config={"session_token": session_token} if session_token else {},
        virtual_hosted_style_request=not endpoint.endpoint_url,
        client_options={
            "allow_http": endpoint.endpoint_url.startswith("http://"),
            "connect_timeout": timedelta(seconds=outage.connect),
            "timeout": timedelta(seconds=seconds or max(30.0, outage.total)),
        },
        retry_config={
            "max_retries": outage.retries,
            "retry_timeout": timedelta(seconds=min(_QUICK_SECONDS, outage.total)),
            "backoff": {
                "init_backoff": timedelta(milliseconds=200),
                "max_backoff": timedelta(seconds=2),
                "base": 2,
            },
        },
    )


class ObjectStore:
    """One bucket, seen through the project's prefix for writes.

    Every method raises PlatformError when the store does not answer within the patience or refuses the credential.
    """

    def __init__(self, endpoint: S3Endpoint, login: Login, outage: Outage | None = None) -> None:
        waited = outage or Outage()
        self.endpoint = endpoint
        self._patience = Patience(total=waited.total, notice=waited.notice)
        self._login = login
        self._outage = waited
        self._store = s3_client(endpoint, login, waited)

    def client_of(self, bucket: str, endpoint_url: str, region: str) -> S3Store:
        """A client of another bucket or store with the same credential, for readings that may take long."""
        endpoint = S3Endpoint(endpoint_url=endpoint_url, region=region, bucket=bucket, prefix="")
        return s3_client(endpoint, self._login, self._outage, seconds=LONG_SECONDS)

    def uri(self, key: str) -> str:
        """Address of a key."""
        return f"{_SCHEME}{self.endpoint.bucket}/{key}"

    def key(self, uri: str) -> str:
        """Key of an address in this bucket. Raises ObjectMissingError for any other address."""
        head = self.uri("")
        if not uri.startswith(head) or len(uri) == len(head):
            raise ObjectMissingError(f"is not an object of bucket {self.endpoint.bucket}", field=uri)
        return uri[len(head) :]

    def create(self, key: str, content: bytes) -> bool:
        """Writes an object unless it is there; False if it was."""

        def put() -> bool:
            obstore.put(self._store, key, content, mode="create", use_multipart=False)
            return True

        try:
            return self._answer(key, put)
        except exceptions.AlreadyExistsError:
            return False
        except ObjectMissingError as error:
            raise PlatformError(
                "there is no such bucket",
                field=self.uri(key),
                remedy="wait for the project's provisioning, or make the bucket",
            ) from error

    def read(self, key: str) -> bytes:
        """The whole object. Raises ObjectMissingError if there is none."""
        return self._answer(key, lambda: bytes(obstore.get(self._store, key).bytes()))

    def download(self, key: str, target: Path) -> int:
        """Streams an object into a file; returns its size in bytes. Raises ObjectMissingError if there is none."""

        def stream() -> int:
            size = 0
            with target.open("wb") as file:
                for chunk in obstore.get(self._store, key).stream(min_chunk_size=_CHUNK_BYTES):
                    size += file.write(chunk)
            return size

        return self._answer(key, stream)

    def delete(self, key: str) -> None:
        """Removes an object; one that is not there is as good as removed."""

        def remove() -> None:
            obstore.delete(self._store, key)

        with suppress(ObjectMissingError):
            self._answer(key, remove)

    def size(self, key: str) -> int | None:
        """Size in bytes, or None if there is no such object."""
        try:
            return self._answer(key, lambda: obstore.head(self._store, key)["size"])
        except ObjectMissingError:
            return None

    def keys(self, prefix: str) -> Iterator[str]:
        """Keys below a prefix (whole path segments), in the store's order."""
        for entry in self.entries(prefix):
            yield entry.key

    def folders(self, prefix: str) -> list[str]:
        """Names of what is directly below a prefix and has objects below itself, in the store's order."""

        def listed() -> list[str]:
            found = obstore.list_with_delimiter(self._store, f"{prefix}/")["common_prefixes"]
            return [path.rstrip("/").rpartition("/")[2] for path in found]

        return self._answer(prefix, listed)

    def entries(self, prefix: str) -> list[Entry]:
        """Objects below a prefix (whole path segments), in the store's order."""

        def listed() -> list[Entry]:
            pages = obstore.list(self._store, prefix)
            return [
                Entry(entry["path"], entry["size"], entry["last_modified"])
                for page in pages
                for entry in page
            ]

        return self._answer(prefix, listed)

    def _answer(self, key: str, ask: Callable[[], Result]) -> Result:
        where = self.endpoint.endpoint_url or "AWS"
        try:
            return patiently(ask, _may_pass, self._patience, f"S3 at {where}")
        except FileNotFoundError as error:
            raise ObjectMissingError("is not on S3", field=self.uri(key)) from error
        except exceptions.AlreadyExistsError:
            raise
        except (exceptions.BaseError, OSError) as error:
            if _is_full(error):
                raise
            if not _is_refusal(error):
                raise PlatformError(
                    f"S3 at {where} did not answer",
                    field=self.uri(key),
                    remedy="check that the store is up and reachable from the project's namespace",
                ) from error
            raise PlatformError(
                "the store refuses the project's credential",
                field=self.uri(key),
                remedy="check the S3 keys of the project's Secret and the policy of the bucket",
            ) from error


def _may_pass(error: Exception) -> bool:
    """Whether the store may answer otherwise in a while: not where it has answered that it will not."""
    lasting = (FileNotFoundError, exceptions.AlreadyExistsError)
    passing = isinstance(error, exceptions.GenericError | OSError) and not isinstance(error, lasting)
    return passing and not _is_refusal(error) and not _is_full(error)


def _is_full(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno in FULL


def _is_refusal(error: Exception) -> bool:
    """Whether the store has understood and will not; for a list the library says so in words only."""
    return isinstance(error, _REFUSED) or _REFUSAL.search(str(error)) is not None
