"""The tasks of 1997 to 2002, as the papers state them: what each draws and when it is right.

Each is drawn for N sequences at once by a function ``(rng, N, T) -> ClassicBatch``. Hochreiter and
Schmidhuber 1997 number their experiments 1 to 6; the last two tasks are of Gers et al. 2000 and
2002. Introduced in chapter 17.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from lstm_lesson.engine.arguments import check_choice, check_rng, check_size
from lstm_lesson.tasks.reber import SHARES, SYMBOLS, legal_next, reber_strings
from lstm_lesson.tasks.synthetic import always

NOISE = np.sqrt(0.2)  # standard deviation of the two-sequence problem's noise


class ClassicBatch(NamedTuple):
    """N sequences, padded with zeros at their ends to one length L.

    Unlike a `lstm_lesson.training.Batch` it says what a grammar allows, and its targets are what
    the outputs should be, one-hot where they are classes.
    """

    x: np.ndarray  # (L, N, D)
    target: np.ndarray  # (L, N, V), what the outputs should be
    mask: np.ndarray  # (L, N), where an output counts
    legal: np.ndarray | None = None  # (L, N, V), symbols that the grammar allows next

    def part(self, steps=slice(None), sequences=slice(None)) -> ClassicBatch:
        """Return some of the steps and some of the sequences, by slices or arrays of numbers."""
        return ClassicBatch(*(None if a is None else a[steps][:, sequences] for a in self))


class ClassicTask(NamedTuple):
    """What to draw, and when a prediction is right.

    When a network has learned the task is said in `lstm_lesson.experiments.repeat_1997.settings`.
    """

    draw: Callable[[np.random.Generator, int, int], ClassicBatch]  # (rng, N, T)
    input_size: Callable[[int], int]  # (T) -> D
    output_size: Callable[[int], int]  # (T) -> V
    trivial: Callable[[int], float]  # (T) -> squared error of the best constant outputs
    tolerance: float | None  # greatest error of an output that is right; a symbol goes by `legal`
    shortest: int = 10  # least T
    continual: bool = False  # whether a stream has no end, and the state is never reset

    def sample(self, rng, N: int, T: int) -> ClassicBatch:
        """Return N sequences of lag T, drawn by a generator or a seed; raise if T is too short."""
        return self.draw(check_rng(rng), check_size("N", N), check_size("T", T, self.shortest))

    def right(self, y: np.ndarray, batch: ClassicBatch) -> np.ndarray:
        """Return which predictions are right, (L, N) of outputs (L, N, V); True where none counts.

        Where a grammar says what is legal, the legal symbols must be the most active outputs;
        otherwise every output must be nearer than `tolerance` to its target.
        """
        if batch.legal is None:
            fits = np.all(np.abs(y - batch.target) < self.tolerance, axis=-1)
        else:
            lowest = np.where(batch.legal, y, np.inf).min(axis=-1)
            fits = lowest > np.where(batch.legal, -np.inf, y).max(axis=-1)
        return fits | ~batch.mask


# ---- Grammars ----


def _predict_next(symbols: np.ndarray) -> ClassicBatch:
    """Return (L, N) symbols as the task of predicting each from those before it."""
    codes, inside = np.eye(len(SYMBOLS)), (symbols >= 0)[..., None]
    x, target = codes[symbols[:-1]] * inside[:-1], codes[symbols[1:]] * inside[1:]
    return ClassicBatch(x, target, inside[1:, :, 0], legal_next(symbols[:-1]))


def embedded_reber(rng, N: int, T: int) -> ClassicBatch:
    """Strings of the embedded Reber grammar, one-hot; the target is the next symbol (1).

    The second symbol, T or P, is also the last but one. T is not used: the grammar sets the lag.
    """
    return _predict_next(reber_strings(rng, N)[0])


def continual_reber(rng, N: int, T: int) -> ClassicBatch:
    """T symbols of N streams of such strings, one after the other, without a sign between."""
    streams = []
    for _ in range(N):
        symbols, _ = reber_strings(rng, T // 9 + 1)  # no string is shorter than nine
        streams.append(symbols.T[symbols.T >= 0][: T + 1])
    return _predict_next(np.array(streams).T)


def _reber_trivial(T: int) -> float:
    """Return the squared error of constants, where every symbol but a string's first counts."""
    shares = SHARES.copy()
    shares[0] /= 2  # each string has two B, of which the first is never a target
    shares /= shares.sum()
    return float(1 - shares @ shares)


# ---- Long lags ----


def noise_free_lag(rng, N: int, T: int) -> ClassicBatch:
    """``y a1 .. a(T-1) y`` or ``x a1 .. a(T-1) x``, one-hot; the target is the next symbol (2a).

    The T + 1 symbols are a1 to a(T-1), then x and y. All but the last are the same every time.
    """
    first = T - 1 + rng.integers(2, size=N)
    symbols = np.vstack([first, np.tile(np.arange(T - 1)[:, None], N), first])  # (T + 1, N)
    codes = np.eye(T + 1)
    return ClassicBatch(codes[symbols[:-1]], codes[symbols[1:]], np.ones((T, N), bool))


