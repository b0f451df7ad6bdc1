"""Tasks that ask how the things seen belong together: look one up by its key, or compare them all.

With them come the scores of predictors that do no such thing, for a network may stop at one of
these: a plateau is a number. Introduced in chapter 24.
"""

from __future__ import annotations

import math

import numpy as np

from lstm_lesson.engine.arguments import check_rng, check_size
from lstm_lesson.training.models import Batch

KEYS = VALUES = 16  # of `associative_recall`
POINTS, DIMENSIONS = 4, 2  # of `farthest`


def associative_recall(rng, N: int, T: int) -> Batch:
    """T // 2 pairs of a key and a value, then keys of these; the target is the value of each.

    A pair is shown in one step, both one-hot. No key comes twice, values may; which keys are asked
    for is drawn anew at each step. Nothing counts while the pairs are shown.
    """
    pairs, rows = T // 2, np.arange(N)
    if pairs > KEYS:
        raise ValueError(f"T: expected at most {2 * KEYS + 1}, for {KEYS} keys, got {T}")
    keys = rng.random((N, KEYS)).argsort(axis=1).T[:pairs]  # (pairs, N)
    values = rng.integers(VALUES, size=(pairs, N))
    asked = rng.integers(pairs, size=(T - pairs, N))
    x = np.zeros((T, N, KEYS + VALUES))
    x[..., :KEYS] = np.eye(KEYS)[np.concatenate([keys, keys[asked, rows]])]
    x[:pairs, :, KEYS:] = np.eye(VALUES)[values]
    mask = np.broadcast_to((np.arange(T) >= pairs)[:, None], (T, N)).copy()
    return Batch(x, np.concatenate([values, values[asked, rows]]), mask=mask)


def most_frequent_value(pairs: int) -> float:
    """Return the score of always answering the value that most of so many pairs have.

    That is the mean largest count of `pairs` draws among `VALUES`, over the number of pairs.
    The chance that no count is above m is a coefficient of a product of series.
    """
    check_size("pairs", pairs)
    at_most = []
    for m in range(pairs + 1):
        one = np.array([1 / math.factorial(j) if j <= m else 0.0 for j in range(pairs + 1)])
        product = np.eye(1, pairs + 1)[0]
        for _ in range(VALUES):
            product = np.convolve(product, one)[: pairs + 1]
        at_most.append(product[pairs] * math.factorial(pairs) / VALUES**pairs)
    return sum(1 - share for share in at_most[:-1]) / pairs


def nth_farthest(rng, N: int, points: int, dimensions: int, n: int | None = None) -> Batch:
    """Labelled points in a cube; which is the n-th farthest from the point labelled m?

    The task of Santoro et al. 2018, section 4.1. At each of as many steps as there are points:
    its coordinates from U(-1, 1), its label one-hot, and m one-hot; and n one-hot, from 1 to
    `points`, unless it is given and the same for all. The last of them is m itself, at distance 0.
    The target, after the last step, is a label.
    """
    rng, rows = check_rng(rng), np.arange(N)
    at = rng.uniform(-1, 1, (points, N, dimensions))
    labels = rng.random((points, N)).argsort(axis=0)  # (points, N), in a random order
    m = rng.integers(points, size=N)  # the step at which it is shown
    asked = np.full(N, n) if n is not None else rng.integers(1, points + 1, size=N)
    distance = np.square(at - at[m, rows]).sum(axis=-1)
    which = np.argsort(-distance, axis=0)[asked - 1, rows]
    one_hot = np.eye(points)
    parts = [at, one_hot[labels], np.broadcast_to(one_hot[labels[m, rows]], (points, N, points))]
    if n is None:
        parts.append(np.broadcast_to(one_hot[asked - 1], (points, N, points)))
    return Batch(np.concatenate(parts, axis=-1), labels[which, rows])


def farthest(rng, N: int, T: int) -> Batch:
    """Four points in a square, in as many steps, and T - 4 blank steps; the farthest from one."""
    batch = nth_farthest(rng, N, POINTS, DIMENSIONS, n=1)
    blank = np.zeros((T - POINTS, *batch.x.shape[1:]))
    return Batch(np.concatenate([batch.x, blank]), batch.target)
