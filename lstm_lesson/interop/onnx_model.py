"""Recurrent nodes of ONNX models: what `interop.from_onnx` takes, out of a file or a node."""

from __future__ import annotations

import os

import numpy as np

_FIELDS = {1: "f", 2: "i", 3: "s", 6: "floats", 7: "ints", 8: "strings"}  # of AttributeProto.type
_OPERATORS = ("LSTM", "GRU", "RNN")
_INPUTS = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")


def read(source, name: str | None, told: dict) -> tuple:
    """Return ``(op_type, attributes, W, R, B, P)`` of a node or of a model, for `from_onnx`.

    `told` has the arguments of `from_onnx` that came with `source`.
    """
    attributes = told.pop("attributes")
    if attributes is not None:
        raise ValueError("attributes: they are in the node; pass its arrays by name")
    if hasattr(source, "op_type"):
        if name is not None:
            raise ValueError("name: expected with a model alone, got it with a node")
        return source.op_type, _attributes(source), *told.values()
    if given := [key for key, value in told.items() if value is not None]:
        raise ValueError(f"{', '.join(given)}: arrays are in the model, so leave them out")
    try:
        import onnx
    except ImportError as error:
        raise ImportError("a model is read with the package onnx: pip install onnx") from error
    if isinstance(source, (bytes, bytearray)):
        source = onnx.load_from_string(bytes(source))
    elif isinstance(source, (str, os.PathLike)):
        source = onnx.load(source)
    elif not hasattr(source, "graph"):
        got = type(source).__name__
        raise TypeError(f"op_type: expected 'LSTM', 'GRU', 'RNN', a node or a model, got {got}")
    node = _choose([n for n in source.graph.node if n.op_type in _OPERATORS], name)
    stored = {t.name: t for t in source.graph.initializer}
    for each in source.graph.node:
        if each.op_type == "Constant" and each.attribute[0].name == "value":
            stored[each.output[0]] = each.attribute[0].t
    if aside := [t.name for t in stored.values() if getattr(t, "data_location", 0)]:
        raise ValueError(f"op_type: {aside[0]!r} is kept in another file; pass the model's path")
    inputs = {key: given for key, given in zip(_INPUTS, node.input, strict=False) if given}
    arrays = {k: onnx.numpy_helper.to_array(stored[n]) for k, n in inputs.items() if n in stored}
    for key in ("W", "R", "B", "P"):
        if key in inputs and key not in arrays:
            raise ValueError(
                f"{key}: {inputs[key]!r} isn't stored in the model but computed or passed to it; "
                f"fold its constants, or pass from_onnx the node and its arrays"
            )
    for key in ("sequence_lens", "initial_h", "initial_c"):
        # Zeros are the default. A layer has no state of its own: forward takes it.
        if key in arrays and (key == "sequence_lens" or np.any(arrays[key])):
            raise ValueError(
                f"{key}: stored in the model, which a layer can't hold; pass from_onnx the node "
                f"and its arrays, and this to forward"
            )
    return node.op_type, _attributes(node), *(arrays.get(key) for key in ("W", "R", "B", "P"))


def _choose(nodes: list, name: str | None):
    """Return the one node, or that of the given name."""
    if not nodes:
        raise ValueError("op_type: the model has no LSTM, GRU or RNN in its main graph")
    names = [node.name or node.output[0] for node in nodes]
    if name is None and len(nodes) > 1:
        raise ValueError(f"name: the model has several such nodes, expected one of {names}")
    found = [n for n in nodes if name is None or name in (n.name, n.output[0])]
    if len(found) != 1:
        raise ValueError(f"name: expected one of {names}, got {name!r}")
    return found[0]


def _attributes(node) -> dict:
    values = {a.name: getattr(a, _FIELDS[a.type]) for a in node.attribute}
    return {k: v if isinstance(v, (bytes, int, float)) else list(v) for k, v in values.items()}
