"""HTTP to what listens on this machine: unencrypted, so no certificates are read, which else takes each client 25 ms."""

import ssl
from typing import Any

import httpx

_NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Trusts nobody: whoever is asked for an encrypted page by mistake is refused."""


def get(url: str, seconds: float = 5.0) -> httpx.Response:
    """The answer of a page; raises httpx.HTTPError where there is none."""
    return httpx.get(url, trust_env=False, timeout=seconds, verify=_NO_CERTIFICATES)


def client(url: str, seconds: float = 30.0, **options: Any) -> httpx.Client:  # noqa: ANN401  httpx's own
    """A client that keeps its connections."""
    return httpx.Client(base_url=url, trust_env=False, timeout=seconds, verify=_NO_CERTIFICATES, **options)
