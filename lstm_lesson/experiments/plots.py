"""Figures drawn from the rows of experiments, in chapters and for the files under ``plots/``."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from lstm_lesson import figures
from lstm_lesson.engine.files import naming
from lstm_lesson.experiments.runs import CURVE
from lstm_lesson.experiments.specs import experiment
from lstm_lesson.experiments.statistics import Arm, Interval, median
from lstm_lesson.experiments.trials import Trial
from lstm_lesson.experiments.watch_the_gates import WATCH_THE_GATES
from lstm_lesson.figures.dots import row_of_dots

# Of an arm, or of all that begin with its first word.
INKS = {"LSTM": "#000000", "GRU": figures.SERIES["indigo"], "RNN": figures.SERIES["wine"],
        "IRNN": "#777777", "LSTM, chrono": figures.SERIES["olive"]}  # fmt: skip
# Of chapter 14, in the order of its figures.
AGAINST = ("LSTM", "GRU", "RNN", "IRNN", "GRU, equal size", "RNN, equal size")
TITLES = {
    "sine": "sine",
    "recall": "recall",
    "adding": "adding",
    "marked_value": "marked value",
    "noisy_pattern": "noisy pattern",
    "temporal_order": "temporal order",
    "copy": "copy",
}


def arm_look(arm: str) -> dict:
    """Return the colour and the line of an arm: by its cell, and by its second name if any."""
    cell, _, rest = arm.partition(", ")
    line = "-" if not rest else "--" if rest == "equal size" else ":"
    return {"color": INKS.get(arm, INKS.get(cell, "#555555")), "linestyle": line}


def losses(ax: Axes, group: Sequence[Arm]) -> Axes:
    """Draw the test loss of every run, an arm a row, the first at the top; return the axes.

    A dot is a run, a bar the median, a dotted line what the trivial predictor scores; a run that
    diverged is a cross at the right edge.
    """
    trivial = group[0].outcomes[0].trivial
    ax.axvline(trivial, color="#333333", linestyle=":", linewidth=1)
    for row, arm in enumerate(group):
        values, ink = arm.values("test_loss"), arm_look(arm.arm)["color"]
        failed = arm.values("status") == "diverged"
        middle = arm.median("test_loss").value
        row_of_dots(ax, row, values[~failed], color=ink, middle=middle, bar=ink, height=13, ms=4)
        for _ in values[failed]:
            ax.plot(1, row, "x", color=ink, transform=ax.get_yaxis_transform(), clip_on=False)
    ax.set(xscale="log", ylim=(len(group) - 0.4, -0.6))
    ax.set_yticks(range(len(group)), [arm.arm for arm in group])
    ax.xaxis.set_minor_formatter(NullFormatter())
    return ax


def until_solved(ax: Axes, group: Sequence[Arm] | Mapping[str, Arm]) -> Axes:
    """Draw how many sequences each run had seen when it solved its task, an arm a row.

    A dot is a run, a bar the median; a cross right of its arm's budget is a run that never did. A
    row has the arm's name, or that under which `group` has it.
    """
    if not isinstance(group, Mapping):
        group = {arm.arm: arm for arm in group}
    for row, arm in enumerate(group.values()):
        budget = max(spec.steps * spec.batch_size for spec in arm.specs)
        # By validation; but a run of 1997 is scored by what it trains on, and ends there.
        seen, solved = arm.values("solved_at"), arm.values("solved_at") > 0
        if not isinstance(arm.outcomes[0], Trial):
            seen, solved = arm.values("sequences"), arm.values("solved")
        middle = np.median(np.where(solved, seen, np.inf))
        ink = figures.SERIES["indigo"]
        row_of_dots(ax, row, seen[solved], color=ink, middle=middle, height=14)
        place = 1.15 * budget * np.linspace(1, 1.3, len(seen))[: (~solved).sum()]
        ax.plot(place, np.full(len(place), row), "x", color=figures.SERIES["wine"])
    ax.set_yticks(range(len(group)), group)
    ax.set(xscale="log", ylim=(len(group) - 0.4, -0.6))
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    return ax


def against_lag(ax: Axes, lines: Mapping[str, Mapping[int, Interval]]) -> Axes:
    """Draw estimates with their intervals against the lag, an arm a line; return the axes.

    Parameters
    ----------
    ax : axes to draw in; the horizontal one becomes logarithmic.
    lines : arm to lag to what was estimated.
    """
    ticks = sorted({T for points in lines.values() for T in points})
    for n, (arm, points) in enumerate(lines.items()):
        T = np.array(sorted(points))
        value, low, high = np.array([points[t] for t in T]).T
        # Each a little to the right of the one before, so that all are seen.
        where, look = T * 1.03**n, arm_look(arm)
        ax.plot(where, value, marker="o", ms=4, **look)
        ax.vlines(where, low, high, color=look["color"], alpha=0.4, linewidth=3)
    ax.set_xscale("log")
    ax.set_xticks(ticks, ticks)
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("lag $T$")
    return ax


def validation_curves(ax: Axes, group: Sequence[Arm]) -> Axes:
    """Draw the median validation loss over a run, and a band from the best run to the worst."""
    ends = {}
    for arm in group:
        found = [[float(v) for v in outcome.curve.split()] for outcome in arm.outcomes]
        values = np.full((len(found), CURVE), np.inf)
        for row, curve in zip(values, found, strict=True):
            row[: len(curve)] = curve  # a run that diverged has no more
        seen = np.arange(1, CURVE + 1) * arm.specs[0].steps * arm.specs[0].batch_size / CURVE
        look = arm_look(arm.arm)
        ax.fill_between(
            seen, values.min(axis=0), values.max(axis=0), color=look["color"], alpha=0.12, lw=0
        )
        ax.plot(seen, np.median(values, axis=0), **look)
        ends[arm.arm] = np.median(values[:, -1])
    ax.axhline(group[0].outcomes[0].trivial, color="#333333", linestyle=":", linewidth=1)
    ax.set(yscale="log", xlabel="sequences seen", ylabel="validation loss")
    return name_ends(ax, seen[-1], ends)


def name_ends(ax: Axes, x: float, ends: Mapping[str, float]) -> Axes:
    """Name arms beside the ends of their lines, none on another; the vertical axis is logarithmic.

    Parameters
    ----------
    ax : axes with the lines.
    x : where they end.
    ends : arm to the height at which its line ends.
    """
    low, high = np.log10(ax.get_ylim())
    place = low
    for name in sorted(ends, key=ends.get):  # from below
        place = max(np.log10(ends[name]), place + 0.07 * (high - low))
        figures.label_end(ax, [x], [10**place], name, color=arm_look(name)["color"])
    return ax


def bits_recalled(arm: Arm) -> Interval:
    """Return how many of the copy task's 30 bits a model has learned to give back, at the median.

    That is how far its loss, summed over the steps, lies below that of a model without memory.
    """
    words = arm.values("trivial") - np.minimum(arm.values("test_loss"), arm.values("trivial"))
    return median(words * (arm.T + 20) / math.log(2))


def lstm_vs_rnn_comparison(folder=None) -> plt.Figure:
    """Return the figure of ``lstm_against_rnn``: every reported run, a panel a task."""
    rows = experiment("lstm_against_rnn").reported(folder)
    places = list(dict.fromkeys(key[1:] for key in rows))
    figure, axes = plt.subplots(len(places), 1, figsize=(5, 1.6 * len(places)))
    for ax, place in zip(np.atleast_1d(axes), places, strict=True):
        losses(ax, [rows[arm, *place] for arm in AGAINST if (arm, *place) in rows])
        ax.set_title(f"{TITLES[place[0]]}, {place[1]} steps")
    ax.set_xlabel("test loss")
    return figure


def training_dynamics(folder=None) -> plt.Figure:
    """Return the figure of how runs of ``lstm_against_rnn`` learn, and one other RNN."""
    rows = experiment("lstm_against_rnn").reported(folder)
    rows |= experiment("fair_starts").reported(folder)
    figure, axes = plt.subplots(2, 1, figsize=(5, 6))
    chosen = ("LSTM", "GRU", "RNN", "IRNN", "RNN, ReLU, U = 1")
    for ax, (task, T) in zip(axes, (("adding", 60), ("recall", 25)), strict=True):
        validation_curves(ax, [rows[arm, task, T] for arm in chosen if (arm, task, T) in rows])
        ax.set_title(f"{TITLES[task]}, {T} steps")
    return figure


def sequence_length_analysis(folder=None) -> plt.Figure:
    """Return the figure of ``stretch_the_lag``: the share of runs that solve a task, by lag."""
    rows = experiment("stretch_the_lag").reported(folder)
    tasks = list(dict.fromkeys(key[1] for key in rows))
    figure, axes = plt.subplots(len(tasks), 1, figsize=(5, 2.2 * len(tasks)), sharey=True)
    for ax, task in zip(axes, tasks, strict=True):
        lines = _by_lag(rows, task, lambda arm: arm.share)
        against_lag(ax, lines)
        ax.set(title=TITLES[task], ylabel="share solved", ylim=(-0.05, 1.05))
    legend(axes[0], lines)
    return figure


def memory_capacity(folder=None) -> plt.Figure:
    """Return the figure of ``count_bits``, the copy task: bits given back, by lag."""
    rows = experiment("count_bits").reported(folder)
    lines = _by_lag(rows, "copy", bits_recalled)
    if not lines:
        raise LookupError("no rows of the copy task")
    ax = against_lag(plt.subplots()[1], lines)
    ax.axhline(30, color="#333333", linestyle=":", linewidth=1)
    ax.set(ylabel="bits recalled, of 30", ylim=(-1, 32))
    return legend(ax, lines).figure


def _by_lag(rows: Mapping, task: str, estimate: Callable) -> dict[str, dict[int, Interval]]:
    """Return arm to lag to an estimate of the arm's runs on a task."""
    lines: dict = {}
    for (name, of, T), arm in rows.items():
        if of == task:
            lines.setdefault(name, {})[T] = estimate(arm)
    return lines


