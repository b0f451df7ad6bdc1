"""Statistics of gates: what they are of, and that the rows can be made again."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lstm_lesson.experiments import watch_the_gates
from lstm_lesson.inspect.tracing import LSTMTrace
from lstm_lesson.tasks.synthetic import TASKS

ROOT = Path(__file__).parents[2]


def test_statistics_of_a_trace():
    rng = np.random.default_rng(1)
    traced = LSTMTrace(*rng.random((6, 5, 7, 3)))
    important = (rng.random((5, 7)) < 0.3).astype(float)
    found = watch_the_gates.statistics(traced, important)
    assert set(found) == set(watch_the_gates.GateStatistics._fields) - {"score", "solved"}
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
