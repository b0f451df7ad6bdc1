"""Diagrams of the cell: what is computed from what, with the numbers of a step in their places."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyBboxPatch, Rectangle

from lstm_lesson.figures.look import COLOURS, INKS, NAMES, to_png, to_svg, use_style

CELL = (7.0, 4.6)  # inches: the figure that a diagram fills
INK = "#444444"  # of what isn't one quantity of the cell


def two_decimals(value: float) -> str:
    """Return a number as diagrams write it, with a proper minus sign."""
    return f"{value:.2f}".replace("-", "\N{MINUS SIGN}")


def _wire(ax: Axes, colour: str, *points: tuple[float, float], width=2.4, arrow=True) -> None:
    """Draw a line through `points`, with the head of an arrow at its end."""
    if arrow:
        (x0, y0), (x1, y1) = points[-2:]
        style = {"arrowstyle": "-|>", "color": colour, "lw": 0, "shrinkA": 0, "shrinkB": 0}
        style["mutation_scale"] = 14 + 3 * width
        ax.annotate("", (x1, y1), (x0, y0), arrowprops=style, zorder=2)
        # The line stops inside the head, or its end would stick out past the tip.
        points = (*points[:-1], (x1 - 0.25 * np.sign(x1 - x0), y1 - 0.25 * np.sign(y1 - y0)))
    ax.plot(*zip(*points, strict=True), color=colour, lw=width, zorder=1)


def _box(ax: Axes, x, y, width, height, colour: str, rounding=0.22, **style) -> FancyBboxPatch:
    """Draw a box with its middle at (x, y)."""
    style["boxstyle"] = f"round,pad=0,rounding_size={rounding}"
    corner = x - width / 2, y - height / 2
    return ax.add_patch(FancyBboxPatch(corner, width, height, ec=colour, **style))


def _write(ax: Axes, x, y, text: str, size=19, ha="center", **style) -> None:
    """Write letters or a number with their middle at the height y."""
    ax.text(x, y, text, size=size, ha=ha, va="center", zorder=5, **{"color": "#222222", **style})


def _node(ax: Axes, x, y, sign: str) -> None:
    """Draw a circle in which numbers are added ("+") or multiplied ("x")."""
    ax.add_patch(Circle((x, y), 0.42, fc="white", ec=INK, lw=1.6, zorder=3))
    ax.plot(x, y, sign, ms=13 if sign == "+" else 10, mew=2.4, color=INK, zorder=4)


def cell_diagram(ax: Axes, values: Mapping[str, float] | None = None) -> Axes:
    """Draw one step of an LSTM as boxes and wires; return the axes.

    Parameters
    ----------
    ax : empty axes of a `CELL` figure; the frame is taken off.
    values : the numbers ``x, h_prev, c_prev, i, f, g, o, c, h`` of one unit, to write along the
        wires; each gate's box is then filled as far as the gate is open. By default letters alone.
    """
    ax.set(xlim=(-0.75, 14.75), ylim=(-1.0, 8.6), aspect="equal")
    ax.axis("off")
    top, meet, row, bus = 7.2, 5.5, 3.25, 1.3  # heights
    at = {"f": 3.2, "i": 5.3, "g": 7.4, "o": 9.5}  # in the order in which the cell uses them
    out, low, r = 11.3, 4.5, 0.42  # where h leaves the cell line; the radius of a node

    def number(x, y, value, ha="center"):
        _write(ax, x, y, two_decimals(value), size=15, ha=ha)

    _box(ax, 7.1, 4.2, 11.1, 8.5, "#C8C8C8", rounding=0.6, fc="#F6F6F6", lw=1.2, zorder=0)
    _wire(ax, COLOURS["c"], (0.75, top), (13.5, top), width=5)
    _wire(ax, COLOURS["h"], (0.75, bus), (2.3, bus), width=5, arrow=False)
    _wire(ax, INK, (2.3, -0.25), (2.3, bus), (at["o"], bus), arrow=False)
    ax.plot(2.3, bus, "o", ms=9, color=INK, zorder=2)
    for x in at.values():
        _wire(ax, INK, (x, bus), (x, row - 0.8))
    _wire(ax, COLOURS["f"], (at["f"], row), (at["f"], top - r))
    _wire(ax, COLOURS["i"], (at["i"], row), (at["i"], meet), (at["g"] - r, meet))
    _wire(ax, COLOURS["g"], (at["g"], row), (at["g"], meet - r))
    _wire(ax, INK, (at["g"], meet), (at["g"], top - r))
    _wire(ax, COLOURS["o"], (at["o"], row), (at["o"], low), (out - r, low))
    _wire(ax, COLOURS["c"], (out, top), (out, low + r), width=5)
    _wire(ax, COLOURS["h"], (out, low), (out, bus), (13.5, bus), width=5)

    nodes = (at["f"], top, "x"), (at["g"], meet, "x"), (at["g"], top, "+"), (out, low, "x")
    for x, y, sign in nodes:
        _node(ax, x, y, sign)
    _box(ax, out, 6.05, 1.7, 0.85, INK, fc="white", lw=1.6, zorder=3)
    _write(ax, out, 6.05, "tanh", size=15)
    for key, x in at.items():
        frame = _box(ax, x, row, 1.6, 1.6, COLOURS[key], fc="white", lw=2.6, zorder=3)
        _write(ax, x, row + 0.3, f"${key}_t$")
        _write(ax, x, 0.72, NAMES[key].removesuffix(" gate"), size=13.5)
        if values is None:
            _write(ax, x, row - 0.36, "tanh" if key == "g" else "σ", size=15)
            continue
        number(x, row - 0.36, values[key])
        base, height = (row, 0.8) if key == "g" else (row - 0.8, 1.6)
        level = Rectangle((x - 0.8, base), 1.6, height * values[key], fc=COLOURS[key], alpha=0.35)
        ax.add_patch(level).set(clip_path=frame, zorder=3.5)
    lift = 0.1 if values is None else 0.35
    ends = ("c_{t-1}", 0, top), ("c_t", 14, top), ("h_{t-1}", 0, bus), ("h_t", 14, bus)
    for letter, x, y in ends:
        _write(ax, x, y + lift, f"${letter}$")
    _write(ax, 2.3, -0.65, "$x_t$")
    if values is not None:
        for key, (_, x, y) in zip(("c_prev", "c", "h_prev", "h"), ends, strict=True):
            number(x, y - 0.4, values[key])
        number(2.75, -0.58, values["x"], ha="left")
        number((at["f"] + at["g"]) / 2, top + 0.4, values["f"] * values["c_prev"])
        number(at["g"] + 0.25, (top + meet) / 2, values["i"] * values["g"], ha="left")
        number(out - 0.35, 5.25, np.tanh(values["c"]), ha="right")
    return ax


# What `backward_diagram` writes on its wires: one equation each, with dx short for dL/dx.
BACKWARD = {
    "h": r"$\mathrm{d}h_t$",
    "c_next": r"$f_{t+1} \cdot \mathrm{d}c_{t+1}$",
    "o": r"$\mathrm{d}o_t = \mathrm{d}h_t \cdot \tanh c_t$",
    "c_from_h": r"$\mathrm{d}h_t \cdot o_t \cdot (1 - \tanh^2 c_t)$",
    "c": r"$\mathrm{d}c_t$, the sum of both",
    "i": r"$\mathrm{d}i_t = \mathrm{d}c_t \cdot g_t$",
    "g": r"$\mathrm{d}g_t = \mathrm{d}c_t \cdot i_t$",
    "f": r"$\mathrm{d}f_t = \mathrm{d}c_t \cdot c_{t-1}$",
    "c_prev": r"$\mathrm{d}c_t \cdot f_t$",
    "z_i": r"$\mathrm{d}i_t \cdot i_t (1 - i_t)$",
    "z_f": r"$\mathrm{d}f_t \cdot f_t (1 - f_t)$",
    "z_g": r"$\mathrm{d}g_t \cdot (1 - g_t^2)$",
    "z_o": r"$\mathrm{d}o_t \cdot o_t (1 - o_t)$",
    "h_prev": r"$U^\top \mathrm{d}z_t$",
    "x": r"$W^\top \mathrm{d}z_t$",
}


def backward_diagram(ax: Axes, values: Mapping[str, float] | None = None) -> Axes:
    """Draw one step of an LSTM with every wire turned round; return the axes.

    Parameters
    ----------
    ax : empty axes of a `CELL` figure; the frame is taken off.
    values : a number for each key of `BACKWARD`, of one unit, to write on its wire. By default
        the wires carry the equations.
    """
    texts = BACKWARD if values is None else {k: two_decimals(v) for k, v in values.items()}
    size = 12 if values is None else 14
    ax.set(xlim=(-2.0, 20.4), ylim=(-1.9, 12.3), aspect="equal")
    ax.axis("off")
    top, meet, low, row, bus = 10.6, 8.3, 6.6, 4.1, 1.3  # heights
    at = {"f": 2.6, "i": 6.1, "g": 9.6, "o": 13.0}
    out, join, r = 16.7, 1.3, 0.42  # where h comes in; where x leaves; the radius of a node

    def label(key, x, y, ha="center"):
        colour = INKS.get(COLOURS.get(key[-1] if key.startswith("z_") else key[0]), "#222222")
        _write(ax, x, y, texts[key], size=size, ha=ha, color=colour)

    _box(ax, 9.15, 6.1, 16.7, 11.9, "#C8C8C8", rounding=0.6, fc="#F6F6F6", lw=1.2, zorder=0)
    _wire(ax, COLOURS["c"], (18.6, top), (-0.6, top), width=5)
    _wire(ax, COLOURS["h"], (18.6, bus), (out, bus), (out, low - r), width=5)
    _wire(ax, COLOURS["c"], (out, low), (out, top - r), width=5)
    _wire(ax, COLOURS["o"], (out, low), (at["o"], low), (at["o"], row + 0.8))
    _wire(ax, INK, (at["g"], top), (at["g"], meet + r))
    _wire(ax, COLOURS["i"], (at["g"], meet), (at["i"], meet), (at["i"], row + 0.8))
    _wire(ax, COLOURS["g"], (at["g"], meet), (at["g"], row + 0.8))
    _wire(ax, COLOURS["f"], (at["f"], top), (at["f"], row + 0.8))
    _wire(ax, INK, (at["o"], bus), (join, bus), arrow=False)
    _wire(ax, COLOURS["h"], (join, bus), (-0.6, bus), width=5)
    _wire(ax, INK, (join, bus), (join, -0.9))
    for node in ((at["f"], top, "x"), (at["g"], meet, "x"), (out, top, "+"), (out, low, "x")):
        _node(ax, *node)
    ax.plot(at["g"], top, "o", ms=9, color=INK, zorder=4)
    for key, x in at.items():
        _wire(ax, INK, (x, row), (x, bus + 0.05))
        _box(ax, x, row, 1.6, 1.6, COLOURS[key], fc="white", lw=2.6, zorder=3)
        _write(ax, x, row, f"${key}_t$")
        label(f"z_{key}", x + 0.25, bus + 0.75, ha="left")
    label("c_next", 18.9, top + 0.75)
    label("h", 18.3, bus + 0.75)
    label("c", (at["g"] + out) / 2, top + 0.75)
    label("c_from_h", out - 0.35, (low + top) / 2 + 0.5, ha="right")
    label("o", (at["o"] + out) / 2 - 0.4, low + 0.65)
    label("i", (at["i"] + at["g"]) / 2 - 0.2, meet + 0.65)
    label("g", at["g"] + 0.25, (row + meet) / 2, ha="left")
    label("f", at["f"] + 0.25, (row + top) / 2 - 1, ha="left")
    label("c_prev", -0.2, top + 0.75)
    label("h_prev", -0.9, bus + 0.75)
    label("x", join + 0.35, -0.7, ha="left")
    return ax


def write_pictures(folder: str | Path) -> None:
    """Write the pictures that the README and the first page show; ``plots/`` holds them."""
    use_style()
    figure, ax = plt.subplots(figsize=CELL)
    cell_diagram(ax)
    Path(folder, "lstm_cell.svg").write_text(to_svg(figure), encoding="utf-8")
    Path(folder, "lstm_cell.png").write_bytes(to_png(figure))
