"""A real Kubernetes control plane without nodes: etcd, kube-apiserver and, if wanted, kube-controller-manager.

It listens on free loopback ports, checks RBAC, and keeps everything in one directory. The binaries are those of the
bring-up's cache; they are built there if they are missing.
"""

import json
import os
import ssl
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPResponse
from pathlib import Path

import pytest

from bringup.context import Context
from bringup.tools import ensure_tools
from tests.support.certificates import Authority
from tests.support.ports import free_port
from tests.support.waiting import until

ADMIN = "modelyard-tests"
# What other tests rely on: owner references are collected, namespaces empty and go, Jobs make Pods and end.
CONTROLLERS = (
    "namespace-controller",
    "garbage-collector-controller",
    "job-controller",
    "ttl-after-finished-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "deployment-controller",
    "replicaset-controller",
)
_START_SECONDS = 60.0
_STOP_SECONDS = 2.0
"""An API server would wait for watches that nobody ends; what it wrote is etcd's already, and etcd keeps all it confirmed."""


@dataclass(frozen=True)
class Server:
    """One running program and where its output goes."""

    process: "subprocess.Popen[bytes]"
    log: Path

    def stop(self, seconds: float = 20) -> None:
        """Ends the program and waits for it; after so many seconds it is killed."""
        self.process.terminate()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(20)


class ControlPlane:
    """Starts, restarts and stops the programs; `kubeconfig` is the administrator's."""

    def __init__(
        self,
        directory: Path,
        binaries: dict[str, Path],
        controllers: Sequence[str],
        apiserver_flags: Sequence[str] = (),
    ) -> None:
        self.directory = directory
        self._binaries = binaries
        self._controllers = controllers
        self._apiserver_flags = apiserver_flags
        self._authority = Authority(directory, datetime.now(tz=UTC))
        self._serving = self._authority.server("kube-apiserver", ["127.0.0.1", "10.0.0.1"])
        self._signing = self._authority.client("service-accounts", [])
        self._servers: dict[str, Server] = {}
        self._etcd_port, self._etcd_peer_port, self._port = (free_port() for _ in range(3))
        self.url = f"https://127.0.0.1:{self._port}"
        self.kubeconfig = self.kubeconfig_of(ADMIN, ["system:masters"])

    def kubeconfig_of(self, user: str, groups: Sequence[str] = ()) -> Path:
        """Writes a kubeconfig for any identity, such as `system:serviceaccount:NAMESPACE:NAME`."""
        pair = self._authority.client(user, list(groups))
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "tests",
            "clusters": [
                {
                    "name": "tests",
                    "cluster": {
                        "server": self.url,
                        "certificate-authority": str(self._authority.pair.certificate),
                    },
                }
            ],
            "users": [
                {
                    "name": user,
                    "user": {"client-certificate": str(pair.certificate), "client-key": str(pair.key)},
                }
            ],
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": user}}],
        }
        file = self.directory / f"{pair.certificate.stem}.kubeconfig"
        file.write_text(json.dumps(document, indent=1))
        return file

    def start(self) -> None:
        """Starts everything and returns when the API server is ready."""
        self._start_etcd()
        self.start_apiserver()
        if self._controllers:
            self._start_controllers()

    def start_apiserver(self) -> None:
        """Starts the API server on the same port as before; together with `stop_apiserver` a restart."""
        plugins = "" if self._controllers else "ServiceAccount"
        self._launch(
            "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{self._etcd_port}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={self._port}",
            f"--tls-cert-file={self._serving.certificate}",
            f"--tls-private-key-file={self._serving.key}",
            f"--client-ca-file={self._authority.pair.certificate}",
            "--authorization-mode=RBAC",
            f"--disable-admission-plugins={plugins}",
            "--service-cluster-ip-range=10.0.0.0/24",
            f"--service-account-issuer={self.url}",
            f"--service-account-key-file={self._signing.certificate}",
            f"--service-account-signing-key-file={self._signing.key}",
            f"--cert-dir={self.directory}",
            *self._apiserver_flags,
        )
        self._await("kube-apiserver", f"{self.url}/readyz")

    def stop_apiserver(self) -> None:
        """Ends the API server; watches break, requests fail."""
        self._servers.pop("kube-apiserver").stop(_STOP_SECONDS)

    @property
    def store_url(self) -> str:
        """Where etcd answers over HTTP."""
        return f"http://127.0.0.1:{self._etcd_port}"

    def processor_seconds(self, program: str) -> float:
        """User and system CPU time that a program (`kube-apiserver`, `etcd`) has used so far."""
        fields = (
            Path(f"/proc/{self._servers[program].process.pid}/stat").read_text().rpartition(")")[2].split()
        )
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        """Ends everything, the clients of etcd before it."""
        for name in ("kube-controller-manager", "kube-apiserver", "etcd"):
            server = self._servers.pop(name, None)
            if server:
                server.stop(_STOP_SECONDS)

    def _start_etcd(self) -> None:
        client, peer = (f"http://127.0.0.1:{p}" for p in (self._etcd_port, self._etcd_peer_port))
        self._launch(
            "etcd",
            f"--data-dir={self.directory / 'etcd'}",
            "--unsafe-no-fsync",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--log-level=warn",
        )
        self._await("etcd", f"{client}/health")

    def _start_controllers(self) -> None:
        manager = self.kubeconfig_of("system:kube-controller-manager")
        self._launch(
            "kube-controller-manager",
            f"--kubeconfig={manager}",
            f"--controllers={','.join(self._controllers)}",
            "--use-service-account-credentials=true",
            f"--service-account-private-key-file={self._signing.key}",
            f"--root-ca-file={self._authority.pair.certificate}",
            "--leader-elect=false",
            "--secure-port=0",
            "--kube-api-qps=500",
            "--kube-api-burst=1000",
        )

    def _launch(self, name: str, *flags: str) -> None:
        log = self.directory / f"{name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                [str(self._binaries[name]), *flags],
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
            )
        self._servers[name] = Server(process, log)

    def _await(self, name: str, url: str) -> None:
        server = self._servers[name]
        context = ssl.create_default_context(cafile=str(self._authority.pair.certificate))

        def answers() -> bool:
            if server.process.poll() is not None:
                end = "\n".join(server.log.read_text().splitlines()[-15:])
                raise RuntimeError(f"{name} ended with {server.process.returncode}:\n{end}")
            with suppress(urllib.error.URLError, OSError), _open(url, context) as response:
                return bool(response.status == 200)
            return False

        until(answers, _START_SECONDS, f"{name} answering at {url}")


def _open(url: str, context: ssl.SSLContext) -> HTTPResponse:
    # Past any proxy of the environment: this is always the loopback.
    direct = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    response: HTTPResponse = direct.open(url, timeout=5)
    return response


@contextmanager
def running_control_plane(
    controllers: Sequence[str] = CONTROLLERS, apiserver_flags: Sequence[str] = ()
) -> Iterator[ControlPlane]:
    """A control plane for the time of the block; no controllers leaves the API server and etcd alone."""
    wanted = ["apiserver", "etcd"]
    binaries = ensure_tools(Context.here(), wanted)
    with tempfile.TemporaryDirectory(
        prefix="modelyard-control-plane-", ignore_cleanup_errors=True
    ) as directory:
        plane = ControlPlane(Path(directory), binaries, controllers, apiserver_flags)
        try:
            plane.start()
            yield plane
        finally:
            plane.stop()


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """One control plane, with controllers, for all tests of a run; tests separate themselves by namespace."""
    with running_control_plane() as plane:
        yield plane
