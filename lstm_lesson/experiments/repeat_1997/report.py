"""Cards: what a paper says a task took, what it took here, and a verdict by a rule fixed before.

Introduced in chapter 17, which states the rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from lstm_lesson.experiments.statistics import Arm, Interval, median

ENOUGH = 9  # runs of ten that must solve a task for it to be learned
FACTOR = 2  # within which two numbers of sequences are as many


class Published(NamedTuple):
    """What Hochreiter and Schmidhuber 1997 report of an experiment."""

    title: str
    table: int
    weights: str
    sequences: int  # until learned, the mean of the paper's trials


PUBLISHED = {
    "embedded_reber": Published("1, embedded Reber", 1, "276", 8_440),
    "noise_free_lag": Published("2a, noise-free lag of 100", 2, "10,504", 5_040),
    "two_sequence": Published("3a, two-sequence, N = 3", 4, "102", 39_850),
    "adding_1997": Published("4, adding, T = 100", 7, "93", 74_000),
    "multiplication": Published("5, multiplication, 140 wrong", 8, "93", 482_000),
    "temporal_order_1997": Published("6a, temporal order", 9, "156", 31_390),
}

# Claims about two arms of a task, of which the second is said to learn it in more of its runs.
ASKED = {
    "Gates of their own help.": ("embedded_reber", "1997", "1997, own gates"),
    "Four blocks of one cell learn more often than three of two.": (
        "embedded_reber", "1997", "1997, four blocks"
    ),
    "Beyond four blocks, six help.": ("embedded_reber", "1997, four blocks", "1997, own gates"),
    "Steps at each symbol help, three blocks.": (
        "embedded_reber", "1997, by sequence", "1997"
    ),
    "Steps at each symbol help, four blocks.": (
        "embedded_reber", "1997, four blocks, by sequence", "1997, four blocks"
    ),
    "Forget gates help.": ("continual_reber", "no forget gates", "forget gates"),
    "Peepholes help.": ("timed_spikes", "no peepholes", "peepholes"),
}  # fmt: skip


def until_learned(arm: Arm) -> Interval:
    """Return the median of the sequences until solved; a run that failed counts as infinity."""
    return median([o.solved_at if o.solved else np.inf for o in arm.outcomes])


def mean_of_solved(arm: Arm) -> float:
    """Return the mean of the sequences until solved, of the runs that did; infinity for none."""
    return float(np.mean([o.solved_at for o in arm.outcomes if o.solved] or [np.inf]))


def learned(arm: Arm) -> str:
    """Return "learned", "at times" or "not within N", by how many runs solved the task."""
    if not arm.solved:  # and who knows what would have come after
        return f"not within {arm.specs[0].budget:,} sequences"
    return "learned" if arm.solved >= ENOUGH else "at times"


def cost(arm: Arm, sequences: int) -> str:
    """Return "fewer", "as many" or "more", by the interval of `until_learned`."""
    took = until_learned(arm)
    if took.low > FACTOR * sequences:
        return "more"
    return "fewer" if took.high < sequences / FACTOR else "as many"


def shown(fewer: Arm, more: Arm) -> bool:
    """Whether `more` solves its task more often: whether the intervals of the shares lie apart."""
    return more.share.low > fewer.share.high


def answers(picked: Mapping) -> dict[str, str]:
    """Return of each claim in `ASKED` that it holds, that it fails, or that it is undecided."""
    found = {(arm.task, arm.arm): arm for arm in picked.values()}
    words = {}
    for claim, (task, *names) in ASKED.items():
        fewer, more = (found[task, name] for name in names)
        holds, fails = shown(fewer, more), shown(more, fewer)
        words[claim] = "holds" if holds else "fails" if fails else "undecided"
    return words


def card(task: str, picked: Mapping, machines: Mapping) -> str:
    """Return the card of a task as text.

    Parameters
    ----------
    task : a name in `PUBLISHED`.
    picked : what `statistics.arms` returns.
    machines : spec to `store.Machine`, for the minutes.
    """
    title, table, weights, sequences = PUBLISHED[task]
    minutes = sum(m.seconds for spec, m in machines.items() if spec.task == task) / 60
    lines = [
        f"Experiment {title}",
        f"  paper, table {table}: {weights} weights, mean {sequences:,}",
    ]
    for arm in picked.values():
        if arm.task != task:
            continue
        lines += [f"{arm.arm}: {arm.outcomes[0].parameters:,} weights"]
        lines += [f"  rate {arm.lr:g}: {arm.solved} of {len(arm.outcomes)}"]
        if not arm.solved:
            lines += [f"  {learned(arm)}"]
            continue
        took = until_learned(arm)
        wrong = np.median([o.wrong for o in arm.outcomes if o.solved])
        tested = arm.outcomes[0].tested
        lines[-1] += f", wrong {wrong:,.0f} of {tested:,}"
        lines += [
            f"  mean {mean_of_solved(arm):,.0f}, median {_number(took.value)} "
            f"[{_number(took.low)}, {_number(took.high)}]",
            f"  {learned(arm)}, {cost(arm, sequences)} sequences",
        ]
    return "\n".join([*lines, f"({minutes:.1f} minutes of one core)"])


def _number(value: float) -> str:
    return f"{value:,.0f}" if np.isfinite(value) else "-"
