"""Chapter 17: what tasks took, beside what a paper says they took."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from lstm_lesson.figures.dots import factors_in_rows

MARKERS = "osXD"
EDGE = 8.0  # times the paper's number: where those are drawn that took too long to say
TICKS = {0.1: "1/10", 0.5: "1/2", 1: "1", 2: "2", EDGE: "not"}


def against_the_paper(
    ax: Axes, tasks: Mapping[str, Mapping[str, tuple[float, float, float, int]]], factor: float
) -> Axes:
    """Draw how many times the sequences of a paper each arm took, a row a task; return the axes.

    Parameters
    ----------
    ax : axes to draw in; the horizontal one becomes logarithmic.
    tasks : title, the first at the top, to arm to the median, the ends of its interval, and how
        many runs learned the task. At most four arms; a median of infinity stands at the right
        edge, with that number.
    factor : half the width of the band that counts as many.
    """
    ax.axvspan(1 / factor, factor, color="#DDDDDD", lw=0, zorder=0)
    named = {title.split(", ")[1]: row for title, row in tasks.items()}
    for y, marker, ink, (middle, low, high, learned) in factors_in_rows(
        ax, named, MARKERS, TICKS, apart=0.19, ncols=2
    ):
        if np.isfinite(middle):
            ax.plot([low, min(high, EDGE)], [y, y], color=ink, linewidth=1.4)
            ax.plot(middle, y, marker, color=ink, ms=5)
        else:
            ax.plot(EDGE, y, marker, color=ink, mfc="white", ms=5)
            ax.annotate(
                f"{learned}", (EDGE, y), (7, 0), textcoords="offset points", va="center", size=8
            )
    ax.set(xlim=(0.03, 1.6 * EDGE), xlabel="sequences, as a multiple of the paper's mean")
    return ax
