"""From rows to what a figure or a verdict needs: the learning rate picked, shares, intervals."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lstm_lesson.engine.arguments import check_rng

Z = 1.959964  # standard normal deviate of a 95 % interval


class Interval(NamedTuple):
    """An estimate and its 95 % interval."""

    value: float
    low: float
    high: float


class Arm(NamedTuple):
    """The runs of one arm on one task at one lag, at the learning rate that validation picked."""

    arm: str
    task: str
    T: int
    lr: float
    rates: tuple[float, ...]  # among which it was picked
    specs: tuple  # one a seed
    outcomes: tuple

    @property
    def solved(self) -> int:
        """How many runs solved the task on the test data."""
        return sum(outcome.solved for outcome in self.outcomes)

    @property
    def share(self) -> Interval:
        """The share of runs that solved the task."""
        return wilson(self.solved, len(self.outcomes))

    def values(self, field: str) -> np.ndarray:
        """Return a field of each outcome, one a seed."""
        return np.array([getattr(outcome, field) for outcome in self.outcomes])

    def median(self, field: str) -> Interval:
        """Return the median of a field over the seeds."""
        return median(self.values(field))


def arms(rows: dict) -> dict[tuple[str, str, int], Arm]:
    """Return the arms of an experiment by (arm, task, T), each at its picked learning rate.

    The rate is that with the most runs that solved the validation data, then the fewest sequences
    until they did, then the lowest median validation loss; test data have no say.
    """
    runs = defaultdict(lambda: defaultdict(dict))
    for spec, outcome in rows.items():
        runs[spec.arm, spec.task, spec.T][spec.lr][spec] = outcome
    picked = {}
    for key, by_rate in runs.items():
        lr = min(sorted(by_rate), key=lambda lr: _rank(by_rate[lr].values()))
        chosen = dict(sorted(by_rate[lr].items(), key=lambda item: item[0].seed))
        picked[key] = Arm(*key, lr, tuple(sorted(by_rate)), tuple(chosen), tuple(chosen.values()))
    return picked


def _rank(outcomes) -> tuple[float, float, float]:
    solved_at = [o.solved_at if o.solved_at and o.status == "ok" else math.inf for o in outcomes]
    losses = [o.validation_loss if o.status == "ok" else math.inf for o in outcomes]
    failed = sum(math.isinf(s) for s in solved_at) / len(solved_at)
    return failed, float(np.median(solved_at)), float(np.median(losses))


def wilson(count: int, total: int) -> Interval:
    """Return ``count / total`` with Wilson's 95 % interval (Wilson 1927); raise if total is 0."""
    if not 0 <= count <= total or total < 1:
        raise ValueError(f"count, total: expected 0 <= count <= total, got {count} and {total}")
    p = count / total
    middle = (p + Z**2 / (2 * total)) / (1 + Z**2 / total)
    half = Z / (1 + Z**2 / total) * math.sqrt(p * (1 - p) / total + Z**2 / (4 * total**2))
    low, high = max(0.0, middle - half), min(1.0, middle + half)  # rounding may leave [0, 1]
    return Interval(p, min(p, low), max(p, high))


def median(values: Sequence[float], rng=0, draws: int = 2000) -> Interval:
    """Return the median with a bootstrap 95 % interval; NaN and infinity count as the worst."""
    values = np.nan_to_num(np.asarray(values, float), nan=np.inf, posinf=np.inf)
    if values.ndim != 1 or not values.size:
        raise ValueError(f"values: expected some numbers in a row, got shape {values.shape}")
    samples = check_rng(rng).choice(values, (draws, values.size))
    medians = np.median(samples, axis=1)
    low, high = np.quantile(medians, (0.025, 0.975), method="inverted_cdf")
    return Interval(float(np.median(values)), float(low), float(high))


def ratio(a: Sequence[float], b: Sequence[float], rng=0, draws: int = 2000) -> Interval:
    """Return the ratio of two medians, a over b, with a bootstrap 95 % interval.

    NaN and infinity count as the worst; where both medians are, neither is better: the ratio is 1.
    """
    rng = check_rng(rng)
    a, b = (np.nan_to_num(np.asarray(v, float), nan=np.inf, posinf=np.inf) for v in (a, b))
    drawn = [np.median(rng.choice(v, (draws, v.size)), axis=1) for v in (a, b)]
    low, high = np.quantile(_divide(*drawn), (0.025, 0.975), method="inverted_cdf")
    return Interval(float(_divide(np.median(a), np.median(b))), float(low), float(high))


def _divide(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(np.isinf(a) & np.isinf(b), 1.0, a / b)
