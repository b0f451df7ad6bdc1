"""Lines: what changes over steps, lags or settings, often over many runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from lstm_lesson.figures.look import label_end, readable


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


def median_and_band(ax: Axes, x: np.ndarray, low, middle, high, color: str, **style) -> None:
    """Draw a line through `middle`, and a band from `low` to `high`, each (N,) like `x`."""
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
    median_and_band(ax, x, low, median, high, colour, **style)
    return ax


def norm_against_lag(
    ax: Axes,
    norms: np.ndarray,
    text: str,
    colour: str,
    *,
    at: int | None = None,
    above: bool = True,
    **style,
) -> Axes:
    """Draw the median over seeds of a gradient's norm, and a band that holds the middle 80 %.

    Parameters
    ----------
    ax : axes to draw in; the vertical one becomes logarithmic.
    norms : (seeds, lags), all positive, the first column at lag 0.
    text : what to write beside the line.
    colour : of the line, the band and the letters.
    at, above : the lag at which to write it, and whether above or below the line. Without a lag
        it stands behind the line's end.
    style : passed on to the line.
    """
    band(ax, np.arange(norms.shape[1]), norms, colour, **style)
    median = np.median(norms, axis=0)
    ax.set_yscale("log")
    if at is None:
        return label_end(ax, np.arange(len(median)), median, text, color=colour)
    ax.annotate(
        text,
        (at, median[at]),
        xytext=(0, 8) if above else (0, -8),
        textcoords="offset points",
        # On the side that the line turns away from.
        ha="right" if above == (median[at] >= median[0]) else "left",
        va="bottom" if above else "top",
        **readable(colour),
    )
    return ax


def over_lengths(
    ax: Axes,
    lengths: Sequence[int],
    shares: Mapping[str, np.ndarray],
    looks: Mapping[str, Mapping[str, str]],
) -> Axes:
    """Draw shares of sequences that are right against their length: each run, and the median.

    Each model is drawn narrower than the one before, so that lines on one another both show.

    Parameters
    ----------
    ax : axes to draw in; its horizontal one becomes logarithmic.
    lengths : of the test sequences, the first that of training.
    shares : name to (runs, lengths).
    looks : name to the style of its line, with a colour.
    """
    for (name, runs), width in zip(shares.items(), np.linspace(4, 1.2, len(shares)), strict=True):
        ax.plot(lengths, runs.T, color=looks[name]["color"], alpha=0.25, linewidth=0.8)
        middle, size = np.median(runs, axis=0), {"linewidth": width, "markersize": 3 + width}
        ax.plot(lengths, middle, marker="o", **size, **looks[name])
    ax.axvspan(lengths[0] * 0.9, lengths[0], color="#999999", alpha=0.3, linewidth=0)
    ax.set(xscale="log", xlabel="steps", ylabel="sequences right", ylim=(-0.05, 1.08))
    ax.set_xticks(lengths, map(str, lengths))
    ax.minorticks_off()
    return ax
