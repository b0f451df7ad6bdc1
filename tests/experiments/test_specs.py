"""The registry: sizes that match, and rows that are committed and come out again."""

from pathlib import Path

import numpy as np
import pytest
from test_runs import SMALL

from lstm_lesson.experiments.runs import build
from lstm_lesson.experiments.specs import EXPERIMENTS, experiment, matched
from lstm_lesson.experiments.statistics import arms

ROOT = Path(__file__).parents[2]


def test_matched_sizes_have_the_count_of_parameters_nearest_to_an_lstms():
    for layer in ("RNN", "GRU", "LSTM"):
        H = matched(layer, "copy", 32)
        near = [
            build(SMALL._replace(layer=layer, task="copy", hidden_size=size)).parameters
            for size in (H - 1, H, H + 1)
        ]
        wanted = build(SMALL._replace(task="copy", hidden_size=32)).parameters
        assert np.argmin(np.abs(np.array(near) - wanted)) == 1


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_committed_rows_are_of_the_specification_and_complete(name):
    one = experiment(name)
    assert len(set(one.specs)) == len(one.specs)
    stored = one.store(ROOT / "results")
    # One that nobody has run yet has none; of one that was begun, all are there.
    assert list(stored.rows()) in ([], list(one.specs))
    assert list(stored.seconds()) == list(stored.rows())


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_sample_of_the_committed_rows_comes_out_again(name):
    """Rounding differs between processors, and training amplifies it: then by what a row claims."""
    one = experiment(name)
    rows, machines = one.store(ROOT / "results").rows(), one.store(ROOT / "results").seconds()
    for spec in sorted(rows, key=lambda spec: machines[spec].seconds)[:3]:
        stored, again = rows[spec], one.run(spec)
        if repr(again) != repr(stored):  # by repr, for NaN is not equal to itself
            assert claim(again) == claim(stored)
            if hasattr(stored, "test_loss"):
                arm = arms(rows)[spec.arm, spec.task, spec.T]
                worst = arm.values("test_loss").max()
                assert again.test_loss <= 1.5 * worst


def claim(outcome) -> tuple:
    fields = ("parameters", "trivial", "status", "solved")
    return tuple(getattr(outcome, field, None) for field in fields)
