"""`python -m tests.fuzz`: many requests to three models, right ones and wrong ones, until there were enough."""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bringup.paths import REPOSITORY
from tests.fuzz.running import Extent, Fuzzed, fuzz
from tests.support.bundles import BuiltBundle, build_bundle, build_compiled, forest, iris, titles
from tests.support.s3 import S3Server, running_store
from tests.support.server_process import ServerProcess, fresh_project, running_server

_MODELS: dict[str, Callable[[], BuiltBundle]] = {
    "iris": lambda: build_compiled(iris()),
    "titles": lambda: build_compiled(titles()),
    "forest": lambda: build_bundle(forest()),
}
_REPORT = REPOSITORY / "build" / "fuzz"


@dataclass(frozen=True)
class Round:
    """One run against one model."""

    model: str
    seed: int
    found: Fuzzed
    faults: int
    """Answers of 500 and above that the server counted."""

    @property
    def good(self) -> bool:
        """Whether nothing was found."""
        return self.found.complete and not self.found.failed and not self.faults


def main() -> int:
    """Asks until enough was asked; the first round that finds something is the last."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000, help="requests at least")
    parser.add_argument("--examples", type=int, default=250, help="of each operation in a round")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32), help="of the first round")
    given = parser.parse_args()
    rounds: list[Round] = []
    start = time.monotonic()
    with _servers() as servers:
        while sum(each.found.cases for each in rounds) < given.cases and all(each.good for each in rounds):
            number = len(rounds)
            name = list(servers)[number % len(servers)]
            rounds.append(_round(name, servers[name], Extent(given.examples, given.seed + number)))
            asked = sum(each.found.cases for each in rounds)
            _say(f"{asked:,} of {given.cases:,} requests, {time.monotonic() - start:.0f} s: {name}")
    return _report(rounds, time.monotonic() - start)


def _round(name: str, server: ServerProcess, extent: Extent) -> Round:
    found = fuzz(server.url, _REPORT / name, extent)
    return Round(name, extent.seed, found, server.state().errors)


@contextmanager
def _servers() -> Iterator[dict[str, ServerProcess]]:
    """A server of each model."""
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="modelyard-fuzz-")))
        s3: S3Server = stack.enter_context(running_store("minio"))
        servers = {}
        for name, build in _MODELS.items():
            server = stack.enter_context(running_server(place / name, s3, fresh_project(), name, cold=True))
            server.await_route(server.route(build().write(server.store)))
            servers[name] = server
        yield servers


def _report(rounds: list[Round], seconds: float) -> int:
    """Says what was found, and leaves it as a document."""
    bad = [each for each in rounds if not each.good]
    accepted: dict[str, int] = {}
    for each in rounds:
        for operation, count in each.found.accepted.items():
            accepted[operation] = accepted.get(operation, 0) + count
    document = {
        "requests": sum(each.found.cases for each in rounds),
        "failed": sum(each.found.failed for each in rounds),
        "answers_of_500": sum(each.faults for each in rounds),
        "accepted": accepted,
        "seconds": round(seconds),
        "seeds": [each.seed for each in rounds],
    }
    _REPORT.mkdir(parents=True, exist_ok=True)
    (_REPORT / "fuzz.json").write_text(json.dumps(document, indent=2) + "\n")
    for each in bad:
        _say(f"{each.model}, seed {each.seed}, {each.faults} answers of 500\n{each.found.text}")
    _say(f"{document['requests']:,} requests, {document['failed']} failed; see {_REPORT / 'fuzz.json'}")
    return 1 if bad else 0


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)  # noqa: T201  a program for a terminal


if __name__ == "__main__":
    sys.exit(main())
