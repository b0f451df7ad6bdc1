"""Chapter 6: what mutants do to training, and which test catches them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from lstm_lesson.figures.lines import band
from lstm_lesson.figures.look import SERIES


def beside_reference(
    axes: Sequence[Axes], reference: np.ndarray, panels: Mapping[str, np.ndarray], level: float
) -> Sequence[Axes]:
    """Draw training curves, a panel each, over the curve of a reference; return the axes.

    Parameters
    ----------
    axes : one axes a panel, sharing both axes.
    reference : (seeds, steps) losses, drawn in grey in every panel.
    panels : title to (seeds, steps). A line is the median over the seeds of a running mean of 15
        steps, its band the middle 80 %.
    level : where to draw a dotted line, such as the loss of a trivial predictor.
    """
    width, every = 15, 4  # steps; a mean over so many hardly moves in a few
    for ax, (title, losses) in zip(axes, panels.items(), strict=True):
        for values, color in ((reference, "#888888"), (losses, SERIES["wine"])):
            smooth = np.lib.stride_tricks.sliding_window_view(values, width, axis=1).mean(axis=2)
            steps = np.arange(0, smooth.shape[1], every)
            band(ax, steps + width // 2, smooth[:, steps], color)
        ax.axhline(level, color="#333333", linestyle=":", linewidth=1)
        ax.set_yscale("log")
        ax.minorticks_off()
        ax.set_title(title, weight="normal", size="medium")
    return axes


def caught_or_not(
    ax: Axes, caught: np.ndarray, rows: Sequence[str], columns: Sequence[str]
) -> Axes:
    """Draw a grid of marks, a filled dot where `caught` (rows, columns) is true, else a ring."""
    for there, style in ((True, {"color": SERIES["indigo"]}), (False, {"color": SERIES["wine"]})):
        y, x = np.nonzero(caught == there)
        face = style["color"] if there else "white"
        ax.plot(x, y, "o", markersize=6, markerfacecolor=face, markeredgewidth=1.6, **style)
    ax.set(xlim=(-0.6, len(columns) - 0.4), ylim=(len(rows) - 0.4, -0.6))
    ax.set_xticks(range(len(columns)), columns, rotation=60, ha="left", rotation_mode="anchor")
    ax.set_yticks(range(len(rows)), rows)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    return ax
