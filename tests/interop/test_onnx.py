"""Operators of ONNX to layers and back, against results of ONNX Runtime."""

import numpy as np
import pytest
from foreign import OPERATORS, onnx_case, run_written, written
from hypothesis import given
from hypothesis import strategies as st

from lstm_lesson import GRU, LSTM, RNN, LSTMState
from lstm_lesson.engine.activations import ACTIVATIONS, WITH_NUMBERS
from lstm_lesson.interop import from_onnx, to_onnx


def assert_gives(layer, case):
    """Compare with what ONNX Runtime gave, in float32: a few roundings of 6e-8 each."""
    state = case["initial_h"]
    state = LSTMState(state, case["initial_c"]) if "initial_c" in case else state
    output, last, _ = layer.forward(case["X"], state, case.get("sequence_lens"))
    T, B, _ = case["X"].shape
    expected = case["Y"].transpose(0, 2, 1, 3).reshape(T, B, -1)  # from (T, directions, B, H)
    np.testing.assert_allclose(output, expected, rtol=1e-6, atol=1e-6)
    parts = last if isinstance(last, tuple) else (last,)
    for part, name in zip(parts, ("Y_h", "Y_c"), strict=False):
        np.testing.assert_allclose(part, case[name], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", OPERATORS)
def test_an_operator_gives_what_the_runtime_gives(name):
    case = onnx_case(name)
    arrays = [case.get(name) for name in "WRBP"]
    assert_gives(from_onnx(case["op_type"], case["attributes"], *arrays), case)


@pytest.mark.parametrize(("kind", "options"), [*written()], ids=str)
def test_the_runtime_gives_what_the_layer_gives_of_what_is_written(kind, options):
    layer, case = run_written(kind, options)
    assert_gives(layer, case)
    assert from_onnx(*to_onnx(layer)).options == layer.options


def test_every_activation_is_written_in_every_role_and_every_way():
    ways = ({}, {"reverse": True}, {"bidirectional": True})
    roles = ("gate_activation", "cell_activation", "hidden_activation")
    for kind, names in {"LSTM": roles, "GRU": roles[:2], "RNN": ["nonlinearity"]}.items():
        for role in names:
            for way in ways:
                found = [
                    o[role].partition("(")[0]
                    for k, o in written()
                    if k == kind and role in o and way.items() <= o.items()
                ]
                assert set(found) == set(ACTIVATIONS) | set(WITH_NUMBERS)


@given(
    st.sampled_from([LSTM, GRU, RNN]), st.booleans(), st.booleans(),
    st.sampled_from([{}, {"reverse": True}, {"bidirectional": True}]),
    st.fixed_dictionaries(
        {"peephole": st.booleans(), "couple_input_forget": st.booleans()}
        | {"clip": st.sampled_from([None, 0.5])}
        | {"gate_activation": st.sampled_from(sorted(ACTIVATIONS))}
        | {"hidden_activation": st.sampled_from(sorted(ACTIVATIONS))}
    ),
    st.booleans(),
)  # fmt: skip
def test_onnx_round_trip_is_exact(kind, bias, batch_first, way, options, after):
    options = options if kind is LSTM else {"nonlinearity": options["gate_activation"]}
    options = way | ({"reset_after": after} if kind is GRU else options)
    layer = kind(3, 4, bias=bias, batch_first=batch_first, rng=1, **options)
    for p in layer.parameters().values():
        p[...] = np.random.default_rng(p.size).normal(size=p.shape)
    operator = to_onnx(layer)
    back = from_onnx(*operator)
    assert repr(back) == repr(layer)
    before = {name: p.copy() for name, p in layer.parameters().items()}
    for a in operator[2:]:
        if a is not None:
            a[...] = 7  # neither shares memory with it
    for each in (layer, back):
        for name, p in each.parameters().items():
            np.testing.assert_array_equal(p, before[name])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"op_type": "Lstm"}, ValueError, "op_type: expected one of"),
        ({"attributes": {"size": 3}}, ValueError, r"LSTM has no \['size'\]"),
        (
            {"attributes": {"linear_before_reset": 1}},
            ValueError,
            r"LSTM has no \['linear_before_reset'\]",
        ),
        ({"attributes": {"direction": "both"}}, ValueError, "direction: expected one of"),
        ({"attributes": {"hidden_size": 5}}, ValueError, "hidden_size: expected 4 as in R, got 5"),
        ({"attributes": {"activations": ["Tanh"]}}, ValueError, "activations: expected 3 names"),
        ({"attributes": {"activations": ["Selu"] * 3}}, ValueError, "activations: expected one of"),
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


