"""One run of chapter 20: a network learns to forecast a series many steps ahead.

It reads a window of the last values and predicts, from its last state, by how much the series will
have changed after 1, 2, ... steps. What is learned from always ends before what is tested begins.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np

from lstm_lesson.engine.arguments import check_choice, check_size
from lstm_lesson.engine.layers import GRU, LSTM, RNN, Linear
from lstm_lesson.experiments.trials import VERSION
from lstm_lesson.tasks.datasets import Series, glucose, pieces, sunspots
from lstm_lesson.training.loop import Run
from lstm_lesson.training.losses import mean_squared_error
from lstm_lesson.training.models import Batch, SequenceModel
from lstm_lesson.training.optim import Adam, CosineSchedule

LAYERS = {"LSTM": LSTM, "GRU": GRU, "RNN": RNN}
CLIP = 1.0
CHECKS = 10  # validations in a run


class SpecForecast(NamedTuple):
    """All that decides the outcome of a run, on one processor to the last digit."""

    arm: str  # what is compared, by name
    task: str  # a name in `TASKS`
    layer: str  # a name in `LAYERS`
    hidden_size: int
    batch_size: int  # windows a step
    lr: float  # of Adam at the start; falls to zero along half a cosine
    T: int  # values that are read
    steps: int
    seed: int


class OutcomeForecast(NamedTuple):
    """What a run came to; errors are root mean squares, in the units of the series."""

    parameters: int
    status: str  # "ok", or "diverged" if a loss or gradient was no longer finite
    sequences: int  # windows read, counted each time
    validation_loss: float  # least mean squared error, of changes in units of their own spread
    test: float  # mean over the steps ahead
    tests: str  # each step ahead, spaces between
    version: int  # of the engine, `trials.VERSION`

    @property
    def solved_at(self) -> int:
        """Return 0, for never: a series isn't solved, and runs are ranked by their losses alone."""
        return 0

    @property
    def solved(self) -> bool:
        """Return False: see `solved_at`."""
        return False


class Windows(NamedTuple):
    """Consecutive values of a series, cut into what is read and what is to be predicted."""

    x: np.ndarray  # (N, T), the last values up to an origin
    y: np.ndarray  # (N, K), the values 1, 2, ... K steps after it
    time: np.ndarray  # (N, T + K), of all of them


class Fold(NamedTuple):
    """Windows by use: each part's targets lie after all values of the part before it."""

    train: Windows
    validation: Windows
    test: Windows


def windows(parts: list[Series], T: int, K: int) -> Windows:
    """Return all windows of T + K values that lie inside of one part of a series, in order.

    Raises ValueError if no part is long enough.
    """
    size = check_size("T", T) + check_size("K", K)
    parts = [part for part in parts if len(part.value) >= size]
    if not parts:
        raise ValueError(f"parts: expected one of at least {size} values, T + K, got none")
    view = np.lib.stride_tricks.sliding_window_view
    time, value = (
        np.concatenate([view(a, size) for a in each]) for each in zip(*parts, strict=True)
    )
    return Windows(value[:, :T], value[:, T:], time)


def take(w: Windows, which: np.ndarray) -> Windows:
    """Return some of the windows, by a mask or by their places."""
    return Windows(*(array[which] for array in w))


def targets_in(w: Windows, start: float, end: float) -> Windows:
    """Return the windows whose targets all lie in a time from `start` on and before `end`."""
    first, last = w.time[:, w.x.shape[1]], w.time[:, -1]
    return take(w, (first >= start) & (last < end))


@functools.cache
def glucose_folds(T: int) -> list[Fold]:
    """Return one fold of the glucose series, an hour ahead: 60, 20 and 20 % of its time."""
    series = glucose()
    w = windows(pieces(series, 3, 7), T, 12)
    first, second = (share * series.time[-1] for share in (0.6, 0.8))
    parts = ((-math.inf, first), (first, second), (second, math.inf))
    return [Fold(*(targets_in(w, *part) for part in parts))]


