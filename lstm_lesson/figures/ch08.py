"""Chapter 8: how training went, and how far back a gradient reaches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from lstm_lesson.figures.dots import row_of_dots
from lstm_lesson.figures.lines import band


def outcomes(ax: Axes, rows: Mapping[str, np.ndarray], label: str, *, trivial: float) -> Axes:
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
        row_of_dots(ax, n, values, color="#444444", height=16, alpha=0.45)
    ax.set_yticks(range(len(rows)), rows)
    ax.set(xscale="log", ylim=(len(rows) - 0.5, -0.5), xlabel=f"{label}; dashed: sees nothing")
    low, high = ax.get_xlim()
    if high < 100 * low:  # few powers of ten: more ticks than those
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    return ax


def dashboard(
    axes: np.ndarray, x: np.ndarray, labels: Sequence[str], groups: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Draw what several groups of training runs did: a column a group, a row a measure.

    Parameters
    ----------
    axes : (measures, groups), sharing a row's vertical axis.
    x : (N,), the steps at which the runs were looked at.
    labels : of the measures; one that ends in "(log)" has a logarithmic axis.
    groups : title to (runs, N, measures).
    """
    for column, (title, seen) in zip(axes.T, groups.items(), strict=True):
        column[0].set_title(title)
        for ax, label, values in zip(column, labels, np.moveaxis(seen, -1, 0), strict=True):
            band(ax, x, values, "#333333")
            if label.endswith("(log)"):
                ax.set_yscale("log")
                ax.yaxis.set_minor_formatter(NullFormatter())
            if ax in axes[:, 0]:
                ax.set_ylabel(label.removesuffix("(log)").strip())
        column[-1].set_xlabel("step")
    axes[0, 0].figure.align_ylabels(axes[:, 0])
    return axes


def pair_map(ax: Axes, norms: np.ndarray, chunk: int) -> Axes:
    """Draw the gradient's share of each pair of steps, and frame the pairs within a chunk.

    Parameters
    ----------
    ax : axes to draw in.
    norms : (T, T), of the gradient of the loss at one step (row) through the weights at another
        (column), zero where the column is later.
    chunk : steps in a chunk; it divides T.
    """
    T = len(norms)
    size = np.full((T, T), np.nan)
    np.log10(norms / norms.max(), out=size, where=norms > 0)
    edges = (0.5, T + 0.5, T + 0.5, 0.5)
    image = ax.imshow(np.clip(size, -3, 0), extent=edges, vmin=-3, vmax=0)
    for start in range(0, T, chunk):
        frame = plt.Rectangle((start + 0.5, start + 0.5), chunk, chunk, fill=False, lw=2.2)
        halo = patheffects.withStroke(linewidth=4.5, foreground="white")
        ax.add_patch(frame).set(edgecolor="#111111", path_effects=[halo])
    ax.grid(False)
    ax.set(xlabel="step of the weights, $s$", ylabel="step of the loss, $t$")
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.7, ticks=range(-3, 1))
    bar.set_label("norm / largest (power of ten)")
    return ax
