"""The report of several runs of a data set side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from modelyard_api.metrics import Direction
from modelyard_runtime.errors import InvalidSpecError
from modelyard_trainer.evaluation.answers import Answers
from modelyard_trainer.evaluation.plots.comparison import best_of, comparison_plot
from modelyard_trainer.evaluation.record import EvaluationRecord, MetricRecord
from modelyard_trainer.evaluation.report.html import (
    Cell,
    heading,
    number,
    page,
    paragraph,
    picture,
    section,
    table,
)
from modelyard_trainer.evaluation.report.paired import paired
from modelyard_trainer.evaluation.report.run import interval

_PANELS = 6
MOST_RUNS = 50
_FEW_RUNS = 5
"""As many fit side by side; more are below one another."""
_LONGEST_FACT = 64


def comparison_report(
    records: Sequence[EvaluationRecord], answers: Mapping[str, Answers] | None = None
) -> bytes:
    """HTML that needs nothing else: the best run by the first one's primary metric on top.

    ``answers`` of runs, by their id, are compared row by row. Raises InvalidSpecError where the runs have nothing that can be compared.
    """
    _check(records)
    primary = records[0].facts.primary
    ranked = sorted(records, key=lambda record: _rank(record, primary))
    names = _metrics(ranked, primary)
    columns = [(name, [_of(record, name) for record in ranked]) for name in names]
    target = ranked[0].facts.target
    return page(
        f"Comparison of {len(ranked)} runs",
        [
            heading(f"Comparison of {len(ranked)} runs"),
            paragraph(f"{ranked[0].facts.task} of {target}, best {primary} first.", "sub"),
            *_warnings(ranked),
            section(
                "Metrics of the test part",
                _table(ranked, columns),
                picture(
                    comparison_plot(names_of(ranked), columns[:_PANELS]),
                    "Values with their intervals, the best green; the grey mark is the baseline.",
                ),
            ),
            section(f"Intervals of {primary}", _intervals(ranked, primary)),
            section(
                f"Difference of {primary} to the best, row by row",
                *paired(ranked, primary, names_of(ranked), answers or {}),
            ),
            section("What differs", _differences(ranked)),
        ],
    )


def _check(records: Sequence[EvaluationRecord]) -> None:
    if not 1 < len(records) <= MOST_RUNS:
        raise InvalidSpecError(
            f"is the number of runs, and 2 to {MOST_RUNS} are compared", field="runs", value=len(records)
        )
    tasks = {(record.facts.task, record.facts.target) for record in records}
    if len(tasks) > 1:
        said = ", ".join(sorted(f"{task} of {target}" for task, target in tasks))
        raise InvalidSpecError(
            "do different things", field="runs", value=said, remedy="Compare runs of one target"
        )


def _rank(record: EvaluationRecord, primary: str) -> tuple[float, str, str]:
    found = _of(record, primary)
    if found is None or found.value is None:
        return math.inf, record.facts.job, record.facts.run_id
    sign = 1 if found.direction is Direction.MINIMIZE else -1
    return sign * found.value, record.facts.job, record.facts.run_id


def _of(record: EvaluationRecord, name: str) -> MetricRecord | None:
    return next((one for one in record.metrics if one.name == name), None)


def _metrics(records: Sequence[EvaluationRecord], primary: str) -> list[str]:
    """Every metric that a run has, the primary one first, else in the order of the runs."""
    return list(dict.fromkeys([primary, *(one.name for record in records for one in record.metrics)]))


def names_of(records: Sequence[EvaluationRecord]) -> list[str]:
    """Jobs, with the beginning of the run's id where they are alike."""
    jobs = [record.facts.job for record in records]
    return [
        job if jobs.count(job) == 1 else f"{job} ({record.facts.run_id[:8]})"
        for job, record in zip(jobs, records, strict=True)
    ]


def _warnings(records: Sequence[EvaluationRecord]) -> list[str]:
    digests = {record.facts.data.digest for record in records}
    splits = {record.facts.split for record in records}
    if len(digests) == 1 and len(splits) == 1:
        return [paragraph("All runs saw the same rows and are judged on the same test rows.")]
    what = f"{len(digests)} different contents" if len(digests) > 1 else "different splits"
    return [
        paragraph(
            f"The runs were trained on data of {what}: their test rows differ, and so a difference of metrics is in "
            "part one of rows."
        )
    ]


def _table(
    records: Sequence[EvaluationRecord], columns: Sequence[tuple[str, Sequence[MetricRecord | None]]]
) -> str:
    best = {name: best_of(found) for name, found in columns}
    head = [
        Cell("", "number"),
        Cell("run"),
        Cell("estimator"),
        *(Cell(name, "number") for name, _ in columns),
    ]
    rows = []
    for place, (record, run) in enumerate(zip(records, names_of(records), strict=True)):
        cells = [
            Cell(str(place + 1), "number"),
            Cell(run),
            Cell(record.facts.estimator),
        ]
        for name, found in columns:
            one = found[place]
            kind = "number best" if place in best[name] else "number"
            cells.append(Cell(number(one.value if one is not None else None), kind))
        rows.append(cells)
    return table(head, rows)


def _intervals(records: Sequence[EvaluationRecord], primary: str) -> str:
    head = [Cell("run"), *(Cell(name, "number") for name in ("value", "interval", "baseline", "folds"))]
    rows = []
    for record, run in zip(records, names_of(records), strict=True):
        one = _of(record, primary)
        if one is None:
            continue
        folds = number(one.cv_mean) + (
            f" ± {number(one.cv_deviation)}" if one.cv_deviation is not None else ""
        )
        confidence = f" ({float(record.confidence) * 100:.0f} %)" if one.low is not None else ""
        values = (number(one.value), interval(one) + confidence, number(one.baseline), folds)
        rows.append([Cell(run), *(Cell(value, "number") for value in values)])
    return table(head, rows)


def _differences(records: Sequence[EvaluationRecord]) -> str:
    """Parameters, data and libraries in which the runs differ."""
    facts = [_facts(record) for record in records]
    names = list(dict.fromkeys(name for own in facts for name in own))
    differing = [name for name in names if len({own.get(name) for own in facts}) > 1]
    if not differing:
        return paragraph("Nothing: parameters, data and libraries are the same.")
    runs = names_of(records)
    if len(runs) <= _FEW_RUNS:
        rows = [[Cell(name, "name"), *(_fact(own.get(name)) for own in facts)] for name in differing]
        return table([Cell("what", "name"), *(Cell(run) for run in runs)], rows)
    rows = [
        [Cell(run, "name"), *(_fact(own.get(name)) for name in differing)]
        for run, own in zip(runs, facts, strict=True)
    ]
    return table([Cell("run", "name"), *(Cell(name) for name in differing)], rows)


def _fact(value: str | None) -> Cell:
    """A value, or the beginning of a long one."""
    if value is None:
        return Cell("—", "fact")
    if len(value) <= _LONGEST_FACT:
        return Cell(value, "fact")
    return Cell(f"{value[: _LONGEST_FACT - 1]}…", "fact", value)


def _facts(record: EvaluationRecord) -> dict[str, str]:
    facts = record.facts
    return {
        "content digest": facts.data.digest,
        "split": facts.split,
        **facts.parameters,
        "image": facts.image,
        "threads": str(facts.threads),
        **{f"library {library.name}": library.version for library in facts.libraries},
    }
