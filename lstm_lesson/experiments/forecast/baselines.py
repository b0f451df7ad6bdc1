"""What the networks of chapter 20 have to beat: a few numbers by least squares, and boosted trees.

They are tested on the same windows as the networks. Introduced in chapter 20.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lstm_lesson.engine.arguments import check_choice
from lstm_lesson.experiments.forecast.training import glucose_folds, root_mean_square
from lstm_lesson.experiments.sweep import Experiment
from lstm_lesson.experiments.tuning import Once
from lstm_lesson.tasks.datasets import sunspots


class SpecBaseline(NamedTuple):
    """All that decides the errors of a baseline."""

    arm: str  # a name in `BASELINES`
    task: str  # "glucose" or "sunspots"
    T: int  # values that it reads
    seed: int = 0  # of which training windows the trees are stopped by; of the others, nothing


class OutcomeBaseline(NamedTuple):
    """What a baseline came to: root mean squares, in the units of the series."""

    test: float  # mean over the steps ahead
    tests: str  # each step ahead, spaces between

    @property
    def solved(self) -> bool:
        """Return False: a series isn't solved."""
        return False


def least_squares(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the weights of `x` (N, n) and a constant that give `y`, (N, K): (n + 1, K)."""
    return np.linalg.lstsq(np.column_stack([x, np.ones(len(x))]), y, rcond=None)[0]


def linear(spec: SpecBaseline) -> np.ndarray:
    """Return the errors of a rule for each step ahead, linear in the last T readings, (N, K)."""
    train, _, test = glucose_folds(12)[0]
    weights = least_squares(train.x[:, -spec.T :], train.y)
    return test.x[:, -spec.T :] @ weights[:-1] + weights[-1] - test.y


def boosting(spec: SpecBaseline) -> np.ndarray:
    """Return the errors of boosted trees, a model for each step ahead, (N, K).

    They read the last value and the T - 1 changes before it, and predict the change. scikit-learn's
    own settings.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor

    train, _, test = glucose_folds(spec.T)[0]
    read, to_read = (np.column_stack([w.x[:, -1], np.diff(w.x, axis=1)]) for w in (train, test))
    found = np.empty(test.y.shape)
    for k in range(test.y.shape[1]):
        model = HistGradientBoostingRegressor(random_state=spec.seed)
        model.fit(read, train.y[:, k] - train.x[:, -1])
        found[:, k] = test.x[:, -1] + model.predict(to_read)
    return found - test.y


def autoregression(spec: SpecBaseline) -> np.ndarray:
    """Return the errors of an autoregression of T years that is fitted anew each year, (N, K)."""
    value, p, errors = sunspots().value, spec.T, []
    for n in range(1949 - 1700 + 1, len(value) - 10):  # years known: up to 1949, 1950, ...
        rows = np.lib.stride_tricks.sliding_window_view(value[: n - 1], p)
        weights, found = least_squares(rows, value[p:n]), [*value[n - p : n]]
        for _ in range(11):
            found.append(np.dot(weights[:-1], found[-p:]) + weights[-1])
        errors.append(found[p:] - value[n : n + 11])
    return np.array(errors)


BASELINES = {"linear": linear, "boosting": boosting, "AR(9)": autoregression}


def run(spec: SpecBaseline) -> OutcomeBaseline:
    """Fit one baseline and test it."""
    each = root_mean_square(BASELINES[check_choice("arm", spec.arm, BASELINES)](spec))
    return OutcomeBaseline(float(each.mean()), " ".join(f"{error:.4f}" for error in each))


_PLAN = Once(
    (
        SpecBaseline("linear", "glucose", 3),
        SpecBaseline("boosting", "glucose", 12),
        SpecBaseline("AR(9)", "sunspots", 9),
    )
)

FORECAST_BASELINES = Experiment(
    "forecast_baselines",
    "the same series by least squares and by boosted trees (chapter 20)",
    tuple(_PLAN({})),
    run,
    OutcomeBaseline,
    minutes=0.5,
    plan=_PLAN,
)
