"""Chapter 22: how fast each version is, and how fast a machine lets it be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from lstm_lesson.figures.look import readable


def ladder(
    ax: Axes, names: Sequence[str], series: Mapping[str, tuple[Sequence[float], str, bool]]
) -> Axes:
    """Draw how many times as fast each rung is as one of them; return the axes.

    Parameters
    ----------
    ax : axes to draw in.
    names : of the rungs, the first at the top.
    series : label to how fast, one a rung, NaN where there is none; its colour; whether its dots
        are filled. There are two: labels stand beside the last rung, to its right and to its left.
    """
    rows = np.arange(len(names))
    ax.axvline(1, color="#888888", linestyle="--", linewidth=1)
    for (label, (speeds, colour, filled)), side in zip(series.items(), (1, -1), strict=True):
        face = colour if filled else "none"
        ax.plot(speeds, rows, "o-", color=colour, mfc=face, linewidth=0.8)
        place = {"xytext": (8 * side, 0), "textcoords": "offset points", "va": "center"}
        ha = "left" if side == 1 else "right"
        ax.annotate(label, (speeds[-1], rows[-1]), ha=ha, **place, **readable(colour))
    ax.set(xscale="log", ylim=(len(names) - 0.4, -0.6))
    ax.margins(x=0.2)
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set_yticks(rows, names)
    return ax


def roofline(
    ax: Axes,
    bandwidth: float,
    peak: float,
    points: Mapping[str, tuple[np.ndarray, np.ndarray, str]],
) -> Axes:
    """Draw the most that a machine can compute, and what was reached; return the axes.

    Parameters
    ----------
    ax : axes to draw in.
    bandwidth : of the memory, in GB/s.
    peak : the most operations per second, in GFLOP/s.
    points : label, written below the lowest of them, to operations per byte, GFLOP/s, a colour.
    """
    intensity = np.array([0.25, peak / bandwidth, 128])
    ax.plot(intensity, np.minimum(bandwidth * intensity, peak), color="#333333")
    for label, (x, y, colour) in points.items():
        ax.plot(x, y, "o-", color=colour, linewidth=0.8)
        lowest = int(np.argmin(y))
        place = {"xytext": (0, -6), "textcoords": "offset points", "va": "top", "ha": "center"}
        ax.annotate(label, (x[lowest], y[lowest]), **place, **readable(colour))
    ax.set(xscale="log", yscale="log", xlabel="operations per byte", ylabel="GFLOP/s")
    ax.margins(y=0.12)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter("{x:g}")
    return ax