def activations(*names, **numbers):
    lists = {f"activation_{name}": values for name, values in numbers.items()}
    operator = to_onnx(LSTM(3, 4))
    return operator._replace(attributes={"activations": list(names), **lists})


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        (activations("hardsigmoid", "TANH", "Tanh"), ("hard_sigmoid", "tanh", "tanh")),
        (activations("HardSigmoid", "Tanh", "Tanh", alpha=[0.2]), ("hard_sigmoid", "tanh", "tanh")),
        (
            activations("HardSigmoid", "Softsign", "Affine", alpha=[1 / 6, 1], beta=[0.5, 0]),
            ("hard_sigmoid_6", "softsign", "identity"),
        ),
        (
            activations("Affine", "HardSigmoid", "Relu", alpha=[1, 0.16666667], beta=[0]),
            ("identity", "hard_sigmoid_6", "relu"),
        ),
        (
            activations(b"Sigmoid", b"Relu", b"Affine", alpha=(1.0,), beta=(0.0,)),
            ("sigmoid", "relu", "identity"),
        ),
        (activations("Elu", "LeakyRelu", "Softplus"), ("elu(1.0)", "leaky_relu(0.01)", "softplus")),
        (
            activations("ThresholdedRelu", "Affine", "Elu", alpha=[0.1, 2, 3], beta=[4]),
            ("thresholded_relu(0.1)", "affine(2.0, 4.0)", "elu(3.0)"),
        ),
    ],
)
def test_values_are_those_of_the_functions_that_take_them(operator, expected):
    layer = from_onnx(*operator)
    assert (layer.gate_activation, layer.cell_activation, layer.hidden_activation) == expected


@pytest.mark.parametrize(
    ("operator", "message"),
    [
        # ONNX Runtime takes alpha = 0 here, and then every output is zero.
        (activations("Sigmoid", "Tanh", "Affine"), "activation_alpha: .* Affine, which has no def"),
        (activations("Affine", "Tanh", "Tanh", alpha=[1]), "activation_beta: .* Affine, which has"),
        (activations("Sigmoid", "ScaledTanh", "Tanh", beta=[1]), "_alpha: .* ScaledTanh"),
        (activations("ThresholdedRelu", "Tanh", "Tanh"), "activation_alpha: .* ThresholdedRelu"),
        (
            activations("LeakyRelu", "Tanh", "Tanh", alpha=[-1]),
            "at least 0 for leaky_relu",
        ),
        (activations("HardSigmoid", "Tanh", "Tanh", alpha=[0.2, 1]), r"no more values .*\[1\]"),
        (activations("Sigmoid", "Tanh", "Tanh", beta=[0.5]), r"activation_beta: .*\[0.5\]"),
    ],
)
def test_values_that_do_not_fit_are_named(operator, message):
    with pytest.raises(ValueError, match=message):
        from_onnx(*operator)


def test_two_directions_have_the_same_activations():
    operator = to_onnx(LSTM(3, 4, bidirectional=True))
    names = ["Sigmoid", "Tanh", "Tanh", "Sigmoid", "Tanh", "Relu"]
    with pytest.raises(ValueError, match="activations: expected the same in both directions"):
        from_onnx(
            *operator._replace(attributes={"direction": "bidirectional", "activations": names})
        )


def test_other_cells_are_refused_by_name():
    with pytest.raises(ValueError, match=r"ONNX has no cell_clip, got 1\.0"):
        to_onnx(LSTM(3, 4, cell_clip=1.0))
    with pytest.raises(ValueError, match="ONNX has no num_layers, got 2"):
        to_onnx(LSTM(3, 4, 2))
    with pytest.raises(TypeError, match=r"expected an lstm_lesson\.LSTM, GRU or RNN, got dict"):
        to_onnx({})
