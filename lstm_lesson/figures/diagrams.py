"""Diagrams of the cell: what is computed from what, with the numbers of a step in their places."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyBboxPatch, Rectangle

from lstm_lesson.figures.look import COLOURS, NAMES, to_png, to_svg, use_style

CELL = (7.0, 4.6)  # inches: the figure that `cell_diagram` fills


def two_decimals(value: float) -> str:
    """Return a number as diagrams write it, with a proper minus sign."""
    return f"{value:.2f}".replace("-", "\N{MINUS SIGN}")


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
    ink, top, meet, row, bus = "#444444", 7.2, 5.5, 3.25, 1.3  # the last four are heights
    at = {"f": 3.2, "i": 5.3, "g": 7.4, "o": 9.5}  # in the order in which the cell uses them
    out, low, r = 11.3, 4.5, 0.42  # where h leaves the cell line; the radius of a node

    def wire(colour, *points, width=2.4, arrow=True):
        if arrow:
            (x0, y0), (x1, y1) = points[-2:]
            style = {"arrowstyle": "-|>", "color": colour, "lw": 0, "shrinkA": 0, "shrinkB": 0}
            style["mutation_scale"] = 14 + 3 * width
            ax.annotate("", (x1, y1), (x0, y0), arrowprops=style, zorder=2)
            # The line stops inside the head, or its end would stick out past the tip.
            points = (*points[:-1], (x1 - 0.25 * np.sign(x1 - x0), y1 - 0.25 * np.sign(y1 - y0)))
        ax.plot(*zip(*points, strict=True), color=colour, lw=width, zorder=1)

    def box(x, y, w, h, colour, rounding=0.22, **style):
        style["boxstyle"] = f"round,pad=0,rounding_size={rounding}"
        return ax.add_patch(FancyBboxPatch((x - w / 2, y - h / 2), w, h, ec=colour, **style))

    def write(x, y, text, size=19, ha="center"):
        ax.text(x, y, text, size=size, ha=ha, va="center", color="#222222", zorder=5)

    def number(x, y, value, ha="center"):
        write(x, y, two_decimals(value), size=15, ha=ha)

    box(7.1, 4.2, 11.1, 8.5, "#C8C8C8", rounding=0.6, fc="#F6F6F6", lw=1.2, zorder=0)
    wire(COLOURS["c"], (0.75, top), (13.5, top), width=5)
    wire(COLOURS["h"], (0.75, bus), (2.3, bus), width=5, arrow=False)
    wire(ink, (2.3, -0.25), (2.3, bus), (at["o"], bus), arrow=False)
    ax.plot(2.3, bus, "o", ms=9, color=ink, zorder=2)
    for x in at.values():
        wire(ink, (x, bus), (x, row - 0.8))
    wire(COLOURS["f"], (at["f"], row), (at["f"], top - r))
    wire(COLOURS["i"], (at["i"], row), (at["i"], meet), (at["g"] - r, meet))
    wire(COLOURS["g"], (at["g"], row), (at["g"], meet - r))
    wire(ink, (at["g"], meet), (at["g"], top - r))
    wire(COLOURS["o"], (at["o"], row), (at["o"], low), (out - r, low))
    wire(COLOURS["c"], (out, top), (out, low + r), width=5)
    wire(COLOURS["h"], (out, low), (out, bus), (13.5, bus), width=5)

    nodes = (at["f"], top, "x"), (at["g"], meet, "x"), (at["g"], top, "+"), (out, low, "x")
    for x, y, sign in nodes:
        ax.add_patch(Circle((x, y), r, fc="white", ec=ink, lw=1.6, zorder=3))
        ax.plot(x, y, sign, ms=13 if sign == "+" else 10, mew=2.4, color=ink, zorder=4)
    box(out, 6.05, 1.7, 0.85, ink, fc="white", lw=1.6, zorder=3)
    write(out, 6.05, "tanh", size=15)
    for key, x in at.items():
        frame = box(x, row, 1.6, 1.6, COLOURS[key], fc="white", lw=2.6, zorder=3)
        write(x, row + 0.3, f"${key}_t$")
        write(x, 0.72, NAMES[key].removesuffix(" gate"), size=13.5)
        if values is None:
            write(x, row - 0.36, "tanh" if key == "g" else "σ", size=15)
            continue
        number(x, row - 0.36, values[key])
        base, height = (row, 0.8) if key == "g" else (row - 0.8, 1.6)
        level = Rectangle((x - 0.8, base), 1.6, height * values[key], fc=COLOURS[key], alpha=0.35)
        ax.add_patch(level).set(clip_path=frame, zorder=3.5)
    lift = 0.1 if values is None else 0.35
    ends = ("c_{t-1}", 0, top), ("c_t", 14, top), ("h_{t-1}", 0, bus), ("h_t", 14, bus)
    for letter, x, y in ends:
        write(x, y + lift, f"${letter}$")
    write(2.3, -0.65, "$x_t$")
    if values is not None:
        for key, (_, x, y) in zip(("c_prev", "c", "h_prev", "h"), ends, strict=True):
            number(x, y - 0.4, values[key])
        number(2.75, -0.58, values["x"], ha="left")
        number((at["f"] + at["g"]) / 2, top + 0.4, values["f"] * values["c_prev"])
        number(at["g"] + 0.25, (top + meet) / 2, values["i"] * values["g"], ha="left")
        number(out - 0.35, 5.25, np.tanh(values["c"]), ha="right")
    return ax


def write_pictures(folder: str | Path) -> None:
    """Write the pictures that the README and the first page show; ``plots/`` holds them."""
    use_style()
    figure, ax = plt.subplots(figsize=CELL)
    cell_diagram(ax)
    Path(folder, "lstm_cell.svg").write_text(to_svg(figure), encoding="utf-8")
    Path(folder, "lstm_cell.png").write_bytes(to_png(figure))
