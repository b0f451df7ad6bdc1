"""Chapter 5: the paths that a gradient takes through two steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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


def shares_diagram(ax: Axes, shares: Sequence[float]) -> Axes:
    """Draw a weight as a node with an arrow into each step, and each step's share of its gradient.

    Parameters
    ----------
    ax : empty axes; the frame is taken off.
    shares : (T,), what each step adds to the derivative of the loss with respect to the weight.
    """
    middle = {"ha": "center", "va": "center"}
    arrow = {"arrowstyle": "-|>", "lw": 1.8, "color": "#333333", "shrinkA": 16, "shrinkB": 16}
    T, w = len(shares), 1.6  # the height of the weight
    for t, share in enumerate(shares, start=1):
        ax.annotate("", (t, 0), ((T + 1) / 2, w), arrowprops=arrow)
        x = t + 0.42 * ((T + 1) / 2 - t)
        number = {"bbox": {"fc": "white", "ec": "none", "pad": 1}, **middle}
        ax.text(x, 0.42 * w, two_decimals(share), **number)
        onward = arrow | {"color": COLOURS["h"], "shrinkA": 22, "shrinkB": 22}
        ax.annotate("", (t + 1, 0), (t, 0), arrowprops=onward)
        box = {"boxstyle": "round,pad=0.4", "fc": "white", "ec": "#333333", "lw": 1.6}
        ax.text(t, 0, f"step {t}", bbox=box, **middle)
    circle = {"boxstyle": "circle,pad=0.35", "fc": "white", "ec": "#333333", "lw": 2}
    ax.text((T + 1) / 2, w, "$w$", size=13, bbox=circle, **middle)
    ax.text((T + 1) / 2 + 0.3, w, f"sum: {two_decimals(sum(shares))}", va="center")
    ax.text(T + 1, 0, "$L$", size=13, bbox=circle, **middle)
    ax.set(xlim=(0.5, T + 1.4), ylim=(-0.4, w + 0.4))
    ax.axis("off")
    return ax


def ways_back(ax: Axes) -> Axes:
    """Draw the arrows along which gradients go back through three steps; return the axes.

    ``ax`` are empty axes; the frame is taken off.
    """
    middle = {"ha": "center", "va": "center"}
    label = {"size": 9, "bbox": {"fc": "white", "ec": "none", "pad": 1}, **middle}

    def arrow(start, end, key, text=""):
        style = {"arrowstyle": "-|>", "lw": 2, "shrinkA": 15, "shrinkB": 15}
        ax.annotate("", end, start, arrowprops=style | {"color": COLOURS.get(key, "#333333")})
        ax.text((start[0] + end[0]) / 2, (start[1] + end[1]) / 2, text, **label)

    for t in range(3):
        x = 2.4 * t
        arrow((x, -1.2), (x, 0), "")  # from the loss
        arrow((x, 0), (x, 1.6), "c", "$o_t (1 - \\tanh^2 c_t)$" if t == 1 else "")
        if t:
            arrow((x, 1.6), (x - 2.4, 1.6), "c", f"$f_{t + 1}$")
            arrow((x, 1.6), (x - 2.4, 0), "h", "$i, f, g$")
            arrow((x, 0), (x - 2.4, 0), "h", "$o$")
        for key, y in (("c", 1.6), ("h", 0)):
            circle = {"boxstyle": "circle,pad=0.3", "fc": "white", "lw": 2, "ec": COLOURS[key]}
            ax.text(x, y, f"${key}_{t + 1}$", size=12, bbox=circle, **middle)
        ax.text(x, -1.35, "$L$", size=12, **middle)
    ax.set(xlim=(-0.6, 5.4), ylim=(-1.6, 2.1))
    ax.axis("off")
    return ax
