"""Tasks of any length that ask for an answer at every step: two that need a state, two a count.

A network that has understood one at 40 steps can do it at 500. Each is drawn for N sequences by a
function ``(rng, N, T) -> Batch``, and comes with the loss of the best predictor that sees no input.
"""

from __future__ import annotations

import math

import numpy as np

from lstm_lesson.training.models import Batch

CYCLE = 5  # places on the circle of `modular_counting`


def parity(rng, N: int, T: int) -> Batch:
    """Bits; at each step, whether the number of ones so far is odd."""
    bits = rng.integers(2, size=(T, N))
    return Batch(np.eye(2)[bits], bits.cumsum(axis=0) % 2)


def modular_counting(rng, N: int, T: int) -> Batch:
    """Steps to the left, none, or to the right on a circle of `CYCLE` places; where one stands."""
    moves = rng.integers(3, size=(T, N))
    return Batch(np.eye(3)[moves], (moves - 1).cumsum(axis=0) % CYCLE)


def a_n_b_n(rng, N: int, T: int) -> Batch:
    """The letter a, n times, then b to the end; whether there are as many of each just now.

    n is uniform from 1 to T // 2, so that each sequence has one such step.
    """
    n = rng.integers(1, T // 2 + 1, size=N)
    steps = np.arange(1, T + 1)[:, None]
    return Batch(np.eye(2)[(steps > n).astype(int)], (steps == 2 * n).astype(int))


def brackets(rng, N: int, T: int) -> Batch:
    """Brackets, none of which closes before it opened; whether all are closed just now (Dyck-1).

    Where a bracket may close, it does with a chance of one half.
    """
    opens, depth = rng.integers(2, size=(T, N)), np.zeros(N, int)
    depths = np.empty((T, N), int)
    for t in range(T):
        opens[t] |= depth == 0
        depth = depths[t] = depth + 2 * opens[t] - 1
    return Batch(np.eye(2)[opens], (depths == 0).astype(int))


def modular_counting_trivial(T: int) -> float:
    """Return the entropy of the place, over the steps."""
    share, total = np.eye(CYCLE)[0], 0.0
    for _ in range(T):
        share = (share + np.roll(share, 1) + np.roll(share, -1)) / 3
        total -= sum(p * math.log(p) for p in share if p)
    return total / T


def a_n_b_n_trivial(T: int) -> float:
    """Return the entropy of the answer, over the steps: at even ones it is yes in 1 of T // 2."""
    return (T // 2) * _entropy(1 / (T // 2)) / T


def brackets_trivial(T: int) -> float:
    """Return the entropy of the answer: the depth is the distance of a random walk from zero."""
    return sum(_entropy(math.comb(2 * k, k) / 4**k) for k in range(1, T // 2 + 1)) / T


def _entropy(p: float) -> float:
    return -sum(q * math.log(q) for q in (p, 1 - p) if q)
