"""Chapter 3: the cell as it grows, one part at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lstm_lesson.figures.lines import strips
from lstm_lesson.figures.look import COLOURS, INKS


def growing_cell(ax: Axes, parts: str) -> Axes:
    """Draw the cell as far as it has been built; return the axes.

    Parameters
    ----------
    ax : empty axes; the frame is taken off.
    parts : letters of what is there besides the memory: ``"g"``, ``"gi"``, ``"gif"`` or ``"gifo"``.
    """
    top, low, out = 4.0, 2.0, 7.8  # heights of the memory and of the products; where h leaves
    at = {"f": 1.4, "i": 3.0, "g": 4.6, "o": 6.2}
    wires = {
        "c": [(0, top), (9.2, top)],
        "g": [(at["g"], 0.5), (at["g"], top - 0.4)],
        "i": [(at["i"], 0.5), (at["i"], low), (at["g"] - 0.4, low)],
        "f": [(at["f"], 0.5), (at["f"], top - 0.4)],
        "o": [(at["o"], 0.5), (at["o"], low), (out - 0.4, low)],
        "h": [(out, top), (out, 0.5)],
    }
    nodes = {"g": (at["g"], top, "+"), "i": (at["g"], low, "×")}
    nodes |= {"f": (at["f"], top, "×"), "o": (out, low, "×"), "h": (out, 3.0, "tanh")}
    ends = {"c": (9.6, top), "h": (out, 0)} | {key: (x, 0) for key, x in at.items()}
    ax.set(xlim=(-0.7, 10.1), ylim=(-0.5, 4.6), aspect="equal")
    ax.axis("off")
    for key in "c" + parts + ("h" if "o" in parts else ""):
        *_, start, end = wires[key]
        arrow = {"arrowstyle": "-|>", "color": COLOURS[key], "lw": 2, "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", end, start, arrowprops=arrow)
        ax.plot(*zip(*wires[key][:-1], strict=True), color=COLOURS[key])
        middle = {"ha": "center", "va": "center"}
        ax.text(*ends[key], f"${key}$", size=14, color=INKS[COLOURS[key]], **middle)
        if key in nodes:
            x, y, sign = nodes[key]
            shape = {"boxstyle": "round,pad=0.25" if key == "h" else "circle,pad=0.12"}
            box = shape | {"fc": "white", "ec": "#444444"}
            ax.text(x, y, sign, size=9 if key == "h" else 12, bbox=box, zorder=5, **middle)
    return ax


def stage(
    figure: Figure, parts: str, rows: Mapping[str, Sequence[float]], wanted: Sequence[float]
) -> Sequence[Axes]:
    """Draw the cell as far as it has been built, and the numbers of each step beside it.

    Parameters
    ----------
    figure : empty.
    parts : as `growing_cell` takes them.
    rows : letter (g, i, f, c, o or h) to its T numbers.
    wanted : (T,), what the memory should hold; dotted.
    """
    left, right = figure.subfigures(1, 2, width_ratios=(2, 3))
    growing_cell(left.subplots(), parts)
    axes = np.atleast_1d(right.subplots(len(rows), 1, sharex=True))
    strips(axes, {f"${key}$": (np.array(row), COLOURS[key]) for key, row in rows.items()})
    held = axes[list(rows).index("c")]
    held.set_ylim(bottom=min(held.get_ylim()[0], min(wanted) - 0.25))
    held.step(np.arange(1, len(wanted) + 1), wanted, ":", color="#333333", lw=1, where="mid")
    return axes
