"""Chains: what is done one after another, as boxes with arrows between them."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes

INK = "#333333"


def chain(ax: Axes, steps: Mapping[str, str], *, again: bool = False) -> Axes:
    """Draw steps from top to bottom, each with a few words beside it; return the axes.

    Parameters
    ----------
    ax : empty axes; the frame is taken off.
    steps : what is done, to what is said of it.
    again : whether an arrow leads from the last step back to the first.
    """
    arrow = {"arrowstyle": "-|>", "lw": 1.6, "color": INK, "shrinkA": 12, "shrinkB": 12}
    box = {"boxstyle": "round,pad=0.35", "fc": "white", "ec": INK, "lw": 1.4}
    last = len(steps) - 1
    for n, (step, words) in enumerate(steps.items()):
        if n < last:
            ax.annotate("", (0, -n - 1), (0, -n), arrowprops=arrow)
        ax.text(0, -n, step, ha="center", va="center", bbox=box)
        ax.text(0.85, -n, words, va="center", size=9)
    if again:
        ax.plot([-0.5, -1, -1], [-last, -last, 0], color=INK, lw=1.6)
        ax.annotate("", (-0.45, 0), (-1, 0), arrowprops=arrow | {"shrinkA": 0, "shrinkB": 0})
    ax.set(xlim=(-1.2, 3.4), ylim=(-last - 0.5, 0.5))
    ax.axis("off")
    return ax
