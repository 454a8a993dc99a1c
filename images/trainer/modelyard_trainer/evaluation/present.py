"""An evaluation as files: a document for programs, plots and a report for people."""

from __future__ import annotations

from modelyard_api.digests import canonical_json
from modelyard_trainer.evaluation.assess import Assessment
from modelyard_trainer.evaluation.plots import draw_all
from modelyard_trainer.evaluation.plots.subject import Subject
from modelyard_trainer.evaluation.record import EvaluationRecord
from modelyard_trainer.evaluation.report.run import Picture, run_report

DIRECTORY = "evaluation"
RECORD = "evaluation.json"
REPORT = "report.html"


def evaluation_directory(assessment: Assessment, record: EvaluationRecord) -> dict[str, bytes]:
    """Files by their path in the directory: the record, a PNG a plot, the report."""
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
    return {
        RECORD: canonical_json(record.to_wire()),
        **{f"{plot.name}.png": png for plot, png in drawn.items()},
        REPORT: run_report(record, pictures),
    }
