"""Weights of one layer to and from further libraries, by the table of `layout_table`.

PyTorch, Keras and ONNX have functions of their own. Candle and tinygrad have PyTorch's names, which
`from_torch` reads out of a ``state_dict``.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lstm_lesson.engine.arguments import check_array, check_choice, check_number
from lstm_lesson.engine.layers import GRU, LSTM, RNN
from lstm_lesson.engine.recurrent import RecurrentLayer
from lstm_lesson.interop.common import check_lacking, kind_of, set_biases, two_biases
from lstm_lesson.interop.layout_table import GATES, LAYOUTS, Layout

KINDS = {"LSTM": LSTM, "GRU": GRU, "RNN": RNN}


def from_layout(
    library: str,
    arrays: Mapping,
    kind: str = "LSTM",
    *,
    forget_bias: float | None = None,
    **options,
) -> RecurrentLayer:
    """Return a layer with a copy of the weights of a cell or layer of another library.

    Parameters
    ----------
    library : a name in `LAYOUTS`.
    arrays : the library's arrays by name, nested or not, with "/" or "." between the parts of a
        name: ``{"ii": {"kernel": ...}, ...}`` of Flax, for example. Anything that NumPy reads.
    kind : "LSTM", "GRU" or "RNN".
    forget_bias : what the library was told to add to the forget gate's bias at run time; by default
        its own default. The layer's bias has it then.
    options : what weights don't tell, options of the layer: activations, ``cell_clip``,
        ``batch_first`` and so on.

    An LSTM's states are in the order ``LAYOUTS[library][kind].state``, (c, h) in about half of the
    libraries; the layer's are (h, c).

    Raises
    ------
    TypeError, ValueError
        If a name, shape or dtype is not the library's, or if an option doesn't fit.
    """
    layout = _layout(library, kind)
    flat = _flat(arrays)
    ways = np.shape(flat.get(layout.inputs, 0))[:-2] if layout.directions else ()
    ways, axis = (ways[0], True) if ways else (1, False)
    halves = [{n: a[k] for n, a in flat.items()} for k in range(ways)] if axis else [flat]
    parts = [_read(layout, kind, half) for half in halves]
    used = set(parts[0].pop("names"))
    if other := sorted(set(flat) - used):
        raise ValueError(f"arrays: expected names of {sorted(used)}, got {other} as well")
    W, U = parts[0]["weight_ih"], parts[0]["weight_hh"]
    H = len(W) // len(layout.order)
    added = _added(layout, forget_bias, kind)
    own = {"bias": "b" in parts[0] or bool(added), "bidirectional": ways == 2, "dtype": W.dtype}
    if "peephole" in parts[0]:
        own["peephole"] = True
    if "weight_hr" in parts[0]:
        own["proj_size"] = U.shape[1]
    if both := sorted(set(own) & set(options)):
        raise ValueError(f"{', '.join(both)}: the arrays tell")
    layer = KINDS[kind](W.shape[1], H, **own, **options)
    params = layer.parameters()
    for part, suffix in zip(parts, ("_l0", "_l0_reverse"), strict=False):
        for name in ("weight_ih", "weight_hh", "weight_hr", "peephole"):
            if name in part:
                ours = params[name + suffix]
                ours[...] = check_array(name, part[name], ours.shape, layer.dtype)
        if "b" in part:
            rows = (len(layout.order) * H,)
            both = [check_array("bias", b, rows, layer.dtype) for b in part["b"]]
            set_biases(params, suffix, *both)
        elif layer.bias:
            params["bias" + suffix][...] = 0  # a new layer's forget bias is 1
        if added:
            params["bias" + suffix][H : 2 * H] += added
    return layer


def to_layout(
    library: str, layer: RecurrentLayer, *, forget_bias: float | None = None
) -> dict[str, np.ndarray]:
    """Return the arrays of a layer under the names of another library, "/" between their parts.

    ``flax.traverse_util.unflatten_dict(arrays, sep="/")`` makes Flax's nested dicts of them, for
    example. `forget_bias` is as in `from_layout`, and is taken off the bias. Of two biases that are
    added, the second is zero.

    Raises
    ------
    TypeError, ValueError
        If it is no such layer, has several layers, or an option that the library lacks.
    """
    kind = kind_of(layer)
    layout = _layout(library, kind)
    allowed = ["bias", "batch_first", "reverse", *layout.allows]
    allowed += ["peephole"] if layout.peepholes else []
    allowed += ["proj_size"] if layout.projection else []
    allowed += ["bidirectional"] if layout.directions else []
    check_lacking(layer, library, tuple(allowed))
    added, H = _added(layout, forget_bias, kind), layer.hidden_size
    if added and not layer.bias:
        raise ValueError(f"forget_bias: the layer has no bias to take {added} off")
    suffixes = ("_l0", "_l0_reverse") if layer.bidirectional else ("_l0",)
    parts = []
    for suffix in suffixes:
        params = {k.removesuffix(suffix): p for k, p in layer.parameters().items() if
                  k.endswith(suffix)}  # fmt: skip
        both = two_biases(params, "") if layer.bias else None
        if added:
            both[0, H : 2 * H] -= added
        parts.append(_written(layout, kind, params, both))
    if layout.directions:
        return {name: np.stack([part[name] for part in parts]) for name in parts[0]}
    return parts[0]


def _layout(library: str, kind: str) -> Layout:
    kinds = LAYOUTS[check_choice("library", library, LAYOUTS)]
    if kind not in kinds:
        raise ValueError(f"kind: expected one of {sorted(kinds)} for {library}, got {kind!r}")
    return kinds[kind]


def _added(layout: Layout, told: float | None, kind: str) -> float:
    if told is not None:
        if kind != "LSTM":
            raise ValueError("forget_bias: an LSTM alone has it")
        return check_number("forget_bias", told)
    if layout.forget_bias is None:
        raise ValueError("forget_bias: an argument of the library's; pass it")
    return layout.forget_bias


def _flat(arrays, before: str = "") -> dict[str, np.ndarray]:
    """Return nested arrays by their whole names, without those that are None."""
    if not isinstance(arrays, Mapping):
        raise TypeError(f"arrays: expected a dict of arrays, got {type(arrays).__name__}")
    flat = {}
    for key, value in arrays.items():
        name = before + str(key).replace(".", "/")
        if isinstance(value, Mapping):
            flat |= _flat(value, name + "/")
        elif value is not None:
            flat[name] = np.asarray(value)
    return flat


def _expand(layout: Layout, name: str) -> list[str]:
    """Return a name, or those of each gate in our order of the layout's."""
    if "{}" not in name:
        return [name]
    return [name.format(layout.gates.get(gate, gate)) for gate in layout.order]


