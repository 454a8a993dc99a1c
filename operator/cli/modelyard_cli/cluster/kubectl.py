"""kubectl as a child process: a way to the API server, a way to a Service, and its idea of the namespace."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from modelyard_cli.errors import UnavailableError
from modelyard_cli.options import Target

_FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")
_SECONDS = 30.0


class Kubectl:
    """kubectl with the options of one command line."""

    def __init__(self, target: Target) -> None:
        found = shutil.which("kubectl")
        if found is None:
            raise UnavailableError(
                "kubectl is not on the PATH",
                "Install it: the cluster is reached through it, as it is signed in",
            )
        self._argv = [found]
        if target.context:
            self._argv.append(f"--context={target.context}")
        if target.kubeconfig:
            self._argv.append(f"--kubeconfig={target.kubeconfig}")
        self._namespace = target.namespace

    def namespace(self) -> str:
        """The namespace that was asked for, else that of the context."""
        if not self._namespace:
            said = self._ask("config", "view", "--minify", "--output=jsonpath={..namespace}")
            self._namespace = said.strip() or "default"
        return self._namespace

    @contextmanager
    def proxy(self) -> Iterator[Path]:
        """A socket that leads to the API server; only this user can open it."""
        with tempfile.TemporaryDirectory(prefix="modelyard-") as folder:
            socket = Path(folder) / "api"
            with self._child("proxy", f"--unix-socket={socket}") as output:
                _await_line(output, re.compile("Starting to serve"), "the API server")
                yield socket

    @contextmanager
    def forward(self, namespace: str, service: str, port: int) -> Iterator[str]:
        """An address on the loopback interface that leads to a Service while the block runs."""
        words = ("port-forward", f"--namespace={namespace}", f"service/{service}", f":{port}")
        with self._child(*words, "--address=127.0.0.1") as output:
            found = _await_line(output, _FORWARDING, f"the Service {namespace}/{service}")
            yield f"http://127.0.0.1:{found[1]}"

    def _ask(self, *words: str) -> str:
        done = subprocess.run(
            [*self._argv, *words], capture_output=True, text=True, timeout=_SECONDS, check=False
        )
        if done.returncode != 0:
            raise UnavailableError(f"kubectl {words[0]}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    @contextmanager
    def _child(self, *words: str) -> Iterator[IO[str]]:
        child = subprocess.Popen(
            [*self._argv, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        with child:
            try:
                assert child.stdout is not None  # noqa: S101  asked for
                yield child.stdout
            finally:
                child.terminate()


def _await_line(output: IO[str], wanted: re.Pattern[str], what: str) -> re.Match[str]:
    said = ""
    for line in output:
        found = wanted.search(line)
        if found:
            return found
        said += line
    raise UnavailableError(f"{what} cannot be reached: {said.strip() or 'kubectl ended without a word'}")
