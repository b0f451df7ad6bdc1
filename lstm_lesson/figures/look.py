"""The book's look: a colour for each quantity of the cell, the size of a figure, its letters.

Colours are those of Okabe and Ito, safe for colour-blind readers; each quantity of the cell has one
colour in every equation, diagram, plot and widget of the book.
"""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLOURS = {
    "i": "#0072B2",  # input gate
    "f": "#D55E00",  # forget gate
    "g": "#009E73",  # candidate
    "o": "#CC79A7",  # output gate
    "c": "#E69F00",  # cell state
    "h": "#56B4E9",  # hidden state
}
NAMES = {
    "i": "input gate",
    "f": "forget gate",
    "g": "candidate",
    "o": "output gate",
    "c": "cell state",
    "h": "hidden state",
}
TALL = (5.0, 5.0)  # inches: a figure of more than one panel; on a phone it stays readable


def use_style() -> None:
    """Set the book's look for every figure that follows."""
    plt.style.use(Path(__file__).with_name("lesson.mplstyle"))


def to_png(figure: Figure) -> bytes:
    """Return a figure as a PNG file's bytes, the same for the same figure, and close it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    plt.close(figure)
    return buffer.getvalue()


def label_end(ax: Axes, x: np.ndarray, y: np.ndarray, text: str, *, dx: int = 4, **style) -> Axes:
    """Write `text` beside the last point of a line, in place of a legend; return the axes."""
    end, style = (x[-1], y[-1]), {"va": "center", **style}
    ax.annotate(text, end, xytext=(dx, 0), textcoords="offset points", **style)
    return ax
