"""Weights to and from Keras's LSTM, GRU and SimpleRNN, in the order of `layer.get_weights()`.

A list is ``[kernel, recurrent_kernel, bias]``: kernels are transposed, (D, gates * H) and
(H, gates * H). The LSTM's gates are stacked i, f, c, o, ours under another letter, with one bias
(4H,). The GRU's are stacked z, r, h; with ``reset_after=True``, the default, which is PyTorch's
form, it has two biases, (2, 3H), and without it one, (3H,). What a layer computes depends on its
arguments, too, activations for example, which no weight shows.
"""

from __future__ import annotations

import numpy as np

from lstm_lesson.engine.arguments import check_array, check_choice, check_flag
from lstm_lesson.engine.layers import GRU, LSTM, RNN
from lstm_lesson.engine.recurrent import RecurrentLayer
from lstm_lesson.interop.common import check_lacking, set_biases, two_biases
from lstm_lesson.interop.keras_settings import Settings, check_class, read, version_of

_KINDS = {4: LSTM, 3: GRU, 1: RNN}  # by the number of blocks in a kernel
_ACTIVATIONS = {  # Keras's name to ours, but for those that changed from version 2 to 3
    "elu": "elu(1.0)",
    "linear": "identity",
    "relu": "relu",
    "sigmoid": "sigmoid",
    "softplus": "softplus",
    "softsign": "softsign",
    "tanh": "tanh",
}
_CHANGED = {  # by the version of Keras; before version 3 a leaky_relu had to be given its slope
    2: {"hard_sigmoid": "hard_sigmoid"},
    3: {"hard_sigmoid": "hard_sigmoid_6", "leaky_relu": "leaky_relu(0.2)"},
}


def from_keras(
    weights,
    config: dict | None = None,
    *,
    activation: str | None = "tanh",
    recurrent_activation: str | None = "sigmoid",
    reset_after: bool | None = None,
    bidirectional: bool | None = None,
    go_backwards: bool = False,
    version: int | None = None,
) -> LSTM | GRU | RNN:
    """Return a layer with a copy of the weights of a Keras `LSTM`, `GRU` or `SimpleRNN`.

    Parameters
    ----------
    weights : the Keras layer, alone or in `Bidirectional` or `RNN`, whose arguments are then read;
        or the list of arrays that its ``get_weights()`` returns: two if it has no bias, six (or
        four) if it is Bidirectional. One layer at a time.
    config : ``get_config()`` of the layer, if `weights` is a list; or else the following arguments.
    activation, recurrent_activation : names in Keras; by default its own.
    reset_after : which GRU it is. Its bias shows that; without one it has to be told.
    bidirectional : whether it is a Bidirectional layer, with the default ``merge_mode``. The shapes
        show that unless D = H; then it has to be told, for it could be two layers as well.
    go_backwards : whether the layer runs backwards in time only. Its Keras output is in the order
        in which it is computed, that of the layer returned in the order of the input.
    version : 2 or 3, the Keras in which the layer was made. A list with "hard_sigmoid" needs it:
        that is ``0.2 z + 0.5`` in Keras 2, and ``z / 6 + 0.5`` in Keras 3; so does "leaky_relu".

    Keras layers are batch first, and so is the layer returned. It has no dropout, which Keras
    applies to inputs and states in training.

    Raises
    ------
    TypeError, ValueError
        If these are not the weights of such a layer, if they could be those of more than one, or if
        it has what our layer lacks: other activations or another ``merge_mode``.
    """
    told = Settings(activation, recurrent_activation, reset_after, bidirectional, go_backwards)
    for name in ("reset_after", "bidirectional", "go_backwards"):
        if (value := getattr(told, name)) is not None:
            check_flag(name, value)
    if hasattr(weights, "get_weights"):
        if config is not None:
            raise ValueError("config: expected with a list of arrays alone; a layer has its own")
        check_class(type(weights).__name__)
        version = version_of(weights) if version is None else version
        weights, config = weights.get_weights(), weights.get_config()
    if config is not None:
        if given := [k for k, v in told._asdict().items() if v != Settings._field_defaults[k]]:
            raise ValueError(f"{', '.join(given)}: read from the layer's configuration; leave out")
        told = read(config)
    if not isinstance(weights, (list, tuple)) or len(weights) not in (2, 3, 4, 6):
        got = len(weights) if isinstance(weights, (list, tuple)) else type(weights).__name__
        raise TypeError(f"weights: expected a list of 2, 3, 4 or 6 arrays, got {got}")
    size = 3 if len(weights) % 3 == 0 else 2  # arrays of one direction
    kind, D, H = _sizes(weights)
    gates = next(number for number, each in _KINDS.items() if each is kind)
    ways = 2 if _is_bidirectional(weights, size, told.bidirectional) else 1
    layer = kind(
        D,
        H,
        bias=size == 3,
        batch_first=True,
        bidirectional=ways == 2,
        reverse=told.go_backwards,
        dtype=weights[1].dtype,
        **_options(kind, weights, told, version),
    )
    params = layer.parameters()
    for k, suffix in enumerate(("_l0", "_l0_reverse")[:ways]):
        for n, expected in enumerate([(D, gates * H), (H, gates * H)]):
            check_array(f"weights[{k * size + n}]", weights[k * size + n], expected, layer.dtype)
        kernel, recurrent = weights[k * size : k * size + 2]
        params["weight_ih" + suffix][...] = _swap(kernel.T, kind)
        params["weight_hh" + suffix][...] = _swap(recurrent.T, kind)
        if size == 2:
            continue
        b, two = weights[k * size + 2], "bias_hn" + suffix in params
        expected = (2, 3 * H) if two else (gates * H,)
        check_array(f"weights[{k * size + 2}]", b, expected, layer.dtype)
        both = b if two else (b, np.zeros_like(b))
        set_biases(params, suffix, *(_swap(each, kind) for each in both))
    return layer


