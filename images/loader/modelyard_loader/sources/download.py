"""One file over HTTP, into a file on disk: resumed where the connection breaks, and only from places that are allowed."""

from __future__ import annotations

import http.client
import re
import shutil
import socket
import ssl
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from modelyard_api.contract.steps import NetworkRules
from modelyard_loader.sources.addresses import places
from modelyard_runtime.errors import DataError, InvalidSpecError, PlatformError
from modelyard_runtime.retry import Patience, patiently
from modelyard_runtime.s3 import FULL

FIELD = "spec.source.http.url"
_CHUNK_BYTES = 1024 * 1024
_PORTS = {"http": 80, "https": 443}
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_KEPT = "/?%:@!$&'()*+,;=~-._[]"
"""Characters of a path and a query that are sent as they are."""
_RANGE = re.compile(r"bytes (\d+)-\d+/(?:\d+|\*)")


@dataclass(frozen=True)
class Limits:
    """How much is taken; bytes, and seconds."""

    size: int = 100 * 1024**3
    total: float = 6 * 3600.0
    idle: float = 30.0
    redirects: int = 5
    breaks: int = 200
    """Times that a download may break off and go on."""


class _BrokenOffError(OSError):
    """The answer ended early, or the server asks to come again."""


@dataclass
class Download:
    """A file that is on its way. Call ``run`` once."""

    url: str
    target: Path
    rules: NetworkRules
    credentials: Mapping[str, str]
    """Header fields that only the host of ``url`` sees."""
    patience: Patience
    limits: Limits = Limits()
    trust: ssl.SSLContext | None = None
    """Whom TLS trusts, the machine's authorities if unset."""
    _validator: str | None = field(default=None, init=False)
    _has: int = field(default=0, init=False)
    _deadline: float = field(default=0.0, init=False)
    resumed: bool = field(default=False, init=False)
    """Whether the file was put together from more than one answer."""

    def run(self) -> None:
        """Downloads. Raises InvalidSpecError for what the server or the rules refuse, PlatformError for an outage.

        Whenever a try brings bytes, patience begins anew; the limits of size and time hold for all tries together.
        """
        self._deadline = self.patience.clock() + self.limits.total
        check_url(self.url, self.url)
        host = urlsplit(self.url).hostname
        for _ in range(self.limits.breaks):
            before = self._has
            try:
                patiently(self._attempt, self._may_pass(before), self.patience, f"the server at {host}")
            except ssl.SSLCertVerificationError as error:
                raise InvalidSpecError(
                    f"its certificate cannot be trusted ({error.verify_message})",
                    field=FIELD,
                    value=self.url,
                    remedy="use a server with a certificate of a known authority",
                ) from error
            except (OSError, http.client.HTTPException) as error:
                if isinstance(error, OSError) and error.errno in FULL:
                    raise
                if self._has <= before:
                    raise _outage(host, _said(error)) from error
                self.patience.pause(self.patience.first_pause)
            else:
                return
        raise _outage(host, f"the connection broke {self.limits.breaks} times")

    def _may_pass(self, before: int) -> _Passing:
        return _Passing(self, before)

    def has_advanced(self, before: int) -> bool:
        """Whether there are more bytes than before."""
        return self._has > before

    def _attempt(self) -> None:
        url, seen = self.url, 0
        while True:
            connection = self._connect(urlsplit(url))
            try:
                with closing(self._ask(connection, url)) as response:
                    if response.status not in _REDIRECTS:
                        self._take(response)
                        return
                    seen += 1
                    url = self._next(url, response, seen)
            finally:
                connection.close()

    def _connect(self, parts: SplitResult) -> http.client.HTTPConnection:
        host = parts.hostname or ""
        port = parts.port or _PORTS[parts.scheme]
        context = (self.trust or ssl.create_default_context()) if parts.scheme == "https" else None
        last: OSError = _BrokenOffError("no address answers")
        for place in places(host, port, self.rules, FIELD):
            try:
                plain = socket.create_connection((place.address, place.port), timeout=self.limits.idle)
            except OSError as error:
                last = error
                continue
            connection = http.client.HTTPConnection(host, port, timeout=self.limits.idle)
            try:
                connection.sock = (
                    plain if context is None else context.wrap_socket(plain, server_hostname=host)
                )
            except OSError:
                plain.close()
                raise
            return connection
        raise last

    def _ask(self, connection: http.client.HTTPConnection, url: str) -> http.client.HTTPResponse:
        parts = urlsplit(url)
        headers = {
            "Host": parts.netloc,
            "User-Agent": "modelyard",
            "Accept": "*/*",
            "Accept-Encoding": "identity",
        }
        if _origin(url) == _origin(self.url):
            headers.update(self.credentials)
        if self._has and self._validator:
            headers |= {"Range": f"bytes={self._has}-", "If-Range": self._validator}
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", quote(path, safe=_KEPT), headers=headers)
        return connection.getresponse()

    def _next(self, url: str, response: http.client.HTTPResponse, seen: int) -> str:
        """Where a redirect leads; the address behind it is judged when it is connected to."""
        where = urljoin(url, response.getheader("Location") or "")
        shown = where.partition("?")[0]
        if not self.rules.redirects:
            raise InvalidSpecError(
                f"redirects to {shown}, and redirects are not followed here",
                field=FIELD,
                value=self.url,
                remedy="use that address, or ask whoever runs Modelyard to set pods.loader.http.redirects",
            )
        if seen > self.limits.redirects:
            raise InvalidSpecError(
                f"redirects more than {self.limits.redirects} times", field=FIELD, value=self.url
            )
        check_url(where, self.url)
        if _origin(url).startswith("https") and not _origin(where).startswith("https"):
            raise InvalidSpecError(
                f"redirects from https to {shown}",
                field=FIELD,
                value=self.url,
                remedy="use an address that stays on https",
            )
        return where

    def _take(self, response: http.client.HTTPResponse) -> None:
        if response.status in _PASSING:
            raise _BrokenOffError(f"status {response.status}")
        if response.status == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and self._has:
            self._has = 0
            self._validator = None
            raise _BrokenOffError("the file became shorter")
        if response.status not in {http.HTTPStatus.OK, http.HTTPStatus.PARTIAL_CONTENT}:
            raise _refused(self.url, response)
        start = _start(response)
        if start not in {0, self._has}:
            raise _BrokenOffError("another range was served than asked for")
        if start == 0:
            self._has = 0
        self.resumed = self.resumed or start > 0
        self._validator = _strong(response)
        self._write(response, start)

    def _write(self, response: http.client.HTTPResponse, start: int) -> None:
        expected = _length(response)
        self._check_room(start, expected)
        with self.target.open("r+b" if start else "wb") as out:
            out.seek(start)
            while chunk := response.read(_CHUNK_BYTES):
                out.write(chunk)
                self._has += len(chunk)
                if self._has > self.limits.size:
                    raise DataError(
                        f"is larger than {self.limits.size:,} bytes",
                        field=FIELD,
                        value=self.url,
                        remedy="split the file",
                    )
                if self.patience.clock() > self._deadline:
                    raise DataError(
                        f"took longer than {self.limits.total / 3600:g} hours",
                        field=FIELD,
                        value=self.url,
                        remedy="put the file on a faster server, or into a bucket",
                    )
            out.truncate()
        if expected is not None and self._has - start < expected:
            raise _BrokenOffError(f"ended after {self._has:,} bytes")

    def _check_room(self, start: int, expected: int | None) -> None:
        """Raises DataError before anything is read, where the server says that it is more than fits."""
        room = shutil.disk_usage(self.target.parent).free
        if expected is None or expected <= min(room, self.limits.size - start):
            return
        raise DataError(
            f"is {start + expected:,} bytes large, {min(room + start, self.limits.size):,} can be taken",
            field=FIELD,
            value=self.url,
            remedy="split the file, or give the pod more ephemeral-storage in resources.limits",
        )


