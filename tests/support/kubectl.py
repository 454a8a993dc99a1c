"""kubectl and helm as a person runs them, and ways through them into the cluster."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_USUAL_SECONDS = 120.0


@dataclass(frozen=True)
class Command:
    """A program that finds the cluster through KUBECONFIG."""

    program: Path
    kubeconfig: Path

    def attempt(
        self, *words: str | Path, seconds: float = _USUAL_SECONDS, text: str | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Runs and returns whatever came of it."""
        return subprocess.run(
            [self.program, *words],
            env=self.environment(),
            input=text,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def run(self, *words: str | Path, seconds: float = _USUAL_SECONDS, text: str | None = None) -> str:
        """Runs, insists on success and returns what was printed."""
        done = self.attempt(*words, seconds=seconds, text=text)
        said = " ".join(str(word) for word in words)
        assert done.returncode == 0, f"{self.program.name} {said}: {done.stdout}{done.stderr}"
        return done.stdout

    def environment(self) -> Mapping[str, str]:
        """The caller's environment with this cluster."""
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig)}

    @contextmanager
    def forward(self, namespace: str, target: str, port: int) -> Iterator[int]:
        """A port of this machine that leads to a Service or Pod (`svc/…`, `pod/…`) while the block runs."""
        process = subprocess.Popen(
            [self.program, "port-forward", "-n", namespace, target, f":{port}"],
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        with process:
            try:
                assert process.stdout
                yield _forwarded_port(process.stdout, target)
            finally:
                process.kill()


def _forwarded_port(output: IO[str], target: str) -> int:
    said = ""
    for line in output:
        said += line
        if line.startswith("Forwarding from 127.0.0.1:"):
            return int(line.split(":")[1].split(" ")[0])
    raise AssertionError(f"no way to {target}: {said}")
