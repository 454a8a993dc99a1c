"""Virtual environments of programs that are installed apart from ours, made once from hash-pinned requirements."""

import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from bringup.paths import Paths


def interpreter(requirements: Path) -> Path:
    """Python of the environment of these requirements, which stays until they change and outlives the checkout."""
    here = f"{sys.version} {sys.base_prefix}"
    key = hashlib.sha256(requirements.read_bytes() + here.encode()).hexdigest()[:16]
    kept = Paths.here().cache / "environments"
    name = requirements.parent.name
    place = kept / f"{name}-{key}"
    done = place / ".made"
    kept.mkdir(parents=True, exist_ok=True)
    with (kept / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(place, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
            python = str(place / "bin" / "python")
            options = (
                "--quiet",
                "--no-input",
                "--disable-pip-version-check",
                "--require-hashes",
                "--no-deps",
            )
            subprocess.run([python, "-m", "pip", "install", *options, "-r", str(requirements)], check=True)
            done.touch()
    return place / "bin" / "python"
