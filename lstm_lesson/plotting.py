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
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

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


def _median_and_band(ax: Axes, x: np.ndarray, low, middle, high, color: str, **style) -> None:
    ax.fill_between(x, low, high, color=color, alpha=0.25, linewidth=0)
    ax.plot(x, middle, color=color, **style)


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
    """
    low, median, high = np.quantile(norms, [0.1, 0.5, 0.9], axis=0)
    _median_and_band(ax, np.arange(norms.shape[1]), low, median, high, colour, **style)
    ax.annotate(
        text,
        (at, median[at]),
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
    """
    rows = np.arange(len(sizes))
    inks = {"float32": ("#333333", "#333333", -0.18), "float64": ("#0072B2", "white", 0.18)}
    for ax, (title, samples) in zip(axes, panels.items(), strict=True):
        ax.axvline(1.0, color="#888888", linestyle="--", linewidth=1)
        for dtype, differences in samples.items():
            ink, face, lift = inks[dtype]
            shown = np.maximum(differences / np.finfo(dtype).eps, 1 / 64)
            low, middle, high = np.quantile(shown, [0.0, 0.5, 1.0], axis=1)
            ax.hlines(rows + lift, low, high, color=ink, alpha=0.45, linewidth=2.5)
            ax.plot(middle, rows + lift, "o", color=ink, markerfacecolor=face)
            if ax is axes[0]:
                label_end(ax, high, rows + lift, dtype, dx=7, color=ink)
        ax.set(xscale="log", xlim=(1 / 80, 128), ylim=(len(sizes) - 0.5, -0.6))
        ax.set_xticks([1 / 32, 1, 32], ["1/32", "1", "32"])
        ax.minorticks_off()
        ax.set_yticks(rows, sizes)
        ax.set_title(title, loc="left")
    axes[0].figure.supxlabel("difference / machine epsilon", size="medium")
    return axes


def error_growth(
    axes: Sequence[Axes], panels: Mapping[str, Sequence[np.ndarray]]
) -> Sequence[Axes]:
    """Draw how an error grows over the steps of a sequence, a panel a kind of cell.

    Parameters
    ----------
    axes : one axes a panel, from a column of subplots that share both axes.
    panels : title to three arrays of errors, (seeds, T), each at least 0: of NumPy and of PyTorch
        in float32 against float64, and of the two in float64 against each other. A line is the
        median over the seeds, its band goes from the least to the largest.
    """
    styles = (
        {"color": "#999999", "linewidth": 3.5},
        {"color": "#000000", "linewidth": 1.2, "linestyle": "--"},
        {"color": "#0072B2"},
    )
    for ax, (title, lines) in zip(axes, panels.items(), strict=True):
        for errors, style in zip(lines, styles, strict=True):
            low, median, high = np.quantile(np.maximum(errors, 1e-18), [0.0, 0.5, 1.0], axis=0)
            _median_and_band(ax, np.arange(1, errors.shape[1] + 1), low, median, high, **style)
        ax.set(title=title, yscale="log", ylim=(1e-18, 1e2), yticks=[1e-16, 1e-8, 1])
    against = "NumPy (grey) and PyTorch (dashed)\nin float32, against float64"
    notes = {against: 1e-4, "NumPy against PyTorch, both in float64": 1e-12}
    for note, height in notes.items():
        axes[0].annotate(note, (6, height), va="center", color="#333333")
    axes[len(axes) // 2].set_ylabel("largest error in $h_t$")
    axes[-1].set_xlabel("step")
    return axes


def runs(ax: Axes, rows: Mapping[str, np.ndarray], label: str, *, trivial: float) -> Axes:
    """Draw the outcome of every run as a dot, an arm a row, the first at the top.

    Parameters
    ----------
    ax : axes to draw in; the horizontal one becomes logarithmic.
    rows : name of an arm to one positive number a run. A bar marks the median.
    label : of the horizontal axis.
    trivial : what a predictor that sees nothing scores: a dashed line.
    """
    ax.axvline(trivial, color="#888888", linestyle="--", linewidth=1.2)
    for n, values in enumerate(rows.values()):
        ax.plot(values, np.full(len(values), n), "o", color=COLOURS["i"], alpha=0.45, mew=0)
        ax.plot(np.median(values), n, "|", color="#000000", markersize=16, mew=2)
    ax.set_yticks(range(len(rows)), rows)
    ax.set(xscale="log", ylim=(len(rows) - 0.5, -0.5), xlabel=f"{label}; dashed: sees nothing")
    low, high = ax.get_xlim()
    if high < 100 * low:  # few powers of ten: more ticks than those
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    return ax


def band(ax: Axes, x: np.ndarray, samples: np.ndarray, colour: str, **style) -> Axes:
    """Draw the median over runs against `x`, and a band that holds the middle 80 %.

    Parameters
    ----------
    ax : axes to draw in.
    x : (N,).
    samples : (runs, N).
    colour, style : of the line.
    """
    low, median, high = np.quantile(samples, [0.1, 0.5, 0.9], axis=0)
    _median_and_band(ax, x, low, median, high, colour, **style)
    return ax


def pair_map(ax: Axes, norms: np.ndarray, chunk: int) -> Axes:
    """Draw the gradient's share of each pair of steps, and frame the pairs within a chunk.

    Parameters
    ----------
    ax : axes to draw in.
    norms : (T, T), of the gradient of the loss at one step (row) through the weights at another
        (column), zero where the column is later.
    chunk : steps in a chunk; it divides T.
    """
    T = len(norms)
    size = np.full((T, T), np.nan)
    np.log10(norms / norms.max(), out=size, where=norms > 0)
    edges = (0.5, T + 0.5, T + 0.5, 0.5)
    image = ax.imshow(np.clip(size, -3, 0), extent=edges, vmin=-3, vmax=0)
    for start in range(0, T, chunk):
        box = plt.Rectangle(
            (start + 0.5, start + 0.5), chunk, chunk, fill=False, edgecolor=COLOURS["f"], lw=2.2
        )
        ax.add_patch(box)
    ax.grid(False)
    ax.set(xlabel="step of the weights, $s$", ylabel="step of the loss, $t$")
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.7, ticks=range(-3, 1))
    bar.set_label("norm / largest (power of ten)")
    return ax


