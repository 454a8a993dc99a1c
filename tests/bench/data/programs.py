"""Running a measured program: what it answers, and what the kernel says that it used."""

import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_KIBIBYTES_A_MEBIBYTE = 1024


@dataclass(frozen=True)
class Ran:
    """A program that ended well."""

    wall_seconds: float
    """From its start to its end, interpreter and imports included."""
    processor_seconds: float
    peak_mebibytes: float
    """Largest resident set. A program starts with that of the benchmark itself, which is small."""
    answer: str
    """What it wrote to its standard output."""

    @property
    def seconds(self) -> float:
        """The time that it took for the work alone, as it says in the line ``{"seconds": …}``."""
        return float(json.loads(self.answer)["seconds"])


def run(argv: Sequence[object], log: Path, **changes: Mapping[str, str] | Path) -> Ran:
    """Runs a program to its end; ``env`` and ``cwd`` may be given. Raises RuntimeError with the end of its log."""
    answer = log.with_suffix(".out")
    with log.open("ab") as errors, answer.open("wb") as output:
        started = time.monotonic()
        process = subprocess.Popen([str(word) for word in argv], stdout=output, stderr=errors, **changes)  # type: ignore[call-overload]
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        end = "\n".join(log.read_text().splitlines()[-20:])
        raise RuntimeError(f"{argv[0]} ended with {process.returncode}:\n{end}")
    return Ran(
        wall_seconds=wall,
        processor_seconds=usage.ru_utime + usage.ru_stime,
        peak_mebibytes=usage.ru_maxrss / _KIBIBYTES_A_MEBIBYTE,
        answer=answer.read_text(),
    )
