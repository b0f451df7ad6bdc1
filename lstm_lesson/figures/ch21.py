"""Chapter 21: beliefs while reading, which classes are confused, scores, what moving costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from lstm_lesson.figures.dots import ranking
from lstm_lesson.figures.look import SERIES, readable


def beliefs(axes: Sequence[Axes], x: np.ndarray, p: np.ndarray, target: int) -> Sequence[Axes]:
    """Draw a sequence of rows as the image that it is, and beside it what is believed at each row.

    Parameters
    ----------
    axes : two axes side by side that share the vertical one; time goes down.
    x : (T, D), rows of an image from 0, white, to 1, black.
    p : (T, V), probability of each class after each row.
    target : the true class, drawn in black; the strongest of the others is wine red, the rest grey.
    """
    image, lines = axes
    T, D = x.shape
    image.imshow(
        x, cmap="Greys", vmin=0, vmax=1, extent=(0.5, D + 0.5, T + 0.5, 0.5), aspect="auto"
    )
    steps = np.arange(1, T + 1)
    others = [k for k in range(p.shape[1]) if k != target]
    rival = max(others, key=lambda k: p[:, k].max())
    for k in others:
        if k != rival:
            lines.plot(p[:, k], steps, color="#BBBBBB", linewidth=0.8)
    inks = {rival: SERIES["wine"], target: "#000000"}
    for k, ink in inks.items():
        lines.plot(p[:, k], steps, color=ink, linewidth=1.8)
        most = int(p[:, k].argmax())
        lines.annotate(
            f"{k}", (p[most, k], steps[most]), (-5, 0), textcoords="offset points", ha="right",
            va="center", size=11, fontweight="bold", **readable(ink),
        )  # fmt: skip
    lines.set(xlim=(-0.03, 1.03), xticks=(0, 1), ylim=(T + 0.5, 0.5))
    lines.tick_params(labelleft=False)
    image.set_xticks([])
    for ax in axes:
        ax.grid(False)
    return axes


def confusions(ax: Axes, counts: np.ndarray) -> Axes:
    """Draw a confusion matrix (V, V), true classes down, and at the right the sum of each row.

    A cell is coloured by its share of its row, the diagonal left white; zeros aren't written.
    """
    V, sums = len(counts), counts.sum(axis=1)
    wrong = np.where(np.eye(V, dtype=bool), np.nan, counts / np.maximum(sums, 1)[:, None])
    ax.imshow(wrong, cmap="Oranges", vmin=0, vmax=max(2 * np.nanmax(wrong), 1e-9), aspect="auto")
    for row, column in zip(*np.nonzero(counts), strict=True):
        ax.text(
            column, row, f"{counts[row, column]}", ha="center", va="center", size=8,
            color="#000000", fontweight="bold" if row == column else None,
            gid=f"on-map-{row}-{column}",
        )  # fmt: skip
    for row, total in enumerate(sums):
        ax.text(V - 0.2, row, f"{total}", va="center", size=8, color="#333333")
    ax.text(V - 0.2, -0.75, "sum", va="center", size=8, color="#333333")
    ax.set_xticks(range(V))
    ax.set_yticks(range(V))
    ax.set(xlabel="what the network says", ylabel="what it is")
    ax.tick_params(length=0)
    ax.grid(False)
    return ax


def scores(
    ax: Axes, rows: Mapping[str, np.ndarray], published: Mapping[str, float] | None = None
) -> Axes:
    """Draw the test score of every run in percent, an arm a row, the first at the top.

    Parameters
    ----------
    ax : axes to draw in.
    rows : name to (seeds,) scores from 0 to 1; a bar marks the median. One alone, of what has no
        seeds, is a dot.
    published : name of a row to a score from elsewhere, drawn as an open diamond.
    """
    ranking(ax, {name: 100 * np.asarray(values) for name, values in rows.items()})
    for y, name in enumerate(rows):
        if published and name in published:
            ax.plot(100 * published[name], y, "D", ms=6, mfc="none", mec=SERIES["wine"], mew=1.4)
    ax.set(xlabel="right, % of the test")
    return ax


def what_moving_costs(ax: Axes, rows: Mapping[str, tuple[float | None, float]]) -> Axes:
    """Draw for each model its share right at one place, a ring, and at any place, a dot.

    Parameters
    ----------
    ax : axes to draw in.
    rows : name to both shares, from 0 to 1, the first at the top; None for what was not run. Names
        that begin with LSTM or convolution share their weights over time, and stand below a line.
    """
    shares_weights = [name.startswith(("LSTM", "convolution")) for name in rows]
    for y, (name, (still, moved)) in enumerate(rows.items()):
        ink = SERIES["black"] if name.startswith("LSTM") else "#777777"
        if still is not None:
            ax.plot([100 * still, 100 * moved], [y, y], color="#999999", linewidth=1, zorder=1)
            ax.plot(100 * still, y, "o", mec=ink, mfc="white", ms=6, mew=1.4)
        ax.plot(100 * moved, y, "o", color=ink, ms=6)
    ax.axhline(shares_weights.index(True) - 0.5, color="#BBBBBB", linewidth=0.8)
    ax.set_yticks(range(len(rows)), rows)
    ax.set(ylim=(len(rows) - 0.5, -0.5), xlabel="right, % of the test")
    ax.grid(False, axis="y")
    return ax
