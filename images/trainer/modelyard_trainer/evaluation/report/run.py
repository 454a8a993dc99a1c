"""The report of one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modelyard_api.metrics import Direction
from modelyard_trainer.evaluation.record import EvaluationRecord, MetricRecord
from modelyard_trainer.evaluation.report.html import (
    Cell,
    cards,
    heading,
    number,
    page,
    paragraph,
    picture,
    pictures,
    section,
    table,
)

_CARDS = 4
_CLASSES = 200


@dataclass(frozen=True)
class Picture:
    """A plot of the run."""

    caption: str
    png: bytes


def run_report(record: EvaluationRecord, plots: Sequence[Picture], trials: Sequence[Picture] = ()) -> bytes:
    """HTML that needs nothing else. The same record and plots give the same bytes."""
    facts = record.facts
    body = [
        f"<header>{_heading(record)}</header>",
        cards(_glance(record)),
        section("Metrics of the test part", metrics_table(record), *_explained(record)),
    ]
    if plots:
        body.append(section("Plots", pictures(picture(plot.png, plot.caption) for plot in plots)))
    if trials:
        body.append(section("Trials", pictures(picture(plot.png, plot.caption) for plot in trials)))
    if record.classes:
        body.append(section("Classes", *_classes(record)))
    body += [
        section("Data", pairs_table(data_pairs(record))),
        section("Parameters", pairs_table(sorted(facts.parameters.items()))),
        section("Environment", pairs_table(_environment(record))),
    ]
    return page(f"{facts.job}: evaluation", body)


def _heading(record: EvaluationRecord) -> str:
    facts = record.facts
    return heading(facts.job) + paragraph(
        f"{facts.estimator} for {facts.target} ({facts.task}), trained on {facts.dataset}/{facts.data.variant}, "
        f"load {facts.data.sequence}. Run {facts.run_id}, {facts.made_at:%Y-%m-%d %H:%M} UTC.",
        "sub",
    )


def _glance(record: EvaluationRecord) -> list[tuple[str, str]]:
    found = [(number(one.value), one.name) for one in record.metrics if one.value is not None][:_CARDS]
    return [
        *found,
        (f"{record.facts.rows_train:,}", "training rows"),
        (f"{record.facts.rows_test:,}", "test rows"),
    ]


def metrics_table(record: EvaluationRecord) -> str:
    """All metrics with what stands beside them."""
    percent = f"{float(record.confidence) * 100:.0f} %"
    head = [
        Cell("metric"),
        Cell("value", "number"),
        Cell(f"{percent} interval", "number"),
        Cell("baseline", "number"),
    ]
    if record.fold_count:
        head.append(Cell(f"{record.fold_count} folds", "number"))
    return table([*head, Cell("better"), Cell("what")], [_row(one, record) for one in record.metrics])


def _row(one: MetricRecord, record: EvaluationRecord) -> list[Cell]:
    said = f"{one.description}; {one.note}" if one.note else one.description
    if one.undefined:
        said += (
            f"; not defined on {one.undefined:,} of {one.resamples:,} draws, which the interval leaves out"
        )
    cells = [
        Cell(one.name),
        Cell(number(one.value) if one.value is not None else "not defined", "number"),
        Cell(interval(one), "number"),
        Cell(number(one.baseline), "number"),
    ]
    if record.fold_count:
        cells.append(Cell(_folds(one), "number"))
    better = "lower" if one.direction is Direction.MINIMIZE else "higher"
    return [*cells, Cell(better), Cell(said, "note")]


def interval(one: MetricRecord) -> str:
    """Both ends, or a dash."""
    return f"{number(one.low)} to {number(one.high)}" if one.low is not None else "—"


def _folds(one: MetricRecord) -> str:
    if one.cv_mean is None:
        return "—"
    return number(one.cv_mean) + (f" ± {number(one.cv_deviation)}" if one.cv_deviation is not None else "")


def _explained(record: EvaluationRecord) -> list[str]:
    draws = sorted({one.resamples for one in record.metrics if one.resamples is not None}, reverse=True)
    said = [f"Baseline: {record.baseline}."]
    if draws:
        many = " or ".join(f"{count:,}" for count in draws)
        said.insert(0, f"Intervals: percentiles of {many} draws of the test rows with replacement.")
    if record.fold_count:
        said.append(
            f"Folds: mean ± standard deviation over {record.fold_count} folds of the training part, {record.folds}."
        )
    return [paragraph(" ".join(said))]


def _classes(record: EvaluationRecord) -> list[str]:
    shown = sorted(record.classes, key=lambda one: -one.rows)[:_CLASSES]
    head = [
        Cell("class"),
        *(Cell(name, "number") for name in ("test rows", "precision", "recall", "F1")),
        Cell("in names of metrics"),
    ]
    rows = [
        [
            Cell(one.label),
            Cell(f"{one.rows:,}", "number"),
            *(Cell(number(value), "number") for value in (one.precision, one.recall, one.f1)),
            Cell(one.metric, "note"),
        ]
        for one in shown
    ]
    parts = [table(head, rows)]
    if len(record.classes) > len(shown):
        parts.append(
            paragraph(
                f"The {len(shown)} largest of {len(record.classes):,} classes; evaluation.json has all."
            )
        )
    return parts


def data_pairs(record: EvaluationRecord) -> list[tuple[str, str]]:
    """What the model was trained on."""
    facts = record.facts
    return [
        ("dataset", f"{facts.project}/{facts.dataset}"),
        ("variant", f"{facts.data.variant}, load {facts.data.sequence}"),
        ("content digest", facts.data.digest),
        ("manifest", facts.data.uri),
        ("split", facts.split),
        ("rows", f"{facts.rows_train:,} training, {facts.rows_test:,} test"),
    ]


def _environment(record: EvaluationRecord) -> list[tuple[str, str]]:
    facts = record.facts
    return [
        ("image", facts.image or "not known"),
        ("threads", str(facts.threads)),
        *((library.name, library.version) for library in facts.libraries),
    ]


def pairs_table(pairs: Sequence[tuple[str, str]]) -> str:
    """Names and values."""
    return table([Cell("name"), Cell("value")], [[Cell(name), Cell(value)] for name, value in pairs])
