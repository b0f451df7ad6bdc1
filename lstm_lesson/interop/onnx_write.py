"""A whole ONNX model of a layer: what ONNX Runtime and others run."""

from __future__ import annotations

import numpy as np

from lstm_lesson.engine.recurrent import RecurrentLayer
from lstm_lesson.interop.common import kind_of, unstacked
from lstm_lesson.interop.onnx import to_onnx
from lstm_lesson.interop.onnx_model import package

_OPSET, _IR = 17, 8  # old enough for a runtime of 2022


def to_onnx_model(layer: RecurrentLayer, *, lengths: bool = False, state: bool = False):
    """Return an ``onnx.ModelProto`` of a layer; ``onnx.save(model, path)`` writes it to a file.

    Parameters
    ----------
    layer : an `LSTM`, `GRU` or `RNN`, with any number of layers. Dropout is left out, as in
        evaluation. ONNX Runtime runs these operators in float32 alone.
    lengths : whether the model has the input ``lengths``, int32 (B,), the steps of each sequence.
    state : whether it has the inputs ``h_0`` and, of an LSTM, ``c_0``: the state before the first
        step, (layers * directions, B, H); zeros otherwise.

    Its other input is ``x``, (T, B, D), or (B, T, D) of a layer with `batch_first`; its outputs are
    ``output``, ``h_n`` and, of an LSTM, ``c_n``. All are those of ``layer.forward``. T and B are
    left open.

    Raises
    ------
    ImportError
        Without the package ``onnx``.
    TypeError, ValueError
        As `to_onnx` does: if it is no such layer, or has an option that the operator lacks.
    """
    parts = ["h", "c"] if kind_of(layer) == "LSTM" else ["h"]
    onnx = package()
    operators = [to_onnx(each) for each in unstacked(layer)]
    L, K, H = layer.num_layers, len(operators[0].W), layer.hidden_size
    nodes, stored = [], []

    def add(op_type, inputs, outputs, **attributes):
        node = onnx.helper.make_node(op_type, inputs, outputs, name=outputs[0], **attributes)
        nodes.append(node)

    def store(name, array):
        stored.append(onnx.numpy_helper.from_array(np.asarray(array), name))
        return name

    def of_layers(name):
        return [f"{name}_l{n}" for n in range(L)] if L > 1 else [name]

    if state and L > 1:
        for part in parts:
            add("Split", [f"{part}_0"], of_layers(f"{part}_0"), axis=0)
    x = "x_time_first" if layer.batch_first else "x"
    if layer.batch_first:
        add("Transpose", ["x"], [x], perm=[1, 0, 2])
    for n, (op_type, attributes, *arrays) in enumerate(operators):
        given = zip("WRBP", arrays, strict=True)
        W, R, B, P = ("" if a is None else store(f"{name}_l{n}", a) for name, a in given)
        first = [of_layers(f"{part}_0")[n] if state else "" for part in parts]
        last = [of_layers(f"{part}_n")[n] for part in parts]
        inputs = [x, W, R, B, "lengths" if lengths else "", *first, *([P] if P else [])]
        add(op_type, inputs, [f"Y_l{n}", *last], **attributes)  # Y: (T, K, B, H)
        add("Transpose", [f"Y_l{n}"], [f"apart_l{n}"], perm=[0, 2, 1, 3])
        x = f"output_l{n}" if n < L - 1 or layer.batch_first else "output"
        add("Reshape", [f"apart_l{n}", store(f"joined_l{n}", [0, 0, K * H])], [x])
    if layer.batch_first:
        add("Transpose", [x], ["output"], perm=[1, 0, 2])
    if L > 1:
        for part in parts:
            add("Concat", of_layers(f"{part}_n"), [f"{part}_n"], axis=0)
    return _model(onnx, layer, nodes, stored, parts, lengths=lengths, state=state)


def _model(onnx, layer, nodes, stored, parts, *, lengths, state):
    """Return the model of these nodes, with the shapes of what goes in and out."""
    real = onnx.helper.np_dtype_to_tensor_dtype(layer.dtype)
    K = 2 if layer.bidirectional else 1
    lead = ["B", "T"] if layer.batch_first else ["T", "B"]

    def value(name, shape, kind=real):
        return onnx.helper.make_tensor_value_info(name, kind, shape)

    def states(step):
        shape = [layer.num_layers * K, "B", layer.hidden_size]
        return [value(f"{part}_{step}", shape) for part in parts]

    inputs = [value("x", [*lead, layer.input_size])]
    inputs += [value("lengths", ["B"], onnx.TensorProto.INT32)] if lengths else []
    inputs += states("0") if state else []
    outputs = [value("output", [*lead, layer.hidden_size * K]), *states("n")]
    graph = onnx.helper.make_graph(nodes, type(layer).__name__, inputs, outputs, stored)
    opsets = [onnx.helper.make_opsetid("", _OPSET)]
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=_IR)
