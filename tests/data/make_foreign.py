"""Run recurrent layers in Keras and in ONNX Runtime, and write what went in and what came out.

    pip install keras onnx onnxruntime torch
    KERAS_BACKEND=torch python tests/data/make_foreign.py

`tests/test_interop.py` reads ``foreign.json`` beside this file, so that the conventions of both are
tested without installing either. Weights and outputs are float32 and small, 5 digits are kept of
the inputs so that they are exact in the file.
"""

import json
from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

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
    order = ["X", "W", "R", "B", "sequence_lens", "initial_h"]
    order += ["initial_c", "P"] if op_type == "LSTM" else []
    outputs = ["Y", "Y_h", "Y_c"] if op_type == "LSTM" else ["Y", "Y_h"]
    shape = {"Y": (T, ways, B, H), "Y_h": (ways, B, H), "Y_c": (ways, B, H)}
    inputs = [k if k in arrays else "" for k in order]
    node = helper.make_node(op_type, inputs, outputs, hidden_size=H, **attributes)
    kinds = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.int32): TensorProto.INT32}
    graph = helper.make_graph(
        [node],
        name,
        [helper.make_tensor_value_info(k, kinds[a.dtype], a.shape) for k, a in arrays.items()],
        [helper.make_tensor_value_info(k, TensorProto.FLOAT, shape[k]) for k in outputs],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    results = session.run(outputs, arrays)
    return {
        "name": name,
        "op_type": op_type,
        "attributes": {**attributes, "hidden_size": H},
        **arrays,
        **dict(zip(outputs, results, strict=True)),
    }


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
    }
    text = json.dumps(document, default=lambda a: a.tolist(), separators=(",", ":"))
    Path(__file__).with_name("foreign.json").write_text(text.replace('{"name"', '\n{"name"') + "\n")


if __name__ == "__main__":
    main()
