"""Run recurrent layers in Keras and in ONNX Runtime, and write what went in and what came out.

    pip install keras onnx onnxruntime torch
    KERAS_BACKEND=torch python tests/data/make_foreign.py

The tests of `lstm_lesson.interop` read ``foreign.json`` beside this file, so that the conventions
of both are tested without installing either. Weights and outputs are float32 and small, 5 digits
are kept of the inputs so that they are exact in the file. Under "written" is what `to_onnx` wrote
of a layer, and what ONNX Runtime made of that: run this again when `to_onnx` writes otherwise.
"""

import json
from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

import lstm_lesson
from lstm_lesson.engine.activations import ACTIVATIONS
from lstm_lesson.interop import to_onnx

T, B, D, H = 5, 3, 2, 4
rng = np.random.default_rng(1)


def draw(*shape):
    return rng.uniform(-1, 1, shape).round(5).astype(np.float32)


def run_keras(name, layer):
    x = draw(B, T, D)
    layer.build(x.shape)
    weights = [draw(*w.shape) for w in layer.get_weights()]
    layer.set_weights(weights)
    return {"name": name, "weights": weights, "x": x, "output": np.asarray(layer(x).detach())}


def keras_layers():
    """Yield layers whose arguments matter, with what they tell of themselves."""
    layers, told = keras.layers, {"return_sequences": True}
    gates = {"recurrent_activation": "hard_sigmoid"}
    for layer in (
        layers.LSTM(H, activation="relu", **gates, **told),
        layers.LSTM(H, activation="softsign", recurrent_activation=None, **told),
        layers.LSTM(H, activation=None, use_bias=False, **told),
        layers.LSTM(H, go_backwards=True, **told),
        layers.Bidirectional(layers.LSTM(H, **gates, **told)),
        layers.Bidirectional(layers.LSTM(D, **told)),
        layers.RNN(layers.LSTMCell(H, activation="softsign"), **told),
        layers.GRU(H, go_backwards=True, **told),
        layers.GRU(H, use_bias=False, **told),
        layers.Bidirectional(layers.GRU(H, use_bias=False, **told)),
        layers.GRU(H, reset_after=False, **told),
        layers.GRU(H, reset_after=False, use_bias=False, **told),
        layers.Bidirectional(layers.GRU(H, reset_after=False, **told)),
        layers.SimpleRNN(H, **told),
        layers.SimpleRNN(H, activation="relu", use_bias=False, go_backwards=True, **told),
        layers.Bidirectional(layers.SimpleRNN(H, activation="sigmoid", **told)),
    ):
        kind = type(layer).__name__
        yield {"kind": kind, "config": trimmed(layer.get_config())} | run_keras(kind, layer)


def trimmed(config):
    """Return a configuration without what only matters before or while a layer is trained."""
    aside = ("initializer", "regularizer", "constraint", "name", "build_config")
    kept = {k: v for k, v in config.items() if not k.endswith(aside) or k == "class_name"}
    return {k: trimmed(v) if isinstance(v, dict) else v for k, v in kept.items()}


def run_onnx(name, op_type, attributes, *, peephole=False, lengths=None):
    ways = 2 if attributes.get("direction") == "bidirectional" else 1
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[op_type]
    arrays = {
        "X": draw(T, B, D),
        "W": draw(ways, gates * H, D),
        "R": draw(ways, gates * H, H),
        "B": draw(ways, 2 * gates * H),
    }
    if lengths is not None:
        arrays["sequence_lens"] = np.array(lengths, np.int32)
    arrays["initial_h"] = draw(ways, B, H)
    if op_type == "LSTM":
        arrays["initial_c"] = draw(ways, B, H)
    if peephole:
        arrays["P"] = draw(ways, 3 * H)
    attributes = {**attributes, "hidden_size": H}
    results = run_node(op_type, attributes, arrays)
    return {"name": name, "op_type": op_type, "attributes": attributes, **arrays, **results}


def run_written(kind, options):
    """Run what `to_onnx` writes of a layer of 3 inputs and 2 units."""
    T, B, D, H = 4, 2, 3, 2
    layer = getattr(lstm_lesson, kind)(D, H, **options)
    for p in layer.parameters().values():
        p[...] = draw(*p.shape)
    op_type, attributes, *arrays = to_onnx(layer)
    given = {name: a for name, a in zip("WRBP", arrays, strict=True) if a is not None}
    ways = len(given["W"])
    given = {"X": draw(T, B, D), **given, "initial_h": draw(ways, B, H)}
    if op_type == "LSTM":
        given["initial_c"] = draw(ways, B, H)
    results = run_node(op_type, attributes, given)
    return {"kind": kind, "options": options, "attributes": attributes, **given, **results}


