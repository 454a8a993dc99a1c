"""What a soak found, for people and for programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.soak.asking import Tally

References = Mapping[tuple[str, int], bytes]
"""What a version answers when it is asked for by its number, by version and number of the body."""


@dataclass(frozen=True)
class Outcome:
    """A soak that is over."""

    tally: Tally
    references: References
    changes: Sequence[tuple[str, float]]
    """What happened, and how many seconds it took."""
    wanted: int
    """Changes that were to happen."""
    seconds: float
    broken: str = ""
    """Why the changes ended before their time."""
    wrong: Counter[str] = field(default_factory=Counter)
    """Answers that are not the version's own, by version."""

    @classmethod
    def of(
        cls,
        tally: Tally,
        references: References,
        changes: Sequence[tuple[str, float]],
        wanted: int,
        seconds: float,
        broken: str = "",
    ) -> Outcome:
        """Compares every answer with what its version says when it is asked for by its number."""
        wrong: Counter[str] = Counter()
        for (version, number), bodies in tally.answers.items():
            own = references.get((version, number))
            wrong[version] += sum(count for body, count in bodies.items() if body != own)
        return cls(tally, references, changes, wanted, seconds, broken, +wrong)

    @property
    def good(self) -> bool:
        """Whether no request failed, no answer was another version's, and all changes happened."""
        whole = len(self.changes) == self.wanted and not self.broken
        return whole and not self.tally.failed and not self.wrong and self.tally.answered > 0

    def document(self) -> dict[str, object]:
        """All figures."""
        tally = self.tally
        kinds = Counter(kind for kind, _ in self.changes)
        took = np.array(tally.seconds) * 1000 if tally.seconds else np.zeros(1)
        return {
            "requests": tally.asked,
            "answered": tally.answered,
            "failed": dict(tally.failed),
            "failures": tally.failures,
            "not_the_versions_own": dict(self.wrong),
            "asked_again_where_a_pod_was_removed": tally.re_established,
            "connections": tally.connections,
            "answers_by_version": dict(tally.versions),
            "changes": dict(kinds),
            "changes_that_did_not_happen": self.wanted - len(self.changes),
            "broken": self.broken,
            "seconds": round(self.seconds),
            "milliseconds": {
                name: round(float(np.percentile(took, share)), 2)
                for name, share in (("p50", 50), ("p99", 99), ("p99.9", 99.9), ("max", 100))
            },
            "good": self.good,
        }

    def text(self) -> str:
        """The same in words."""
        found = self.document()
        failed = self.tally.failed.total()
        kinds = ", ".join(
            f"{count} times {kind}" for kind, count in Counter(k for k, _ in self.changes).items()
        )
        asked = f"{self.tally.asked:,} requests in {self.seconds:,.0f} s, {failed} failed"
        removed = f"asked again where a pod was removed: {self.tally.re_established}"
        lines = [
            f"{asked}, {self.wrong.total()} answers that are not their version's own",
            f"{len(self.changes)} of {self.wanted} changes: {kinds}",
            f"{removed}; connections made: {self.tally.connections}",
            "answers by version: " + ", ".join(f"{v}: {n:,}" for v, n in sorted(self.tally.versions.items())),
            f"milliseconds: {found['milliseconds']}",
            *([f"the changes ended early: {self.broken}"] if self.broken else []),
            *self.tally.failures,
        ]
        return "\n".join(lines) + "\n"

    def write(self, place: Path) -> None:
        """Leaves both forms in a directory."""
        place.mkdir(parents=True, exist_ok=True)
        (place / "soak.json").write_text(json.dumps(self.document(), indent=2) + "\n")
        (place / "soak.txt").write_text(self.text())
