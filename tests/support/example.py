"""The example repository as a team has it: copied to a place of its own, with the command line on the PATH."""

import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bringup.paths import REPOSITORY

EXAMPLE = REPOSITORY / "manifests" / "samples" / "repository"


@dataclass(frozen=True)
class OwnRepository:
    """A copy of the example."""

    folder: Path
    programs: Path
    """Folder before all others on the PATH of its scripts."""

    def step(self, script: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Runs a script of ci/ as a workflow would, to its end, however it ends."""
        environment = {
            **os.environ,
            "PATH": f"{self.programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(sys.path),
            **variables,
        }
        return subprocess.run(
            [self.folder / "ci" / script], env=environment, capture_output=True, text=True, check=False
        )

    def edit(self, file: str, old: str, new: str) -> None:
        """Replaces text of a file that must hold it."""
        path = self.folder / file
        text = path.read_text()
        assert old in text, f"{file} has no {old}"
        path.write_text(text.replace(old, new))

    def commit(self, branch: str) -> None:
        """Makes a git repository of it with all files on one branch."""
        git = ["git", "-C", str(self.folder), "-c", "user.name=tests", "-c", "user.email=tests@example.com"]
        subprocess.run([*git, "init", "--quiet", "--initial-branch", branch], check=True)
        subprocess.run([*git, "add", "--all"], check=True)
        subprocess.run([*git, "commit", "--quiet", "--no-verify", "--message", "first"], check=True)


def own_repository(folder: Path) -> OwnRepository:
    """Copies the example below a folder."""
    shutil.copytree(EXAMPLE, folder / "own", ignore=shutil.ignore_patterns("build", "__pycache__"))
    program = folder / "bin" / "modelyard"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m modelyard_cli "$@"\n')
    program.chmod(0o755)
    return OwnRepository(folder / "own", program.parent)
