"""Weights to PyTorch and back."""

import numpy as np
import pytest
import torch

from lstm_lesson import LSTM
from lstm_lesson.interop import from_torch, to_torch


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_round_trip_is_exact(dtype):
    layer = LSTM(3, 4, batch_first=True, dtype=dtype, rng=9)
    back = from_torch(to_torch(layer))
    assert repr(back) == repr(layer)
    for name, p in layer.parameters().items():
        np.testing.assert_array_equal(back.parameters()[name], p)


def test_from_torch_adds_the_two_biases_and_gives_the_same_output():
    torch.manual_seed(0)
    module = torch.nn.LSTM(3, 4, dtype=torch.float64)
    layer = from_torch(module)
    expected = (module.bias_ih_l0 + module.bias_hh_l0).detach().numpy()
    np.testing.assert_array_equal(layer.parameters()["bias_l0"], expected)
    x = np.random.default_rng(0).normal(size=(6, 2, 3))
    output, _ = module(torch.tensor(x))
    np.testing.assert_allclose(layer.forward(x)[0], output.detach(), rtol=0, atol=1e-14)


def test_transfers_copy():
    layer = LSTM(3, 4)
    module = to_torch(layer)
    back = from_torch(module)
    with torch.no_grad():
        module.weight_ih_l0.zero_()
    assert np.any(layer.parameters()["weight_ih_l0"] != 0)
    np.testing.assert_array_equal(
        back.parameters()["weight_ih_l0"], layer.parameters()["weight_ih_l0"]
    )


@pytest.mark.parametrize(
    "option",
    [{"peephole": True}, {"reverse": True}, {"cell_clip": 1.0}, {"remove_gates": ("o",)}],
)
def test_options_that_torch_lacks_are_refused(option):
    with pytest.raises(ValueError, match=f"PyTorch has no {next(iter(option))}"):
        to_torch(LSTM(3, 4, **option))


def test_other_types_are_refused():
    with pytest.raises(TypeError, match=r"expected a torch\.nn\.LSTM, GRU or RNN, got Linear"):
        from_torch(torch.nn.Linear(3, 4))
    with pytest.raises(TypeError, match=r"expected an lstm_lesson\.LSTM, GRU or RNN, got dict"):
        to_torch({})
    with pytest.raises(TypeError, match="dtype: expected float32 or float64, got float16"):
        from_torch(torch.nn.LSTM(3, 4, dtype=torch.float16))
