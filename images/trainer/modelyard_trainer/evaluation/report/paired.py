"""The part of a comparison that looks at the same test rows under every run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from modelyard_api.metrics import Direction, find_metric
from modelyard_api.v1alpha1.training_job import Bootstrap
from modelyard_runtime.errors import DataError
from modelyard_trainer.evaluation.answers import FILE, Answers
from modelyard_trainer.evaluation.paired import Difference, difference
from modelyard_trainer.evaluation.record import EvaluationRecord
from modelyard_trainer.evaluation.report.html import Cell, number, paragraph, table


def paired(
    ranked: Sequence[EvaluationRecord], primary: str, names: Sequence[str], answers: Mapping[str, Answers]
) -> list[str]:
    """Each run beside the best, which is first in ``ranked``; ``names`` are those of the runs."""
    best = ranked[0]
    asked = Bootstrap(confidence=best.confidence)
    percent = f"{float(best.confidence) * 100:.0f} %"
    head = [
        Cell("run"),
        *(Cell(name, "number") for name in ("common test rows", "difference", f"{percent} interval")),
        Cell("so"),
    ]
    rows = [
        [Cell(name), *_cells(best, record, primary, answers, asked)]
        for record, name in zip(ranked[1:], names[1:], strict=True)
    ]
    said = (
        f"{primary} less that of {names[0]}, both on the test rows that both have. The interval is made of draws of these "
        "rows, the same for both, so rows that are hard for both weigh on neither. The best of many runs is in part a lucky "
        "one: a run that is barely told apart from it may be as good."
    )
    return [table(head, rows), paragraph(said)]


def _cells(
    best: EvaluationRecord,
    record: EvaluationRecord,
    primary: str,
    answers: Mapping[str, Answers],
    asked: Bootstrap,
) -> list[Cell]:
    nothing = [Cell("—", "number")] * 3
    try:
        found = _difference(best, record, primary, answers, asked)
    except DataError as error:
        return [*nothing, Cell(error.message, "note")]
    ends = f"{number(found.interval.low)} to {number(found.interval.high)}" if found.interval else "—"
    return [
        Cell(f"{found.rows:,}", "number"),
        Cell(number(found.value), "number"),
        Cell(ends, "number"),
        Cell(_verdict(found, primary)),
    ]


def _difference(
    best: EvaluationRecord,
    record: EvaluationRecord,
    primary: str,
    answers: Mapping[str, Answers],
    asked: Bootstrap,
) -> Difference:
    sources = {(one.facts.project, one.facts.dataset) for one in (best, record)}
    if len(sources) > 1:
        raise DataError("the rows are of another Dataset")
    pair = [answers.get(one.facts.run_id) for one in (best, record)]
    if pair[0] is None or pair[1] is None:
        raise DataError(f"{FILE} is missing")
    return difference(pair[0], pair[1], primary, asked)


def _verdict(found: Difference, primary: str) -> str:
    if found.interval is None:
        return "draws of the rows do not tell"
    if not found.told_apart:
        return "not told apart"
    metric = find_metric(primary)
    higher_is_better = metric is not None and metric.direction is Direction.MAXIMIZE
    return "better on these rows" if (found.value > 0) is higher_is_better else "worse"
