"""Chapter 5: the paths that a gradient takes through two steps."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes

from lstm_lesson.figures.diagrams import two_decimals
from lstm_lesson.figures.look import COLOURS

# Where `path_diagram` puts each quantity of two steps.
_PLACES = {
    "c1": (0, 4.1),
    "h1": (0, 1.1),
    "i2": (2.1, 3.2),
    "f2": (2.1, 2.5),
    "g2": (2.1, 1.8),
    "o2": (2.1, 1.1),
    "c2": (4.2, 4.1),
    "h2": (4.2, 1.1),
    "L": (4.2, 0),
}


def path_diagram(ax: Axes, arrows: Mapping[tuple[str, str], float]) -> Axes:
    """Draw what is computed from what in two scalar steps, each arrow with its derivative.

    Parameters
    ----------
    ax : empty axes of a `figures.TALL` figure; the frame is taken off.
    arrows : ``(tail, head)`` to the immediate derivative of head with respect to tail, for the
        quantities c1, h1, i2, f2, g2, o2, c2, h2 and L.

    Returns
    -------
    The axes. An arrow has the colour of the quantity that it leaves.
    """
    middle = {"ha": "center", "va": "center"}
    for (tail, head), value in arrows.items():
        (x0, y0), (x1, y1) = _PLACES[tail], _PLACES[head]
        style = {"arrowstyle": "-|>", "lw": 1.8, "shrinkA": 15, "shrinkB": 15}
        ax.annotate("", (x1, y1), (x0, y0), arrowprops={**style, "color": COLOURS[tail[0]]})
        # Labels of arrows that fan out sit near the gates, where the arrows are apart.
        at = 0.6 if tail == "h1" and head != "L" else 0.4 if head == "c2" else 0.5
        x, y = x0 + at * (x1 - x0), y0 + at * (y1 - y0)
        ax.text(x, y, two_decimals(value), **middle, bbox={"fc": "white", "ec": "none", "pad": 1})
    for name, (x, y) in _PLACES.items():
        circle = {"boxstyle": "circle,pad=0.3", "fc": "white", "lw": 2}
        circle["ec"] = COLOURS.get(name[0], "#333333")
        ax.text(x, y, f"${'_'.join(name)}$", size=12, **middle, bbox=circle)
    ax.set(xlim=(-0.3, 4.5), ylim=(-0.3, 4.4))
    ax.axis("off")
    return ax