def _lengths(rng, N: int, T: int) -> np.ndarray:
    return rng.integers(T, T + T // 10 + 1, size=N)


def _at_the_end(x: np.ndarray, lengths: np.ndarray, wanted: np.ndarray) -> ClassicBatch:
    """Return sequences of which the output of the last step alone counts, (N, V) `wanted`."""
    inside = np.arange(len(x))[:, None] < lengths  # (L, N)
    last = np.arange(len(x))[:, None] == lengths - 1
    return ClassicBatch(x * inside[..., None], last[..., None] * wanted, last)


def two_sequence(rng, N: int, T: int) -> ClassicBatch:
    """Three times +1 or -1, then noise, T to 1.1 T steps; the target is 1 or 0, which it was (3a).

    The noise is Gaussian with mean 0 and variance 0.2.
    """
    first = rng.integers(2, size=N)
    x = rng.normal(0, NOISE, (T + T // 10, N, 1))
    x[:3, :, 0] = 2 * first - 1
    return _at_the_end(x, _lengths(rng, N, T), first[:, None].astype(float))


def _marked(rng, N: int, T: int, low: float, at_first: float):
    """Return pairs of a value and a mark, their lengths, and the two marked values, (2, N)."""
    x = np.zeros((T + T // 10, N, 2))
    x[..., 0] = rng.uniform(low, 1, x.shape[:2])
    lengths, rows = _lengths(rng, N, T), np.arange(N)
    first = rng.integers(10, size=N)
    second = rng.integers(1, T // 2 - 1, size=N)
    second += second >= np.maximum(first, 1)  # never the first pair, nor the one marked already
    x[0, first == 0, 0] = at_first  # the first pair has no mark of its own
    x[0, :, 1], x[lengths - 1, rows, 1] = -1, -1
    values = []
    for steps in (first, second):
        x[steps, rows, 1] = np.where(steps == 0, -1, 1)
        values.append(x[steps, rows, 0])
    return x, lengths, np.array(values)


def adding_1997(rng, N: int, T: int) -> ClassicBatch:
    """Pairs of a value from U(-1, 1) and a mark; the target is 0.5 + (X1 + X2) / 4 (4).

    Of T to 1.1 T pairs, one of the first ten and another of the first T / 2 are marked 1, the first
    and the last -1, others 0. Where the lot falls on the first pair, its value is 0.
    """
    x, lengths, (a, b) = _marked(rng, N, T, -1, 0.0)
    return _at_the_end(x, lengths, (0.5 + (a + b) / 4)[:, None])


def multiplication(rng, N: int, T: int) -> ClassicBatch:
    """The same with values from U(0, 1) and the target X1 X2 (5); on the first pair, 1 is put."""
    x, lengths, (a, b) = _marked(rng, N, T, 0, 1.0)
    return _at_the_end(x, lengths, (a * b)[:, None])


def temporal_order_1997(rng, N: int, T: int) -> ClassicBatch:
    """E, letters a to d, B; X or Y at steps T/10 to T/5 and T/2 to 3T/5; which, in order (6a).

    T to 1.1 T steps, one-hot a, b, c, d, X, Y, E, B; the target has one of four outputs at 1, for
    XX, XY, YX, YY.
    """
    letters, rows = rng.integers(4, size=(T + T // 10, N)), np.arange(N)
    which, lengths = rng.integers(2, size=(2, N)), _lengths(rng, N, T)
    for bit, (low, high) in zip(which, ((T // 10, T // 5), (T // 2, 3 * T // 5)), strict=True):
        letters[rng.integers(low, high + 1, size=N), rows] = 4 + bit
    letters[0], letters[lengths - 1, rows] = 6, 7
    return _at_the_end(np.eye(8)[letters], lengths, np.eye(4)[2 * which[0] + which[1]])


def timed_spikes(rng, N: int, T: int) -> ClassicBatch:
    """Ten intervals of T, T + 1 or T + 2 steps; the target is a spike at the last step of each.

    At the first step of an interval the inputs are 1 and the interval, less T + 1; else both are 0
    (generating timed spikes, Gers et al. 2002, with a coding of the interval of our own).
    """
    steps, rows = T + rng.integers(3, size=(10, N)), np.arange(N)
    ends = np.cumsum(steps, axis=0)
    x, target = np.zeros((10 * T + 20, N, 2)), np.zeros((10 * T + 20, N, 1))
    x[ends - steps, rows] = np.stack([np.ones_like(steps), steps - T - 1], axis=-1)
    target[ends - 1, rows] = 1
    return ClassicBatch(x, target, np.arange(len(x))[:, None] < ends[-1])


CLASSICS = {
    "embedded_reber": ClassicTask(
        embedded_reber, always(7), always(7), _reber_trivial, None
    ),
    "noise_free_lag": ClassicTask(
        noise_free_lag, lambda T: T + 1, lambda T: T + 1, lambda T: 1 - (T - 0.5) / T**2, 0.25, 2
    ),
    "two_sequence": ClassicTask(two_sequence, always(1), always(1), always(0.25), 0.2),
    "adding_1997": ClassicTask(adding_1997, always(2), always(1), always(19 / 480), 0.04, 24),
    "multiplication": ClassicTask(
        multiplication, always(2), always(1), always(2 / 15 - 0.275**2), 0.04, 24
    ),
    "temporal_order_1997": ClassicTask(
        temporal_order_1997, always(8), always(4), always(0.75), 0.3
    ),
    "continual_reber": ClassicTask(
        continual_reber, always(7), always(7), lambda T: float(1 - SHARES @ SHARES), None,
        continual=True,
    ),
    "timed_spikes": ClassicTask(
        timed_spikes, always(2), always(1), lambda T: T / (T + 1) ** 2, 0.49, 2
    ),
}  # fmt: skip


def classic(name: str) -> ClassicTask:
    """Return the task of that name; raise ValueError that names all of them if there is none."""
    return CLASSICS[check_choice("classic", name, CLASSICS)]
