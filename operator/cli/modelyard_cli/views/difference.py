"""What changed between two runs, and what it did to the metrics. Pure: two runs in, one document out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from modelyard_api.labels import TAG_IMAGE
from modelyard_api.metrics import METRICS, Direction
from modelyard_cli.runs import Run

_THREADS = "modelyard.dev/threads"
_SAME = 1e-12
"""Relative difference under which two metrics are the same: what sums in another order may give."""


@dataclass(frozen=True)
class Change:
    """One thing that is not the same."""

    what: str
    before: str | None
    """Absent where it was not there."""
    after: str | None


@dataclass(frozen=True)
class Section:
    """Changes of one kind."""

    name: str
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Effect:
    """What became of a metric."""

    metric: str
    before: float
    after: float
    verdict: str
    """better, worse or same; within noise where the intervals say no more; changed where no end is the good one."""

    @property
    def delta(self) -> float:
        """After less before."""
        return self.after - self.before


@dataclass(frozen=True)
class Difference:
    """All that differs between two runs."""

    before: str
    after: str
    sections: tuple[Section, ...]
    effects: tuple[Effect, ...]
    remarks: tuple[str, ...] = ()
    """What must be known to read the effects rightly."""


@dataclass(frozen=True)
class Facts:
    """A run with what its files say."""

    run: Run
    libraries: Mapping[str, str] = field(default_factory=dict)
    """Empty where no file says it."""


_SECTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("data", ("dataset", "variant", "sequence", "digest", "rows.")),
    ("split", ("split.",)),
    ("task", ("task", "target", "features", "sampleWeightColumn")),
    ("preprocessing", ("preprocess.",)),
    ("resampling", ("resample.",)),
    ("estimator", ("estimator.", "earlyStopping.")),
    ("own code", ("container.", "environment.")),
    ("tuning", ("tuning.",)),
    ("evaluation", ("evaluation.",)),
)
"""Names of parameters by section: a whole name, or the beginning of names with a dot at its end."""
_OTHER = "parameters"


def differ(before: Facts, after: Facts) -> Difference:
    """What changed from one run to the other, section by section, and the effect on each metric of the test part."""
    sections = tuple(section for section in _sections(before, after) if section.changes)
    remarks = tuple(_remarks(before.run, after.run, sections))
    effects = tuple(_effects(before.run, after.run))
    return Difference(before.run.title, after.run.title, sections, effects, remarks)


def _sections(before: Facts, after: Facts) -> Iterator[Section]:
    first, second = _parameters(before.run), _parameters(after.run)
    names = [name for name, _ in _SECTIONS] + [_OTHER]
    for section in names:
        own = [key for key in {**first, **second} if _section_of(key) == section]
        yield Section(section, tuple(_changes(own, first, second)))
    if before.libraries and after.libraries:
        own = sorted({**before.libraries, **after.libraries})
        yield Section("libraries", tuple(_changes(own, before.libraries, after.libraries)))
    yield Section("image", tuple(_tag("image", TAG_IMAGE, before.run, after.run)))
    yield Section("threads", tuple(_tag("threads", _THREADS, before.run, after.run)))


def _parameters(run: Run) -> dict[str, str]:
    digest = {"digest": run.digest} if run.digest else {}
    return {**digest, **run.parameters}


def _section_of(parameter: str) -> str:
    for name, beginnings in _SECTIONS:
        if any(parameter == own or (own.endswith(".") and parameter.startswith(own)) for own in beginnings):
            return name
    return _OTHER


def _changes(names: Iterable[str], before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Change]:
    for name in names:
        if before.get(name) != after.get(name):
            yield Change(name, before.get(name), after.get(name))


def _tag(what: str, tag: str, before: Run, after: Run) -> Iterator[Change]:
    return _changes([what], *({what: run.tags[tag]} if tag in run.tags else {} for run in (before, after)))


def _remarks(before: Run, after: Run, sections: tuple[Section, ...]) -> Iterator[str]:
    names = [section.name for section in sections]
    if before.task != after.task or before.parameters.get("target") != after.parameters.get("target"):
        yield "They predict different things: their metrics cannot be compared"
    elif {"data", "split"} & set(names) and (before.digest != after.digest or "split" in names):
        yield "They are judged on different rows, so a part of the effect may be that of the rows"
    causes = [name for name in names if name not in {"evaluation", "threads"}]
    if len(causes) > 1:
        yield f"{len(causes)} kinds of things changed ({', '.join(causes)}): the effect is that of all of them together"
    for run in (before, after):
        if run.status != "FINISHED":
            yield f"{run.title} is {run.status}, so it may lack metrics"


def _effects(before: Run, after: Run) -> Iterator[Effect]:
    first, second = before.test_metrics(), after.test_metrics()
    primary = before.primary()
    for name in sorted(first.keys() & second.keys(), key=lambda name: (name != primary, name)):
        yield Effect(name, first[name], second[name], _verdict(name, before.metrics, after.metrics))


def _verdict(name: str, before: Mapping[str, float], after: Mapping[str, float]) -> str:
    first, second = before[name], after[name]
    if abs(second - first) <= _SAME * max(abs(first), abs(second)):
        return "same"
    if _overlap(name, before, after):
        return "within noise"
    rising = second > first
    return "better" if rising == (METRICS[name].direction is Direction.MAXIMIZE) else "worse"


def _overlap(name: str, before: Mapping[str, float], after: Mapping[str, float]) -> bool:
    """Whether each value lies within the other's interval; without intervals nothing is known of noise."""
    ends = [run.get(f"{name}_{end}") for run in (before, after) for end in ("low", "high")]
    if None in ends:
        return False
    low, high, other_low, other_high = (float(end) for end in ends if end is not None)
    return other_low <= before[name] <= other_high and low <= after[name] <= high
