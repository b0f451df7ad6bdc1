"""Run what `chapters/conventions.md` states of Keras and ONNX, and write what came out.

    pip install keras onnx onnxruntime torch
    KERAS_BACKEND=torch python tests/data/make_conventions.py

`tests/interop/evidence.py` reads ``conventions.json`` beside this file, and ``foreign.json``. Here
are signatures and defaults, and runs at sizes that all differ, so that no two axes can be mistaken
for each other.
"""

import inspect
import json
from pathlib import Path

import keras
import make_foreign
import numpy as np
import onnx
from make_foreign import draw, run_keras, run_onnx
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

T, B, D, H, K = 5, 4, 7, 3, 2
make_foreign.T, make_foreign.B, make_foreign.D, make_foreign.H = T, B, D, H


def defaults(layer):
    parameters = inspect.signature(layer).parameters.values()
    return {p.name: None if p.default is p.empty else p.default for p in parameters}


def run_sequences(layer, **options):
    return run_keras(layer.__name__, layer(H, return_sequences=True, **options))


def run_with_state(layer):
    x, h, c = draw(B, T, D), draw(B, H), draw(B, H)
    layer.build(x.shape)
    weights = [draw(*w.shape) for w in layer.get_weights()]
    layer.set_weights(weights)
    results = layer(x, initial_state=[keras.ops.convert_to_tensor(a) for a in (h, c)])
    output, *last = (np.asarray(a.detach()) for a in results)
    return {"weights": weights, "x": x, "initial": [h, c], "output": output, "last": last}


def names(layer):
    layer.build((B, T, D))
    return [w.path.split("/", 1)[1] for w in layer.weights]


def fresh_bias():
    layer = keras.layers.LSTM(H)
    layer.build((B, T, D))
    return layer.get_weights()[2]


def schema(op_type):
    found = onnx.defs.get_schema(op_type)
    attributes = {
        name: helper.get_attribute_value(a.default_value) if a.default_value.type else None
        for name, a in found.attributes.items()
    }
    return {
        "since_version": found.since_version,
        "inputs": [i.name for i in found.inputs],
        "outputs": [o.name for o in found.outputs],
        "attributes": attributes,
    }


def run_layout():
    """Run LSTM with layout=1 in ONNX's reference evaluator; ONNX Runtime refuses it on a CPU."""
    arrays = {
        "X": draw(B, T, D),
        "W": draw(K, 4 * H, D),
        "R": draw(K, 4 * H, H),
        "B": draw(K, 8 * H),
        "initial_h": draw(B, K, H),
        "initial_c": draw(B, K, H),
    }
    attributes = {"direction": "bidirectional", "layout": 1, "hidden_size": H}
    inputs, outputs = ["X", "W", "R", "B", "", "initial_h", "initial_c"], ["Y", "Y_h", "Y_c"]
    node = helper.make_node("LSTM", inputs, outputs, **attributes)
    value, kind = helper.make_tensor_value_info, TensorProto.FLOAT
    graph = helper.make_graph(
        [node],
        "layout",
        [value(name, kind, a.shape) for name, a in arrays.items()],
        [value(name, kind, None) for name in outputs],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    results = ReferenceEvaluator(model).run(None, arrays)
    return {"attributes": attributes, **arrays, **dict(zip(outputs, results, strict=True))}


def refusal():
    try:
        run_onnx("layout", "LSTM", {"layout": 1})
    except Exception as error:
        return str(error).split("was false. ")[1].split(". ")[0]


def plain(value):
    """Return what JSON can hold: of a float32 the shortest decimals that name it."""
    if isinstance(value, bytes):
        return value.decode()
    return [float(str(v)) if value.ndim == 1 else plain(v) for v in value]


def main():
    layers, bidirectional = keras.layers, {"direction": "bidirectional"}
    after = {**bidirectional, "linear_before_reset": 1}
    document = {
        "made_with": {
            "keras": keras.__version__,
            "onnx": onnx.__version__,
            "onnxruntime": make_foreign.onnxruntime.__version__,
        },
        "sizes": {"T": T, "B": B, "D": D, "H": H, "K": K},
        "keras": {
            "parameters": {c.__name__: defaults(c) for c in (layers.LSTM, layers.GRU)},
            "names": {c.__name__: names(c(H)) for c in (layers.LSTM, layers.GRU)},
            "names of Bidirectional": names(layers.Bidirectional(layers.LSTM(H))),
            "bias of a new LSTM": fresh_bias(),
            "LSTM": run_with_state(layers.LSTM(H, return_sequences=True, return_state=True)),
            "BiLSTM": run_keras("one", layers.Bidirectional(layers.LSTM(H, return_sequences=True))),
            "GRU": run_sequences(layers.GRU),
            "GRU before": run_sequences(layers.GRU, reset_after=False),
            "go_backwards": run_sequences(layers.LSTM, go_backwards=True),
            "activations": run_sequences(
                layers.LSTM, activation="relu", recurrent_activation="hard_sigmoid"
            ),
        },
        "onnx": {
            "schema": {op_type: schema(op_type) for op_type in ("LSTM", "GRU", "HardSigmoid")},
            "LSTM": run_onnx("both", "LSTM", bidirectional, peephole=True),
            "GRU": run_onnx("both", "GRU", after),
            "GRU before": run_onnx("both", "GRU", bidirectional),
            "layout": run_layout(),
            "ONNX Runtime on layout=1": refusal(),
        },
    }
    text = json.dumps(document, default=plain, separators=(",", ":"))
    for key in ("keras", "onnx", "LSTM", "BiLSTM", "GRU", "GRU before", "go_backwards", "layout"):
        text = text.replace(f'"{key}":{{', f'\n"{key}":{{')
    Path(__file__).with_name("conventions.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
