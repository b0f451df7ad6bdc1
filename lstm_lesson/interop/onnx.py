"""Weights and attributes to and from the ONNX operators `LSTM`, `GRU` and `RNN`.

Per the ONNX operator specification (version 22 of each operator): W is (directions, gates * H, D)
and R (directions, gates * H, H), with gates stacked i, o, f, c for the LSTM and z, r, h for the
GRU; B is (directions, 2 * gates * H), the input biases and then the recurrent ones; P is
(directions, 3H), the peepholes of i, o, f. One operator is one layer.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lstm_lesson.engine.arguments import check_array, check_choice
from lstm_lesson.engine.layers import GRU, LSTM, RNN
from lstm_lesson.engine.recurrent import RecurrentLayer
from lstm_lesson.interop import onnx_activations, onnx_model
from lstm_lesson.interop.common import check_lacking, kind_of, set_biases, stacked, two_biases

# Per operator: our class, and where each of our blocks of rows stands in the operator's order.
_OPERATORS = {"LSTM": (LSTM, (0, 2, 3, 1)), "GRU": (GRU, (1, 0, 2)), "RNN": (RNN, (0,))}
_ROLES = {  # options that a direction's list of activations sets, in its order
    "LSTM": ("gate_activation", "cell_activation", "hidden_activation"),
    "GRU": ("gate_activation", "cell_activation"),
    "RNN": ("nonlinearity",),
}
_ATTRIBUTES = {
    *onnx_activations.NUMBERS,
    "activations",
    "clip",
    "direction",
    "hidden_size",
    "layout",
}
_OWN = {"LSTM": "input_forget", "GRU": "linear_before_reset"}  # what one operator has alone


class OnnxOperator(NamedTuple):
    """An ONNX recurrent operator: what `from_onnx` takes, in its order."""

    op_type: str  # "LSTM", "GRU" or "RNN"
    attributes: dict  # under the operator's names
    W: np.ndarray  # (directions, gates * H, D)
    R: np.ndarray  # (directions, gates * H, H)
    B: np.ndarray | None  # (directions, 2 * gates * H)
    P: np.ndarray | None  # (directions, 3H)


def from_onnx(
    op_type, attributes=None, W=None, R=None, B=None, P=None, *, name=None
) -> RecurrentLayer:
    """Return a layer that computes what an ONNX operator does, or a chain of them.

    Parameters
    ----------
    op_type : "LSTM", "GRU" or "RNN". Or a node of a model (``onnx.NodeProto``), which has the
        attributes; its arrays are passed by name. Or a model, which has everything: the path of a
        file, its bytes, or an ``onnx.ModelProto``; to read one takes the package ``onnx``.
    attributes : as in the operator, text as str or bytes; what is left out has the operator's
        default. ``layout=1`` makes the layer batch first; its states keep their shape,
        (directions, B, H).
    W, R, B, P : as in the operator (see the top of this module).
    name : of the node or of its first output, to read one of several in a model. Without it, nodes
        that feed each other, as exporters write the layers of a stack, become one layer with as
        many `num_layers`; Squeeze, Transpose, Reshape, Dropout and Identity may stand between.

    The lengths and the initial states of an operator are arguments of the layer's ``forward``. What
    a model does before its first such node and after its last is not the layer's: a layer of a
    model that is batch first by a Transpose at both ends takes (T, B, D), as the node does.

    Raises
    ------
    ImportError
        If `op_type` is a model and there is no package ``onnx``.
    TypeError, ValueError
        If a name, shape or dtype is not the operator's; or if it is a setting that the layer lacks:
        different activations for the two directions, or in a stack different options or sizes.
    """
    bare = attributes is None and W is None
    if not isinstance(op_type, str) or (bare and op_type not in _OPERATORS):
        told = {"attributes": attributes, "W": W, "R": R, "B": B, "P": P}
        return stacked([_layer(*each) for each in onnx_model.read(op_type, name, told)])
    if name is not None:
        raise ValueError("name: expected with a model alone")
    return _layer(op_type, attributes, W, R, B, P)


def _layer(op_type, attributes, W, R, B, P) -> RecurrentLayer:
    attributes = {key: _text(value) for key, value in (attributes or {}).items()}
    kind, order = _OPERATORS[check_choice("op_type", op_type, _OPERATORS)]
    if unknown := sorted(set(attributes) - _ATTRIBUTES - {_OWN.get(op_type)}):
        raise ValueError(f"attributes: {op_type} has no {unknown}")
    direction = attributes.get("direction", "forward")
    check_choice("direction", direction, ("forward", "reverse", "bidirectional"))
    ways = 2 if direction == "bidirectional" else 1
    gates = len(order)
    check_array("R", R, (ways, "gates * H", "H"))
    H = R.shape[2]
    check_array("R", R, (ways, gates * H, H))
    check_array("W", W, (ways, gates * H, "D"), R.dtype)
    if attributes.get("hidden_size", H) != H:
        raise ValueError(f"hidden_size: expected {H} as in R, got {attributes['hidden_size']}")
    default = ["sigmoid", "tanh", "tanh"] if op_type == "LSTM" else ["sigmoid", "tanh"][-gates:]
    activations = onnx_activations.read(attributes, default, ways)
    options = dict(zip(_ROLES[op_type], activations, strict=True))
    if op_type == "LSTM":
        options["couple_input_forget"] = bool(attributes.get("input_forget", 0))
        options["peephole"] = P is not None
    elif P is not None:
        raise ValueError(f"P: {op_type} has no peepholes")
    if op_type == "GRU":
        options["reset_after"] = bool(attributes.get("linear_before_reset", 0))
    layer = kind(
        W.shape[2],
        H,
        bias=B is not None,
        batch_first=bool(attributes.get("layout", 0)),
        bidirectional=ways == 2,
        reverse=direction == "reverse",
        clip=attributes.get("clip"),
        dtype=R.dtype,
        **options,
    )
    if B is not None:
        check_array("B", B, (ways, 2 * gates * H), R.dtype)
    if P is not None:
        check_array("P", P, (ways, 3 * H), R.dtype)
    params = layer.parameters()
    for k, suffix in enumerate(("_l0", "_l0_reverse")[:ways]):
        params["weight_ih" + suffix][...] = _reorder(W[k], order)
        params["weight_hh" + suffix][...] = _reorder(R[k], order)
        if B is not None:
            b_ih, b_hh = (_reorder(b, order) for b in np.split(B[k], 2))
            set_biases(params, suffix, b_ih, b_hh)
        if P is not None:
            params["peephole" + suffix][...] = _reorder(P[k], (0, 2, 1))
    return layer


def to_onnx(layer: RecurrentLayer) -> OnnxOperator:
    """Return the ONNX operator of a layer; ``from_onnx(*to_onnx(layer))`` gives back the same.

    Our one bias goes into the input half of B, and zeros into the other. A layer with `batch_first`
    has ``layout=1``, which ONNX Runtime doesn't run on a CPU.

    Raises
    ------
    TypeError
        If `layer` is no layer of this package.
    ValueError
        If it has several layers, of which `to_onnx_model` writes a model, or an option that the
        operator lacks.
    """
    op_type = kind_of(layer)
    roles = _ROLES[op_type]
    allowed = ("bias", "batch_first", "bidirectional", "reverse", *roles)
    allowed = (*allowed, "clip", "couple_input_forget", "peephole", "reset_after")
    check_lacking(layer, "ONNX", allowed)
    _, order = _OPERATORS[op_type]
    back = tuple(int(k) for k in np.argsort(order))
    suffixes = ("_l0", "_l0_reverse") if layer.bidirectional else ("_l0",)
    params = layer.parameters()
    directions = {(True, False): "bidirectional", (False, True): "reverse"}
    ours = [getattr(layer, role) for role in roles] * len(suffixes)
    attributes = {
        "hidden_size": layer.hidden_size,
        "direction": directions.get((layer.bidirectional, layer.reverse), "forward"),
        **onnx_activations.written(ours),
        "layout": int(layer.batch_first),
    }
    if layer.clip is not None:
        attributes["clip"] = layer.clip
    if op_type == "GRU":
        attributes["linear_before_reset"] = int(layer.reset_after)
    if op_type == "LSTM":
        attributes["input_forget"] = int(layer.couple_input_forget)
    B = P = None
    if layer.bias:
        pairs = [two_biases(params, suffix) for suffix in suffixes]
        B = np.stack([np.concatenate([_reorder(b, back) for b in pair]) for pair in pairs])
    if getattr(layer, "peephole", False):
        P = np.stack([_reorder(params["peephole" + suffix], (0, 2, 1)) for suffix in suffixes])
    W, R = (
        np.stack([_reorder(params[name + suffix], back) for suffix in suffixes])
        for name in ("weight_ih", "weight_hh")
    )
    return OnnxOperator(op_type, attributes, W, R, B, P)


def _reorder(rows: np.ndarray, order: tuple[int, ...]) -> np.ndarray:
    """Return the blocks of rows taken in `order`."""
    blocks = np.split(rows, len(order))
    return np.concatenate([blocks[k] for k in order])


def _text(value):
    """Return a value with bytes, which is how the onnx package reads text, as str."""
    if isinstance(value, bytes):
        return value.decode()
    return [_text(each) for each in value] if isinstance(value, (list, tuple)) else value
