"""Weights to Keras and back, against Keras itself."""

import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from foreign import LAYERS, PLAIN_LAYERS, keras_case, quiet

from lstm_lesson import GRU, LSTM, RNN
from lstm_lesson.interop import from_keras, to_keras, to_keras_layer

pytestmark = quiet
TOLD = {"GRU no bias": {"reset_after": True}}  # what the weights don't show


def layer_of(kind, config, weights, module="keras.src.layers"):
    """An object with what a Keras layer has: the name of its class, and two methods."""
    methods = {"get_config": lambda self: config, "get_weights": lambda self: weights}
    return type(kind, (), methods | {"__module__": module})()


@pytest.fixture
def version(monkeypatch):
    """Return a function that sets which version of Keras is installed, under which name."""

    def install(number, name="keras"):
        module = ModuleType(name)
        module.__version__ = number
        monkeypatch.setitem(sys.modules, name, module)

    return install


def assert_gives(layer, case):
    """Compare with what Keras gave, in float32: a few roundings of 6e-8 each."""
    output = layer.forward(case["x"])[0]
    # A Keras layer that runs backwards alone leaves its output in the order of computing.
    output = output[:, ::-1] if layer.reverse else output
    np.testing.assert_allclose(output, case["output"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", PLAIN_LAYERS)
def test_weights_alone_give_what_keras_gives(name):
    case, told = keras_case(name), TOLD.get(name, {})
    layer = from_keras(case["weights"], **told)
    assert_gives(layer, case)
    again = from_keras(to_keras(layer), **told)
    for name, p in layer.parameters().items():
        np.testing.assert_array_equal(again.parameters()[name], p)
    for ours, theirs in zip(to_keras(layer), case["weights"], strict=True):
        assert ours.shape == theirs.shape  # the GRU's two biases are added as far as they are


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_its_configuration_or_what_is_told_give_what_keras_gives(name):
    case = keras_case(name)
    weights, config = case["weights"], case["layer"].get_config()
    for layer in (
        from_keras(case["layer"]),
        from_keras(weights, config, version=3),
        from_keras(weights, json.loads(json.dumps(config)), version=3),  # as files keep it
        from_keras(weights, **LAYERS[name][1]),
    ):
        assert_gives(layer, case)
    made = to_keras_layer(layer, return_state=False)
    np.testing.assert_allclose(made(case["x"]).detach(), case["output"], rtol=0, atol=1e-6)
    assert from_keras(made).options == layer.options


@pytest.mark.parametrize(
    "layer",
    [
        LSTM(3, 4, rng=1),
        LSTM(3, 4, reverse=True, gate_activation="hard_sigmoid_6", dtype=np.float64, rng=1),
        GRU(3, 4, reset_after=False, cell_activation="softplus", rng=1),
        RNN(3, 4, nonlinearity="leaky_relu(0.2)", bias=False, rng=1),
    ],
    ids=repr,
)
def test_a_keras_layer_is_made_of_ours(layer):
    made = to_keras_layer(layer)
    x = np.random.default_rng(0).normal(size=(2, 5, 3)).astype(layer.dtype)
    ours = from_keras(made)
    output, *last = (a.detach().numpy() for a in made(x))
    expected, state, _ = ours.forward(x)
    expected = expected[:, ::-1] if layer.reverse else expected
    tolerance = 20 * np.finfo(layer.dtype).eps
    np.testing.assert_allclose(output, expected, rtol=0, atol=tolerance)
    for theirs, part in zip(last, state if isinstance(state, tuple) else (state,), strict=True):
        np.testing.assert_allclose(theirs, part[0], rtol=0, atol=tolerance)
    for name, p in layer.parameters().items():
        np.testing.assert_array_equal(ours.parameters()[name], p)


OF_KERAS_2 = json.loads(Path(__file__).parents[1].joinpath("data", "keras2.json").read_text())


@pytest.mark.parametrize("case", OF_KERAS_2, ids=lambda case: case["name"])
def test_a_layer_gives_what_keras_2_gave(case, version):
    version(case["version"], "tf_keras")
    case |= {name: np.array(case[name], np.float32) for name in ("x", "output")}
    weights = [np.array(w, np.float32) for w in case["weights"]]
    layer = layer_of(case["kind"], case["config"], weights, "tf_keras.src.layers")
    assert_gives(from_keras(layer), case)
    assert_gives(from_keras(weights, case["config"], version=2), case)
    if "hard_sigmoid" in json.dumps(case["config"]):
        with pytest.raises(AssertionError, match="Not equal to tolerance"):
            assert_gives(from_keras(weights, case["config"], version=3), case)


def test_keras_2_makes_no_layer(version):
    version("2.15.0")
    with pytest.raises(ImportError, match=r"expected Keras 3, got 2\.15\.0"):
        to_keras_layer(LSTM(3, 4))


def test_the_hard_sigmoid_is_that_of_the_keras_that_made_the_layer(version):
    config = {"activation": "tanh", "recurrent_activation": "hard_sigmoid"}
    weights = to_keras(LSTM(3, 4))
    for name, number, expected in [
        ("keras", "3.15.1", "hard_sigmoid_6"),
        ("keras", "2.15.0", "hard_sigmoid"),
        ("tf_keras", "2.16.0", "hard_sigmoid"),
        ("tensorflow", "2.5.0", "hard_sigmoid"),
    ]:
        version(number, name)
        layer = layer_of("LSTM", config, weights, f"{name}.python.layers")
        assert from_keras(layer).gate_activation == expected
    assert from_keras(layer, version=3).gate_activation == "hard_sigmoid_6"
    assert from_keras(weights, config, version=2).gate_activation == "hard_sigmoid"
    for unknown in (weights, layer_of("LSTM", config, weights, "elsewhere")):
        arguments = (unknown, config) if unknown is weights else (unknown,)
        with pytest.raises(ValueError, match=r"0\.2 z \+ 0\.5 in Keras 2 and z / 6 \+ 0\.5 in"):
            from_keras(*arguments)


@pytest.mark.parametrize("bias", [True, False])
def test_two_layers_are_not_taken_for_two_directions(bias):
    both = to_keras(LSTM(4, 4, bidirectional=True, bias=bias, rng=1))
    assert len(both) == 2 * (2 + bias)
    with pytest.raises(ValueError, match=r"those of two layers; pass bidirectional=True, or one"):
        from_keras(both)
    assert from_keras(both, bidirectional=True).bidirectional
    with pytest.raises(ValueError, match="expected one layer at a time, got"):
        from_keras(both, bidirectional=False)
    with pytest.raises(ValueError, match="expected one layer at a time, got 6 arrays"):
        from_keras(to_keras(LSTM(3, 4)) + to_keras(LSTM(4, 4)))
    with pytest.raises(ValueError, match=f"bidirectional: expected {len(both)} arrays, got"):
        from_keras(both[: 2 + bias], bidirectional=True)


def test_what_is_returned_shares_no_memory_with_what_is_taken():
    for kind in (LSTM, GRU, RNN):
        layer = kind(3, 4, bidirectional=True, rng=1)
        before = {name: p.copy() for name, p in layer.parameters().items()}
        weights = to_keras(layer)
        back = from_keras(weights)
        for a in weights:
            a[...] = 7
        for each in (layer, back):
            for name, p in each.parameters().items():
                np.testing.assert_array_equal(p, before[name])


KERNEL, RECURRENT, BIAS = to_keras(GRU(3, 4))
LSTM_WEIGHTS, RNN_WEIGHTS = to_keras(LSTM(3, 4)), to_keras(RNN(3, 4))
PLAIN = {"activation": "tanh", "recurrent_activation": "sigmoid", "go_backwards": False}


def both_ways(backward=None, **options):
    layers = [{"class_name": "LSTM", "config": PLAIN | each} for each in ({}, backward or {})]
    return {"layer": layers[0], "backward_layer": layers[1], "merge_mode": "concat"} | options


@pytest.mark.parametrize(
    ("weights", "arguments", "error", "message"),
    [
        ([KERNEL], {}, TypeError, "expected a list of 2, 3, 4 or 6 arrays, got 1"),
        ({}, {}, TypeError, "expected a list of 2, 3, 4 or 6 arrays, got dict"),
        ([KERNEL, KERNEL[:, :7], BIAS], {}, ValueError, r"weights\[1\]: expected shape \(H, 4H\)"),
        ([KERNEL[:, :5], RECURRENT, BIAS], {}, ValueError, r"weights\[0\]: .* \(D, 12\)"),
        ([KERNEL, RECURRENT, BIAS[:1]], {}, ValueError, r"weights\[2\]: expected shape \(2, 12\)"),
        ([KERNEL, RECURRENT], {}, ValueError, "reset_after: a GRU without bias doesn't show"),
        ([KERNEL, RECURRENT, BIAS], {"reset_after": False}, ValueError, "expected True as weights"),
        (LSTM_WEIGHTS, {"activation": "leaky_relu"}, ValueError, "version: activation='leaky_relu"),
        ([KERNEL, RECURRENT, BIAS.ravel()], {}, ValueError, "a CuDNNGRU has two biases and kern"),
        (
            [*LSTM_WEIGHTS[:2], np.zeros(32, np.float32)],
            {},
            ValueError,
            "a CuDNNLSTM has two biases and kernels laid out otherwise; .* Keras 2's LSTM",
        ),
        (LSTM_WEIGHTS, {"reset_after": True}, ValueError, "reset_after: a GRU alone has it"),
        (LSTM_WEIGHTS, {"activation": "silu"}, ValueError, "activation: expected one of .*'silu'"),
        (LSTM_WEIGHTS, {"version": 4}, ValueError, "version: expected 2 or 3, got 4"),
        (LSTM_WEIGHTS, {"go_backwards": 1}, TypeError, "go_backwards: expected True or False"),
        (LSTM_WEIGHTS, {"bidirectional": "no"}, TypeError, "bidirectional: expected True or False"),
        (RNN_WEIGHTS, {"recurrent_activation": "tanh"}, ValueError, "a SimpleRNN has none"),
        (
            LSTM_WEIGHTS,
            {"config": PLAIN, "activation": "relu"},
            ValueError,
            "activation: read from the layer's configuration",
        ),
        (LSTM_WEIGHTS, {"config": PLAIN | {"time_major": True}}, ValueError, "time_major"),
        (LSTM_WEIGHTS, {"config": {"units": 3}}, ValueError, r"config: .* one of \['units'\]"),
        (
            LSTM_WEIGHTS,
            {"config": {"cell": {"class_name": "StackedRNNCells"}}},
            ValueError,
            "cell: expected one of .*LSTMCell.*, got StackedRNNCells",
        ),
        (
            LSTM_WEIGHTS * 2,
            {"config": both_ways({"activation": "relu"})},
            ValueError,
            "expected two directions that differ in go_backwards alone",
        ),
        (LSTM_WEIGHTS * 2, {"config": both_ways(merge_mode="sum")}, ValueError, "merge_mode: exp"),
        (layer_of("Dense", PLAIN, LSTM_WEIGHTS), {}, TypeError, "expected an LSTM, .* got Dense"),
        (layer_of("CuDNNLSTM", PLAIN, LSTM_WEIGHTS), {}, ValueError, "CuDNNLSTM has two biases"),
        (layer_of("LSTM", PLAIN, LSTM_WEIGHTS), {"config": PLAIN}, ValueError, "config: expected"),
    ],
)
def test_what_is_not_a_layer_of_ours_is_named(weights, arguments, error, message):
    with pytest.raises(error, match=message):
        from_keras(weights, **arguments)


@pytest.mark.parametrize(
    ("layer", "error", "message"),
    [
        (LSTM(3, 4, peephole=True), ValueError, "Keras has no peephole, got True"),
        (LSTM(3, 4, 2), ValueError, "Keras has no num_layers, got 2"),
        (LSTM(3, 4, gate_activation="hard_sigmoid"), ValueError, "gate_activation: expected one"),
        (RNN(3, 4, nonlinearity="hard_sigmoid"), ValueError, "nonlinearity: expected one of"),
        (LSTM(3, 4, cell_activation="relu"), ValueError, "hidden_activation: expected 'relu'"),
        ({}, TypeError, "expected an LSTM, a GRU or an RNN, got dict"),
    ],
)
def test_options_that_keras_lacks_are_refused(layer, error, message):
    with pytest.raises(error, match=message):
        to_keras(layer)
