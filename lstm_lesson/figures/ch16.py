"""Chapter 16: what the LSTM's parts are worth, as factors between the sequences needed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from lstm_lesson.figures.look import SERIES

EDGES = 0.1, 16.0  # where an interval is cut off, with an arrow
MARKERS = "os^"


def times_the_lstms(
    ax: Axes, factors: Mapping[str, Mapping[str, tuple[float, float, float, bool]]]
) -> Axes:
    """Draw by what factor cells need more sequences than the LSTM, a row a cell; return the axes.

    Parameters
    ----------
    ax : axes to draw in; the horizontal one becomes logarithmic.
    factors : cell, the first at the top, to task to the estimate, the ends of its interval, and
        whether the difference is shown; what isn't is grey. At most three tasks. Ends beyond
        `EDGES` are arrows, and an estimate that is NaN or beyond isn't drawn.
    """
    low_edge, high_edge = EDGES
    ax.axvline(1, color="#333333", linestyle=":", linewidth=1)
    tasks = list(dict.fromkeys(task for row in factors.values() for task in row))
    looks = dict(zip(tasks, zip(MARKERS, SERIES.values(), strict=False), strict=False))
    for row, found in enumerate(factors.values()):
        for task, (value, low, high, shown) in found.items():
            marker, ink = looks[task]
            ink = ink if shown else "#999999"
            y = row + 0.22 * (tasks.index(task) - (len(tasks) - 1) / 2)
            ends = np.clip([low, high], low_edge, high_edge)
            ax.plot(ends, [y, y], color=ink, linewidth=1.4)
            for beyond, edge, arrow in (
                (low < low_edge, low_edge, "<"), (high > high_edge, high_edge, ">")
            ):  # fmt: skip
                if beyond:
                    ax.plot(edge, y, arrow, color=ink, ms=3.5)
            if low_edge < value < high_edge:
                ax.plot(value, y, marker, color=ink, ms=4)
    for task, (marker, ink) in looks.items():
        ax.plot([], [], marker, color=ink, label=task)
    ax.legend(loc="lower center", bbox_to_anchor=(0.4, 1), ncols=3)
    ax.set(xscale="log", xlim=(0.9 * low_edge, 1.1 * high_edge))
    ax.set_ylim(len(factors) - 0.5, -0.5)
    ax.set_xticks(
        (0.1, 0.25, 0.5, 1, 2, 4, 8, 16), ("1/10", "1/4", "1/2", "1", "2", "4", "8", "16")
    )
    ax.set_xticks([], minor=True)
    ax.set_yticks(range(len(factors)), factors)
    ax.tick_params(axis="y", length=0)
    ax.grid(False, axis="y")
    return ax
