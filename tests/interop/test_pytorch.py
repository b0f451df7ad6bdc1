"""Weights to PyTorch and back."""

import numpy as np
import pytest
import torch
from torch.nn.utils.prune import l1_unstructured

from lstm_lesson import GRU, LSTM, RNN
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


@pytest.mark.parametrize("kind", [LSTM, GRU, RNN])
def test_what_is_taken_and_what_is_returned_are_copies(kind):
    layer = kind(3, 4, bidirectional=True, rng=1)
    before = {name: p.copy() for name, p in layer.parameters().items()}
    module = to_torch(layer)
    back = from_torch(module)
    with torch.no_grad():
        for p in module.parameters():
            p.fill_(7)
    for each in (layer, back):
        for name, p in each.parameters().items():
            np.testing.assert_array_equal(p, before[name])


@pytest.mark.parametrize(
    "option",
    [
        {"peephole": True},
        {"reverse": True},
        {"clip": 1.0},
        {"cell_clip": 1.0},
        {"remove_gates": ("o",)},
    ],
)
def test_options_that_torch_lacks_are_refused(option):
    with pytest.raises(ValueError, match=f"PyTorch has no {next(iter(option))}"):
        to_torch(LSTM(3, 4, **option))
    with pytest.raises(ValueError, match="PyTorch has no reset_after, got False"):
        to_torch(GRU(3, 4, reset_after=False))


def test_other_types_are_refused():
    with pytest.raises(
        TypeError, match=r"torch\.nn\.LSTM, GRU or RNN, or a cell of one, got Linear"
    ):
        from_torch(torch.nn.Linear(3, 4))
    with pytest.raises(TypeError, match=r"expected an lstm_lesson\.LSTM, GRU or RNN, got dict"):
        to_torch({})
    for half in (torch.float16, torch.bfloat16):
        with pytest.raises(TypeError, match=r"got b?float16; convert it with \.float\(\)"):
            from_torch(torch.nn.LSTM(3, 4, dtype=half))


def weight_norm(module):
    with pytest.warns(FutureWarning, match="weight_norm"):  # the older of two, in many files still
        torch.nn.utils.weight_norm(module, "weight_hh_l0")
    with torch.no_grad():
        module.weight_hh_l0_g *= 2  # as an optimiser would: the weight follows at the next forward


def prune(module):
    l1_unstructured(module, "weight_hh_l0", amount=0.5)
    with torch.no_grad():
        module.weight_hh_l0_orig *= 2


def parametrize(module):
    torch.nn.utils.parametrizations.weight_norm(module, "weight_ih_l0")
    torch.nn.utils.parametrizations.spectral_norm(module, "weight_hh_l0")


class DropConnect(torch.nn.Module):
    def forward(self, weight):
        return torch.nn.functional.dropout(weight, 0.5, self.training)


def drop(module):
    torch.nn.utils.parametrize.register_parametrization(module, "weight_hh_l0", DropConnect())


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("change", [weight_norm, prune, parametrize, drop])
def test_weights_that_are_computed_are_those_of_evaluation(kind, change):
    torch.manual_seed(0)
    module = getattr(torch.nn, kind)(3, 4, bidirectional=True, dtype=torch.float64)
    plain = from_torch(module).parameters()["weight_hh_l0"]
    change(module)
    before = {name: a.clone() for name, a in module.state_dict().items()}
    layer = from_torch(module)
    assert module.training
    for name, a in module.state_dict().items():
        torch.testing.assert_close(a, before[name], rtol=0, atol=0)
    assert change is drop or np.any(layer.parameters()["weight_hh_l0"] != plain)
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    with torch.no_grad():
        output, _ = module.eval()(x)
    np.testing.assert_allclose(layer.forward(x.numpy())[0], output, rtol=0, atol=1e-14)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("kind", "options"), [("LSTM", {}), ("GRU", {}), ("RNN", {}), ("RNN", {"nonlinearity": "relu"})]
)
def test_a_cell_becomes_a_layer_that_takes_its_steps(kind, options, bias):
    torch.manual_seed(0)
    cell = getattr(torch.nn, kind + "Cell")(3, 4, bias=bias, dtype=torch.float64, **options)
    layer = from_torch(cell)
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    state, expected = None, []
    with torch.no_grad():
        for x_t in x:
            state = cell(x_t, state)
            expected.append(state[0] if kind == "LSTM" else state)
    output, last, _ = layer.forward(x.numpy())
    np.testing.assert_allclose(output, torch.stack(expected), rtol=0, atol=1e-14)
    if kind == "LSTM":
        np.testing.assert_allclose(last.c[0], state[1], rtol=0, atol=1e-14)


def test_a_subclass_is_read_unless_its_forward_is_its_own():
    class Named(torch.nn.LSTM):
        """Only a name."""

    class Residual(torch.nn.GRUCell):
        def forward(self, x, state):
            return x + super().forward(x, state)

    module = Named(3, 4, 2, dtype=torch.float64)
    x = torch.ones(5, 2, 3, dtype=torch.float64)
    output = module(x)[0].detach()
    np.testing.assert_allclose(from_torch(module).forward(x.numpy())[0], output, atol=1e-14)
    with pytest.raises(TypeError, match=r"Residual has a forward of its own.*torch\.nn\.GRUCell"):
        from_torch(Residual(4, 4))
