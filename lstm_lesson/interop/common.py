"""What the transfers to every library have in common."""

from __future__ import annotations

from collections import Counter
from reprlib import repr as show

import numpy as np

from lstm_lesson.engine.recurrent import RecurrentLayer


def kind_of(layer, name: str = "layer") -> str:
    """Return "LSTM", "GRU" or "RNN"; raise TypeError for what is no such layer of this package."""
    kind = type(layer).__name__
    if kind not in ("LSTM", "GRU", "RNN") or not isinstance(layer, RecurrentLayer):
        raise TypeError(f"{name}: expected an lstm_lesson.LSTM, GRU or RNN, got {kind}")
    return kind


def check_lacking(layer: RecurrentLayer, library: str, allowed: tuple[str, ...]) -> None:
    """Raise ValueError if the layer has an option, not in `allowed`, that another library lacks."""
    for name, value in layer.given().items():
        if name not in (*allowed, "dtype"):
            raise ValueError(f"{name}: {library} has no {name}, got {value!r}")


def stacked(layers: list[RecurrentLayer]) -> RecurrentLayer:
    """Return one layer with the weights of several of one layer each, the first fed first.

    Raises ValueError if they differ in more than what goes into them.
    """
    first, *above = layers
    if not above:
        return first
    size = first.hidden_size * (2 if first.bidirectional else 1)
    for n, each in enumerate(above, 1):
        if type(each) is not type(first):
            kinds = f"{type(first).__name__} and {type(each).__name__}"
            raise ValueError(f"layer {n}: expected layers of one kind to be one stack, got {kinds}")
        theirs, ours = (vars(a.options) | {"input_size": size} for a in (each, first))
        if each.input_size != size:
            theirs["input_size"] = each.input_size
        for name, value in theirs.items():
            if value != ours[name]:
                raise ValueError(
                    f"layer {n}: expected {name} {ours[name]!r} for one stack, got {value!r}"
                )
    options = vars(first.options) | {"num_layers": len(layers)}
    layer = type(first)(**options)
    for n, each in enumerate(layers):
        for name, p in each.parameters().items():
            layer.parameters()[name.replace("_l0", f"_l{n}")][...] = p
    return layer


def unstacked(layer: RecurrentLayer) -> list[RecurrentLayer]:
    """Return the layers of a stack, of one layer each, time first and without dropout between."""
    layers = []
    for n in range(layer.num_layers):
        inputs = layer.parameters()[f"weight_ih_l{n}"].shape[1]
        options = {"input_size": inputs, "num_layers": 1, "dropout": 0.0, "batch_first": False}
        layers.append(type(layer)(**vars(layer.options) | options))
        for name, p in layers[-1].parameters().items():
            p[...] = layer.parameters()[name.replace("_l0", f"_l{n}")]
    return layers


# Libraries store two biases a gate that are only ever added, but for those of a GRU's candidate
# whose reset gate stands between them: we store one, and then ``bias_hn``, (H,), beside it.


def set_biases(params: dict, suffix: str, b_ih: np.ndarray, b_hh: np.ndarray) -> None:
    """Put two biases, (gates * H,) each with the gates in our order, into a layer's parameters."""
    apart = params.get("bias_hn" + suffix, b_hh[:0])
    added = len(b_hh) - len(apart)
    apart[...] = b_hh[added:]
    params["bias" + suffix][...] = b_ih
    params["bias" + suffix][:added] += b_hh[:added]


def two_biases(params: dict, suffix: str) -> np.ndarray:
    """Return what `set_biases` makes the parameters of, (2, gates * H): the second mostly zeros."""
    both = np.stack([params["bias" + suffix], np.zeros_like(params["bias" + suffix])])
    apart = params.get("bias_hn" + suffix, both[1, :0])
    both[1, len(both[1]) - len(apart) :] = apart
    return both


def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return an object of JSON as a dict; raise ValueError if it has a name twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"{show(twice)}: given twice")
    return found
