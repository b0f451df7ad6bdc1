"""Weights to PyTorch, Keras and ONNX, and back."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.utils.prune import l1_unstructured

from lstm_lesson import GRU, LSTM, RNN, LSTMState
from lstm_lesson.engine.activations import ACTIVATIONS
from lstm_lesson.interop import from_keras, from_onnx, from_torch, to_keras, to_onnx, to_torch


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


@pytest.mark.parametrize("kind", [LSTM, GRU])
def test_what_is_taken_and_what_is_returned_are_copies(kind):
    layer = kind(3, 4, bidirectional=True, rng=1)
    for p in layer.parameters().values():
        p[...] = np.random.default_rng(p.size).normal(size=p.shape)
    before = {name: p.copy() for name, p in layer.parameters().items()}
    module, weights, operator = to_torch(layer), to_keras(layer), to_onnx(layer)
    theirs = [p.detach().numpy() for p in module.parameters()]
    arrays = [*theirs, *weights, operator.W, operator.R, operator.B]
    copies = [from_torch(module), from_keras(weights), from_onnx(*operator)]
    for a in arrays:
        a[...] = 0
    for each in (layer, *copies):
        for name, p in each.parameters().items():
            np.testing.assert_allclose(p, before[name], rtol=0, atol=1e-7)


@pytest.mark.parametrize(
    "option",
    [{"peephole": True}, {"reverse": True}, {"cell_clip": 1.0}, {"remove_gates": ("o",)}],
)
def test_options_that_torch_lacks_are_refused(option):
    with pytest.raises(ValueError, match=f"PyTorch has no {next(iter(option))}"):
        to_torch(LSTM(3, 4, **option))


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
    ("kind", "options"),
    [("LSTM", {}), ("GRU", {}), ("RNN", {}), ("RNN", {"nonlinearity": "relu"})],
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


FOREIGN = json.loads(Path(__file__).parents[1].joinpath("data", "foreign.json").read_text())


def arrays_of(case):
    return {k: np.array(v, np.float32) for k, v in case.items() if isinstance(v, list)}


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


@pytest.mark.parametrize("case", FOREIGN["onnx"], ids=lambda case: case["name"])
def test_an_onnx_operator_gives_what_the_runtime_gave(case):
    a = arrays_of(case)
    layer = from_onnx(case["op_type"], case["attributes"], a["W"], a["R"], a["B"], a.get("P"))
    state = LSTMState(a["initial_h"], a["initial_c"]) if "initial_c" in a else a["initial_h"]
    output, last, _ = layer.forward(a["X"], state, case.get("sequence_lens"))
    T, B, _ = a["X"].shape
    expected = a["Y"].transpose(0, 2, 1, 3).reshape(T, B, -1)  # from (T, directions, B, H)
    np.testing.assert_allclose(output, expected, rtol=0, atol=1e-6)
    parts = last if isinstance(last, tuple) else (last,)
    for part, name in zip(parts, ("Y_h", "Y_c"), strict=False):
        np.testing.assert_allclose(part, a[name], rtol=0, atol=1e-6)


@given(
    st.sampled_from([LSTM, GRU, RNN]), st.booleans(), st.booleans(),
    st.sampled_from([{}, {"reverse": True}, {"bidirectional": True}]),
    st.fixed_dictionaries(
        {"peephole": st.booleans(), "couple_input_forget": st.booleans()}
        | {"cell_clip": st.sampled_from([None, 0.5])}
        | {"gate_activation": st.sampled_from(sorted(ACTIVATIONS))}
        | {"hidden_activation": st.sampled_from(sorted(ACTIVATIONS))}
    ),
)  # fmt: skip
def test_onnx_round_trip_is_exact(kind, bias, batch_first, way, options):
    options = way | (options if kind is LSTM else {})
    layer = kind(3, 4, bias=bias, batch_first=batch_first, rng=1, **options)
    for p in layer.parameters().values():
        p[...] = np.random.default_rng(p.size).normal(size=p.shape)
    back = from_onnx(*to_onnx(layer))
    assert repr(back) == repr(layer)
    for name, p in layer.parameters().items():
        np.testing.assert_array_equal(back.parameters()[name], p)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"op_type": "Lstm"}, ValueError, "op_type: expected one of"),
        ({"attributes": {"size": 3}}, ValueError, r"LSTM has no \['size'\]"),
        ({"attributes": {"direction": "both"}}, ValueError, "direction: expected one of"),
        ({"attributes": {"hidden_size": 5}}, ValueError, "hidden_size: expected 4 as in R, got 5"),
        ({"attributes": {"activations": ["Tanh"]}}, ValueError, "activations: expected 3 names"),
        ({"attributes": {"activations": ["Softsign"] * 3}}, ValueError, "activations: expected"),
        (
            {
                "attributes": {
                    "activations": ["HardSigmoid", "Tanh", "Tanh"],
                    "activation_alpha": [1],
                }
            },
            ValueError,
            "activation_alpha: expected",
        ),
        ({"R": np.zeros((1, 16, 5), np.float32)}, ValueError, r"R: expected shape \(1, 20, 5\)"),
        ({"W": np.zeros((2, 16, 3), np.float32)}, ValueError, r"W: expected shape \(1, 16, D\)"),
        ({"B": np.zeros((1, 16), np.float32)}, ValueError, r"B: expected shape \(1, 32\)"),
        ({"P": np.zeros((1, 16), np.float32)}, ValueError, r"P: expected shape \(1, 12\)"),
    ],
)
def test_an_operator_that_does_not_fit_is_named(change, error, message):
    operator = to_onnx(LSTM(3, 4))._asdict() | {"attributes": {}} | change
    with pytest.raises(error, match=message):
        from_onnx(**operator)


def test_other_cells_are_refused_by_name():
    gru = to_onnx(GRU(3, 4))
    with pytest.raises(ValueError, match="linear_before_reset: expected 1"):
        from_onnx(*gru._replace(attributes={}))
    with pytest.raises(ValueError, match="clip: the layer has it for the LSTM alone"):
        from_onnx(*gru._replace(attributes={"clip": 1.0, "linear_before_reset": 1}))
    with pytest.raises(ValueError, match="ONNX has no num_layers, got 2"):
        to_onnx(LSTM(3, 4, 2))
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
