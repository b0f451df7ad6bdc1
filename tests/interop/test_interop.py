"""Weights to PyTorch, Keras and ONNX, and back."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

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
    [{"peephole": True}, {"reverse": True}, {"clip": 1.0}, {"remove_gates": ("o",)}],
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
        | {"clip": st.sampled_from([None, 0.5])}
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
