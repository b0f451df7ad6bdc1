"""Synthetic tasks whose time lag can be chosen, with what a predictor without memory scores.

Each is drawn for N sequences at once by a function ``(rng, N, T) -> Batch``; how hard it is grows
with the lag `T`. Introduced in chapter 7; the experiments of chapters 14 to 16 run on them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from lstm_lesson.engine.arguments import check_choice, check_rng, check_size
from lstm_lesson.tasks import languages, relations
from lstm_lesson.training.losses import mean_squared_error, softmax_cross_entropy
from lstm_lesson.training.models import Batch

PATTERNS = np.array(  # four of eight steps, each orthogonal to the others
    [
        [1, 1, 1, 1, -1, -1, -1, -1],
        [1, 1, -1, -1, -1, -1, 1, 1],
        [1, -1, -1, 1, 1, -1, -1, 1],
        [1, -1, 1, -1, 1, -1, 1, -1],
    ],
    dtype=float,
)
NOISE = 0.5  # standard deviation of what the patterns lie in
SYMBOLS, WORD = 8, 10  # of the copy task: the alphabet, and how many are to be copied


class Task(NamedTuple):
    """What to draw, how to score it, and when it counts as solved."""

    draw: Callable[[np.random.Generator, int, int], Batch]  # (rng, N, T)
    input_size: int
    output_size: int
    loss: Callable  # of `lstm_lesson.training.losses`
    read: str  # "last" for one prediction a sequence, "every" for one a step
    trivial: Callable[[int], float]  # (T) -> loss of the best predictor that sees no input
    solved: float  # least score
    shortest: int = 2  # least T
    scored: slice = slice(None)  # steps whose classes count in the score
    whole: bool = False  # whether a sequence counts as right only if all of its steps are

    def sample(self, rng, N: int, T: int) -> Batch:
        """Return N sequences of lag T, drawn by a generator or a seed; raise if T is too short."""
        return self.draw(check_rng(rng), check_size("N", N), check_size("T", T, self.shortest))

    def score(self, y: np.ndarray, batch: Batch, T: int) -> float:
        """Return the share of classes or of sequences that are right, or of variance explained.

        All are 1 for a perfect predictor. What the batch's mask leaves out doesn't count.
        """
        if self.loss is mean_squared_error:
            return 1 - mean_squared_error(y, batch.target)[0] / self.trivial(T)
        right = y.argmax(axis=-1) == batch.target
        if batch.mask is not None:
            return float(right[batch.mask].mean())
        right = right[self.scored]
        return float(np.mean(right.all(axis=0) if self.whole else right))


def adding(rng, N: int, T: int) -> Batch:
    """Values from U(0, 1), two of them marked, one in each half; the target is their sum."""
    x = np.zeros((T, N, 2))
    x[..., 0] = rng.random((T, N))
    rows = np.arange(N)
    marked = rng.integers(T // 2, size=N), rng.integers(T // 2, T, size=N)
    for steps in marked:
        x[steps, rows, 1] = 1
    return Batch(x, sum(x[steps, rows, 0] for steps in marked)[:, None])


def recall(rng, N: int, T: int) -> Batch:
    """Values from U(-1, 1); the target is the first of them."""
    x = rng.uniform(-1, 1, (T, N, 1))
    return Batch(x, x[0].copy())


def first_value(low: float, high: float, marked: bool) -> Callable:
    """Return a task: values from U(low, high); the target is the first, which may have a mark."""

    def draw(rng, N: int, T: int) -> Batch:
        x = np.zeros((T, N, 2))
        x[..., 0] = rng.uniform(low, high, (T, N))
        x[0, :, 1] = marked
        return Batch(x, x[0, :, :1].copy())

    return draw


def marked_value(rng, N: int, T: int) -> Batch:
    """Values from U(-1, 1), one of the first tenth marked; the target is that one."""
    x = np.zeros((T, N, 2))
    x[..., 0] = rng.uniform(-1, 1, (T, N))
    rows, steps = np.arange(N), rng.integers(max(1, T // 10), size=N)
    x[steps, rows, 1] = 1
    return Batch(x, x[steps, rows, :1])


def sine(rng, N: int, T: int) -> Batch:
    """A sine of period 10 to 40 steps from any phase; the target is its next value."""
    omega = 2 * np.pi / rng.uniform(10, 40, N)
    t = np.arange(T + 1)[:, None]
    x = np.sin(omega * t + rng.uniform(0, 2 * np.pi, N))[..., None]  # (T + 1, N, 1)
    return Batch(x[:-1], x[-1])


def noisy_pattern(rng, N: int, T: int) -> Batch:
    """Noise with one of four patterns of eight steps somewhere in it; the target is which."""
    x = rng.normal(0, NOISE, (T, N, 1))
    which, start = rng.integers(len(PATTERNS), size=N), rng.integers(T - 7, size=N)
    x[start + np.arange(8)[:, None], np.arange(N), 0] += PATTERNS[which].T
    return Batch(x, which)


def temporal_order(rng, N: int, T: int) -> Batch:
    """Random letters a to d, an X or Y in the second tenth and one in the sixth; which, in order.

    Task 6a of Hochreiter and Schmidhuber 1997 with a fixed length: the inputs are one-hot, a to d,
    X, Y, and the last of T steps asks for the class, 0 to 3 for XX, XY, YX, YY.
    """
    letters = rng.integers(4, size=(T, N))
    which, rows = rng.integers(2, size=(2, N)), np.arange(N)
    tenth = max(1, T // 10)
    for bit, first in zip(which, (tenth, 5 * tenth), strict=True):
        letters[first + rng.integers(tenth, size=N), rows] = 4 + bit
    letters[-1] = 6
    return Batch(np.eye(7)[letters], 2 * which[0] + which[1])


def copy(rng, N: int, T: int) -> Batch:
    """Ten symbols of eight, T - 1 blanks, a sign, ten blanks in which the symbols are to come back.

    The form of Arjovsky, Shah and Bengio 2016: T + 20 steps, at each of which one of nine classes
    is predicted, the blank until the end. The loss counts every step, the score the last ten.
    """
    word = rng.integers(SYMBOLS, size=(WORD, N))
    x = np.full((T + 2 * WORD, N), SYMBOLS)  # blanks
    target = x.copy()
    x[:WORD], target[-WORD:] = word, word
    x[-WORD - 1] = SYMBOLS + 1  # the sign
    return Batch(np.eye(SYMBOLS + 2)[x], target)


# Ranges from which `first_value` draws: of two widths, with a centre at zero and away from it.
RANGES = ((-0.5, 0.5), (0, 1), (-1, 1), (-0.5, 1.5), (0, 2), (1, 3))


def always(value):
    """Return what is the same at every lag as a function of the lag."""
    return lambda T: value


TASKS = {
    "adding": Task(adding, 2, 1, mean_squared_error, "last", always(1 / 6), 0.95),
    "recall": Task(recall, 1, 1, mean_squared_error, "last", always(1 / 3), 0.95),
    "marked_value": Task(marked_value, 2, 1, mean_squared_error, "last", always(1 / 3), 0.95),
    "sine": Task(sine, 1, 1, mean_squared_error, "last", always(1 / 2), 0.95),
    "noisy_pattern": Task(
        noisy_pattern, 1, 4, softmax_cross_entropy, "last", always(math.log(4)), 0.95, 8
    ),
    "temporal_order": Task(
        temporal_order, 7, 4, softmax_cross_entropy, "last", always(math.log(4)), 0.99, 10
    ),
    "copy": Task(
        copy, SYMBOLS + 2, SYMBOLS + 1, softmax_cross_entropy, "every",
        lambda T: WORD * math.log(SYMBOLS) / (T + 2 * WORD), 0.99, 1,
        slice(-WORD, None),
    ),
    "parity": Task(
        languages.parity, 2, 2, softmax_cross_entropy, "every", always(math.log(2)), 0.95, 1,
        whole=True,
    ),
    "modular_counting": Task(
        languages.modular_counting, 3, languages.CYCLE, softmax_cross_entropy, "every",
        languages.modular_counting_trivial, 0.95, 1, whole=True,
    ),
    "a_n_b_n": Task(
        languages.a_n_b_n, 2, 2, softmax_cross_entropy, "every", languages.a_n_b_n_trivial, 0.95,
        whole=True,
    ),
    "brackets": Task(
        languages.brackets, 2, 2, softmax_cross_entropy, "every", languages.brackets_trivial, 0.95,
        whole=True,
    ),
    "associative_recall": Task(
        relations.associative_recall, relations.KEYS + relations.VALUES, relations.VALUES,
        softmax_cross_entropy, "every", always(math.log(relations.VALUES)), 0.9,
    ),
    "farthest": Task(
        relations.farthest, relations.DIMENSIONS + 2 * relations.POINTS, relations.POINTS,
        softmax_cross_entropy, "last", always(math.log(relations.POINTS)), 0.8, relations.POINTS,
    ),
} | {
    f"first_of_{low:g}_to_{high:g}{'_marked' if marked else ''}": Task(
        first_value(low, high, marked), 2, 1, mean_squared_error, "last",
        always((high - low) ** 2 / 12), 0.95,
    )
    for low, high in RANGES for marked in (False, True)
}  # fmt: skip


def task(name: str) -> Task:
    """Return the task of that name; raise ValueError that names all of them if there is none."""
    return TASKS[check_choice("task", name, TASKS)]
