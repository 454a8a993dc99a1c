"""What differs between a run and its replay, one clause each. Nothing here reads or writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from modelyard_api.caching import is_pinned
from modelyard_api.contract.bundle import Library
from modelyard_trainer.evaluation.answers import Answers

_NAMED = 3


def of_libraries(recorded: Sequence[Library], present: Sequence[Library]) -> Iterator[str]:
    """Packages that are of another version, gone or new."""
    before = {item.name: item.version for item in recorded}
    now = {item.name: item.version for item in present}
    others = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
    if not others:
        return
    told = [f"{name} {before.get(name, 'absent')}, now {now.get(name, 'absent')}" for name in others[:_NAMED]]
    more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
    yield f"libraries: {'; '.join(told)}{more}"


def of_image(recorded: str, present: str) -> Iterator[str]:
    """Another image of the trainer."""
    if recorded != present:
        yield f"image: was {recorded}, is {present}"


def of_own_image(name: str) -> Iterator[str]:
    """An image of own code that is not named by what is in it: nobody can say that it is the same."""
    if not is_pinned(name):
        yield f"container: {name} is a tag, so that there is no digest to compare"


def of_threads(recorded: int, present: int) -> Iterator[str]:
    """Another number of threads that own code could use."""
    if recorded != present:
        yield f"threads: were {recorded}, are {present}"


def of_serving(recorded: bool, present: str) -> Iterator[str]:  # noqa: FBT001  a fact
    """A model that can be served where it could not be, or the other way round; ``present`` is why it cannot be."""
    if recorded and present:
        yield f"the model could be served, now not: {present}"
    if not recorded and not present:
        yield "the model could not be served, now it can be"


def of_metrics(recorded: Mapping[str, float], present: Mapping[str, float]) -> Iterator[str]:
    """Metrics whose values are not equal to the last bit; a metric of one side only counts as well."""
    others = [name for name in sorted({*recorded, *present}) if not _same(recorded, present, name)]
    if not others:
        return
    told = [f"{name} {_shown(recorded, name)}, now {_shown(present, name)}" for name in others[:_NAMED]]
    more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
    yield f"metrics: {'; '.join(told)}{more}"


def of_answers(recorded: Answers, present: Answers) -> Iterator[str]:
    """Test rows that are others, or are answered otherwise; of numbers the greatest distance is told."""
    if not np.array_equal(recorded.rows, present.rows):
        yield f"test rows: were {len(recorded.rows)}, are {len(present.rows)}, and not the same"
        return
    before, now = recorded.judged.predicted, present.judged.predicted
    count = int(np.count_nonzero(before != now))
    if count:
        distance = ""
        if np.issubdtype(before.dtype, np.number) and np.issubdtype(now.dtype, np.number):
            distance = f" by {np.max(np.abs(before.astype(float) - now.astype(float))):.3g} at most"
        yield f"predictions: {count} of {len(before)} test rows{distance}"
    scores, again = recorded.judged.scores, present.judged.scores
    if scores is not None and again is not None and not np.array_equal(scores, again):
        if scores.shape != again.shape:
            yield f"scores: were {scores.shape[1]} classes, are {again.shape[1]}"
        else:
            yield f"scores: by {np.max(np.abs(scores - again)):.3g} at most"


def of_model(recorded: str, present: str) -> Iterator[str]:
    """Other bytes of the model."""
    if recorded != present:
        yield f"model: was {recorded}, is {present}"


def _same(recorded: Mapping[str, float], present: Mapping[str, float], name: str) -> bool:
    before, now = recorded.get(name), present.get(name)
    return before is not None and now is not None and np.array_equal(before, now, equal_nan=True)


def _shown(values: Mapping[str, float], name: str) -> str:
    return repr(values[name]) if name in values else "absent"
