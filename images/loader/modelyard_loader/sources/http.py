"""One file behind a URL, taken only if its SHA-256 is the pinned one."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from modelyard_api.v1alpha1.sources import HttpSource, Source
from modelyard_loader.sources.download import FIELD, Download
from modelyard_loader.sources.files import FilesSource, Listing, RemoteFile, sha256_of
from modelyard_loader.sources.reading import OpenSource, SourceContext
from modelyard_loader.sources.secret import SourceSecret
from modelyard_runtime.errors import DataError, InvalidSpecError

_FIELD = "spec.source.http"


def open_http(source: Source, context: SourceContext) -> OpenSource:
    """The rows of the file; all of them, however often it is asked."""
    asked = source.http
    if asked is None:
        raise InvalidSpecError("is not set", field=_FIELD)
    forms = {name: value for name, value in context.consumed.items() if not name.startswith("file:")}
    name = urlsplit(asked.url)._replace(query="", fragment="").geturl()
    remote = RemoteFile(name, asked.sha256, _Fetch(asked, context))
    return _PinnedSource(replace(context, consumed=forms, first_row=1), asked, _FIELD, Listing([remote]))


class _PinnedSource(FilesSource):
    """The digest is known before anything is read."""

    def unchanged(self, consumed: Mapping[str, str], digest: str) -> bool:
        """Whether what is pinned is what was loaded."""
        del consumed
        return digest == f"sha256:{self.listing.fresh[0].tag}"


class _Fetch:
    """Downloads and proves the file."""

    def __init__(self, asked: HttpSource, context: SourceContext) -> None:
        self._asked = asked
        self._context = context

    def __call__(self, target: Path) -> str:
        found, resumed = self._download(target)
        if found != self._asked.sha256 and resumed:
            # Pieces of two contents can only come from a server that says of both that they are the same.
            found, _ = self._download(target)
        if found != self._asked.sha256:
            target.unlink()
            raise DataError(
                f"the file has the SHA-256 {found}, the spec pins {self._asked.sha256}",
                field=FIELD,
                value=self._asked.url,
                remedy="if the new content is wanted, make a new Dataset with its sha256",
            )
        return found

    def _download(self, target: Path) -> tuple[str, bool]:
        context = self._context
        credentials = _header(self._asked, context.secrets)
        download = Download(self._asked.url, target, context.network, credentials, context.patience)
        download.run()
        return sha256_of(target), download.resumed


def _header(asked: HttpSource, secrets: Path) -> Mapping[str, str]:
    """The header field with the credentials."""
    if asked.credentials_secret is None:
        return {}
    secret = SourceSecret(secrets, f"{_FIELD}.credentialsSecret", asked.credentials_secret.name)
    username = secret.optional("username")
    if username is None:
        return {"Authorization": f"Bearer {secret.required('token')}"}
    pair = f"{username}:{secret.required('password')}".encode()
    return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
