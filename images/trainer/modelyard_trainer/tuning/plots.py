"""Plots of a study for people: how it went, which parameters mattered, and which values went with the better trials."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
import optuna
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from modelyard_api.metrics import Direction
from modelyard_api.v1alpha1.common import Json
from modelyard_api.v1alpha1.tuning import Dimension
from modelyard_trainer.evaluation.plots.style import (
    BLUE,
    GREY,
    ORANGE,
    PALE,
    drawing,
    figure,
    png,
    remark,
    remark_below_title,
    short,
)
from modelyard_trainer.tuning.mirror import study_with
from modelyard_trainer.tuning.space import place_of, value_at
from modelyard_trainer.tuning.trial import State, Trial, loss

_FEWEST_TRIALS = 4
"""Below, a plot says nothing that the table does not."""
_TREES = 32
_MOST_TICKS = 6


@dataclass(frozen=True)
class Searched:
    """A study that came to its end."""

    space: list[Dimension]
    metric: str
    direction: Direction
    trials: Sequence[Trial]
    """The job's own, in order."""

    @property
    def completed(self) -> list[Trial]:
        """Those that were judged on all folds."""
        return [trial for trial in self.trials if trial.state is State.COMPLETED and trial.value is not None]


def draw_study(searched: Searched) -> dict[str, bytes]:
    """PNGs by their names; none where there are too few trials."""
    if len(searched.completed) < _FEWEST_TRIALS:
        return {}
    drawings: dict[str, Callable[[Searched], Figure]] = {
        "history": _history,
        "importance": _importance,
        "parallel": _parallel,
    }
    with drawing():
        return {f"{name}.png": png(draw(searched)) for name, draw in drawings.items()}


def _history(searched: Searched) -> Figure:
    drawn = figure(6.8, 4.2)
    axes = drawn.subplots()
    done = searched.completed
    numbers, values = [own.number for own in done], [own.value or 0.0 for own in done]
    axes.scatter(numbers, values, color=BLUE, s=18, label="trial", zorder=3)
    ended = [own for own in searched.trials if own.state is State.PRUNED and own.folds]
    if ended:
        axes.scatter(
            [own.number for own in ended],
            [own.mean() for own in ended],
            color=GREY,
            marker="x",
            s=20,
            linewidth=1,
            label="ended early, mean so far",
        )
    best = (
        np.minimum.accumulate(values)
        if searched.direction is Direction.MINIMIZE
        else np.maximum.accumulate(values)
    )
    axes.step(numbers, best, where="post", color=ORANGE, linewidth=1.8, label="best so far")
    _keep_in_sight(axes, values)
    axes.set(xlabel="trial", ylabel=f"{searched.metric}, mean of the folds")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    axes.set_title("Trials")
    failed = sum(own.state is State.FAILED for own in searched.trials)
    remark(axes, f"{len(searched.trials)} trials" + (f", {failed} failed" if failed else ""))
    axes.legend(loc="best")
    return drawn


def _keep_in_sight(axes: Axes, values: list[float]) -> None:
    """A few trials that went quite wrong must not press all others flat."""
    low, middle, high = np.quantile(values, [0.0, 0.5, 1.0])
    reach = 4 * max(float(np.quantile(values, 0.75) - np.quantile(values, 0.25)), 1e-12)
    bottom, top = max(float(low), float(middle) - reach), min(float(high), float(middle) + reach)
    margin = 0.06 * max(top - bottom, 1e-12)
    axes.set_ylim(bottom - margin, top + margin)


def _importance(searched: Searched) -> Figure:
    study = study_with(searched.space, searched.completed, searched.direction)
    evaluator = optuna.importance.FanovaImportanceEvaluator(n_trees=_TREES, seed=0)
    found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    names = list(found)[::-1]
    drawn = figure(6.8, 1.5 + 0.3 * max(len(names), 3))
    axes = drawn.subplots()
    axes.barh(range(len(names)), [100 * found[name] for name in names], color=BLUE, height=0.65)
    axes.set_yticks(range(len(names)), [short(name, 40) for name in names])
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.set_xlim(left=0)
    axes.grid(visible=False, axis="y")
    axes.xaxis.set_major_formatter("{x:.0f} %")
    axes.set_xlabel(f"share of the differences of {searched.metric}")
    axes.set_title("Importance of parameters", pad=20)
    remark_below_title(axes, f"fANOVA on {len(searched.completed)} completed trials")
    return drawn


def _parallel(searched: Searched) -> Figure:
    """A line a trial through its values, the better ones darker and on top; the last axis is the metric."""
    space, done = searched.space, searched.completed
    losses = np.array([loss(own.value or 0.0, searched.direction) for own in done])
    rank = np.argsort(np.argsort(losses, kind="stable"), kind="stable") / max(len(done) - 1, 1)
    colours = mpl.colormaps["viridis"]
    drawn = figure(max(6.8, 1.25 * (len(space) + 1) + 1.0), 4.6)
    axes = drawn.subplots()
    for number in np.argsort(-rank, kind="stable"):
        values = done[number].values or {}
        places = [place_of(own, values.get(own.parameter)) for own in space]
        line = [np.nan if place is None else place for place in places]
        axes.plot(
            range(len(space) + 1),
            [*line, 1 - rank[number]],
            color=colours(rank[number] * 0.95),
            alpha=0.35 + 0.6 * (1 - rank[number]) ** 3,
            linewidth=1.0 + 1.2 * (1 - rank[number]) ** 6,
        )
    names = [own.parameter.removeprefix("estimator.") for own in space]
    axes.set_xticks(range(len(space) + 1), [short(name, 18) for name in [*names, searched.metric]])
    axes.tick_params(axis="x", labelrotation=20 if len(space) > 3 else 0)  # noqa: PLR2004  names begin to touch
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_ylim(-0.04, 1.04)
    axes.set_xlim(-0.15, len(space) + 0.75)
    axes.grid(visible=False)
    for position, own in enumerate(space):
        _scale(axes, position, _marks(own))
    ordered = np.sort(losses)
    shown = [(1 - share, float(np.quantile(ordered, share))) for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    sign = 1 if searched.direction is Direction.MINIMIZE else -1
    _scale(axes, len(space), [(place, f"{sign * value:.4g}") for place, value in shown])
    axes.set_title("Values of the trials", pad=20)
    bar = drawn.colorbar(
        mpl.cm.ScalarMappable(Normalize(0, 1), colours.reversed()),
        ax=axes,
        ticks=[0.04, 1],
        pad=0.01,
        aspect=30,
    )
    bar.ax.set_yticklabels(["worst", "best"])
    bar.outline.set_visible(False)
    return drawn


def _scale(axes: Axes, position: int, marks: list[tuple[float, str]]) -> None:
    axes.axvline(position, color=PALE, linewidth=1.2, zorder=0)
    for place, text in marks:
        axes.annotate(
            text,
            (position, place),
            xytext=(4, 0),
            textcoords="offset points",
            fontsize=7.5,
            color="#2d3748",
            va="center",
            bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.6},
        )


def _marks(dimension: Dimension) -> list[tuple[float, str]]:
    """Values to be named on an axis, and their places."""
    if dimension.choice is not None:
        known = dimension.choice.values
        values = known[:: -(-len(known) // _MOST_TICKS)]
    else:
        values = [value_at(dimension, place) for place in (0.0, 0.25, 0.5, 0.75, 1.0)]
    return [(place_of(dimension, value) or 0.0, _text(value)) for value in values]


def _text(value: Json) -> str:
    return f"{value:.3g}" if isinstance(value, float) else short(value, 12)
