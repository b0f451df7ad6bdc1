"""Maps: a coloured cell for every unit and step, or for every pair of steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from lstm_lesson.figures.style import COLOURS


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
        box = plt.Rectangle(
            (start + 0.5, start + 0.5), chunk, chunk, fill=False, edgecolor=COLOURS["f"], lw=2.2
        )
        ax.add_patch(box)
    ax.grid(False)
    ax.set(xlabel="step of the weights, $s$", ylabel="step of the loss, $t$")
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.7, ticks=range(-3, 1))
    bar.set_label("norm / largest (power of ten)")
    return ax


def gate_activations(
    axes: Sequence[Axes], rows: Mapping[str, np.ndarray], *, important: np.ndarray | None = None
) -> Sequence[Axes]:
    """Draw what gates and states did over one sequence, a heat map each; return the axes.

    Parameters
    ----------
    axes : as many as there are rows, from a column of subplots.
    rows : letter (i, f, g, o, c or h) to values (T, H), a unit a line. Gates are drawn from 0,
        dark, to 1, light; the others from blue through white to red, white at zero.
    important : (T,), true where the input matters: a triangle above the first map.
    """
    for ax, (key, values) in zip(axes, rows.items(), strict=True):
        edges = (0.5, len(values) + 0.5, values.shape[1] + 0.5, 0.5)
        look = {"vmin": 0, "vmax": 1}
        if key not in "ifo":
            most = max(np.abs(values).max(), 1e-9)
            look = {"cmap": "RdBu_r", "vmin": -most, "vmax": most}
        image = ax.imshow(values.T, aspect="auto", extent=edges, interpolation="nearest", **look)
        bar = ax.figure.colorbar(image, ax=ax, pad=0.02, aspect=9)
        bar.ax.tick_params(labelsize=8)
        ax.set_ylabel(f"${key}_t$", rotation=0, ha="right", va="center")
        ax.set_yticks([])
        ax.grid(False)
        if ax is not axes[-1]:
            ax.tick_params(labelbottom=False)
    if important is not None:
        steps = 1 + np.flatnonzero(important)
        axes[0].plot(
            steps, np.full(len(steps), 1.06), "v", color="#333333", clip_on=False,
            transform=axes[0].get_xaxis_transform(),
        )  # fmt: skip
    axes[-1].set_xlabel("step")
    axes[-1].xaxis.get_major_locator().set_params(integer=True)
    return axes


def text_map(
    axes: Sequence[Axes], text: str, key: str, followed: np.ndarray, values: np.ndarray
) -> Sequence[Axes]:
    """Draw what units do over a text: one as a line, above it all as a heat map; return the axes.

    Parameters
    ----------
    axes : two axes one above the other, sharing the horizontal one.
    text : T characters, at most about 45; they are the ticks of both.
    key : which quantity (i, f, g, o, c or h).
    followed : (T,), of one unit.
    values : (T, H). Gates are drawn from 0 to 1, other quantities each on its unit's own scale.
    """
    steps, gate = np.arange(len(text)), key in "ifo"
    most = max(np.abs(followed).max(), 1e-9)
    line, heat = axes
    line.axhline(0, color="#888888", linewidth=0.8)
    line.plot(steps, followed, color=COLOURS[key], drawstyle="steps-mid")
    line.set_ylabel(f"${key}_t$", rotation=0, ha="right", va="center")
    line.set_ylim((-0.05, 1.05) if gate else (-1.1 * most, 1.1 * most))
    look = {"vmin": 0, "vmax": 1} if gate else {"cmap": "RdBu_r", "vmin": -1, "vmax": 1}
    largest = np.maximum(np.abs(values).max(axis=0), 1e-9)
    shown = values if gate else values / largest
    heat.imshow(shown.T, aspect="auto", interpolation="nearest", **look)
    heat.set(yticks=[], ylabel="units")
    letters = [{"\n": "⏎", " ": "·"}.get(character, character) for character in text]
    for ax in axes:
        ax.grid(False)
        ax.set_xticks(steps, letters, family="monospace", size=8)
        ax.tick_params(axis="x", length=0, labelbottom=True)
    return axes
