"""Dots: one for every run, a row for what is compared."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from lstm_lesson.figures.look import COLOURS


def scores_by_name(ax: Axes, scores: Mapping[str, np.ndarray], level: float) -> Axes:
    """Draw the scores of several arms as dots, a row an arm, on a logarithmic axis.

    Parameters
    ----------
    ax : axes to draw in.
    scores : name to (seeds,), all positive, the first at the top: the arm to compare with, whose
        median is a dashed line. A short bar is the median of a row.
    level : where to draw a dotted line, such as the score of a trivial predictor.
    """
    rows = np.arange(len(scores))
    medians = [np.median(values) for values in scores.values()]
    for row, values in zip(rows, scores.values(), strict=True):
        color = COLOURS["f"] if row else "#888888"
        ax.plot(values, np.full(len(values), row), "o", color=color, alpha=0.5, markeredgewidth=0)
    ax.vlines(medians, rows - 0.35, rows + 0.35, color="#000000", linewidth=2)
    ax.axvline(medians[0], color="#888888", linestyle="--", linewidth=1)
    ax.axvline(level, color="#333333", linestyle=":", linewidth=1)
    ax.set(xscale="log", ylim=(len(rows) - 0.4, -0.6))
    ax.set_yticks(rows, scores)
    return ax


def dots_and_rings(
    ax: Axes,
    rows: Mapping[str, Mapping[str, tuple[np.ndarray, np.ndarray]]],
    *,
    claimed: float | None = None,
) -> Axes:
    """Draw a statistic of every trained network as a dot and of untrained ones as rings.

    Parameters
    ----------
    ax : axes to draw in.
    rows : name of a row, the first at the top, to label of each of its strips, at most four, to the
        values of trained and of untrained networks, one a seed. A bar marks the trained median.
    claimed : where to draw a dashed line.
    """
    inks = [COLOURS[key] for key in "ifgo"]
    ticks: dict[float, str] = {}
    for row, (name, strips_of_row) in enumerate(rows.items()):
        shift = 0.72 / len(strips_of_row)
        for column, (label, (trained, untrained)) in enumerate(strips_of_row.items()):
            y = row - 0.36 + shift * (column + 0.5)
            ink = inks[column]
            rings = {"mfc": "none", "mec": "#777777", "mew": 0.7, "ms": 4.5}
            ax.plot(untrained, np.full(len(untrained), y), "o", **rings)
            ax.plot(trained, np.full(len(trained), y), "o", ms=4.5, mew=0, alpha=0.6, color=ink)
            ax.plot(np.median(trained), y, "|", ms=11, mew=2, color="#000000")
            ticks[y] = label if column else f"{name.replace('_', ' ')}, {label}".removesuffix(", ")
        if row:
            ax.axhline(row - 0.5, color="#BBBBBB", linewidth=0.8)
    if claimed is not None:
        ax.axvline(claimed, color="#333333", linestyle="--", linewidth=1.2)
    ax.set_yticks(list(ticks), ticks.values())
    ax.grid(False, axis="y")
    ax.set_ylim(len(rows) - 0.5, -0.5)
    return ax
