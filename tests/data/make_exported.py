"""Export stacks of recurrent layers to ONNX by PyTorch's two exporters, and by tf2onnx.

    pip install onnx onnxscript torch
    python tests/data/make_exported.py torch
    pip install tf2onnx tensorflow-cpu tf_keras          in another environment
    TF_USE_LEGACY_KERAS=1 python tests/data/make_exported.py keras

The models go into ``exported`` beside this file. `tests/interop/test_onnx_models.py` reads them
with `from_onnx`, and compares what the layer gives with what ONNX Runtime makes of the model. They
are kept because how an exporter writes a stack is its own affair, and changes.
"""

import sys
from pathlib import Path

FOLDER = Path(__file__).with_name("exported")
D, H, T, B = 3, 4, 6, 2


def by_torch():
    import torch

    torch.manual_seed(0)
    x = torch.randn(T, B, D)
    for kind in ("LSTM", "GRU", "RNN"):  # the first exporter takes an RNN apart, into products
        for name, options in {
            "stack": {"num_layers": 3},
            "both_ways": {"num_layers": 2, "bidirectional": True, "batch_first": True},
        }.items():
            module = getattr(torch.nn, kind)(D, H, **options).eval()
            given = x.transpose(0, 1).contiguous() if module.batch_first else x
            path = FOLDER / f"torch_{kind}_{name}.onnx"
            if kind != "RNN":
                torch.onnx.export(module, (given,), path, dynamo=True, external_data=False)
            path = FOLDER / f"torchscript_{kind}_{name}.onnx"
            axes = {"x": {0: "B", 1: "T"}}
            torch.onnx.export(
                module, (given,), path, dynamo=False, input_names=["x"], dynamic_axes=axes
            )


def by_keras():
    import keras
    import tensorflow as tf
    import tf2onnx

    layers = keras.layers
    told = {"return_sequences": True}
    for name, stack in {
        "LSTM": [layers.LSTM(H, **told), layers.LSTM(H, **told)],
        "GRU": [layers.GRU(H, **told), layers.GRU(H, **told), layers.GRU(H, **told)],
        "BiLSTM": [layers.Bidirectional(layers.LSTM(H, **told)) for _ in range(2)],
    }.items():
        model = keras.Sequential([keras.Input((None, D)), *stack])
        spec = [tf.TensorSpec((None, None, D), tf.float32, name="x")]
        tf2onnx.convert.from_keras(model, spec, output_path=str(FOLDER / f"keras_{name}.onnx"))


def tidy(path):
    """Take out of a model where on this machine its parts were made."""
    import onnx

    model = onnx.load(path)
    graph = model.graph
    for part in (*graph.node, *graph.value_info, *graph.input, *graph.output, graph, model):
        del part.metadata_props[:]
        part.ClearField("doc_string")
    onnx.save(model, path)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    {"torch": by_torch, "keras": by_keras}[sys.argv[1]]()
    for path in FOLDER.glob("*.onnx"):
        tidy(path)
