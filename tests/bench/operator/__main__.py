"""`python -m tests.bench.operator`: several rounds of all contenders, in turn, each on a fresh control plane."""

import argparse
import asyncio
import os
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bringup.paths import REPOSITORY
from tests.bench.figures import Figure, summarise, table, write_between, write_document
from tests.bench.operator import cases, contenders
from tests.bench.operator.goals import judgement, relative
from tests.bench.operator.stage import Stage, staged

_BUILD = REPOSITORY / "build" / "bench"
_PEER = _BUILD / "venv-plain_kopf" / "bin" / "python"
_OURS = _BUILD / "venv-modelyard" / "bin" / "python"
_HANDLERS = Path(__file__).parent / "plain_kopf" / "handlers.py"
_REST_SECONDS = 70.0  # a minute and the spread of the operator's resync


@dataclass(frozen=True)
class Extent:
    """How much is measured."""

    rounds: int
    sizes: Sequence[int]
    singles: int
    edits: int
    rest: bool


def main() -> None:
    """Measures, prints the table, writes the document, and with `--docs` the page."""
    parser = argparse.ArgumentParser(prog="bench operator", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 100, 1000])
    parser.add_argument("--singles", type=int, default=40, help="objects of the idle case")
    parser.add_argument("--edits", type=int, default=200)
    parser.add_argument("--no-rest", dest="rest", action="store_false", help="leave out the minute at rest")
    parser.add_argument("--only", nargs="+", help="contenders, by name")
    parser.add_argument("--peer-python", type=Path, default=_PEER, help="interpreter of plain kopf")
    parser.add_argument("--python", type=Path, default=_OURS, help="interpreter of modelyard")
    parser.add_argument("--docs", type=Path, help="page whose table is replaced")
    arguments = parser.parse_args()
    extent = Extent(arguments.rounds, arguments.sizes, arguments.singles, arguments.edits, arguments.rest)
    everyone = [
        contenders.direct(),
        contenders.plain_kopf(arguments.peer_python, _HANDLERS),
        contenders.modelyard(arguments.python, _free_port()),
    ]
    chosen = [c for c in everyone if not arguments.only or c.name in arguments.only]
    summaries = summarise(asyncio.run(measure(chosen, extent)))
    text = table(summaries, [c.name for c in chosen])
    sys.stdout.write(f"{text}\n{judgement(summaries)}\n")
    write_document(summaries, _BUILD / "operator.json")
    if arguments.docs:
        write_between(arguments.docs, "operator", text)


async def measure(chosen: Sequence[contenders.Contender], extent: Extent) -> list[Figure]:
    """All rounds; who goes first changes from one to the next."""
    figures: list[Figure] = []
    for number in range(extent.rounds):
        turn = number % len(chosen)
        ours: list[Figure] = []
        for contender in [*chosen[turn:], *chosen[:turn]]:
            load = os.getloadavg()[0]
            say = f"round {number + 1} of {extent.rounds}: {contender.name} (load {load:.1f})"
            print(say, file=sys.stderr)  # noqa: T201  progress, apart from the table
            logs = _BUILD / "logs" / f"{contender.name.replace(' ', '-')}-{number + 1}"
            last = number + 1 == extent.rounds
            async with staged(contender, logs) as stage:
                ours += await perform(stage, extent, rest=extent.rest and last)
        figures += sorted(ours, key=lambda f: [c.name for c in chosen].index(f.contender))
        figures += relative(ours)
    return figures


async def perform(stage: Stage, extent: Extent, *, rest: bool) -> list[Figure]:
    """All cases on one stage, the largest burst last, so that its objects are the live ones of what follows."""
    figures = await cases.idle(stage, extent.singles)
    for size in sorted(extent.sizes):
        await cases.clear(stage)
        figures += await cases.burst(stage, size)
    if not stage.is_direct:
        live = max(extent.sizes)
        figures += await cases.edits(stage, live, min(extent.edits, live))
        if rest:
            figures += await cases.rest(stage, live, _REST_SECONDS)
    return figures


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


if __name__ == "__main__":
    main()