def means_of_gates(folder=None) -> plt.Figure:
    """Draw the mean of each gate on four tasks, of trained and of untrained networks."""
    figure, axes = plt.subplots(3, 1, figsize=(5, 7), sharex=True)
    for ax, key in zip(axes, "ifo", strict=True):
        figures.dots_and_rings(ax, _gates(folder, {"": f"{key}_mean"}), inks=[figures.COLOURS[key]])
        ax.set_title(figures.NAMES[key])
    axes[-1].set(xlabel="mean over units and steps (rings: untrained)", xlim=(0, 1))
    return figure


def correlations_of_gates(folder=None) -> plt.Figure:
    """Draw two correlations of gates on four tasks, read in three ways each."""
    figure, axes = plt.subplots(2, 1, figsize=(5, 7), sharex=True)
    titles = {"i_input": "input gate and important input", "f_i": "forget gate and input gate"}
    for ax, (field, title) in zip(axes, titles.items(), strict=True):
        ways = {way: f"{field}_{way}" for way in ("unit", "layer", "pooled")}
        figures.dots_and_rings(ax, _gates(folder, ways))
        ax.set_title(title)
    axes[-1].set(xlabel="correlation (rings: untrained)", xlim=(-1.05, 1.05))
    return figure


def _gates(folder, fields: Mapping[str, str]) -> dict[str, dict]:
    """Return task to label to a field of the trained networks, and of the untrained ones."""
    found: dict[str, dict] = {}
    for spec, outcome in WATCH_THE_GATES.store(folder).rows().items():
        if spec.arm in ("trained", "untrained"):
            for label, field in fields.items():
                pair = found.setdefault(TITLES[spec.task], {}).setdefault(label, ([], []))
                pair[spec.arm == "untrained"].append(getattr(outcome, field))
    if not found:
        raise LookupError(f"no rows of {WATCH_THE_GATES.name}")
    return found


