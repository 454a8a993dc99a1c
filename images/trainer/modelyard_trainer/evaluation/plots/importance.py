"""Which features the model leans on."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from modelyard_trainer.evaluation.plots.style import BLUE, GREY, ORANGE, figure, remark_below_title, short
from modelyard_trainer.evaluation.plots.subject import Plot, Subject

_SHOWN = 20


def _draw(subject: Subject) -> Figure:
    found = subject.importance
    if found is None:
        raise ValueError("there are no importances")
    order = np.argsort(-np.abs(found.values), kind="stable")[:_SHOWN][::-1]
    values = found.values[order]
    names = [short(name, 36) for name in _without_branch([found.names[number] for number in order])]
    drawn = figure(6.8, 1.5 + 0.26 * max(len(names), 3))
    axes = drawn.subplots()
    axes.barh(
        range(len(names)), values, color=[BLUE if value >= 0 else ORANGE for value in values], height=0.7
    )
    if found.deviations is not None:
        axes.errorbar(
            values,
            range(len(names)),
            xerr=found.deviations[order],
            fmt="none",
            ecolor=GREY,
            elinewidth=1,
            capsize=2,
        )
    axes.axvline(0, color=GREY, linewidth=1)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.grid(visible=False, axis="y")
    more = f"the {_SHOWN} largest of {len(found.names):,}" if len(found.names) > _SHOWN else ""
    remarks = ", ".join(part for part in (more, found.remark) if part)
    axes.set_xlabel(found.unit)
    axes.set_title(f"Feature importance: {found.method}", pad=20)
    if remarks:
        remark_below_title(axes, remarks)
    return drawn


def _without_branch(names: list[str]) -> list[str]:
    """Names without that of the branch, where all are of one."""
    parts = [name.partition("__") for name in names]
    alike = len({part[0] for part in parts}) == 1 and all(part[1] for part in parts)
    return [part[2] for part in parts] if alike else names


PLOT = Plot(
    "feature-importance",
    "How much the model leans on each feature, by the method that the title names. Features that say the same share their importance.",
    lambda subject: subject.importance is not None,
    _draw,
)
