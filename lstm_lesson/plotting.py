"""Figures: functions that take data and axes and return the axes.

Colours are those of Okabe and Ito, safe for colour-blind readers; each quantity of the cell has one
colour in every equation, diagram, plot and widget of the book.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch, Rectangle

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
TALL = (7.0, 4.6)  # inches: a figure of more than one panel, or a diagram


def use_style() -> None:
    """Set the book's look for every figure that follows."""
    plt.style.use(Path(__file__).with_name("lesson.mplstyle"))


def label_end(ax: Axes, x: np.ndarray, y: np.ndarray, text: str, **style) -> Axes:
    """Write `text` beside the last point of a line, in place of a legend; return the axes."""
    ax.annotate(
        text, (x[-1], y[-1]), xytext=(4, 0), textcoords="offset points", va="center", **style
    )
    return ax


def cell_diagram(ax: Axes, values: Mapping[str, float] | None = None) -> Axes:
    """Draw one step of an LSTM as boxes and wires; return the axes.

    Parameters
    ----------
    ax : empty axes of a `TALL` figure; the frame is taken off.
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
        write(x, y, f"{value:.2f}".replace("-", "\N{MINUS SIGN}"), size=15, ha=ha)

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

    for x, y, sign in [
        (at["f"], top, "x"),
        (at["g"], meet, "x"),
        (at["g"], top, "+"),
        (out, low, "x"),
    ]:
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
    for letter, x, y in [
        ("c_{t-1}", 0, top),
        ("c_t", 14, top),
        ("h_{t-1}", 0, bus),
        ("h_t", 14, bus),
    ]:
        write(x, y + lift, f"${letter}$")
    write(2.3, -0.65, "$x_t$")
    if values is not None:
        number(0, top - 0.4, values["c_prev"])
        number(14, top - 0.4, values["c"])
        number(0, bus - 0.4, values["h_prev"])
        number(14, bus - 0.4, values["h"])
        number(2.75, -0.58, values["x"], ha="left")
        number((at["f"] + at["g"]) / 2, top + 0.4, values["f"] * values["c_prev"])
        number(at["g"] + 0.25, (top + meet) / 2, values["i"] * values["g"], ha="left")
        number(out - 0.35, 5.25, np.tanh(values["c"]), ha="right")
    return ax


def curves(ax: Axes, x: np.ndarray, lines: Mapping[str, np.ndarray]) -> Axes:
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


def strips(
    axes: Sequence[Axes], rows: Mapping[str, tuple[np.ndarray, str]], *, first: int = 1
) -> Sequence[Axes]:
    """Draw series over the same steps one above another; return the axes.

    Parameters
    ----------
    axes : as many as there are rows, from a column of subplots.
    rows : label, written on the left, to a series (T,) and its colour.
    first : the number of the first step.
    """
    for ax, (label, (values, colour)) in zip(axes, rows.items(), strict=True):
        steps = np.arange(first, first + len(values))
        ax.plot(steps, values, color=colour, drawstyle="steps-mid")
        ax.set_ylabel(label, rotation=0, ha="right", va="center")
        # Every strip shows 0 and 1, so that a line that stays where it is looks like it.
        ax.set_ylim(min(np.nanmin(values), 0) - 0.25, max(np.nanmax(values), 1) + 0.25)
        ax.margins(x=0.01)
    axes[0].figure.align_ylabels(axes)
    axes[-1].set_xlabel("step")
    return axes


def to_png(figure: Figure) -> bytes:
    """Return a figure as a PNG file's bytes, the same for the same figure, and close it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    plt.close(figure)
    return buffer.getvalue()


def write_pictures(folder: str | Path) -> None:
    """Write the pictures that the README and the first page show; ``plots/`` holds them."""
    use_style()
    figure, ax = plt.subplots(figsize=TALL)
    cell_diagram(ax)
    Path(folder, "lstm_cell.png").write_bytes(to_png(figure))


# Where `path_diagram` puts each quantity of two steps, and how it writes it.
_PLACES = {
    "c1": (0.0, 3.0, "$c_1$"),
    "h1": (1.3, -0.4, "$h_1$"),
    "i2": (3.9, 2.3, "$i_2$"),
    "f2": (3.9, 1.55, "$f_2$"),
    "g2": (3.9, 0.8, "$g_2$"),
    "o2": (3.9, 0.05, "$o_2$"),
    "c2": (6.4, 3.0, "$c_2$"),
    "h2": (7.8, 1.2, "$h_2$"),
    "L": (9.2, -1.0, "$L$"),
}


def path_diagram(ax: Axes, arrows: dict[tuple[str, str], float]) -> Axes:
    """Draw what is computed from what in two scalar steps, each arrow with its derivative.

    Parameters
    ----------
    ax : axes to draw in.
    arrows : ``(tail, head)`` to the immediate derivative of head with respect to tail, for the
        quantities c1, h1, i2, f2, g2, o2, c2, h2 and L.

    Returns
    -------
    The axes. An arrow has the colour of the quantity that it leaves.
    """
    for (tail, head), value in arrows.items():
        (x0, y0, _), (x1, y1, _) = _PLACES[tail], _PLACES[head]
        colour = COLOURS[tail[0]]
        ax.annotate(
            "",
            (x1, y1),
            (x0, y0),
            arrowprops={
                "arrowstyle": "-|>",
                "color": colour,
                "lw": 1.6,
                "shrinkA": 13,
                "shrinkB": 13,
            },
        )
        # Labels of arrows that fan out sit near the gates, where the arrows are apart.
        at = {"h1": 0.62 if head != "L" else 0.55, "o2": 0.5}.get(tail, 0.42)
        ax.text(
            x0 + at * (x1 - x0),
            y0 + at * (y1 - y0),
            f"{value:.2f}".replace("-", "−"),
            ha="center",
            va="center",
            fontsize=8.5,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
        )
    for name, (x, y, text) in _PLACES.items():
        edge = COLOURS.get(name[0], "#333333")
        ax.text(
            x,
            y,
            text,
            ha="center",
            va="center",
            bbox={"boxstyle": "circle,pad=0.3", "facecolor": "white", "edgecolor": edge, "lw": 2},
        )
    ax.set(xlim=(-0.6, 9.8), ylim=(-1.5, 3.6))
    ax.axis("off")
    return ax


