"""Dots: one for every run, a row for what is compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from lstm_lesson.figures.style import COLOURS, label_end


def runs(ax: Axes, rows: Mapping[str, np.ndarray], label: str, *, trivial: float) -> Axes:
    """Draw the outcome of every run as a dot, an arm a row, the first at the top.

    Parameters
    ----------
    ax : axes to draw in; the horizontal one becomes logarithmic.
    rows : name of an arm to one positive number a run. A bar marks the median.
    label : of the horizontal axis.
    trivial : what a predictor that sees nothing scores: a dashed line.
    """
    ax.axvline(trivial, color="#888888", linestyle="--", linewidth=1.2)
    for n, values in enumerate(rows.values()):
        ax.plot(values, np.full(len(values), n), "o", color=COLOURS["i"], alpha=0.45, mew=0)
        ax.plot(np.median(values), n, "|", color="#000000", markersize=16, mew=2)
    ax.set_yticks(range(len(rows)), rows)
    ax.set(xscale="log", ylim=(len(rows) - 0.5, -0.5), xlabel=f"{label}; dashed: sees nothing")
    low, high = ax.get_xlim()
    if high < 100 * low:  # few powers of ten: more ticks than those
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
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


def rate_strips(
    ax: Axes,
    rows: Mapping[str, Mapping[str, np.ndarray]],
    span: tuple[float, float],
    labelled: Sequence[str],
) -> Axes:
    """Draw rates as dots, a group of strips a row, with a span of them shaded.

    Parameters
    ----------
    ax : axes to draw in.
    rows : name of a row, the first at the top, to label of a strip to its rates, one a seed. The
        first strip of a row is its highest; a bar marks the median.
    span : the lowest and the highest rate that are shaded.
    labelled : rows whose strips get their label, on the left of the dots.
    """
    ax.axvspan(*span, color=COLOURS["c"], alpha=0.3, linewidth=0)
    inks = [COLOURS[key] for key in "igf"]
    for row, (name, strips_of_row) in enumerate(rows.items()):
        for column, (label, values) in enumerate(strips_of_row.items()):
            y, ink = row + 0.26 * (column - 1), inks[column]
            ax.plot(values, np.full(len(values), y), "o", ms=2.5, mew=0, alpha=0.4, color=ink)
            ax.plot(np.median(values), y, "|", ms=11, mew=2, color=ink)
            if name in labelled:
                end = (np.min(values) - 0.02, y)
                ax.annotate(label, end, color=ink, ha="right", va="center", size=8.5)
    ax.set_yticks(range(len(rows)), rows)
    ax.set(ylim=(len(rows) - 0.4, -0.6))
    return ax


def gate_correlations(
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


def differences_by_size(
    axes: Sequence[Axes],
    sizes: Sequence[str],
    panels: Mapping[str, Mapping[str, np.ndarray]],
) -> Sequence[Axes]:
    """Draw what two implementations differ by, in machine epsilons of each precision.

    Parameters
    ----------
    axes : one axes a panel, sharing their vertical axis.
    sizes : labels of the rows, the first at the top.
    panels : title to dtype name (``"float32"``) to differences, (sizes, seeds). A dot is the median
        over the seeds, a bar the range. What is less than 1/64 of an epsilon, zero included, is
        drawn there.
    """
    rows = np.arange(len(sizes))
    inks = {"float32": ("#333333", "#333333", -0.18), "float64": ("#0072B2", "white", 0.18)}
    for ax, (title, samples) in zip(axes, panels.items(), strict=True):
        ax.axvline(1.0, color="#888888", linestyle="--", linewidth=1)
        for dtype, differences in samples.items():
            ink, face, lift = inks[dtype]
            shown = np.maximum(differences / np.finfo(dtype).eps, 1 / 64)
            low, middle, high = np.quantile(shown, [0.0, 0.5, 1.0], axis=1)
            ax.hlines(rows + lift, low, high, color=ink, alpha=0.45, linewidth=2.5)
            ax.plot(middle, rows + lift, "o", color=ink, markerfacecolor=face)
            if ax is axes[0]:
                label_end(ax, high, rows + lift, dtype, dx=7, color=ink)
        ax.set(xscale="log", xlim=(1 / 80, 128), ylim=(len(sizes) - 0.5, -0.6))
        ax.set_xticks([1 / 32, 1, 32], ["1/32", "1", "32"])
        ax.minorticks_off()
        ax.set_yticks(rows, sizes)
        ax.set_title(title, loc="left")
    axes[0].figure.supxlabel("difference / machine epsilon", size="medium")
    return axes


def caught_or_not(
    ax: Axes, caught: np.ndarray, rows: Sequence[str], columns: Sequence[str]
) -> Axes:
    """Draw a grid of marks, a filled dot where `caught` (rows, columns) is true, else a ring."""
    for there, style in ((True, {"color": "#0072B2"}), (False, {"color": "#D55E00"})):
        y, x = np.nonzero(caught == there)
        face = style["color"] if there else "white"
        ax.plot(x, y, "o", markersize=6, markerfacecolor=face, markeredgewidth=1.6, **style)
    ax.set(xlim=(-0.6, len(columns) - 0.4), ylim=(len(rows) - 0.4, -0.6))
    ax.set_xticks(range(len(columns)), columns, rotation=60, ha="left", rotation_mode="anchor")
    ax.set_yticks(range(len(rows)), rows)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    return ax
