"""An evaluation as files: a document and answers for programs, plots and a report for people."""

from __future__ import annotations

from collections.abc import Sequence

from modelyard_api.digests import canonical_json
from modelyard_trainer.evaluation.answers import FILE as PREDICTIONS
from modelyard_trainer.evaluation.assess import Assessment
from modelyard_trainer.evaluation.record import EvaluationRecord

DIRECTORY = "evaluation"
RECORD = "evaluation.json"
REPORT = "report.html"


def record_files(record: EvaluationRecord, answers: bytes) -> dict[str, bytes]:
    """What every run has: enough to compare it with others."""
    return {RECORD: canonical_json(record.to_wire()), PREDICTIONS: answers}


def report_files(
    assessment: Assessment, record: EvaluationRecord, trials: Sequence[tuple[str, bytes]] = ()
) -> dict[str, bytes]:
    """A PNG a plot, and the report; ``trials`` are captions and PNGs of plots that the run keeps elsewhere."""
    # Half a second and 60 MiB, which a job without plots does not spend.
    from modelyard_trainer.evaluation.plots import draw_all  # noqa: PLC0415
    from modelyard_trainer.evaluation.plots.subject import Subject  # noqa: PLC0415
    from modelyard_trainer.evaluation.report.run import Picture, run_report  # noqa: PLC0415

    facts = record.facts
    subject = Subject(
        facts.task,
        facts.target,
        assessment.judged,
        assessment.metrics,
        assessment.importance,
        assessment.learning,
    )
    drawn = draw_all(subject)
    pictures = [Picture(plot.caption, png) for plot, png in drawn.items()]
    told = [Picture(caption, png) for caption, png in trials]
    return {
        **{f"{plot.name}.png": png for plot, png in drawn.items()},
        REPORT: run_report(record, pictures, told),
    }
