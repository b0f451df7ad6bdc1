"""Lines: what changes over steps, lags or settings, often over many runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from lstm_lesson.figures.style import COLOURS, NAMES, label_end


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
