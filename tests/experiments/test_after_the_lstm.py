"""What came after the LSTM: arms of equal size, built as they are named."""

import json

import numpy as np
import pytest
from test_runs import SMALL

from lstm_lesson.engine.layers import LSTM
from lstm_lesson.engine.residual import Residual
from lstm_lesson.experiments.after_the_lstm import AFTER_THE_LSTM, FIRST
from lstm_lesson.experiments.blocks import AFTER, in_blocks
from lstm_lesson.experiments.runs import build
from lstm_lesson.experiments.trials import trial
from lstm_lesson.experiments.tuning import TUNING


@pytest.mark.parametrize("one", AFTER_THE_LSTM, ids=lambda one: one.name)
def test_all_arms_have_about_as_many_parameters_as_the_lstm(one):
    counts = {s.arm: build(s._replace(seed=0)).parameters for s in one.plan.settings}
    for arm, count in counts.items():
        assert abs(count / counts["LSTM"] - 1) < 0.09, (arm, counts)


@pytest.mark.parametrize("one", AFTER_THE_LSTM, ids=lambda one: one.name)
def test_every_arm_tries_five_rates_with_five_seeds_before_any_is_reported(one):
    begun = one.planned({})
    assert len(begun) == len(one.plan.settings) * len(FIRST) * len(TUNING)
    assert {spec.seed for spec in begun} == {*TUNING}
    assert len(FIRST) == 5


def test_layers_in_blocks_share_the_options_and_not_the_weights():
    layer = in_blocks(LSTM, 3, 4, blocks=2, forget_bias=2.0, rng=0)
    assert isinstance(layer, Residual)
    assert layer.input_size == 3
    assert layer.hidden_size == 4
    first, second = layer.layers
    assert first.options == second.options
    np.testing.assert_array_equal(first.parameters()["bias_l0"][4:8], 2)
    assert not np.array_equal(*(part.parameters()["weight_hh_l0"] for part in layer.layers))


@pytest.mark.parametrize("kind", AFTER)
@pytest.mark.parametrize("task", ["parity", "associative_recall", "farthest"])
def test_every_layer_can_be_trained(kind, task):
    options = {"slots": 2} if kind == "RelationalMemory" else {}
    spec = SMALL._replace(task=task, layer=kind, T=4, hidden_size=4, options=json.dumps(options))
    outcome = trial(spec._replace(steps=2))
    assert outcome.status == "ok"
    assert outcome.validation_loss > 0
