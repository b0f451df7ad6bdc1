"""Chapter 20: forecasts that fan out, and what is learned from before each is made."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from lstm_lesson.figures.look import SERIES, readable


def fans(
    ax: Axes, time: np.ndarray, value: np.ndarray, origins: Sequence[int], ahead: np.ndarray
) -> Axes:
    """Draw a series, and at some of its places a forecast that widens; return the axes.

    Parameters
    ----------
    ax : axes to draw in.
    time, value : (N,), the series.
    origins : places in it, of the last value that each forecast has read.
    ahead : (forecasts, 3, K), lower end, middle and upper end at 1, 2, ... K steps after.
    """
    for origin, (low, middle, high) in zip(origins, ahead, strict=True):
        t = time[origin : origin + len(middle) + 1]
        low, middle, high = (np.append(value[origin], part) for part in (low, middle, high))
        ax.fill_between(t, low, high, color=SERIES["indigo"], alpha=0.25, linewidth=0)
        ax.plot(t, middle, color=SERIES["indigo"])
    ax.plot(time, value, "o", color="#333333", markersize=2.5)
    ax.plot(time[origins], value[origins], "o", color=SERIES["indigo"], markersize=6)
    return ax


def rolling_origins(ax: Axes, first: float, origins: Sequence[float], K: float) -> Axes:
    """Draw a bar for each origin: what was learned from up to it, and the K after it; return axes.

    Time runs to the right from `first`; the earliest origin is at the top.
    """
    for row, origin in enumerate(origins):
        ax.barh(row, origin - first, left=first, height=0.6, color="#BBBBBB")
        ax.barh(row, K, left=origin, height=0.6, color=SERIES["indigo"])
    ax.set_ylim(len(origins) - 0.5, -0.5)
    ax.set_yticks([])
    return ax


def errors_ahead(
    ax: Axes,
    ahead: np.ndarray,
    errors: dict[str, np.ndarray],
    colours: dict[str, str],
    moved: dict[str, float],
) -> Axes:
    """Draw the error of each forecaster at each step ahead, (K,), with its name; return the axes.

    The `errors` of one that was trained several times, (runs, K), are drawn as their median and a
    band from the least to the greatest. A name stands behind the end of its line, `moved` upwards
    by so many points.
    """
    for name, values in errors.items():
        runs = np.atleast_2d(values)
        colour, middle = colours.get(name, "#777777"), np.median(runs, axis=0)
        ax.fill_between(ahead, runs.min(0), runs.max(0), color=colour, alpha=0.3, linewidth=0)
        ax.plot(ahead, middle, color=colour)
        place = (4, moved.get(name, 0))
        ax.annotate(
            name, (ahead[-1], middle[-1]), place, textcoords="offset points", va="center",
            **readable(colour),
        )  # fmt: skip
    return ax
