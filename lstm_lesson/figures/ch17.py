"""Chapter 17: what tasks took, beside what a paper says they took."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from lstm_lesson.figures.look import SERIES

MARKERS = "osXD"
EDGE = 8.0  # times the paper's number: where those are drawn that took too long to say


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
    ax.axvline(1, color="#333333", linestyle=":", linewidth=1)
    arms = list(dict.fromkeys(arm for row in tasks.values() for arm in row))
    looks = dict(zip(arms, zip(MARKERS, SERIES.values(), strict=True), strict=False))
    for row, found in enumerate(tasks.values()):
        for arm, (middle, low, high, learned) in found.items():
            marker, ink = looks[arm]
            y = row + 0.19 * (arms.index(arm) - (len(arms) - 1) / 2)
            if np.isfinite(middle):
                ax.plot([low, min(high, EDGE)], [y, y], color=ink, linewidth=1.4)
                ax.plot(middle, y, marker, color=ink, ms=5)
            else:
                ax.plot(EDGE, y, marker, color=ink, mfc="white", ms=5)
                ax.annotate(
                    f"{learned}", (EDGE, y), (7, 0), textcoords="offset points", va="center", size=8
                )
    for arm, (marker, ink) in looks.items():
        ax.plot([], [], marker, color=ink, label=arm)
    ax.legend(loc="lower center", bbox_to_anchor=(0.4, 1), ncols=2)
    ax.set(xscale="log", xlim=(0.03, 1.6 * EDGE), ylim=(len(tasks) - 0.5, -0.5))
    ax.set_xticks((0.1, 0.5, 1, 2, EDGE), ("1/10", "1/2", "1", "2", "not"))
    ax.set_xticks([], minor=True)
    ax.set_yticks(range(len(tasks)), [title.split(", ")[1] for title in tasks])
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("sequences, as a multiple of the paper's mean")
    ax.grid(False, axis="y")
    return ax
