"""Chapter 9: what NumPy and PyTorch differ by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from lstm_lesson.figures.lines import median_and_band
from lstm_lesson.figures.look import SERIES, label_end


def differences_by_size(
    axes: Sequence[Axes], sizes: Sequence[str], panels: Mapping[str, Mapping[str, np.ndarray]]
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
    inks = {"float32": ("#333333", "#333333", -0.18), "float64": (SERIES["indigo"], "white", 0.18)}
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
        {"color": SERIES["indigo"]},
    )
    for ax, (title, lines) in zip(axes, panels.items(), strict=True):
        for errors, style in zip(lines, styles, strict=True):
            low, median, high = np.quantile(np.maximum(errors, 1e-18), [0.0, 0.5, 1.0], axis=0)
            median_and_band(ax, np.arange(1, errors.shape[1] + 1), low, median, high, **style)
        ax.set(title=title, yscale="log", ylim=(1e-18, 1e2), yticks=[1e-16, 1e-8, 1])
    against = "NumPy (grey) and PyTorch (dashed)\nin float32, against float64"
    notes = {against: 1e-4, "NumPy against PyTorch, both in float64": 1e-12}
    for note, height in notes.items():
        axes[0].annotate(note, (6, height), va="center", color="#333333")
    axes[len(axes) // 2].set_ylabel("largest error in $h_t$")
    axes[-1].set_xlabel("step")
    return axes
