"""Which classes are taken for which."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from modelyard_trainer.evaluation.plots.style import figure, short
from modelyard_trainer.evaluation.plots.subject import Plot, Subject

_SHOWN = 20
_WRITTEN = 12
_DARK = 0.55
_LONG_NUMBER = 100_000
_UPRIGHT_CLASSES, _UPRIGHT_LENGTH = 3, 8
"""Names that fit side by side."""


def _draw(subject: Subject) -> Figure:
    names, counts, said = confusion(subject, _SHOWN)
    size = len(names)
    longest = max(len(name) for name in names)
    side = 2.6 + (0.46 if size <= _WRITTEN else 0.34) * max(size, 4) + 0.05 * longest
    drawn = figure(side + 0.9, side)
    axes = drawn.subplots()
    rows = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, rows, out=np.zeros(counts.shape), where=rows > 0)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if size <= _WRITTEN:
        for row, column in np.ndindex(size, size):
            if counts[row, column]:
                colour = "white" if shares[row, column] > _DARK else "#2d3748"
                text = _number(int(counts[row, column]))
                axes.text(column, row, text, ha="center", va="center", fontsize=8, color=colour)
    turned = size > _UPRIGHT_CLASSES or longest > _UPRIGHT_LENGTH
    axes.set_xticks(range(size), names, rotation=45 if turned else 0, ha="right" if turned else "center")
    axes.set_yticks(range(size), names)
    if turned:
        for label in axes.get_xticklabels():
            label.set_rotation_mode("anchor")
    axes.set(xlabel="predicted class", ylabel="actual class")
    axes.grid(visible=False)
    axes.tick_params(length=0, labelsize=8.5 if size <= _WRITTEN else 7.5)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_title("Confusion matrix", pad=22)
    axes.text(0, 1.015, said, transform=axes.transAxes, fontsize=7.5, color="#718096", va="bottom")
    drawn.colorbar(image, ax=axes, label="share of the actual class", shrink=0.75, pad=0.02)
    return drawn


def _number(rows: int) -> str:
    return f"{rows:,}" if rows < _LONG_NUMBER else f"{rows:.2g}"


def confusion(subject: Subject, most: int) -> tuple[list[str], np.ndarray, str]:
    """Names of the classes, rows by actual and predicted class, and what to say: small classes go together."""
    judged = subject.judged
    labels, truth, predicted = judged.labels, judged.truth_codes, judged.predicted_codes
    sizes = np.bincount(truth, minlength=len(labels))
    said = f"{judged.rows:,} test rows; numbers are rows, colours their share of the actual class"
    names = [short(label) for label in labels.tolist()]
    if len(labels) > most:
        kept = np.sort(np.argsort(-sizes, kind="stable")[: most - 1])
        place = np.full(len(labels), most - 1)
        place[kept] = np.arange(most - 1)
        truth, predicted = place[truth], place[predicted]
        names = [names[number] for number in kept] + [f"{len(labels) - most + 1} other classes"]
        said = f"{judged.rows:,} test rows; the {most - 1} largest of {len(labels):,} classes"
    size = len(names)
    counts = np.bincount(truth * size + predicted, minlength=size * size).reshape(size, size)
    return names, counts, said


PLOT = Plot(
    "confusion-matrix",
    "Rows of each actual class by what they were predicted to be. Right answers are on the diagonal.",
    lambda subject: subject.judged.classes is not None,
    _draw,
)
