"""Chapter 1: a plain recurrent net, unrolled."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from lstm_lesson.figures.diagrams import two_decimals
from lstm_lesson.figures.look import COLOURS


def unrolled_diagram(ax: Axes, values: Sequence[tuple[float, float]] | None = None) -> Axes:
    """Draw a plain recurrent net unrolled, the same weights in each step; return the axes.

    Parameters
    ----------
    ax : empty axes; the frame is taken off.
    values : the numbers ``(x, h)`` of each step of a net of one unit, to write at the wires; as
        many steps are drawn. By default three, with letters alone.
    """
    steps = 3 if values is None else len(values)
    ax.set(xlim=(-0.6, 2.4 * steps), ylim=(-1.5, 1.7), aspect="equal")
    ax.axis("off")
    arrow = {"arrowstyle": "-|>", "color": COLOURS["h"], "lw": 2.2, "mutation_scale": 16}
    ax.annotate("", (0.55, 0), (-0.55, 0), arrowprops=arrow)
    for t in range(steps):
        x = 1.1 + 2.4 * t
        ax.annotate("", (x, -0.5), (x, -1.1), arrowprops={**arrow, "color": "#444444"})
        ax.annotate("", (x, 1.1), (x, 0.5), arrowprops=arrow)
        if t < steps - 1:
            ax.annotate("", (x + 1.85, 0), (x + 0.55, 0), arrowprops=arrow)
        box = {"boxstyle": "round,pad=0,rounding_size=0.15", "fc": "#F6F6F6", "ec": "#444444"}
        ax.add_patch(FancyBboxPatch((x - 0.55, -0.5), 1.1, 1.0, **box))
        letters = "W, U, b" if values is None else "w, u, b"
        ax.text(x, 0, letters, ha="center", va="center", size=9)
        names = f"$x_{t + 1}$", f"$h_{t + 1}$"
        if values is not None:
            names = tuple(
                f"{name} = {two_decimals(v)}" for name, v in zip(names, values[t], strict=True)
            )
        ax.text(x, -1.3, names[0], ha="center", va="center")
        ax.text(x, 1.35, names[1], ha="center", va="center")
    ax.text(0, 0.25, "$h_0$", ha="center", va="center")
    return ax
