"""Chapter 24: scores of many models on two tasks, where attention looks, time against length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from lstm_lesson.figures import lines
from lstm_lesson.figures.dots import row_of_dots
from lstm_lesson.figures.look import INKS, SERIES

INK = {"LSTM": SERIES["black"], "sLSTM": SERIES["wine"], "mLSTM": SERIES["wine"],
       "Transformer": SERIES["indigo"], "relational memory": "#777777"}  # fmt: skip


def ink(name: str) -> str:
    """Return the colour of a model: those of a family share one."""
    return INK.get(name.removesuffix(" in blocks"), SERIES["olive"])  # linear recurrences


def scores(
    axes: Sequence[Axes], panels: Mapping[str, tuple[Mapping[str, np.ndarray], float]]
) -> Sequence[Axes]:
    """Draw the scores of models on several tasks, a dot a run, a row a model; return the axes.

    Parameters
    ----------
    axes : as many as there are panels, one above the other.
    panels : title to the scores by the name of a model, (seeds,) each, and the score of a trivial
        predictor, a dotted line.
    """
    for ax, (title, (shown, level)) in zip(axes, panels.items(), strict=True):
        ax.axvline(level, color="#333333", linestyle=":", linewidth=1)
        for row, (name, values) in enumerate(shown.items()):
            row_of_dots(ax, row, values, color=ink(name), bar=ink(name))
        ax.set(title=title, xlim=(-0.03, 1.03), ylim=(len(shown) - 0.4, -0.6))
        ax.set_yticks(range(len(shown)), shown)
    return axes


def who_solves(ax: Axes, tasks: Mapping[str, Mapping[str, tuple[int, int]]]) -> Axes:
    """Draw for each task how many runs of each model solve it; return the axes.

    Parameters
    ----------
    ax : axes to draw in.
    tasks : title to the name of a model to how many runs solved it and how many there are.
    """
    row, ticks = 0.0, {}
    for title, models in tasks.items():
        ax.annotate(title, (0.01, row), va="center", fontweight="bold")
        for name, (solved, runs) in models.items():
            row += 1
            share = solved / runs
            ax.barh(row, share, height=0.62, color=ink(name))
            place = {"xytext": (4, 0), "textcoords": "offset points", "va": "center"}
            ax.annotate(f"{solved} of {runs}", (share, row), annotation_clip=False, **place)
            ticks[row] = name
        row += 1.5
    ax.set_yticks(list(ticks), ticks.values())
    ax.set(xlim=(0, 1), ylim=(row - 0.9, -0.8), xlabel="share of runs that solve the task")
    ax.tick_params(axis="y", length=0)
    ax.grid(False, axis="y")
    return ax


def attention_map(ax: Axes, weights: np.ndarray, pairs: int, shown: np.ndarray) -> Axes:
    """Draw where each step looks, and rings where the key that it asks for was shown.

    Parameters
    ----------
    ax : axes to draw in.
    weights : (T, T), a row the shares of a step.
    pairs : how many steps showed a pair.
    shown : (T - pairs,), for each question the step of its key, from 0.
    """
    T = len(weights)
    image = ax.imshow(weights, cmap="Blues", vmin=0, vmax=1)
    ax.plot(shown, np.arange(pairs, T), "o", mfc="none", mec=SERIES["olive"], ms=7, mew=1.2)
    ax.axhline(pairs - 0.5, color="#777777", linewidth=0.8)
    ticks = np.arange(3, T, 4)
    ax.set(xlabel="looked at: step", ylabel="step", xticks=ticks, yticks=ticks)
    ax.set_xticklabels(ticks + 1)
    ax.set_yticklabels(ticks + 1)
    ax.grid(False)
    ax.figure.colorbar(image, ax=ax, fraction=0.045, pad=0.03)
    return ax


def one_row(ax: Axes, row: int, name: str, values: np.ndarray) -> Axes:
    """Draw the values of one model as dots in its colour, with a bar at their median."""
    return row_of_dots(ax, row, values, color=ink(name), bar=ink(name))


def over_lengths(ax: Axes, lengths: Sequence[int], shares: Mapping[str, np.ndarray]) -> Axes:
    """Draw the shares of each model in its colour, as `lines.over_lengths` does."""
    return lines.over_lengths(ax, lengths, shares, {name: {"color": ink(name)} for name in shares})


def times(ax: Axes, lengths: Sequence[int], milliseconds: Mapping[str, Sequence[float]]) -> Axes:
    """Draw milliseconds against the length of the sequences, both logarithmic; return the axes."""
    colours = dict(zip(milliseconds, (*SERIES.values(), "#777777"), strict=False))
    lowest = 0.0
    for name, values in sorted(milliseconds.items(), key=lambda item: item[1][-1]):
        colour = colours[name]
        ax.plot(lengths, values, "o-", color=colour)
        lowest = max(values[-1], 1.6 * lowest)  # so that no label stands on another
        ax.annotate(
            name, (lengths[-1], lowest), (6, 0), textcoords="offset points", va="center",
            annotation_clip=False, color=INKS.get(colour, colour),
        )  # fmt: skip
    ax.set(xscale="log", yscale="log", xlabel="steps", ylabel="milliseconds")
    ax.set_xticks(lengths, map(str, lengths))
    ax.minorticks_off()
    return ax


def choices(
    ax: Axes, models: Sequence[str], questions: Sequence[str], cells: Sequence[Sequence[tuple]]
) -> Axes:
    """Draw a table of what each model can do; return the axes.

    Parameters
    ----------
    ax : axes to draw in.
    models, questions : names of the rows and of the columns.
    cells : for each model and question a text and how good that is, from 0 to 1, or None.
    """
    for row, entries in enumerate(cells):
        for column, (text, good) in enumerate(entries):
            colour = "#EEEEEE" if good is None else ("#B9C7D9" if good > 0.5 else "#F6D5C4")
            box = {"facecolor": colour, "alpha": 0.55, "edgecolor": "white", "linewidth": 2}
            ax.add_patch(_rectangle(column, row, box))
            ax.annotate(text, (column, row), ha="center", va="center", size=8.5, color="#000000")
    ax.set(xlim=(-0.5, len(questions) - 0.5), ylim=(len(models) - 0.5, -0.5))
    ax.set_xticks(range(len(questions)), questions)
    ax.set_yticks(range(len(models)), models)
    ax.tick_params(length=0, labeltop=True, labelbottom=False)
    ax.grid(False)
    for spine in ax.spines.values():
        spine.set_visible(False)
    return ax


def _rectangle(column: float, row: float, style: dict):
    from matplotlib.patches import Rectangle

    return Rectangle((column - 0.5, row - 0.5), 1, 1, **style)
