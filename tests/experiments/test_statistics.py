"""Statistics of rows: intervals, and the learning rate that is picked."""

import numpy as np
import pytest
from test_runs import SMALL

from lstm_lesson.experiments.statistics import arms, median, ratio, wilson
from lstm_lesson.experiments.trials import trial


def test_wilson_intervals_are_those_of_the_textbook():
    assert wilson(0, 10) == pytest.approx((0, 0, 0.2775), abs=1e-4)
    assert wilson(10, 10) == pytest.approx((1, 0.7225, 1), abs=1e-4)
    assert wilson(5, 10) == pytest.approx((0.5, 0.2366, 0.7634), abs=1e-4)
    assert all(wilson(0, n).low == 0 and wilson(n, n).high == 1 for n in range(1, 100))
    with pytest.raises(ValueError, match="count, total"):
        wilson(3, 2)


def test_a_bootstrap_interval_holds_the_median_as_often_as_it_says():
    rng = np.random.default_rng(0)
    held = [low <= 0 <= high for _, low, high in
            (median(rng.normal(size=15), rng, draws=400) for _ in range(300))]  # fmt: skip
    assert 0.90 < np.mean(held) < 0.99


def test_failures_count_as_the_worst():
    assert median([1, 2, np.nan]).value == 2
    assert median([1, np.nan, np.inf]).value == np.inf
    assert ratio([1, 1, 1], [2, 2, 2]) == (0.5, 0.5, 0.5)
    assert ratio([np.nan] * 3, [2, 2, 2]) == (np.inf, np.inf, np.inf)
    assert ratio([2, 2, 2], [np.nan] * 3) == (0, 0, 0)
    assert ratio([np.nan] * 3, [np.inf] * 3) == (1, 1, 1)  # none solved, none is better


def test_the_learning_rate_is_picked_without_the_test_data():
    specs = {}
    for lr, solved_at, loss in ((0.1, 0, 0.5), (0.2, 80, 0.1), (0.3, 40, 0.2)):
        for seed in range(3):
            outcome = trial(SMALL._replace(steps=1))._replace(
                solved_at=solved_at, validation_loss=loss, test_loss=1 / lr
            )
            specs[SMALL._replace(lr=lr, seed=seed)] = outcome
    arm = arms(specs)["LSTM", "adding", 5]
    assert (arm.lr, arm.rates, arm.solved) == (0.3, (0.1, 0.2, 0.3), 3)
    assert arm.share == wilson(3, 3)
    np.testing.assert_array_equal(arm.values("solved_at"), 40)
    assert arm.median("test_loss").value == 1 / 0.3
