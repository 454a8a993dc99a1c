"""How all plots look, and their bytes: the same figure is the same file."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

DPI = 150
BLUE, ORANGE, GREEN, RED, PURPLE, BROWN = "#2b6cb0", "#dd6b20", "#2f855a", "#c53030", "#6b46c1", "#8c564b"
INK, GREY, PALE = "#1a202c", "#718096", "#cbd5e0"
COLOURS = (BLUE, ORANGE, GREEN, RED, PURPLE, BROWN)
LABEL_LENGTH = 24
_STYLE: dict[Any, object] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.edgecolor": "#4a5568",
    "axes.labelcolor": "#2d3748",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e2e8f0",
    "grid.linewidth": 0.7,
    "xtick.color": "#4a5568",
    "ytick.color": "#4a5568",
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "figure.facecolor": "white",
    "text.parse_math": False,
    "figure.constrained_layout.h_pad": 0.08,
    "figure.constrained_layout.w_pad": 0.08,
    "axes.formatter.useoffset": False,
}


@contextmanager
def drawing() -> Iterator[None]:
    """The project's style for as long as a figure is made and rendered."""
    with mpl.rc_context(), warnings.catch_warnings():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        # A label in a script that the font does not have shows boxes; the report's tables have it as text.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def figure(width: float = 6.4, height: float = 4.4) -> Figure:
    """An empty figure of so many inches whose parts keep clear of one another."""
    return Figure(figsize=(width, height), dpi=DPI, layout="constrained")


def png(drawn: Figure) -> bytes:
    """The figure as a PNG without time or version in it."""
    buffer = io.BytesIO()
    drawn.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def short(label: object, length: int = LABEL_LENGTH) -> str:
    """A label that fits beside a plot: one line, the middle left out of a long one."""
    text = " ".join(str(label).split())
    if len(text) <= length:
        return text
    head = (length - 1) * 2 // 3
    return f"{text[:head]}…{text[len(text) - (length - 1 - head) :]}"


def remark(axes: Axes, text: str) -> None:
    """Small print at the upper right edge of a plot, for what a reader must know of it."""
    axes.set_title(text, loc="right", fontsize=7.5, fontweight="normal", color=GREY)


def remark_below_title(axes: Axes, text: str) -> None:
    """The same under a title that leaves it no room beside; the title needs ``pad=20``."""
    axes.annotate(
        text,
        (1, 1),
        xytext=(0, 3),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=7.5,
        color=GREY,
        ha="right",
        va="bottom",
    )
