"""Pods' programs as processes of this machine, each with a file that its log goes to."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkstemp

from tests.support.forking import Process, Program, forking


@dataclass(frozen=True)
class Started:
    """A program that was started, and where its log goes."""

    process: Process
    log_file: Path

    @property
    def log(self) -> str:
        """What it has written so far."""
        return self.log_file.read_text()

    def kill(self) -> None:
        """Ends it as a node failure does, and waits for its end."""
        self.process.kill()
        self.process.wait(20)


def start_forked(program: Program, environment: Mapping[str, str], directory: Path) -> Started:
    """Starts a program by a fork of a process that has it imported; its log is a file in the directory."""
    log, file = mkstemp(prefix=f"{program.package}-", suffix=".log", dir=directory)
    try:
        return Started(forking(program).start(environment, 1, log), Path(file))
    finally:
        os.close(log)


def start_cold(
    program: Program, environment: Mapping[str, str], directory: Path, within: Sequence[str] = ()
) -> Started:
    """Starts a program in an interpreter of its own, ``within`` another program, if given."""
    log, file = mkstemp(prefix=f"{program.package}-", suffix=".log", dir=directory)
    try:
        command = [*within, sys.executable, *program.options, "-m", program.package]
        return Started(subprocess.Popen(command, env=dict(environment), stderr=log), Path(file))
    finally:
        os.close(log)
