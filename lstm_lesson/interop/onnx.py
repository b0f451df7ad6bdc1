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
from lstm_lesson.interop.common import check_lacking, set_biases, two_biases
from lstm_lesson.interop.onnx_model import read

# Per operator: our class, and where each of our blocks of rows stands in the operator's order.
_OPERATORS = {"LSTM": (LSTM, (0, 2, 3, 1)), "GRU": (GRU, (1, 0, 2)), "RNN": (RNN, (0,))}
_ACTIVATIONS = {  # ours to the operator's name, with alpha and beta where it takes them
    "sigmoid": ("Sigmoid",),
    "tanh": ("Tanh",),
    "relu": ("Relu",),
    "softsign": ("Softsign",),
    "hard_sigmoid": ("HardSigmoid", 0.2, 0.5),
    "hard_sigmoid_6": ("HardSigmoid", 1 / 6, 0.5),
    "identity": ("Affine", 1.0, 0.0),
}
# What the operators take where alpha and beta are left out. The specification names none for
# Affine, and ONNX Runtime takes 0 for both, which makes every output zero.
_DEFAULTS = {"HardSigmoid": (0.2, 0.5)}
_NUMBERS = ("activation_alpha", "activation_beta")
_ROLES = {  # options that a direction's list of activations sets, in its order
    "LSTM": ("gate_activation", "cell_activation", "hidden_activation"),
    "GRU": (),
    "RNN": ("nonlinearity",),
}
_FIXED = {"LSTM": (), "GRU": ("sigmoid", "tanh"), "RNN": ()}  # those that are no options
_ATTRIBUTES = {*_NUMBERS, "activations", "clip", "direction", "hidden_size", "layout"}
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
    """Return a layer that computes what an ONNX operator does.

    Parameters
    ----------
    op_type : "LSTM", "GRU" or "RNN". Or a node of a model (``onnx.NodeProto``), which has the
        attributes; its arrays are passed by name. Or a model, which has everything: the path of a
        file, its bytes, or an ``onnx.ModelProto``; to read one takes the package ``onnx``.
    attributes : as in the operator, text as str or bytes; what is left out has the operator's
        default. ``layout=1`` makes the layer batch first; its states keep their shape,
        (directions, B, H).
    W, R, B, P : as in the operator (see the top of this module).
    name : of the node or of its first output, where a model has several such nodes. Each node is
        one layer.

    The lengths and the initial states of an operator are arguments of the layer's ``forward``.

    Raises
    ------
    ImportError
        If `op_type` is a model and there is no package ``onnx``.
    TypeError, ValueError
        If a name, shape or dtype is not the operator's; or if it is a setting that the layer lacks:
        other activations than those of `lstm_lesson.engine.activations.ACTIVATIONS`, different ones
        for the two directions, ``clip`` of a GRU or RNN.
    """
    bare = attributes is None and W is None
    if not isinstance(op_type, str) or (bare and op_type not in _OPERATORS):
        told = {"attributes": attributes, "W": W, "R": R, "B": B, "P": P}
        op_type, attributes, W, R, B, P = read(op_type, name, told)
    elif name is not None:
        raise ValueError("name: expected with a model alone")
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
    options = _activations(op_type, attributes, ways)
    if op_type == "LSTM":
        options["clip"] = attributes.get("clip")
        options["couple_input_forget"] = bool(attributes.get("input_forget", 0))
        options["peephole"] = P is not None
    elif P is not None:
        raise ValueError(f"P: {op_type} has no peepholes")
    elif "clip" in attributes:
        raise ValueError(f"clip: the layer has it for the LSTM alone, got it for {op_type}")
    if op_type == "GRU":
        options["reset_after"] = bool(attributes.get("linear_before_reset", 0))
    layer = kind(
        W.shape[2],
        H,
        bias=B is not None,
        batch_first=bool(attributes.get("layout", 0)),
        bidirectional=ways == 2,
        reverse=direction == "reverse",
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
        If it has several layers or an option that the operator lacks.
    """
    op_type = type(layer).__name__
    if op_type not in _ROLES or not isinstance(layer, RecurrentLayer):
        raise TypeError(f"layer: expected an LSTM, GRU or RNN, got {op_type}")
    roles = _ROLES[op_type]
    allowed = ("bias", "batch_first", "bidirectional", "reverse", *roles)
    allowed = (*allowed, "clip", "couple_input_forget", "peephole", "reset_after")
    check_lacking(layer, "ONNX", allowed)
    _, order = _OPERATORS[op_type]
    back = tuple(int(k) for k in np.argsort(order))
    suffixes = ("_l0", "_l0_reverse") if layer.bidirectional else ("_l0",)
    params = layer.parameters()
    directions = {(True, False): "bidirectional", (False, True): "reverse"}
    ours = [getattr(layer, role) for role in roles] or _FIXED[op_type]
    functions = [_ACTIVATIONS[each] for each in ours * len(suffixes)]
    attributes = {
        "hidden_size": layer.hidden_size,
        "direction": directions.get((layer.bidirectional, layer.reverse), "forward"),
        "activations": [function for function, *_ in functions],
        "layout": int(layer.batch_first),
    }
    if numbers := [both for _, *both in functions if both]:
        for which, values in zip(_NUMBERS, zip(*numbers, strict=True), strict=True):
            attributes[which] = list(values)
    if op_type == "GRU":
        attributes["linear_before_reset"] = int(layer.reset_after)
    if op_type == "LSTM":
        attributes["input_forget"] = int(layer.couple_input_forget)
        if layer.clip is not None:
            attributes["clip"] = layer.clip
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


def _activations(op_type: str, attributes: dict, ways: int) -> dict[str, str]:
    """Return our options for the operator's activations, or raise ValueError."""
    roles, fixed = _ROLES[op_type], list(_FIXED[op_type])
    default = fixed or ["sigmoid", "tanh", "tanh"][-len(roles) :]
    names = attributes.get("activations") or [_ACTIVATIONS[each][0] for each in default] * ways
    if len(names) != len(default) * ways:
        raise ValueError(f"activations: expected {len(default) * ways} names, got {names}")
    numbers = [list(attributes.get(which, ())) for which in _NUMBERS]
    ours = [_activation(each, *numbers) for each in names]
    for which, left in zip(_NUMBERS, numbers, strict=True):
        if left:
            raise ValueError(f"{which}: expected no more values for {names}, got {left} at its end")
    if ours != ours[: len(default)] * ways:
        raise ValueError(f"activations: expected the same in both directions, got {names}")
    if fixed and ours != fixed * ways:
        raise ValueError(f"activations: the layer's {op_type} has {fixed} alone, got {names}")
    return dict(zip(roles, ours, strict=False))


def _activation(function: str, alphas: list[float], betas: list[float]) -> str:
    """Return our name of a function; where it takes alpha and beta, they are taken off the lists.

    Values are listed for those functions alone that take them, in the order of the functions.
    """
    known = {theirs.lower(): theirs for theirs, *_ in _ACTIVATIONS.values()}
    function = known[check_choice("activations", str(function).lower(), known)]  # ignoring case
    like = {ours: both for ours, (theirs, *both) in _ACTIVATIONS.items() if theirs == function}
    if not all(like.values()):
        return next(iter(like))
    got = []
    defaults = _DEFAULTS.get(function, (None, None))
    for which, values, default in zip(_NUMBERS, (alphas, betas), defaults, strict=True):
        if not values and default is None:
            raise ValueError(f"{which}: expected a value for {function}, which has no default")
        got.append(values.pop(0) if values else default)
    for ours, both in like.items():
        if np.allclose(got, both, rtol=1e-6):  # models hold them in float32
            return ours
    expected = " or ".join(str(tuple(both)) for both in like.values())
    raise ValueError(f"{', '.join(_NUMBERS)}: expected {expected} for {function}, got {tuple(got)}")