@functools.cache
def sunspot_folds(T: int) -> list[Fold]:
    """Return five folds of the sunspots, eleven years ahead, in square roots.

    The origins of a test are ten years in a row, from 1949 on; the validation is the last sixth of
    the years before.
    """
    series = sunspots()
    w = windows([Series(series.time, np.sqrt(series.value))], T, 11)
    first, folds = w.time[:, T], []
    for now in range(1950, 2000, 10):
        held = now - (now - series.time[0]) // 6
        parts = (targets_in(w, -math.inf, held), targets_in(w, held, now))
        folds.append(Fold(*parts, take(w, (first >= now) & (first < now + 10))))
    return folds


def _same(values: np.ndarray) -> np.ndarray:
    return values


def _square(roots: np.ndarray) -> np.ndarray:
    return np.maximum(roots, 0) ** 2


TASKS = {"glucose": (glucose_folds, _same), "sunspots": (sunspot_folds, _square)}


class Forecaster:
    """A network with the scales of what it learned from.

    `spec` says which; `fold` is what it is trained on by `train`. Both scales are of the training
    windows alone: mean and spread of the values, and the spread of the change at each step ahead.
    """

    def __init__(self, spec: SpecForecast, fold: Fold):
        kind = LAYERS[check_choice("layer", spec.layer, LAYERS)]
        self.rng = np.random.default_rng(spec.seed)
        options = {"dtype": np.float32, "rng": self.rng}
        K = fold.train.y.shape[1]
        layer = kind(1, spec.hidden_size, **options)
        head = Linear(spec.hidden_size, K, **options)
        self.model = SequenceModel(layer, head, mean_squared_error, "last")
        self.spec, self.fold = spec, fold
        self.mean, self.spread = fold.train.x.mean(), fold.train.x.std()
        self.change = (fold.train.y - fold.train.x[:, -1:]).std(axis=0)  # (K,)

    def batch(self, w: Windows) -> Batch:
        """Return windows as the network reads them, and the changes that it is to predict."""
        x = ((w.x - self.mean) / self.spread).T[..., None]  # (T, N, 1)
        y = (w.y - w.x[:, -1:]) / self.change  # (N, K)
        return Batch(np.ascontiguousarray(x, np.float32), y.astype(np.float32))

    def train(self) -> Run:
        """Train by the one loop, put the parameters of the best validation back, return the run."""
        spec = self.spec
        run = Run(
            self.model, self.batch(self.fold.train), optimiser=Adam(spec.lr),
            batch_size=spec.batch_size, steps=spec.steps, clip=CLIP, may_diverge=True,
            schedule=CosineSchedule(spec.lr, spec.steps),
            validation=self.batch(self.fold.validation), validate_every=-(-spec.steps // CHECKS),
            patience=spec.steps, rng=self.rng,
        )  # fmt: skip
        with np.errstate(all="ignore"):
            run.train()
        return run

    def predict(self, w: Windows) -> np.ndarray:
        """Return the values predicted after each window, (N, K)."""
        with np.errstate(all="ignore"):
            change, _ = self.model.forward(self.batch(w).x)
        return w.x[:, -1:] + change * self.change


def run(spec: SpecForecast) -> OutcomeForecast:
    """Train and test one network on each fold; overflowing numbers are an outcome, not an error."""
    folds, back = TASKS[check_choice("task", spec.task, TASKS)]
    losses, errors, finite = [], [], True
    for fold in folds(spec.T):
        net = Forecaster(spec, fold)
        done = net.train()
        finite &= not done.diverged
        losses.append(min(done.losses, default=math.inf))
        errors.append(back(net.predict(fold.test)) - back(fold.test.y))
    each = root_mean_square(np.concatenate(errors)) if finite else np.full(1, math.inf)
    return OutcomeForecast(
        parameters=net.model.layer.num_parameters + net.model.head.num_parameters,
        status="ok" if finite else "diverged",
        sequences=len(losses) * spec.steps * spec.batch_size,
        validation_loss=float(np.mean(losses)),
        test=float(each.mean()),
        tests=" ".join(f"{error:.4f}" for error in each),
        version=VERSION,
    )


def root_mean_square(errors: np.ndarray) -> np.ndarray:
    """Return the root of the mean square over all windows, at each step ahead, (K,)."""
    return np.sqrt((errors**2).mean(axis=0))
