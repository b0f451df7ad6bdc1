"""Chapter 2: the rates at which gradients grow or shrink."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from lstm_lesson.figures.dots import row_of_dots
from lstm_lesson.figures.look import label_end, readable


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
    lines = ["--", "-", "-.", ":"]  # in grey, for the cell's colours mean something else
    ends = {label: np.median(rates, axis=1)[-1] for label, rates in predicted.items()}
    height = 0.0
    for label in sorted(ends, key=ends.get):
        rates, line = predicted[label], lines[list(predicted).index(label)]
        ax.plot(gains, np.median(rates, axis=1), color="#777777", linestyle=line)
        height = max(ends[label], 1.45 * height)  # labels of lines that meet stay apart
        label_end(ax, gains, [height], label)
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
    ax.axvspan(*span, color="#DDDDDD", linewidth=0)
    inks = ["#111111", "#404040", "#707070"]
    for row, (name, strips_of_row) in enumerate(rows.items()):
        for column, (label, values) in enumerate(strips_of_row.items()):
            y, ink = row + 0.26 * (column - 1), inks[column]
            row_of_dots(ax, y, values, color=ink, bar=ink, ms=2.5, alpha=0.4)
            if name in labelled:
                end = (np.min(values) - 0.02, y)
                style = {"ha": "right", "va": "center", "size": 8.5, **readable(ink)}
                ax.annotate(label, end, **style)
    ax.set_yticks(range(len(rows)), rows)
    ax.set(ylim=(len(rows) - 0.4, -0.6))
    return ax
