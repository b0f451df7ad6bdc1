"""What a run is made of, from its specification."""

import numpy as np
import pytest

from lstm_lesson.experiments.runs import Spec, build

SMALL = Spec(
    arm="LSTM", task="adding", T=5, layer="LSTM", hidden_size=4, options="{}", lr=0.01, clip=1.0,
    batch_size=8, steps=40, stop=False, engine="numpy", dtype="float64", seed=0,
)  # fmt: skip


def test_options_reach_the_layer():
    model, *_ = build(SMALL._replace(options='{"chrono": 30}'))
    i, f, g, o = model.layer.parameters()["bias_l0"].reshape(4, 4)
    np.testing.assert_array_equal(i, -f)
    assert f.max() < np.log(29)
    assert not g.any()
    assert not o.any()
    model, *_ = build(SMALL._replace(options='{"forget_bias": 3.0}'))
    np.testing.assert_array_equal(model.layer.parameters()["bias_l0"][4:8], 3)
    model, *_ = build(SMALL._replace(layer="GRU", options='{"update_bias": 1.0}'))
    np.testing.assert_array_equal(model.layer.parameters()["bias_l0"], [0] * 4 + [1] * 4 + [0] * 4)
    init = '{"input_std": 0.001, "recurrent_init": "identity"}'
    model, *_ = build(SMALL._replace(layer="RNN", hidden_size=50, options=init))
    np.testing.assert_array_equal(model.layer.parameters()["weight_hh_l0"], np.eye(50))
    assert model.layer.parameters()["weight_ih_l0"].std() == pytest.approx(0.001, rel=0.2)
    for wrong, message in (({"engine": "abacus"}, "engine"), ({"layer": "CNN"}, "layer")):
        with pytest.raises(ValueError, match=message):
            build(SMALL._replace(**wrong))
