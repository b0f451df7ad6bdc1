"""Recurrent nodes of ONNX models: what `interop.from_onnx` takes, out of a file or a node."""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np

_FIELDS = {1: "f", 2: "i", 3: "s", 6: "floats", 7: "ints", 8: "strings"}  # of AttributeProto.type
_OPERATORS = ("LSTM", "GRU", "RNN")
_INPUTS = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")


def read(source, name: str | None, told: dict) -> list[tuple]:
    """Return ``(op_type, attributes, W, R, B, P)`` of a node, or of each node of a model's stack.

    `told` has the arguments of `from_onnx` that came with `source`.
    """
    attributes = told.pop("attributes")
    if attributes is not None:
        raise ValueError("attributes: they are in the node; pass its arrays by name")
    if hasattr(source, "op_type"):
        if name is not None:
            raise ValueError("name: expected with a model alone, got it with a node")
        return [(source.op_type, _attributes(source), *told.values())]
    if given := [key for key, value in told.items() if value is not None]:
        raise ValueError(f"{', '.join(given)}: arrays are in the model, so leave them out")
    onnx = package()
    if isinstance(source, (bytes, bytearray)):
        source = onnx.load_from_string(bytes(source))
    elif isinstance(source, (str, os.PathLike)):
        source = onnx.load(source)
    elif not hasattr(source, "graph"):
        got = type(source).__name__
        raise TypeError(f"op_type: expected 'LSTM', 'GRU', 'RNN', a node or a model, got {got}")
    graph = _Graph(onnx, source)
    return [_operator(graph, node) for node in _choose(graph, name)]


def package():
    """Return the package onnx; raise ImportError that says how to install it."""
    try:
        import onnx
        import onnx.reference
    except ImportError as error:
        raise ImportError(
            "a model is read and written with the package onnx: pip install onnx"
        ) from error
    return onnx


class _Graph:
    """The main graph of a model, to look up what a name stands for."""

    def __init__(self, onnx, model):
        self.onnx, self.model = onnx, model
        self.nodes = list(model.graph.node)
        self.stored = {tensor.name: tensor for tensor in model.graph.initializer}
        self.maker = {output: node for node in self.nodes for output in node.output}
        if aside := [t.name for t in self.stored.values() if t.data_location == t.EXTERNAL]:
            raise ValueError(
                f"op_type: {aside[0]!r} is kept in another file; pass the model's path"
            )

    def constant(self, name: str) -> np.ndarray | None:
        """Return the value of a name if it depends on no input of the model, else None."""
        if name in self.stored:
            return self.onnx.numpy_helper.to_array(self.stored[name])
        wanted, needed = [name], set()
        while wanted:
            each = wanted.pop()
            if each and each not in self.stored and each not in needed:
                if each not in self.maker:
                    return None
                needed.add(each)
                wanted += self.maker[each].input
        nodes = [node for node in self.nodes if needed.intersection(node.output)]
        output = self.onnx.helper.make_empty_tensor_value_info(name)
        graph = self.onnx.helper.make_graph(nodes, "constants", [], [output], self.stored.values())
        model = self.onnx.helper.make_model(graph, opset_imports=self.model.opset_import)
        return self.onnx.reference.ReferenceEvaluator(model).run(None, {})[0]

    def source(self, name: str) -> np.ndarray | None:
        """Return the constant that a name is made of by making it larger, else None.

        Exporters expand a zero to the state before the first step, of as many sequences as come.
        """
        while (value := self.constant(name)) is None and name in self.maker:
            node = self.maker[name]
            if node.op_type == "ConstantOfShape":
                return self.onnx.numpy_helper.to_array(node.attribute[0].t) if node.attribute else 0
            name = node.input[0]
        return value


def _operator(graph: _Graph, node) -> tuple:
    inputs = {key: given for key, given in zip(_INPUTS, node.input, strict=False) if given}
    arrays = {key: graph.constant(inputs[key]) for key in ("W", "R", "B", "P") if key in inputs}
    for key, array in arrays.items():
        if array is None:
            raise ValueError(
                f"{key}: {inputs[key]!r} depends on an input of the model; pass from_onnx the node "
                f"and its arrays"
            )
    for key in ("sequence_lens", "initial_h", "initial_c"):
        # Zeros are the default. A layer has no state of its own: forward takes it.
        known = graph.constant if key == "sequence_lens" else graph.source
        value = known(inputs[key]) if key in inputs else None
        if value is not None and (key == "sequence_lens" or np.any(value)):
            raise ValueError(
                f"{key}: stored in the model, which a layer can't hold; pass from_onnx the node "
                f"and its arrays, and this to forward"
            )
    return node.op_type, _attributes(node), *(arrays.get(key) for key in ("W", "R", "B", "P"))


def _choose(graph: _Graph, name: str | None) -> list:
    """Return the node of the given name; or all nodes, each of which feeds the next."""
    nodes = [n for n in graph.nodes if n.op_type in _OPERATORS and n.domain in ("", "ai.onnx")]
    if not nodes:
        raise ValueError("op_type: the model has no LSTM, GRU or RNN in its main graph")
    names = [node.name or node.output[0] for node in nodes]
    if name is not None:
        found = [n for n in nodes if name in (n.name, n.output[0])]
        if len(found) != 1:
            raise ValueError(f"name: expected one of {names}, got {name!r}")
        return found
    for k in range(len(nodes) - 1):
        try:
            _check_feeds(graph, *nodes[k : k + 2])
        except ValueError as error:
            raise ValueError(
                f"name: the model has several such nodes, expected one of {names}; they are no "
                f"stack, for the input of {names[k + 1]!r} {error}"
            ) from None
    return nodes


