"""Statistics of gates: what they are of, and that the rows can be made again."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lstm_lesson.experiments import watch_the_gates
from lstm_lesson.inspect.tracing import LSTMTrace
from lstm_lesson.tasks.synthetic import TASKS

ROOT = Path(__file__).parents[2]


def test_correlation_is_pearsons_and_zero_for_a_constant():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 50, 4))
    expected = [np.corrcoef(a[:, k], b[:, k])[0, 1] for k in range(4)]
    assert_allclose(watch_the_gates.correlation(a, b, axis=0), expected)
    assert_allclose(watch_the_gates.correlation(a, b), np.corrcoef(a.ravel(), b.ravel())[0, 1])
    assert watch_the_gates.correlation(a, np.ones_like(a)) == 0


def test_three_ways_may_differ_in_sign():
    f = np.array([[0.9, 0.8, 0.9, 0.8], [0.2, 0.1, 0.2, 0.1]]).T[:, None]
    i = np.array([[0.6, 0.9, 0.6, 0.9], [0.1, 0.2, 0.1, 0.2]]).T[:, None]
    ways = watch_the_gates.three_ways(f, i)
    assert ways["unit"] == pytest.approx(-1) == ways["layer"] == ways["best"]
    assert ways["pooled"] > 0.8


def test_statistics_of_a_trace():
    rng = np.random.default_rng(1)
    traced = LSTMTrace(*rng.random((6, 5, 7, 3)))
    important = (rng.random((5, 7)) < 0.3).astype(float)
    found = watch_the_gates.statistics(traced, important)
    assert set(found) == set(watch_the_gates.Gates._fields) - {"score", "solved"}
    assert found["f_mean"] == pytest.approx(traced.f.mean())
    assert found["o_high"] == pytest.approx((traced.o > 0.9).mean())
    assert found["i_low"] == pytest.approx((traced.i < 0.1).mean())
    by_unit = [np.corrcoef(traced.i[..., k].ravel(), important.ravel())[0, 1] for k in range(3)]
    assert found["i_input_unit"] == pytest.approx(np.mean(by_unit))
    assert found["i_input_best"] == pytest.approx(max(by_unit))
    both = np.corrcoef(traced.f.mean(axis=2).ravel(), traced.i.mean(axis=2).ravel())[0, 1]
    assert found["f_i_layer"] == pytest.approx(both)


@pytest.mark.parametrize("task", watch_the_gates.IMPORTANT)
def test_important_steps_are_those_that_the_target_depends_on(task):
    x = TASKS[task].sample(0, 50, 20).x
    important = watch_the_gates.IMPORTANT[task](x)
    count = {"adding": 2, "marked_value": 1, "temporal_order": 2, "recall": 1}[task]
    assert important.shape == x.shape[:2]
    assert (important.sum(axis=0) == count).all()
    assert set(np.unique(important)) == {0, 1}


def test_every_run_is_stored():
    rows = watch_the_gates.WATCH_THE_GATES.store(ROOT / "results").rows()
    assert set(rows) == set(watch_the_gates.WATCH_THE_GATES.specs)


def test_an_untrained_row_can_be_made_again():
    rows = watch_the_gates.WATCH_THE_GATES.store(ROOT / "results").rows()
    for task in watch_the_gates.IMPORTANT:
        (spec,) = watch_the_gates.WATCH_THE_GATES.chosen([3], [f"task={task}", "arm=untrained"])
        assert_allclose(watch_the_gates.run(spec), rows[spec], rtol=1e-9, atol=1e-12)


@pytest.mark.slow
def test_a_trained_row_can_be_made_again_nearly():
    """Training amplifies rounding from one processor to another."""
    rows = watch_the_gates.WATCH_THE_GATES.store(ROOT / "results").rows()
    (spec,) = watch_the_gates.WATCH_THE_GATES.chosen([0], ["task=marked_value", "arm=trained"])
    assert_allclose(watch_the_gates.run(spec), rows[spec], atol=0.05)
