"""How to reach the API server: a pod's service account, or a kubeconfig outside of a cluster."""

from __future__ import annotations

import base64
import os
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True)
class Credentials:
    """An address and files that prove who we are and who the server is."""

    server: str
    ca: Path | None
    token_file: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    token: str | None = None

    def bearer(self) -> str | None:
        """The token as it is now: the kubelet renews the file every hour or so."""
        if self.token_file is not None:
            return self.token_file.read_text(encoding="utf-8").strip()
        return self.token

    def ssl_context(self) -> ssl.SSLContext:
        """Trust in the cluster's authority, and our certificate if there is one."""
        context = ssl.create_default_context(cafile=str(self.ca) if self.ca else None)
        if self.certificate is not None:
            context.load_cert_chain(self.certificate, self.key)
        return context


def load_credentials(kubeconfig: Path | None) -> Credentials:
    """The kubeconfig's current context where one is given, else the service account's files.

    Raises FileNotFoundError or KeyError where these are not there or say too little.
    """
    if kubeconfig is not None:
        return _from_kubeconfig(kubeconfig)
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    host = f"[{host}]" if ":" in host else host
    return Credentials(server=f"https://{host}:{port}", ca=_ACCOUNT / "ca.crt", token_file=_ACCOUNT / "token")


def _from_kubeconfig(path: Path) -> Credentials:
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    context = _named(document["contexts"], document["current-context"])["context"]
    cluster = _named(document["clusters"], context["cluster"])["cluster"]
    user = _named(document["users"], context["user"])["user"]
    return Credentials(
        server=cluster["server"].rstrip("/"),
        ca=_file(path, cluster, "certificate-authority"),
        certificate=_file(path, user, "client-certificate"),
        key=_file(path, user, "client-key"),
        token=user.get("token"),
    )


def _named(entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    for entry in entries:
        if entry["name"] == name:
            return entry
    raise KeyError(f"the kubeconfig has no entry {name}")


def _file(kubeconfig: Path, entry: dict[str, Any], key: str) -> Path | None:
    """The file of an entry; data within the kubeconfig go to a private file, as ``ssl`` reads files only."""
    name: str | None = entry.get(key)
    if name:
        return kubeconfig.parent.joinpath(name).absolute()
    data = entry.get(f"{key}-data")
    if not data:
        return None
    with tempfile.NamedTemporaryFile(prefix="modelyard-", suffix=".pem", delete=False) as file:
        file.write(base64.b64decode(data))
    return Path(file.name)