def legend(ax: Axes, names: Mapping) -> Axes:
    """Name the lines of arms at the right of the axes; return them."""
    lines = [Line2D([], [], label=arm, **arm_look(arm)) for arm in names]
    ax.legend(handles=lines, loc="upper left", bbox_to_anchor=(1.02, 1.05), borderaxespad=0)
    return ax


FIGURES = {  # by the names of their files
    "lstm_vs_rnn_comparison": lstm_vs_rnn_comparison,
    "gate_activations": means_of_gates,
    "training_dynamics": training_dynamics,
    "sequence_length_analysis": sequence_length_analysis,
    "memory_capacity": memory_capacity,
    "gate_correlations": correlations_of_gates,
}


def draw_all(results, plots) -> list[Path]:
    """Draw every figure from the rows in a folder into another; return the files.

    The same rows give the same bytes. Raises ValueError that names the figures whose rows are
    missing, after all others are drawn.
    """
    written, missing = [], []
    with plt.style.context("default"):
        figures.use_style()
        for name, draw in FIGURES.items():
            try:
                png = figures.to_png(draw(results))
            except (LookupError, ValueError):  # ValueError: of a figure of no panels
                plt.close("all")
                missing.append(name)
                continue
            written.append(Path(plots) / f"{name}.png")
            with naming(written[-1]):
                written[-1].write_bytes(png)
    if missing:
        raise ValueError(f"rows are missing in {results} for {', '.join(missing)}")
    return written
