"""Chapter 16: what the LSTM's parts are worth, as factors between the sequences needed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from lstm_lesson.figures.dots import factors_in_rows

EDGES = 0.1, 16.0  # where an interval is cut off, with an arrow
MARKERS = "os^"
TICKS = {0.1: "1/10", 0.25: "1/4", 0.5: "1/2", 1: "1", 2: "2", 4: "4", 8: "8", 16: "16"}


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
    drawn = factors_in_rows(ax, factors, MARKERS, TICKS, apart=0.22, ncols=3)
    for y, marker, ink, (value, low, high, shown) in drawn:
        ink = ink if shown else "#999999"
        ax.plot(np.clip([low, high], low_edge, high_edge), [y, y], color=ink, linewidth=1.4)
        if low < low_edge:
            ax.plot(low_edge, y, "<", color=ink, ms=3.5)
        if high > high_edge:
            ax.plot(high_edge, y, ">", color=ink, ms=3.5)
        if low_edge < value < high_edge:
            ax.plot(value, y, marker, color=ink, ms=4)
    ax.set_xlim(0.9 * low_edge, 1.1 * high_edge)
    return ax