def run_node(op_type, attributes, arrays):
    """Run a model of one operator on arrays under the names of its inputs; return its outputs."""
    order = ["X", "W", "R", "B", "sequence_lens", "initial_h"]
    order += ["initial_c", "P"] if op_type == "LSTM" else []
    outputs = ["Y", "Y_h", "Y_c"] if op_type == "LSTM" else ["Y", "Y_h"]
    (T, B, _), (ways, _, H) = arrays["X"].shape, arrays["R"].shape
    shape = {"Y": (T, ways, B, H), "Y_h": (ways, B, H), "Y_c": (ways, B, H)}
    inputs = [k if k in arrays else "" for k in order]
    node = helper.make_node(op_type, inputs, outputs, **attributes)
    kinds = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.int32): TensorProto.INT32}
    graph = helper.make_graph(
        [node],
        "one operator",
        [helper.make_tensor_value_info(k, kinds[a.dtype], a.shape) for k, a in arrays.items()],
        [helper.make_tensor_value_info(k, TensorProto.FLOAT, shape[k]) for k in outputs],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return dict(zip(outputs, session.run(outputs, arrays), strict=True))


def written():
    """Yield layers as `to_onnx` writes them: every activation in every role, every way."""
    names = sorted(ACTIVATIONS)
    for way in ({}, {"reverse": True}, {"bidirectional": True}):
        for k, name in enumerate(names):
            roles = ("gate_activation", "cell_activation", "hidden_activation")
            turned = dict(zip(roles, names[k:] + names[:k], strict=False))
            yield run_written("LSTM", turned | way)
            yield run_written("RNN", {"nonlinearity": name} | way)
        yield run_written("LSTM", {"peephole": True, "clip": 0.5} | way)
        yield run_written("LSTM", {"couple_input_forget": True, "bias": False} | way)
        for after in (True, False):
            yield run_written("GRU", {"reset_after": after} | way)
            yield run_written("GRU", {"reset_after": after, "bias": False} | way)


def main():
    layers = keras.layers
    every_way = ["forward", "reverse", "bidirectional"]
    mixed = ["HardSigmoid", "Relu", "Affine"]
    document = {
        "made_with": {"keras": keras.__version__, "onnxruntime": onnxruntime.__version__},
        "keras": [
            run_keras("LSTM", layers.LSTM(H, return_sequences=True)),
            run_keras("LSTM no bias", layers.LSTM(H, return_sequences=True, use_bias=False)),
            run_keras("GRU", layers.GRU(H, return_sequences=True)),
            run_keras("GRU no bias", layers.GRU(H, return_sequences=True, use_bias=False)),
            run_keras("BiLSTM", layers.Bidirectional(layers.LSTM(H, return_sequences=True))),
            run_keras("BiGRU", layers.Bidirectional(layers.GRU(H, return_sequences=True))),
        ],
        "onnx": [
            *(run_onnx(f"LSTM {way}", "LSTM", {"direction": way}) for way in every_way),
            *(
                run_onnx(f"GRU {way}", "GRU", {"direction": way, "linear_before_reset": 1})
                for way in every_way
            ),
            *(run_onnx(f"RNN {way}", "RNN", {"direction": way}) for way in every_way),
            run_onnx("RNN Relu", "RNN", {"activations": ["Relu"]}),
            run_onnx("LSTM peephole", "LSTM", {}, peephole=True),
            run_onnx("LSTM input_forget", "LSTM", {"input_forget": 1}),
            run_onnx("LSTM clip", "LSTM", {"clip": 0.5}),
            run_onnx("LSTM clip peephole", "LSTM", {"clip": 0.4}, peephole=True),
            run_onnx(
                "LSTM activations",
                "LSTM",
                {
                    "activations": mixed,
                    "activation_alpha": [0.2, 1.0],
                    "activation_beta": [0.5, 0.0],
                },
            ),
            run_onnx("LSTM lengths", "LSTM", {"direction": "bidirectional"}, lengths=[5, 2, 3]),
        ],
        "written": list(written()),
        "keras_layers": list(keras_layers()),
    }
    text = json.dumps(document, default=shortened, separators=(",", ":"))
    for first in ("name", "kind"):
        text = text.replace(f'{{"{first}"', f'\n{{"{first}"')
    Path(__file__).with_name("foreign.json").write_text(text + "\n")


def shortened(array):
    """Return an array as nested lists, with the fewest digits that name each float32."""
    if array.dtype != np.float32:
        return array.tolist()
    return [float(str(a)) if a.ndim == 0 else shortened(a) for a in array]


if __name__ == "__main__":
    main()
