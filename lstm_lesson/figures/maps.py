"""Maps: a coloured cell for every unit and step, or for every pair of steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from lstm_lesson.figures.look import COLOURS


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
    heat.imshow(shown.T, aspect="auto", **look)
    heat.set(yticks=[], ylabel="units")
    letters = [{"\n": "⏎", " ": "·"}.get(character, character) for character in text]
    for ax in axes:
        ax.grid(False)
        ax.set_xticks(steps, letters, family="monospace", size=8)
        ax.tick_params(axis="x", length=0, labelbottom=True)
    return axes