def dashboard(
    axes: np.ndarray, x: np.ndarray, labels: Sequence[str], groups: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Draw what several groups of training runs did: a column a group, a row a measure.

    Parameters
    ----------
    axes : (measures, groups), sharing a row's vertical axis.
    x : (N,), the steps at which the runs were looked at.
    labels : of at most four measures; one that ends in "(log)" has a logarithmic axis.
    groups : title to (runs, N, measures).
    """
    inks = [COLOURS["i"], "#333333", COLOURS["f"], COLOURS["c"]]
    for column, (title, seen) in zip(axes.T, groups.items(), strict=True):
        column[0].set_title(title)
        rows = zip(column, labels, np.moveaxis(seen, -1, 0), inks[: len(labels)], strict=True)
        for ax, label, values, ink in rows:
            band(ax, x, values, ink)
            if label.endswith("(log)"):
                ax.set_yscale("log")
                ax.yaxis.set_minor_formatter(NullFormatter())
            if ax in axes[:, 0]:
                ax.set_ylabel(label.removesuffix("(log)").strip())
        column[-1].set_xlabel("step")
    axes[0, 0].figure.align_ylabels(axes[:, 0])
    return axes


def beside_reference(
    axes: Sequence[Axes], reference: np.ndarray, panels: Mapping[str, np.ndarray], level: float
) -> Sequence[Axes]:
    """Draw training curves, a panel each, over the curve of a reference; return the axes.

    Parameters
    ----------
    axes : one axes a panel, sharing both axes.
    reference : (seeds, steps) losses, drawn in grey in every panel.
    panels : title to (seeds, steps). A line is the median over the seeds of a running mean of 15
        steps, its band the middle 80 %.
    level : where to draw a dotted line, such as the loss of a trivial predictor.
    """
    width = 15
    for ax, (title, losses) in zip(axes, panels.items(), strict=True):
        for values, color in ((reference, "#888888"), (losses, COLOURS["f"])):
            smooth = np.lib.stride_tricks.sliding_window_view(values, width, axis=1).mean(axis=2)
            low, median, high = np.quantile(smooth, [0.1, 0.5, 0.9], axis=0)
            _median_and_band(ax, np.arange(smooth.shape[1]) + width // 2, low, median, high, color)
        ax.axhline(level, color="#333333", linestyle=":", linewidth=1)
        ax.set_yscale("log")
        ax.set_title(title, weight="normal", size="medium")
    return axes


def scores_by_name(ax: Axes, scores: Mapping[str, np.ndarray], level: float) -> Axes:
    """Draw the scores of several arms as dots, a row an arm, on a logarithmic axis.

    Parameters
    ----------
    ax : axes to draw in.
    scores : name to (seeds,), all positive, the first at the top: the arm to compare with, whose
        median is a dashed line. A short bar is the median of a row.
    level : where to draw a dotted line, such as the score of a trivial predictor.
    """
    rows = np.arange(len(scores))
    medians = [np.median(values) for values in scores.values()]
    for row, values in zip(rows, scores.values(), strict=True):
        color = COLOURS["f"] if row else "#888888"
        ax.plot(values, np.full(len(values), row), "o", color=color, alpha=0.5, markeredgewidth=0)
    ax.vlines(medians, rows - 0.35, rows + 0.35, color="#000000", linewidth=2)
    ax.axvline(medians[0], color="#888888", linestyle="--", linewidth=1)
    ax.axvline(level, color="#333333", linestyle=":", linewidth=1)
    ax.set(xscale="log", ylim=(len(rows) - 0.4, -0.6))
    ax.set_yticks(rows, scores)
    return ax


def caught_or_not(
    ax: Axes, caught: np.ndarray, rows: Sequence[str], columns: Sequence[str]
) -> Axes:
    """Draw a grid of marks, a filled dot where `caught` (rows, columns) is true, else a ring."""
    for there, style in ((True, {"color": "#0072B2"}), (False, {"color": "#D55E00"})):
        y, x = np.nonzero(caught == there)
        face = style["color"] if there else "white"
        ax.plot(x, y, "o", markersize=6, markerfacecolor=face, markeredgewidth=1.6, **style)
    ax.set(xlim=(-0.6, len(columns) - 0.4), ylim=(len(rows) - 0.4, -0.6))
    ax.set_xticks(range(len(columns)), columns, rotation=60, ha="left", rotation_mode="anchor")
    ax.set_yticks(range(len(rows)), rows)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    return ax


def rates_by_gain(
    ax: Axes, gains: Sequence[float], measured: np.ndarray, predicted: Mapping[str, np.ndarray]
) -> Axes:
    """Draw measured rates against a gain, beside what several rules predict.

    Parameters
    ----------
    ax : axes to draw in; the vertical one becomes logarithmic.
    gains : N numbers.
    measured : (N, seeds); a dot is the median, a bar the range.
    predicted : label to (N, seeds); a line is the median, up to four of them.
    """
    inks = [COLOURS[key] for key in "figo"]
    ends = {label: np.median(rates, axis=1)[-1] for label, rates in predicted.items()}
    height = 0.0
    for label in sorted(ends, key=ends.get):
        rates, ink = predicted[label], inks[list(predicted).index(label)]
        ax.plot(gains, np.median(rates, axis=1), color=ink)
        height = max(ends[label], 1.45 * height)  # labels of lines that meet stay apart
        label_end(ax, gains, [height], label, color=ink)
    low, median, high = np.quantile(measured, [0, 0.5, 1], axis=1)
    ax.vlines(gains, low, high, color="#333333", linewidth=1, zorder=3)
    ax.plot(gains, median, "o", color="#333333", zorder=3)
    ax.set(yscale="log", ylabel="rate per step")
    return ax


def rate_strips(
    ax: Axes,
    rows: Mapping[str, Mapping[str, np.ndarray]],
    span: tuple[float, float],
    labelled: Sequence[str],
) -> Axes:
    """Draw rates as dots, a group of strips a row, with a span of them shaded.

    Parameters
    ----------
    ax : axes to draw in.
    rows : name of a row, the first at the top, to label of a strip to its rates, one a seed. The
        first strip of a row is its highest; a bar marks the median.
    span : the lowest and the highest rate that are shaded.
    labelled : rows whose strips get their label, on the left of the dots.
    """
    ax.axvspan(*span, color=COLOURS["c"], alpha=0.3, linewidth=0)
    inks = [COLOURS[key] for key in "igf"]
    for row, (name, strips_of_row) in enumerate(rows.items()):
        for column, (label, values) in enumerate(strips_of_row.items()):
            y, ink = row + 0.26 * (column - 1), inks[column]
            ax.plot(values, np.full(len(values), y), "o", ms=2.5, mew=0, alpha=0.4, color=ink)
            ax.plot(np.median(values), y, "|", ms=11, mew=2, color=ink)
            if name in labelled:
                end = (np.min(values) - 0.02, y)
                ax.annotate(label, end, color=ink, ha="right", va="center", size=8.5)
    ax.set_yticks(range(len(rows)), rows)
    ax.set(ylim=(len(rows) - 0.4, -0.6))
    return ax


def gate_activations(
    axes: Sequence[Axes], rows: Mapping[str, np.ndarray], *, important: np.ndarray | None = None
) -> Sequence[Axes]:
    """Draw what gates and states did over one sequence, a heat map each; return the axes.

    Parameters
    ----------
    axes : as many as there are rows, from a column of subplots.
    rows : letter (i, f, g, o, c or h) to values (T, H), a unit a line. Gates are drawn from 0,
        dark, to 1, light; the others from blue through white to red, white at zero.
    important : (T,), true where the input matters: a triangle above the first map.
    """
    for ax, (key, values) in zip(axes, rows.items(), strict=True):
        edges = (0.5, len(values) + 0.5, values.shape[1] + 0.5, 0.5)
        look = {"vmin": 0, "vmax": 1}
        if key not in "ifo":
            most = max(np.abs(values).max(), 1e-9)
            look = {"cmap": "RdBu_r", "vmin": -most, "vmax": most}
        image = ax.imshow(values.T, aspect="auto", extent=edges, interpolation="nearest", **look)
        bar = ax.figure.colorbar(image, ax=ax, pad=0.02, aspect=9)
        bar.ax.tick_params(labelsize=8)
        ax.set_ylabel(f"${key}_t$", rotation=0, ha="right", va="center")
        ax.set_yticks([])
        ax.grid(False)
        if ax is not axes[-1]:
            ax.tick_params(labelbottom=False)
    if important is not None:
        steps = 1 + np.flatnonzero(important)
        axes[0].plot(
            steps, np.full(len(steps), 1.06), "v", color="#333333", clip_on=False,
            transform=axes[0].get_xaxis_transform(),
        )  # fmt: skip
    axes[-1].set_xlabel("step")
    axes[-1].xaxis.get_major_locator().set_params(integer=True)
    return axes


def gate_correlations(
    ax: Axes,
    rows: Mapping[str, Mapping[str, tuple[np.ndarray, np.ndarray]]],
    *,
    claimed: float | None = None,
) -> Axes:
    """Draw a statistic of every trained network as a dot and of untrained ones as rings.

    Parameters
    ----------
    ax : axes to draw in.
    rows : name of a row, the first at the top, to label of each of its strips, at most four, to the
        values of trained and of untrained networks, one a seed. A bar marks the trained median.
    claimed : where to draw a dashed line.
    """
    inks = [COLOURS[key] for key in "ifgo"]
    ticks: dict[float, str] = {}
    for row, (name, strips_of_row) in enumerate(rows.items()):
        shift = 0.72 / len(strips_of_row)
        for column, (label, (trained, untrained)) in enumerate(strips_of_row.items()):
            y = row - 0.36 + shift * (column + 0.5)
            ink = inks[column]
            rings = {"mfc": "none", "mec": "#777777", "mew": 0.7, "ms": 4.5}
            ax.plot(untrained, np.full(len(untrained), y), "o", **rings)
            ax.plot(trained, np.full(len(trained), y), "o", ms=4.5, mew=0, alpha=0.6, color=ink)
            ax.plot(np.median(trained), y, "|", ms=11, mew=2, color="#000000")
            ticks[y] = label if column else f"{name.replace('_', ' ')}, {label}".removesuffix(", ")
        if row:
            ax.axhline(row - 0.5, color="#BBBBBB", linewidth=0.8)
    if claimed is not None:
        ax.axvline(claimed, color="#333333", linestyle="--", linewidth=1.2)
    ax.set_yticks(list(ticks), ticks.values())
    ax.grid(False, axis="y")
    ax.set_ylim(len(rows) - 0.5, -0.5)
    return ax


def text_map(
    axes: Sequence[Axes], text: str, key: str, followed: np.ndarray, values: np.ndarray
) -> Sequence[Axes]:
    """Draw what units do over a text: one as a line, above it all as a heat map; return the axes.

    Parameters
    ----------
    axes : two axes one above the other, sharing the horizontal one.
    text : T characters, at most about 45; they are the ticks of both.
    key : which quantity (i, f, g, o, c or h).
    followed : (T,), of one unit.
    values : (T, H). Gates are drawn from 0 to 1, other quantities each on its unit's own scale.
    """
    steps, gate = np.arange(len(text)), key in "ifo"
    most = max(np.abs(followed).max(), 1e-9)
    line, heat = axes
    line.axhline(0, color="#888888", linewidth=0.8)
    line.plot(steps, followed, color=COLOURS[key], drawstyle="steps-mid")
    line.set_ylabel(f"${key}_t$", rotation=0, ha="right", va="center")
    line.set_ylim((-0.05, 1.05) if gate else (-1.1 * most, 1.1 * most))
    look = {"vmin": 0, "vmax": 1} if gate else {"cmap": "RdBu_r", "vmin": -1, "vmax": 1}
    largest = np.maximum(np.abs(values).max(axis=0), 1e-9)
    shown = values if gate else values / largest
    heat.imshow(shown.T, aspect="auto", interpolation="nearest", **look)
    heat.set(yticks=[], ylabel="units")
    letters = [{"\n": "⏎", " ": "·"}.get(character, character) for character in text]
    for ax in axes:
        ax.grid(False)
        ax.set_xticks(steps, letters, family="monospace", size=8)
        ax.tick_params(axis="x", length=0, labelbottom=True)
    return axes