def norm_against_lag(
    ax: Axes, norms: np.ndarray, text: str, colour: str, *, at: int, above: bool = True, **style
) -> Axes:
    """Draw the median over seeds of a gradient's norm, and a band that holds the middle 80 %.

    Parameters
    ----------
    ax : axes to draw in; the vertical one becomes logarithmic.
    norms : (seeds, lags), all positive, the first column at lag 0.
    text : what to write beside the line.
    colour : of the line and the band.
    at, above : the lag at which to write it, and whether above or below the line.
    style : passed on to the line.

    Returns
    -------
    The axes.
    """
    lags = np.arange(norms.shape[1])
    low, median, high = np.quantile(norms, [0.1, 0.5, 0.9], axis=0)
    ax.fill_between(lags, low, high, color=colour, alpha=0.25, linewidth=0)
    ax.plot(lags, median, color=colour, **style)
    ax.annotate(
        text,
        (lags[at], median[at]),
        xytext=(0, 8) if above else (0, -8),
        textcoords="offset points",
        # On the side that the line turns away from.
        ha="right" if above == (median[at] >= median[0]) else "left",
        va="bottom" if above else "top",
        # Some of the book's colours are too pale for letters: the line carries the colour.
        color="#333333",
    )
    ax.set_yscale("log")
    return ax


def differences_by_size(
    axes: Sequence[Axes],
    sizes: Sequence[str],
    panels: Mapping[str, Mapping[str, np.ndarray]],
) -> Sequence[Axes]:
    """Draw what two implementations differ by, in machine epsilons of each precision.

    Parameters
    ----------
    axes : one axes a panel, sharing their vertical axis.
    sizes : labels of the rows, the first at the top.
    panels : title to dtype name (``"float32"``) to differences, (sizes, seeds). A dot is the median
        over the seeds, a bar the range. What is less than 1/64 of an epsilon, zero included, is
        drawn there.

    Returns
    -------
    The axes.
    """
    rows = np.arange(len(sizes))
    styles = {
        "float32": {"color": "#333333", "markerfacecolor": "#333333"},
        "float64": {"color": "#0072B2", "markerfacecolor": "white"},
    }
    for ax, (title, samples) in zip(axes, panels.items(), strict=True):
        ax.axvline(1.0, color="#888888", linestyle="--", linewidth=1)
        for dtype, differences in samples.items():
            heights = rows + (0.18 if dtype == "float64" else -0.18)
            shown = np.maximum(differences / np.finfo(dtype).eps, 1 / 64)
            low, middle, high = np.quantile(shown, [0.0, 0.5, 1.0], axis=1)
            ax.hlines(heights, low, high, color=styles[dtype]["color"], alpha=0.45, linewidth=2.5)
            ax.plot(middle, heights, "o", **styles[dtype])
            if ax is axes[0]:
                ax.annotate(
                    dtype,
                    (high[-1], heights[-1]),
                    xytext=(8, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=9,
                    color=styles[dtype]["color"],
                )
        ax.set(xscale="log", xlim=(1 / 80, 128), ylim=(len(sizes) - 0.5, -0.6))
        ax.set_xticks([1 / 64, 1 / 8, 1, 8, 64], ["1/64", "1/8", "1", "8", "64"])
        ax.minorticks_off()
        ax.set_yticks(rows, sizes)
        ax.set_title(title, loc="left")
        ax.set_xlabel("difference / epsilon")
    return axes


def error_growth(
    axes: Sequence[Axes], panels: Mapping[str, Sequence[np.ndarray]]
) -> Sequence[Axes]:
    """Draw how an error grows over the steps of a sequence, a panel a kind of cell.

    Parameters
    ----------
    axes : one axes a panel, sharing their vertical axis.
    panels : title to three arrays of errors, (seeds, T), each at least 0: of NumPy and of PyTorch
        in float32 against float64, and of the two in float64 against each other. A line is the
        median over the seeds, its band goes from the least to the largest.

    Returns
    -------
    The axes.
    """
    styles = (
        {"color": "#999999", "linewidth": 3.5},
        {"color": "#000000", "linewidth": 1.2, "linestyle": "--"},
        {"color": "#0072B2", "linewidth": 1.8},
    )
    for ax, (title, lines) in zip(axes, panels.items(), strict=True):
        for errors, style in zip(lines, styles, strict=True):
            steps = np.arange(1, errors.shape[1] + 1)
            shown = np.maximum(errors, 1e-18)
            low, high = shown.min(axis=0), shown.max(axis=0)
            ax.fill_between(steps, low, high, color=style["color"], alpha=0.15, linewidth=0)
            ax.plot(steps, np.median(shown, axis=0), **style)
        ax.set(title=title, xlabel="step", yscale="log", ylim=(1e-18, 1e2))
        ax.set_yticks([1e-16, 1e-12, 1e-8, 1e-4, 1])
    notes = {
        "NumPy (grey) and\nPyTorch (dashed) in\nfloat32, against float64": 1e-5,
        "NumPy against PyTorch,\nboth in float64": 1e-13,
    }
    for note, height in notes.items():
        axes[0].annotate(note, (6, height), va="center", fontsize=8, color="#333333")
    axes[0].set_ylabel("largest error in $h_t$")
    return axes
