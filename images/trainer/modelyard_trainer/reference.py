"""Reference histograms for drift: how the training part and the answers to the test part are distributed.

A number is cut into tenths, so that a window of a few hundred rows has enough of them in each bin for a test whose rate
of false alarms is known. A value that many rows share has a bin of its own: half of them zero are not hidden beside those
that are almost zero.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from sklearn.pipeline import Pipeline as FittablePipeline
from threadpoolctl import threadpool_limits

from modelyard_api.contract.manifest import Column
from modelyard_api.contract.reference import OUTPUT, Histogram, Measure, Reference, category_text
from modelyard_api.metrics import Task
from modelyard_api.v1alpha1.common import ColumnType
from modelyard_trainer.data import Part

_BINS = 10
_CATEGORIES = 30
_OFTEN = 5.0
"""Texts that come back less often than this on average are not categories; their length is looked at."""
_CATEGORY_LENGTH = 256
_MOST_ANSWERS = 5_000
"""Rows of the test part that the model answers for it; more would cost a large forest seconds and tell little more."""


def reference_of(
    model: FittablePipeline, inputs: Sequence[Column], task: Task, train: Part, test: Part
) -> Reference:
    """Of a fitted model whose steps use one thread."""
    features = [
        text_histogram(column.name, train.X[:, place].tolist())
        if column.type is ColumnType.TEXT
        else number_histogram(column.name, train.X[:, place].astype(np.float64))
        for place, column in enumerate(inputs)
    ]
    rows = test.X[:: -(-len(test.X) // _MOST_ANSWERS)]
    with threadpool_limits(limits=1):
        answers = np.asarray(model.predict(rows))
    if task is Task.REGRESSION:
        output = number_histogram(OUTPUT, answers.astype(np.float64))
    else:
        labels = [category_text(label) for label in model.classes_.tolist()]
        output = label_histogram([category_text(label) for label in answers.tolist()], labels)
    return Reference(features=features, output=output)


def number_histogram(name: str, values: np.ndarray, measure: Measure = Measure.VALUE) -> Histogram:
    """Bins of numbers by their own tenths; what is not finite is missing."""
    known = np.sort(values[np.isfinite(values)])
    edges = _edges(known)
    counts = np.bincount(np.searchsorted(edges, known, side="left"), minlength=len(edges) + 1)
    return Histogram(
        name=name,
        measure=measure,
        edges=edges.tolist(),
        counts=[*counts.tolist(), len(values) - len(known)],
    )


def text_histogram(name: str, values: Sequence[object]) -> Histogram:
    """Of texts that come back their categories, of others their lengths; what is not a text is missing."""
    texts = [value for value in values if isinstance(value, str)]
    found = Counter(texts)
    short = max(map(len, found), default=0) <= _CATEGORY_LENGTH
    if not short or len(texts) < _OFTEN * len(found):
        lengths = [float(len(value)) if isinstance(value, str) else np.nan for value in values]
        return number_histogram(name, np.array(lengths), Measure.LENGTH)
    often = [text for text, _ in sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))[:_CATEGORIES]]
    counts = [found[text] for text in often]
    return Histogram(
        name=name,
        measure=Measure.CATEGORY,
        categories=often,
        counts=[*counts, len(texts) - sum(counts), len(values) - len(texts)],
    )


def label_histogram(answers: Sequence[str], labels: Sequence[str]) -> Histogram:
    """Counts of every label, those that were never answered too."""
    found = Counter(answers)
    return Histogram(
        name=OUTPUT,
        measure=Measure.CATEGORY,
        categories=list(labels),
        counts=[*(found[label] for label in labels), 0, 0],
    )


def _edges(known: np.ndarray) -> np.ndarray:
    """Inner edges of bins of about a tenth each; ``known`` is sorted."""
    distinct = np.unique(known)
    if len(distinct) <= _BINS:
        return distinct[:-1]
    places = np.ceil(np.arange(1, _BINS) / _BINS * len(known)).astype(np.int64) - 1
    edges = np.unique(known[places])
    share = np.searchsorted(known, edges, side="right") - np.searchsorted(known, edges, side="left")
    heavy = edges[share * _BINS >= len(known)]
    below = distinct[np.maximum(np.searchsorted(distinct, heavy) - 1, 0)]
    edges = np.unique(np.concatenate([edges, below]))
    return np.asarray(edges[edges < distinct[-1]])
