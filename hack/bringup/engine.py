"""A container engine that answers: the one that runs, else Debian's, started here and stopped by `down`."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from bringup.context import Context
from bringup.debian import install_packages
from bringup.errors import BringUpError
from bringup.shell import tail_of

_START_SECONDS = 60.0
_SYS_RESOURCE = 1 << 24
_WRAPPER = "runtime-without-capability"


def ensure_engine(context: Context) -> None:
    """Returns when `docker` answers."""
    if answers(context):
        return
    if os.geteuid() != 0:
        raise BringUpError("no container engine answers `docker info`; start one, or run this as root")
    if not shutil.which("dockerd", path=context.shell.search_path):
        install_packages(context, ["docker.io", "iptables"])
        if answers(context):
            return
    with context.reporter.step("engine: starting dockerd"):
        _start(context)


def answers(context: Context) -> bool:
    """Whether an engine can be used now."""
    return context.shell.ask(["docker", "version", "--format", "{{.Server.Version}}"]) is not None


def lacks_resource_capability(process_status: str) -> bool:
    """Whether a process with this /proc/PID/status may never hold CAP_SYS_RESOURCE."""
    for line in process_status.splitlines():
        if line.startswith("CapBnd:"):
            return not int(line.split()[1], 16) & _SYS_RESOURCE
    return False


def stop_engine(context: Context) -> None:
    """Stops the engine if it was started here and nothing runs in it any more."""
    pid = own_engine(context)
    if pid is None:
        return
    if context.shell.ask(["docker", "ps", "--quiet"]):
        context.reporter.say("  the engine started here keeps running: other containers use it")
        return
    with context.reporter.step("engine: stopping dockerd"):
        os.kill(pid, signal.SIGTERM)
        _until(lambda: not Path(f"/proc/{pid}").exists(), "dockerd did not end")
        _pid_file(context).unlink(missing_ok=True)
        context.shell.ask(["ip", "link", "delete", "docker0"])


def own_engine(context: Context) -> int | None:
    """The process of the engine that was started here, if it still runs."""
    try:
        pid = int(_pid_file(context).read_text())
        name = Path(f"/proc/{pid}/comm").read_text().strip()
    except (OSError, ValueError):
        return None
    return pid if name == "dockerd" else None


def _start(context: Context) -> None:
    place = _pid_file(context).parent
    place.mkdir(parents=True, exist_ok=True)
    argv = ["dockerd", "--pidfile", str(_pid_file(context))]
    if lacks_resource_capability(Path("/proc/self/status").read_text()):
        wrapper = place / _WRAPPER
        shutil.copy(context.paths.repository / "hack" / _WRAPPER, wrapper)
        argv += ["--add-runtime", f"modelyard={wrapper}", "--default-runtime", "modelyard"]
    log = place / "dockerd.log"
    with log.open("wb") as output:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=context.shell.environment({}),
            cwd="/",
            start_new_session=True,
        )

    def ready() -> bool:
        if child.poll() is not None:
            end = "\n  | ".join(tail_of(log, 15))
            raise BringUpError(f"dockerd ended with {child.returncode}:\n  | {end}\n  whole log: {log}")
        return answers(context)

    _until(ready, f"dockerd does not answer; its log: {log}")


def _until(holds: Callable[[], bool], complaint: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise BringUpError(complaint)
        time.sleep(0.5)


def _pid_file(context: Context) -> Path:
    return context.paths.cache / "engine" / "dockerd.pid"
