"""Weights to Keras and back, against results of Keras."""

import json
from pathlib import Path

import numpy as np
import pytest

from lstm_lesson import GRU, LSTM
from lstm_lesson.interop import from_keras, to_keras

FOREIGN = json.loads(Path(__file__).parents[1].joinpath("data", "foreign.json").read_text())


@pytest.mark.parametrize("case", FOREIGN["keras"], ids=lambda case: case["name"])
def test_a_keras_layer_gives_what_keras_gave(case):
    weights = [np.array(w, np.float32) for w in case["weights"]]
    layer = from_keras(weights)
    x, output = (np.array(case[name], np.float32) for name in ("x", "output"))
    # Keras computed in float32, a few roundings of 6e-8 each.
    np.testing.assert_allclose(layer.forward(x)[0], output, rtol=0, atol=1e-6)
    again = from_keras(to_keras(layer))
    for name, p in layer.parameters().items():
        np.testing.assert_array_equal(again.parameters()[name], p)
    for ours, theirs in zip(to_keras(layer), weights, strict=True):
        assert ours.shape == theirs.shape


def test_other_cells_are_refused_by_name():
    with pytest.raises(ValueError, match="Keras has no peephole"):
        to_keras(LSTM(3, 4, peephole=True))
    kernel, recurrent, bias = to_keras(GRU(3, 4))
    with pytest.raises(ValueError, match="reset_after=False"):
        from_keras([kernel, recurrent, bias[0]])
    with pytest.raises(TypeError, match="expected a list of 2, 3, 4 or 6 arrays, got 1"):
        from_keras([kernel])
    with pytest.raises(ValueError, match=r"weights\[1\]: expected shape \(H, 4H\) of an LSTM"):
        from_keras([kernel, kernel[:, :7], bias])
    with pytest.raises(ValueError, match=r"weights\[0\]: expected shape \(D, 12\)"):
        from_keras([kernel[:, :5], recurrent, bias])
