"""Chapter 23: pairs of runs, what many of them say, who did which run when, what is lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter, StrMethodFormatter

from lstm_lesson.figures.look import INKS, SERIES, readable

WORDS = {1: SERIES["indigo"], 0: "#D0D0D0", -1: SERIES["wine"]}  # first is less, nothing, more


def pairs(ax: Axes, a: Sequence[float], b: Sequence[float], names: Sequence[str]) -> Axes:
    """Draw a line for each pair of runs, indigo if the first is less, grey if both are equal.

    Parameters
    ----------
    ax : axes to draw in; the vertical one becomes logarithmic.
    a, b : (seeds,), positive, one a run.
    names : of the two arms.
    """
    for pair in zip(a, b, strict=True):
        sign = int(np.sign(pair[1] - pair[0]))
        colour = WORDS[sign] if sign else "#888888"
        ax.plot((0, 1), pair, "o-", color=colour, alpha=0.6, linewidth=1.3)
    ax.set_xticks((0, 1), names)
    ax.set(yscale="log", xlim=(-0.25, 1.25))
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.yaxis.set_minor_formatter(NullFormatter())
    return ax


def words(axes: Sequence[Axes], said: Mapping[int, np.ndarray], names: Sequence[str]) -> np.ndarray:
    """Draw how often many repetitions of a comparison give each word, and how far they spread.

    Parameters
    ----------
    axes : two, one above the other.
    said : number of runs a side to (repetitions, 2): the word, 1, 0 or -1, and the share of pairs
        in which the first is less.
    names : of the words 1 and 0; the third is drawn without a name.
    """
    x = np.arange(len(said))
    below = np.zeros(len(said))
    for word, colour in WORDS.items():
        share = np.array([np.mean(repeats[:, 0] == word) for repeats in said.values()])
        axes[0].bar(x, share, 0.75, below, color=colour)
        below += share
    for name, height, colour in zip(names, (0.5, 0.97), (WORDS[1], "#555555"), strict=True):
        at = (x[-1] + 0.45, height)  # beside the last bar
        axes[0].annotate(
            name, at, va="center", annotation_clip=False, color=INKS.get(colour, colour)
        )
    spread = np.array([np.quantile(r[:, 1], (0.025, 0.5, 0.975)) for r in said.values()])
    axes[1].vlines(x, spread[:, 0], spread[:, 2], color=SERIES["indigo"], linewidth=5, alpha=0.4)
    axes[1].plot(x, spread[:, 1], "o", color=SERIES["indigo"])
    axes[1].axhline(0.5, color="#888888", linestyle="--", linewidth=1.2)
    for ax in axes:
        ax.set_xticks(x, said)
        ax.set_ylim(0, 1)
    return axes


def timeline(ax: Axes, work: Mapping[str, np.ndarray], killed: tuple[str, float]) -> Axes:
    """Draw what each worker did when, a bar for each run, and the moment at which one was killed.

    Parameters
    ----------
    ax : axes to draw in.
    work : name of a worker to (runs, 2): start and end, in seconds.
    killed : its name, and when.
    """
    for row, (name, spans) in enumerate(work.items()):
        ax.broken_barh(
            [(start, end - start) for start, end in spans], (row - 0.35, 0.7),
            color=WORDS[-1] if name == killed[0] else WORDS[1], edgecolor="white", lw=0.8,
        )  # fmt: skip
    ax.plot(killed[1], list(work).index(killed[0]), "X", color="#222222", markersize=9)
    ax.set_yticks(range(len(work)), work)
    ax.set(ylim=(len(work) - 0.4, -0.6), xlabel="seconds")
    return ax


def overhead(ax: Axes, lengths: np.ndarray, took: np.ndarray) -> Axes:
    """Draw how long a task takes on a cluster against how long its work takes, both in ms."""
    ends = np.array([lengths.min() / 2, lengths.max() * 1.5])
    ax.plot(ends, ends, color="#888888", linestyle="--", linewidth=1.2)
    ax.plot(lengths, took, "o-", color=SERIES["indigo"])
    ax.annotate("the work alone", (lengths[1], lengths[1] * 0.8), va="top", **readable("#555555"))
    ax.annotate("on the cluster", (lengths[0], took[0] * 1.8), **readable(SERIES["indigo"]))
    ax.set(xscale="log", yscale="log", xlabel="work in a task (ms)", ylabel="time for a task (ms)")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    return ax


def restarted(failures: np.ndarray) -> np.ndarray:
    """Return (e^n - 1) / n: how many times as long work takes that each of n failures undoes."""
    return np.expm1(failures) / failures


def what_counts(
    axes: Sequence[Axes], power: Mapping[int, float], plans: Mapping[str, float], kept: float
) -> Sequence[Axes]:
    """Draw how often runs find a difference, and what failures cost if nothing is written down.

    Parameters
    ----------
    axes : two, one above the other; the horizontal ones become logarithmic.
    power : number of runs a side to the share of teams that are told the truth.
    plans : name of a plan to its failures, on average, in the time that it takes undisturbed.
    kept : what part of all runs one failure costs if each finished run is kept.
    """
    runs, shares = list(power), list(power.values())
    axes[0].plot(runs, shares, "o-", color=WORDS[1])
    axes[0].set(xscale="log", ylim=(-0.04, 1), xlabel="runs of each arm", ylabel="share of teams")
    axes[0].set_xticks(runs, map(str, runs))
    axes[0].minorticks_off()
    failures = np.geomspace(min(plans.values()) / 2, 2 * max(plans.values()), 100)
    lost = {"all is lost": restarted(failures), "rows are kept": 1 + kept * failures}
    for (name, factor), colour in zip(lost.items(), (WORDS[-1], WORDS[1]), strict=True):
        axes[1].plot(failures, factor, color=colour)
        at = (failures[-1], factor[-1])
        place = {"xytext": (-8, 0) if factor[-1] > 2 else (0, -10), "textcoords": "offset points"}
        axes[1].annotate(name, at, ha="right", va="center", **place, **readable(colour))
    for name, count in plans.items():
        factor = restarted(count)
        axes[1].plot(count, factor, "o", color=WORDS[-1])
        place = {"xytext": (-7, 3) if factor > 2 else (-4, 9), "textcoords": "offset points"}
        side = "right" if factor > 2 else "left"
        axes[1].annotate(f"{name}: {factor:,.3g}", (count, factor), ha=side, **place)
    axes[1].set(xscale="log", yscale="log", ylim=(0.12, None), ylabel="times as long")
    axes[1].set_xlabel("failures while it runs, on average")
    for axis in (axes[1].xaxis, axes[1].yaxis):
        axis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    return axes
