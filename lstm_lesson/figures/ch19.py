"""Chapter 19: a text in the colours of a unit that reads it."""

from __future__ import annotations

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap

# Blue through white to red, without the dark ends, on which black letters would be lost.
COLOURS = ListedColormap(colormaps["RdBu_r"](np.linspace(0.2, 0.8, 255)))


def coloured_text(
    ax: Axes, text: str, values: np.ndarray, *, width: int = 42, label: str | None = None
) -> Axes:
    """Draw a text, wrapped, each character on the colour of its value; return the axes.

    Parameters
    ----------
    ax : axes to draw in.
    text : T characters; lines are broken after a space or the end of a line, where there is one.
    values : (T,), from blue, below zero, through white to red.
    width : characters in a line, at most.
    label : of the colours; without it, no bar shows them.
    """
    rows, columns = places(text, width)
    grid = np.full((rows.max() + 1, width), np.nan)
    grid[rows, columns] = values
    most = max(np.abs(values).max(), 1e-9)
    image = ax.imshow(grid, cmap=COLOURS, vmin=-most, vmax=most, aspect="auto")
    for n, (character, row, column) in enumerate(zip(text, rows, columns, strict=True)):
        if not character.isspace():
            ax.text(
                column, row, character, family="DejaVu Sans Mono", size=8.5, color="black",
                ha="center", va="center_baseline", parse_math=False, gid=f"on-map-{n}",
            )  # fmt: skip
    ax.set_axis_off()
    if label is not None:
        bar = ax.figure.colorbar(image, ax=ax, fraction=0.03, pad=0.02)
        bar.ax.set_title(label, size=9, loc="center", fontweight="normal")
        bar.ax.tick_params(labelsize=7.5)
        bar.outline.set_visible(False)
    return ax


def places(text: str, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return row and column of each character of a text that is wrapped, (T,) each."""
    rows, columns = np.zeros((2, len(text)), int)
    start = row = 0
    while start < len(text):
        end = min(start + width, len(text))
        cut = text.find("\n", start, end) + 1
        if not cut and end < len(text):
            cut = text.rfind(" ", start, end) + 1
        end = cut or end
        rows[start:end], columns[start:end] = row, np.arange(end - start)
        start, row = end, row + 1
    return rows, columns
