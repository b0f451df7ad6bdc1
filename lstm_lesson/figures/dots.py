"""Dots: one for every run, a row for what is compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from lstm_lesson.figures.look import SERIES


def row_of_dots(
    ax: Axes,
    y: float,
    values: np.ndarray,
    *,
    color: str,
    middle: float | None = None,
    bar: str = "#000000",
    height: float = 11.0,
    share: float | None = None,
    **look,
) -> Axes:
    """Draw one row: a dot for every run, and a bar at their median; return the axes.

    Dots of runs with the same value stand in a column, so that they can be counted.

    Parameters
    ----------
    ax : axes to draw in.
    y : the height of the row.
    values : (seeds,), where the dots are.
    color : of the dots.
    middle : where the bar is, by default the median of `values`; none is drawn at infinity.
    bar : the colour of the bar.
    height : of the bar, in points.
    share : instead of that, the part of the distance between rows that the bar covers, under dots.
    look : what else to give the dots, such as ``ms`` (their size) and ``alpha``.
    """
    middle = np.median(values) if middle is None else middle
    look = {"color": color, "alpha": 0.5, "mew": 0} | look
    ax.plot(values, y + _in_columns(np.asarray(values)), "o", **look)
    if share is not None:
        ax.vlines(middle, y - share / 2, y + share / 2, color=bar, linewidth=2)
    elif np.isfinite(middle):
        ax.plot(middle, y, "|", color=bar, ms=height, mew=2)
    return ax


def _in_columns(values: np.ndarray) -> np.ndarray:
    """Return how far each dot is moved off its row; rows are 1 apart."""
    moved = np.zeros(len(values))
    for value in np.unique(values):
        (same,) = np.nonzero(values == value)
        if len(same) > 1:
            moved[same] = np.linspace(-0.5, 0.5, len(same)) * min(0.76, 0.07 * (len(same) - 1))
    return moved


def ranking(ax: Axes, rows: Mapping[str, np.ndarray]) -> Axes:
    """Draw what each of several models scores, a row a model, and return the axes.

    Parameters
    ----------
    ax : axes to draw in.
    rows : name to (seeds,) scores, the first at the top; a bar marks the median. One score alone,
        of what has no seeds, is a dot. Names that begin with LSTM are black, others grey.
    """
    for y, (name, values) in enumerate(rows.items()):
        ink = SERIES["black"] if name.startswith("LSTM") else "#888888"
        row_of_dots(ax, y, np.asarray(values), color=ink, bar=ink, height=13, ms=4.5)
    ax.set_yticks(range(len(rows)), rows)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    return ax


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
    for row, values in zip(rows, scores.values(), strict=True):
        row_of_dots(ax, row, values, color=SERIES["wine"] if row else "#888888", share=0.7)
    first = np.median(next(iter(scores.values())))
    ax.axvline(first, color="#888888", linestyle="--", linewidth=1)
    ax.axvline(level, color="#333333", linestyle=":", linewidth=1)
    ax.set(xscale="log", ylim=(len(rows) - 0.4, -0.6))
    ax.set_yticks(rows, scores)
    return ax


def factors_in_rows(
    ax: Axes, rows: Mapping[str, Mapping[str, tuple]], markers: str, ticks: Mapping[float, str],
    *, apart: float, ncols: int,
) -> list[tuple[float, str, str, tuple]]:  # fmt: skip
    """Prepare axes for factors of several series, a row of them for each name.

    Parameters
    ----------
    ax : axes to draw in; the horizontal one becomes logarithmic, with a line at 1.
    rows : name, the first at the top, to series to what is known of it.
    markers : one for each series, at most as many as `SERIES` has colours.
    ticks : where on the horizontal axis to the label there.
    apart : distance of two series of a row.
    ncols : columns of the legend.

    Returns
    -------
    For each series of each row its height, its marker, its colour, and what is known of it.
    """
    ax.axvline(1, color="#333333", linestyle=":", linewidth=1)
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    looks = dict(zip(names, zip(markers, SERIES.values(), strict=False), strict=False))
    for name, (marker, ink) in looks.items():
        ax.plot([], [], marker, color=ink, label=name)
    ax.legend(loc="lower center", bbox_to_anchor=(0.4, 1), ncols=ncols)
    ax.set(xscale="log", ylim=(len(rows) - 0.5, -0.5))
    ax.set_xticks([*ticks], ticks.values())
    ax.set_xticks([], minor=True)
    ax.set_yticks(range(len(rows)), rows)
    ax.tick_params(axis="y", length=0)
    ax.grid(False, axis="y")
    return [
        (row + apart * (names.index(name) - (len(names) - 1) / 2), *looks[name], known)
        for row, found in enumerate(rows.values())
        for name, known in found.items()
    ]


def dots_and_rings(
    ax: Axes,
    rows: Mapping[str, Mapping[str, tuple[np.ndarray, np.ndarray]]],
    *,
    claimed: float | None = None,
    inks: Sequence[str] = tuple(SERIES.values()),
) -> Axes:
    """Draw a statistic of every trained network as a dot and of untrained ones as rings.

    Parameters
    ----------
    ax : axes to draw in.
    rows : name of a row, the first at the top, to label of each of its strips, at most four, to the
        values of trained and of untrained networks, one a seed. A bar marks the trained median.
    claimed : where to draw a dashed line.
    inks : colours of the strips; a gate's own, where a figure is about one gate.
    """
    ticks: dict[float, str] = {}
    for row, (name, strips_of_row) in enumerate(rows.items()):
        shift = 0.72 / len(strips_of_row)
        for column, (label, (trained, untrained)) in enumerate(strips_of_row.items()):
            y = row - 0.36 + shift * (column + 0.5)
            ink = inks[column]
            rings = {"mfc": "none", "mec": "#777777", "mew": 0.7, "ms": 4.5}
            ax.plot(untrained, np.full(len(untrained), y), "o", **rings)
            row_of_dots(ax, y, trained, color=ink, alpha=0.6)
            ticks[y] = label if column else f"{name.replace('_', ' ')}, {label}".removesuffix(", ")
        if row:
            ax.axhline(row - 0.5, color="#BBBBBB", linewidth=0.8)
    if claimed is not None:
        ax.axvline(claimed, color="#333333", linestyle="--", linewidth=1.2)
    ax.set_yticks(list(ticks), ticks.values())
    ax.grid(False, axis="y")
    ax.set_ylim(len(rows) - 0.5, -0.5)
    return ax