def to_keras(layer: LSTM | GRU | RNN) -> list[np.ndarray]:
    """Return the weights of a layer as a list for `set_weights` of a Keras layer.

    Make that layer with the activations of ours, within `Bidirectional` for two directions, and
    with ``go_backwards=True`` for ``reverse=True``; its output is then in the order in which it is
    computed, ours in the order of the input. Or let `to_keras_layer` make it.

    Raises
    ------
    TypeError
        If `layer` is no `LSTM`, `GRU` or `RNN`.
    ValueError
        If it has several layers or an option that Keras's layer lacks. Keras 3 has no hard sigmoid
        but ``hard_sigmoid_6``, and one activation for the candidate and the cell state.
    """
    kind = type(layer)
    if kind not in _KINDS.values():
        raise TypeError(f"layer: expected an LSTM, a GRU or an RNN, got {kind.__name__}")
    roles = ("gate_activation", "cell_activation", "hidden_activation", "nonlinearity")
    allowed = ("bias", "batch_first", "bidirectional", "reverse", "reset_after", *roles)
    check_lacking(layer, "Keras", allowed)
    for role in roles:
        check_choice(role, getattr(layer, role, "tanh"), _names(3))
    if kind is LSTM and layer.cell_activation != layer.hidden_activation:
        raise ValueError(
            f"hidden_activation: expected {layer.cell_activation!r} as cell_activation, for Keras "
            f"has one for both, got {layer.hidden_activation!r}"
        )
    params, weights = layer.parameters(), []
    for suffix in ("_l0", "_l0_reverse") if layer.bidirectional else ("_l0",):
        weights.append(_swap(params["weight_ih" + suffix], kind).T.copy())
        weights.append(_swap(params["weight_hh" + suffix], kind).T.copy())
        if layer.bias:
            both = np.stack([_swap(b, kind) for b in two_biases(params, suffix)])
            weights.append(both if "bias_hn" + suffix in params else both[0])
    return weights


def to_keras_layer(layer: LSTM | GRU | RNN, **options):
    """Return a layer of the installed Keras 3 that computes what ours does.

    Parameters
    ----------
    layer : as `to_keras` takes it. Keras is batch first; so is what is returned.
    options : further arguments of the Keras layer; unless told otherwise it has
        ``return_sequences=True`` and ``return_state=True``.

    Raises
    ------
    ImportError
        If there is no Keras, or one before version 3.
    TypeError, ValueError
        As `to_keras` does.
    """
    weights = to_keras(layer)
    import keras

    if int(keras.__version__.partition(".")[0]) < 3:
        raise ImportError(f"to_keras_layer: expected Keras 3, got {keras.__version__}")
    names, kind = _names(3), type(layer)
    told = {"return_sequences": True, "return_state": True, "use_bias": layer.bias}
    told |= {"go_backwards": layer.reverse, "dtype": layer.dtype.name}
    told["activation"] = names[layer.nonlinearity if kind is RNN else layer.cell_activation]
    if kind is not RNN:
        told["recurrent_activation"] = names[layer.gate_activation]
    if kind is GRU:
        told["reset_after"] = layer.reset_after
    made = getattr(keras.layers, {RNN: "SimpleRNN"}.get(kind, kind.__name__))
    made = made(layer.hidden_size, **told | options)
    if layer.bidirectional:
        made = keras.layers.Bidirectional(made, dtype=layer.dtype.name)
    made.build((None, None, layer.input_size))
    made.set_weights(weights)
    return made