# ---- From the output of one node to the input of the next ----


class _Moved(NamedTuple):
    """What became of the output of a node.

    An axis is letters: T steps, K directions, B sequences, H units, and KH where those are joined.
    """

    axes: list[str]
    part: int | None = None  # which direction was cut out, if one was


def _check_feeds(graph: _Graph, below, above) -> None:
    """Raise ValueError unless the input of `above` is the output of `below`, rearranged for it."""
    attributes = [_attributes(node) for node in (below, above)]
    layouts = ["BTKH" if each.get("layout") else "TKBH" for each in attributes]
    ways = 2 if attributes[0].get("direction") in ("bidirectional", b"bidirectional") else 1
    known = dict(zip(layouts[0], _known_sizes(graph, below.output[0]), strict=False))
    sizes = known | {"K": ways, "H": attributes[0]["hidden_size"]}

    def follow(name: str) -> _Moved:
        if name == below.output[0]:
            return _Moved(list(layouts[0]))
        node = graph.maker.get(name)
        if node is None or node is below:
            raise ValueError(f"doesn't come from the output of {below.name or below.output[0]!r}")
        if node.op_type == "Concat":
            return _joined([follow(each) for each in node.input], _attributes(node)["axis"])
        if node.op_type not in _MOVES:
            raise ValueError(f"comes through {node.op_type}")
        return _MOVES[node.op_type](graph, node, follow(node.input[0]), sizes)

    found = follow(above.input[0])
    wanted = ["B", "T", "KH"] if layouts[1] == "BTKH" else ["T", "B", "KH"]
    if ways == 1:  # K may stay, joined to its neighbour, or go
        axes = [a.replace("K", "") for a in found.axes if a != "K"]
        found, wanted = found._replace(axes=axes), [*wanted[:2], "H"]
    if found != _Moved(wanted):
        raise ValueError(f"has axes {found.axes}, expected {wanted}")


def _known_sizes(graph: _Graph, name: str) -> list[int | None]:
    """Return the sizes of an array that the model states; T and B are often left open."""
    inferred = graph.onnx.shape_inference.infer_shapes(graph.model).graph
    for value in (*inferred.value_info, *inferred.output):
        if value.name == name:
            return [d.dim_value or None for d in value.type.tensor_type.shape.dim]
    return []


def _joined(parts: list[_Moved], axis: int) -> _Moved:
    """Return two directions, each cut out before, side by side again: how tf2onnx writes both."""
    last = len(parts[0].axes) - 1
    if axis not in (-1, last) or parts != [_Moved([*parts[0].axes[:-1], "H"], k) for k in (0, 1)]:
        raise ValueError("comes through a Concat of something else than both directions")
    return _Moved([*parts[0].axes[:-1], "KH"])


def _sliced(graph, node, moved, sizes):
    given = [graph.constant(name) for name in node.input[1:5]]
    starts, ends, axes, *steps = [None if a is None else a.tolist() for a in given]
    for k in range(sizes["K"]):
        cut = (starts, ends) == ([k], [k + 1]) and steps in ([], [[1]])
        if cut and moved.part is None and moved.axes[axes[0]] == "K":
            return moved._replace(part=k)
    raise ValueError("comes through a Slice of something else than a direction")


def _squeezed(graph, node, moved, sizes):
    given = _attributes(node).get("axes")
    if given is None and len(node.input) > 1:
        given = graph.constant(node.input[1])
    axes = None if given is None else [moved.axes[int(k)] for k in given]
    if axes != ["K"] or (sizes["K"] > 1 and moved.part is None):
        raise ValueError(f"comes through a Squeeze of {axes}")
    return moved._replace(axes=[axis for axis in moved.axes if axis != "K"])


def _transposed(graph, node, moved, sizes):
    order = _attributes(node).get("perm", range(len(moved.axes))[::-1])
    return moved._replace(axes=[moved.axes[k] for k in order])


def _reshaped(graph, node, moved, sizes):
    shape, axes = graph.constant(node.input[1]), moved.axes
    joined = [*axes[:-2], axes[-2] + axes[-1]]
    dropped = [axis for axis in axes if axis != "K"]
    for after in [joined, dropped] if sizes["K"] == 1 else [joined]:
        if shape is not None and len(shape) == len(after):
            fits = [
                size == -1 or (size == 0 and a == before) or size == _size(a, sizes)
                for size, a, before in zip(shape.tolist(), after, axes, strict=False)
            ]
            if all(fits):
                return moved._replace(axes=after)
    shape = "what is computed" if shape is None else shape.tolist()
    raise ValueError(f"comes through a Reshape of {axes} to {shape}")


def _size(axis: str, sizes: dict) -> int | None:
    parts = [sizes.get(letter) for letter in axis]
    return None if None in parts else int(np.prod(parts))


_MOVES = {
    "Dropout": lambda graph, node, moved, sizes: moved,
    "Identity": lambda graph, node, moved, sizes: moved,
    "Reshape": _reshaped,
    "Slice": _sliced,
    "Squeeze": _squeezed,
    "Transpose": _transposed,
}


def _attributes(node) -> dict:
    values = {a.name: getattr(a, _FIELDS[a.type]) for a in node.attribute}
    return {k: v if isinstance(v, (bytes, int, float)) else list(v) for k, v in values.items()}