def _read(layout: Layout, kind: str, flat: dict) -> dict:
    """Return our arrays of one direction, the biases as ``b``, and the names that were there."""
    names = []

    def stacked(name, axis, needed=True):
        each = _expand(layout, name)
        if missing := [n for n in each if n not in flat]:
            if needed or len(missing) < len(each):
                raise ValueError(f"arrays: expected {missing[0]!r}, got {sorted(flat)}")
            return None
        names.extend(each)
        return np.concatenate([flat[n] for n in each], axis=axis)

    def rows(a):
        """Return blocks of rows in our order."""
        if len(a) % len(layout.order):
            raise ValueError(f"arrays: expected blocks of {layout.order!r}, got shape {a.shape}")
        blocks = dict(zip(layout.order, np.split(a, len(layout.order)), strict=True))
        return np.concatenate([blocks[gate] for gate in GATES[kind]])

    axis = -1 if layout.transposed else 0
    turn = (lambda a: a.T) if layout.transposed else (lambda a: a)
    found, W = {}, turn(stacked(layout.inputs, axis))
    if layout.projection and layout.projection in flat:
        found["weight_hr"] = turn(stacked(layout.projection, axis))
    if layout.recurrent is None:
        H = len(W) // len(layout.order)
        size = len(found["weight_hr"]) if "weight_hr" in found else H
        W, U = W[:, : W.shape[1] - size], W[:, W.shape[1] - size :]
    else:
        U = turn(stacked(layout.recurrent, axis))
    found |= {"weight_ih": rows(W), "weight_hh": rows(U)}
    both = [stacked(name, 0, needed=False) for name in layout.biases]
    both = [rows(b) for b in both if b is not None]
    if both:
        found["b"] = both if len(both) == 2 else [both[0], np.zeros_like(both[0])]
    if layout.bias_hn and both:
        second = stacked(layout.bias_hn, 0)
        found["b"][1][len(both[0]) - len(second) :] = second
    if layout.peepholes and layout.peepholes[0] in flat:
        seen = np.concatenate([stacked(name, 0) for name in layout.peepholes])
        blocks = dict(zip(layout.seen, np.split(seen, 3), strict=True))
        found["peephole"] = np.concatenate([blocks[gate] for gate in "ifo"])
    return found | {"names": names}


def _written(layout: Layout, kind: str, params: dict, both) -> dict[str, np.ndarray]:
    """Return the library's arrays of one direction: the inverse of `_read`."""
    arrays = {}

    def store(name, a):
        """Store blocks of rows, ours, under the library's name or names."""
        blocks = dict(zip(GATES[kind], np.split(a, len(layout.order)), strict=True))
        ordered = [blocks[gate] for gate in layout.order]
        each = _expand(layout, name)
        for n, part in zip(
            each, ordered if len(each) > 1 else [np.concatenate(ordered)], strict=True
        ):
            arrays[n] = (part.T if layout.transposed else part).copy()

    W, U = params["weight_ih"], params["weight_hh"]
    if layout.recurrent is None:
        store(layout.inputs, np.hstack([W, U]))
    else:
        store(layout.inputs, W)
        store(layout.recurrent, U)
    if both is not None:
        for name, b in zip(layout.biases, both[: len(layout.biases)], strict=True):
            store(name, b)
        if layout.bias_hn:
            arrays[layout.bias_hn] = params["bias_hn"].copy()
    if "weight_hr" in params:
        arrays[layout.projection] = params["weight_hr"].T.copy()
    if "peephole" in params:
        blocks = dict(zip("ifo", np.split(params["peephole"], 3), strict=True))
        seen = [blocks[gate].copy() for gate in layout.seen]
        alone = len(layout.peepholes) == 1
        arrays |= zip(layout.peepholes, [np.concatenate(seen)] if alone else seen, strict=True)
    return arrays
