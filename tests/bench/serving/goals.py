"""What the server promises."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.bench.figures import Figure, Summary
from tests.bench.judging import Goal, judged
from tests.bench.serving.cases import COMPILED, FOREST, LINE, NEIGHBOURS, NOT_COMPILED, TEXT
from tests.bench.serving.contenders import TWO
from tests.bench.serving.names import (
    COLD,
    FLOOR,
    LIKELY,
    LOST,
    MEMORY,
    MLSERVER,
    MODELYARD,
    OTHERWISE,
    RATE,
    of_rate,
    relative,
)

PER_CPU = "requests a CPU second"
OF_ONE = f"{PER_CPU} relative to one process"
_TIMES_MLSERVER = {LINE: 15.0, FOREST: 60.0, TEXT: 25.0, **dict.fromkeys(NOT_COMPILED, 1.3)}

GOALS = (
    *(
        Goal(MODELYARD, case, relative(MLSERVER), "", times, at_least=True)
        for case, times in _TIMES_MLSERVER.items()
    ),
    *(Goal(MODELYARD, case, relative(FLOOR), "", 0.7, at_least=True) for case in COMPILED),
    *(Goal(MODELYARD, case, OTHERWISE, "", 0) for case in (*COMPILED, *NOT_COMPILED)),
    *(Goal(MODELYARD, case, LIKELY, "", 1e-12) for case in (LINE, TEXT, NEIGHBOURS)),
    *(Goal(MODELYARD, case, of_rate(1000, "p99"), "ms", 3) for case in COMPILED),
    *(Goal(MODELYARD, case, of_rate(1000, LOST), "", 0) for case in COMPILED),
    *(Goal(MODELYARD, case, MEMORY, "MiB", 120) for case in COMPILED),
    *(Goal(MODELYARD, case, COLD, "s", 1.5) for case in COMPILED),
    Goal(TWO, LINE, OF_ONE, "", 0.85, at_least=True),
)


def relations(figures: Sequence[Figure]) -> Iterator[Figure]:
    """Our rates over those of the others: meant for one round, so that all met the same noise."""
    found = {(f.case, f.figure, f.contender): f.value for f in figures}
    for (case, figure, contender), value in found.items():
        ours = found.get((case, figure, MODELYARD))
        if ours is None or not value or contender == MODELYARD:
            continue
        if figure == RATE and contender != TWO:
            yield Figure(case, MODELYARD, relative(contender), "", ours / value)
        if figure == PER_CPU and contender == TWO:
            yield Figure(case, TWO, OF_ONE, "", value / ours)


def judgement(summaries: Sequence[Summary]) -> str:
    """One line a goal: what was promised, what was measured, kept or missed."""
    return judged(GOALS, summaries)


def listed(summaries: Sequence[Summary]) -> str:
    """The same as a list for a page, so that what it says of a run is what the run found."""
    return "\n".join(f"- {line}" for line in judgement(summaries).splitlines())
