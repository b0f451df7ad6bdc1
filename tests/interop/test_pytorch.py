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
    with pytest.raises(TypeError, match=r"expected dtype float32, .* got complex64"):
        from_torch(torch.nn.LSTM(3, 4, dtype=torch.complex64))
    module = torch.nn.LSTM(3, 4)
    module.weight_hh_l0.data = module.weight_hh_l0.data.double()
    with pytest.raises(TypeError, match="got float32 and float64"):
        from_torch(module)
    with pytest.raises(ValueError, match="prefix, batch_first: expected with a state_dict alone"):
        from_torch(torch.nn.LSTM(3, 4), prefix="a.", batch_first=True)


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_half_precision_is_converted_and_that_is_said(half):
    module = torch.nn.GRU(3, 4, dtype=half)
    message = f"its weights, {str(half)[6:]}, were converted to float32"
    for given in (module, module.state_dict()):
        with pytest.warns(UserWarning, match=message):
            layer = from_torch(given)
        expected = from_torch(module.float())
        module.to(half)
        assert layer.dtype == np.float32
        for name, p in expected.parameters().items():
            np.testing.assert_array_equal(layer.parameters()[name], p)


OPTIONS = {
    "LSTM": {"num_layers": 2, "bidirectional": True, "proj_size": 2},
    "GRU": {"num_layers": 3, "bias": False, "batch_first": True},
    "RNN": {"nonlinearity": "relu", "bidirectional": True},
}
TOLD = {"LSTM": {}, "GRU": {"batch_first": True}, "RNN": {"nonlinearity": "relu"}}


@pytest.mark.parametrize("kind", OPTIONS)
@pytest.mark.parametrize("prefix", ["", "lstm.", "model.encoder.rnn.", "weight_hh_l0."])
def test_a_state_dict_is_read_under_any_prefix(kind, prefix):
    torch.manual_seed(0)
    module = getattr(torch.nn, kind)(3, 4, **OPTIONS[kind])
    state = {prefix + name: a for name, a in module.state_dict().items()}
    state |= {"decoder.weight": torch.ones(2, 2), "decoder.bias_ih_norm.weight": torch.ones(2)}
    arrays = {name: a.numpy() for name, a in state.items()}  # as safetensors reads them
    for given in (state, arrays):
        layer = from_torch(given, **TOLD[kind])
        expected = from_torch(module)
        assert layer.options == expected.options
        for name, p in expected.parameters().items():
            np.testing.assert_array_equal(layer.parameters()[name], p)
        other = getattr(torch.nn, kind)(5, 6, **OPTIONS[kind]).state_dict()
        both = given | {f"other.{name}": a for name, a in other.items()}
        with pytest.raises(ValueError, match=r"prefix: expected one of \[.*'other\.'"):
            from_torch(both, **TOLD[kind])
        assert from_torch(both, prefix=prefix, **TOLD[kind]).options == expected.options
        assert from_torch(both, prefix="other.", **TOLD[kind]).input_size == 5


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_a_state_dict_of_a_cell_is_read(kind):
    cell = getattr(torch.nn, kind + "Cell")(3, 4)
    state = {f"cell.{name}": a for name, a in cell.state_dict().items()}
    layer = from_torch(state, nonlinearity="tanh" if kind == "RNN" else None)
    for name, p in from_torch(cell).parameters().items():
        np.testing.assert_array_equal(layer.parameters()[name], p)


STATE = torch.nn.LSTM(3, 4, 2).state_dict()


@pytest.mark.parametrize(
    ("state", "arguments", "message"),
    [
        ({}, {}, r"prefix: expected one of \[\] in the state_dict"),
        (STATE, {"prefix": "lstm."}, r"prefix: expected one of \[''\], got 'lstm\.'"),
        (STATE, {"nonlinearity": "tanh"}, "nonlinearity: an RNN alone has it, .* of a LSTM"),
        (torch.nn.RNN(3, 4).state_dict(), {}, "nonlinearity: the weights of an RNN don't tell"),
        (STATE | {"norm": torch.ones(4)}, {}, r"one plain module under '', got \['norm'\] as well"),
        (
            {name: a for name, a in STATE.items() if name != "bias_hh_l1"},
            {},
            r"module: expected \['bias_hh_l1'\] under '' as well",
        ),
        (STATE | {"weight_hh_l0": torch.ones(8, 4)}, {}, "expected 4H, 3H or H rows of H = 4, got"),
        (STATE | {"weight_ih_l1": torch.ones(16, 3)}, {}, r"weight_ih_l1: expected shape \(16, 4"),
        (STATE | {"bias_ih_l0": torch.ones(15)}, {}, r"bias_ih_l0: expected shape \(16,\)"),
    ],
)
def test_a_state_dict_that_does_not_fit_is_named(state, arguments, message):
    with pytest.raises(ValueError, match=message):
        from_torch(state, **arguments)


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
    state = {f"net.{name}": a for name, a in module.state_dict().items()}
    with pytest.raises(ValueError, match="pass the module itself"):
        from_torch(state, nonlinearity="tanh" if kind == "RNN" else None)
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