@dataclass(frozen=True)
class _Passing:
    """Which errors are waited out within one stretch without progress."""

    download: Download
    before: int

    def __call__(self, error: Exception) -> bool:
        if isinstance(error, ssl.SSLCertVerificationError) or self.download.has_advanced(self.before):
            return False
        if isinstance(error, OSError) and error.errno in FULL:
            return False
        return isinstance(error, OSError | http.client.HTTPException)


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    host = parts.hostname or ""
    return parts.scheme in _PORTS and host != "" and host.isascii() and "@" not in parts.netloc and port != 0


def check_url(url: str, first: str) -> None:
    """Raises InvalidSpecError for what is no address of a web server; ``first`` is the URL of the spec."""
    if not _is_web(url):
        led = "" if url == first else f"redirects to {url.partition('?')[0]}, which "
        raise InvalidSpecError(
            f"{led}is not an address of a web server (http or https, host in ASCII, port up to 65535)",
            field=FIELD,
            value=first,
            remedy="correct the URL",
        )


def _outage(host: str | None, problem: str) -> PlatformError:
    return PlatformError(
        f"did not serve the file ({problem})",
        field=f"the server at {host}",
        remedy="check that it is up and can be reached from the project's namespace",
    )


def _start(response: http.client.HTTPResponse) -> int:
    """Place in the file that an answer begins at, -1 where it does not say."""
    if response.status == http.HTTPStatus.OK:
        return 0
    found = _RANGE.match(response.getheader("Content-Range") or "")
    return int(found.group(1)) if found else -1


def _length(response: http.client.HTTPResponse) -> int | None:
    said = response.getheader("Content-Length") or ""
    return int(said) if said.isdecimal() else None


def _strong(response: http.client.HTTPResponse) -> str | None:
    """What tells that the file is still the same; a weak tag does not."""
    etag = response.getheader("ETag")
    if etag and not etag.startswith("W/"):
        return etag
    return response.getheader("Last-Modified")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}:{parts.port or _PORTS.get(parts.scheme)}"


def _refused(url: str, response: http.client.HTTPResponse) -> InvalidSpecError:
    remedies = {
        401: "set credentialsSecret to a Secret whose token or password the server takes",
        403: "set credentialsSecret to a Secret whose token or password may read the file",
        404: "correct the URL",
        410: "correct the URL",
    }
    return InvalidSpecError(
        f"the server answers {response.status} {response.reason}".rstrip(),
        field=FIELD,
        value=url,
        remedy=remedies.get(response.status, "check the URL with another client"),
    )


def _said(error: Exception) -> str:
    return str(error).split("\n", maxsplit=1)[0] or type(error).__name__
