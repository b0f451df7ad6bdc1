"""Chapter 22: how fast each version is, and how fast a machine lets it be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from lstm_lesson.figures.look import on_white, readable


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


def what_stays(ax: Axes, parts: Mapping[str, tuple[float, float, str]]) -> Axes:
    """Draw what part of a program's time can't be removed, what else is left, and what went.

    Parameters
    ----------
    ax : axes to draw in.
    parts : name of a row, the first at the top, to the shares of the time that the products take
        and the fastest rung, the first inside of the second; a colour.
    """
    for row, (products, fastest, colour) in enumerate(parts.values()):
        ax.barh(row, 100, color="#E2E2E2", height=0.4)
        ax.barh(row, 100 * fastest, color=colour, height=0.4, alpha=0.4)
        ax.barh(row, 100 * products, color=colour, height=0.4)
        for text, at, side in (
            ("products", 100 * products, "right"), ("fastest rung", 100 * fastest, "left")
        ):  # fmt: skip
            place = {"xytext": (0, 19), "textcoords": "offset points", "va": "center"}
            ax.annotate(text, (at, row), ha=side, size=8.5, **place, **on_white(colour))
    ax.set(xlabel="% of the time of NumPy, gate by gate", xlim=(0, 100))
    ax.set(ylim=(len(parts) - 0.6, -0.75))
    ax.set_yticks(range(len(parts)), parts)
    ax.grid(False)
    return ax