def _names(version: int) -> dict[str, str]:
    """Return our names of activations to Keras's."""
    return {ours: theirs for theirs, ours in (_ACTIVATIONS | _CHANGED[version]).items()}


def _sizes(weights) -> tuple[type[RecurrentLayer], int, int]:
    """Return the kind of layer, its input size and its hidden size."""
    recurrent = check_array("weights[1]", weights[1], ("H", "gates * H"))
    H = recurrent.shape[0]
    gates, rest = divmod(recurrent.shape[1], max(H, 1))
    if gates not in _KINDS or rest:
        raise ValueError(
            f"weights[1]: expected shape (H, 4H) of an LSTM, (H, 3H) of a GRU or (H, H) of a "
            f"SimpleRNN, got {recurrent.shape}"
        )
    if gates > 1 and len(weights) % 3 == 0 and np.shape(weights[2]) == (2 * gates * H,):
        check_class(f"CuDNN{_KINDS[gates].__name__}")
    check_array("weights[0]", weights[0], ("D", gates * H), recurrent.dtype)
    return _KINDS[gates], len(weights[0]), H


def _is_bidirectional(weights, size: int, told: bool | None) -> bool:
    """Return whether these are two directions of one layer; raise ValueError if that can't be."""
    if len(weights) == size:
        if told:
            raise ValueError(f"bidirectional: expected {2 * size} arrays, got {size}")
        return False
    D, H = len(weights[0]), len(weights[1])
    if told is False or (told is None and np.shape(weights[size])[:1] == (H,) != (D,)):
        raise ValueError(f"weights: expected one layer at a time, got {len(weights)} arrays")
    if told is None and D == H:
        raise ValueError(
            "bidirectional: where D = H the arrays of a Bidirectional layer look like those of two "
            "layers; pass bidirectional=True, or one layer at a time"
        )
    return True


def _options(kind, weights, told: Settings, version: int | None) -> dict:
    """Return our options for the settings; raise ValueError where we lack one."""
    if version not in (None, *_CHANGED):
        raise ValueError(f"version: expected 2 or 3, got {version!r}")
    inner, gate = (
        _activation(role, getattr(told, role), version)
        for role in ("activation", "recurrent_activation")
    )
    if kind is not GRU and told.reset_after is not None:
        raise ValueError("reset_after: a GRU alone has it")
    if kind is LSTM:
        return {"gate_activation": gate, "cell_activation": inner, "hidden_activation": inner}
    if kind is RNN:
        if gate != "sigmoid":
            raise ValueError("recurrent_activation: a SimpleRNN has none")
        return {"nonlinearity": inner}
    after = told.reset_after
    if len(weights) % 3 == 0:
        after = np.ndim(weights[2]) == 2
        if told.reset_after not in (None, after):
            raise ValueError(f"reset_after: expected {after} as weights[2] shows")
    if after is None:
        raise ValueError(
            "reset_after: a GRU without bias doesn't show which it is; pass True, Keras's default, "
            "or False"
        )
    return {"reset_after": after, "gate_activation": gate, "cell_activation": inner}


def _activation(role: str, name: str | None, version: int | None) -> str:
    name = "linear" if name is None else name
    if name in _CHANGED[3] and version is None:
        raise ValueError(
            f"version: {role}={name!r} depends on it (hard_sigmoid is 0.2 z + 0.5 in Keras 2 and "
            f"z / 6 + 0.5 in Keras 3); pass version=2 or version=3"
        )
    known = _ACTIVATIONS | _CHANGED[version or 3]
    return known[check_choice(role, name, known)]


def _swap(rows: np.ndarray, kind) -> np.ndarray:
    """Exchange a GRU's r and z blocks of rows: its own inverse. Other orders are ours."""
    if kind is not GRU:
        return rows
    first, second, third = np.split(rows, 3)
    return np.concatenate([second, first, third])
