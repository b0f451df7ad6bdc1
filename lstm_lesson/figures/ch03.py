"""Chapter 3: what the gates and states of one cell are as one number varies."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from lstm_lesson.figures.look import COLOURS, NAMES, label_end


def quantities(ax: Axes, x: np.ndarray, lines: Mapping[str, np.ndarray]) -> Axes:
    """Draw quantities of the cell against `x`, each in its colour with its letter at the end.

    Parameters
    ----------
    ax : axes to draw in.
    x : N numbers, of any shape.
    lines : letter (i, f, g, o, c or h) to its N values, of any shape.
    """
    for key, y in lines.items():
        ax.plot(np.ravel(x), np.ravel(y), color=COLOURS[key])
        label_end(ax, np.ravel(x), np.ravel(y), f"${key}_t$ {NAMES[key]}")
    return ax
