"""Who is measured: nobody between client and Job, an operator as people write it, and ours."""

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bringup.paths import REPOSITORY
from tests.bench.operator.objects import NAMESPACE, PLATFORM
from tests.support.controlplane import ControlPlane

DIRECT = "direct"
PLAIN_KOPF = "plain kopf"
MODELYARD = "modelyard"

GROUPS = ("system:serviceaccounts", f"system:serviceaccounts:{PLATFORM}")
LOAD_USER = f"system:serviceaccount:{PLATFORM}:load"
OPERATOR_USER = f"system:serviceaccount:{PLATFORM}:operator"

_STOP_SECONDS = 20


@dataclass(frozen=True)
class Contender:
    """A program that makes Jobs of TrainingJobs; without a command the load makes the Jobs itself."""

    name: str
    command: Sequence[str | Path] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


def direct() -> Contender:
    """The floor: the API server's own speed."""
    return Contender(DIRECT)


def plain_kopf(python: Path, handlers: Path) -> Contender:
    """Handlers run by the command line of kopf, with its defaults, in a virtual environment of their own."""
    argv: list[str | Path] = [python, "-m", "kopf", "run", "--standalone", "--namespace", NAMESPACE, handlers]
    return Contender(PLAIN_KOPF, argv)


def modelyard(python: Path, port: int) -> Contender:
    """The operator as its image starts it, all duties on, for one project."""
    packages = [REPOSITORY / "operator" / part for part in ("api", "controller")]
    settings = {
        "PYTHONPATH": os.pathsep.join(str(p) for p in packages),
        "MODELYARD_NAMESPACE": PLATFORM,
        "MODELYARD_PROJECTS": NAMESPACE,
        "MODELYARD_HOST": "127.0.0.1",
        "MODELYARD_PORT": str(port),
        "MODELYARD_S3__ENDPOINT_URL": "http://127.0.0.1:9",
        "MODELYARD_MLFLOW__URL": "http://127.0.0.1:9",
    }
    return Contender(MODELYARD, [python, "-m", "modelyard_operator"], settings)


class Program:
    """A running contender and what it has used so far."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self._process = process
        self._log = log

    def check(self) -> None:
        """Raises RuntimeError with the end of the log if the program ended."""
        if self._process.poll() is not None:
            end = "\n".join(self._log.read_text().splitlines()[-20:])
            raise RuntimeError(f"the operator ended with {self._process.returncode}:\n{end}")

    @property
    def processor_seconds(self) -> float:
        """User and system CPU time."""
        fields = self._read("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def peak_memory_mebibytes(self) -> float:
        """Largest resident set since the start."""
        line = next(text for text in self._read("status").splitlines() if text.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024

    def _read(self, file: str) -> str:
        return Path(f"/proc/{self._process.pid}/{file}").read_text()


@contextmanager
def running(contender: Contender, plane: ControlPlane, log: Path) -> Iterator[Program | None]:
    """The contender's program for the time of the block, as a service account of the platform's namespace."""
    if not contender.command:
        yield None
        return
    kubeconfig = plane.kubeconfig_of(OPERATOR_USER, GROUPS)
    environment = {
        **os.environ,
        **contender.environment,
        "KUBECONFIG": str(kubeconfig),
        "MODELYARD_KUBECONFIG": str(kubeconfig),
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(word) for word in contender.command],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
        )
    try:
        yield Program(process, log)
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_STOP_SECONDS)
