"""Runs schemathesis against a server with every check, and reads what it found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from bringup.paths import REPOSITORY

_PROGRAM = Path(sys.executable).with_name("schemathesis")
_SETTINGS = Path(__file__).with_name("schemathesis.toml")
_NO_PROXY = "127.0.0.1"


@dataclass(frozen=True)
class Extent:
    """How much is asked."""

    examples: int
    """Requests of each operation, beside those that the description's edges give."""
    seed: int
    phases: tuple[str, ...] = ("examples", "coverage", "fuzzing", "stateful")


@dataclass(frozen=True)
class Fuzzed:
    """What a run found."""

    cases: int
    failed: int
    complete: bool
    """Whether it came to its end and found nothing: a fault of the run itself counts too."""
    accepted: dict[str, int] = field(default_factory=dict)
    """Requests that were answered with what they asked for, by operation."""
    text: str = ""
    """What schemathesis said of it."""

    @classmethod
    def of(cls, report: dict[str, Any], status: int, text: str) -> Self:
        """Reads the report of a run that ended with this exit status."""
        cases = report["test_cases"]
        accepted = {
            operation: sum(phase["accepted"] for phase in phases.values())
            for operation, phases in report["valid_rates"].items()
        }
        whole = status == 0 and bool(report["complete"])
        return cls(cases["generated"], cases["with_failures"] + cases["errored"], whole, accepted, text)


def fuzz(url: str, place: Path, extent: Extent) -> Fuzzed:
    """Asks the server at ``url`` whatever its own description says, and what it does not say.

    Leaves the report in ``place``. Raises RuntimeError where there is none.
    """
    place.mkdir(parents=True, exist_ok=True)
    report = place / "report.json"
    report.unlink(missing_ok=True)
    command = [
        *(str(_PROGRAM), "--config-file", str(_SETTINGS), "run", f"{url}/openapi.json"),
        *("--checks", "all", "--phases", ",".join(extent.phases)),
        *("--max-examples", str(extent.examples), "--seed", str(extent.seed)),
        *("--report", "json", "--report-json-path", str(report), "--no-color", "--output-truncate", "false"),
    ]
    paths = os.pathsep.join([str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"PYTHONPATH": paths, "NO_PROXY": _NO_PROXY, "no_proxy": _NO_PROXY}
    done = subprocess.run(command, env=environment, cwd=place, capture_output=True, text=True, check=False)
    if not report.exists():
        raise RuntimeError(f"schemathesis left no report:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return Fuzzed.of(json.loads(report.read_text()), done.returncode, done.stdout)
