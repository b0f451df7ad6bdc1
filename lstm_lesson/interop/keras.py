"""Weights to and from Keras's LSTM and GRU, as the lists that `layer.get_weights()` returns.

A list is ``[kernel, recurrent_kernel, bias]``: kernels are transposed, (D, gates * H) and
(H, gates * H). The LSTM's gates are stacked i, f, c, o, ours under another letter, with one bias
(4H,). The GRU's are stacked z, r, h; with ``reset_after=True``, the default, which is PyTorch's
form, it has two biases, (2, 3H).
"""

from __future__ import annotations

import numpy as np

from lstm_lesson.engine.arguments import check_array
from lstm_lesson.engine.layers import GRU, LSTM
from lstm_lesson.interop.common import check_lacking


def from_keras(weights: list[np.ndarray]) -> LSTM | GRU:
    """Return a layer with a copy of the weights of a Keras `LSTM` or `GRU`.

    Parameters
    ----------
    weights : ``layer.get_weights()`` of a Keras layer; which one it was shows in the shapes. Two
        arrays if it has no bias, six (or four) if it is Bidirectional. Keras layers are batch
        first, and so is the layer returned.

    Raises
    ------
    TypeError, ValueError
        If these are not the weights of such a layer, or of a GRU with ``reset_after=False``, which
        is another cell than PyTorch's.
    """
    if not isinstance(weights, (list, tuple)) or len(weights) not in (2, 3, 4, 6):
        got = len(weights) if isinstance(weights, (list, tuple)) else type(weights).__name__
        raise TypeError(f"weights: expected a list of 2, 3, 4 or 6 arrays, got {got}")
    bias = len(weights) % 3 == 0
    size = 3 if bias else 2
    recurrent = check_array("weights[1]", weights[1], ("H", "gates * H"))
    H = recurrent.shape[0]
    gates, rest = divmod(recurrent.shape[1], max(H, 1))
    if gates not in (3, 4) or rest:
        raise ValueError(
            f"weights[1]: expected shape (H, 4H) of an LSTM or (H, 3H) of a GRU, "
            f"got {recurrent.shape}"
        )
    check_array("weights[0]", weights[0], ("D", gates * H), recurrent.dtype)
    kind = LSTM if gates == 4 else GRU
    options = {"bias": bias, "bidirectional": len(weights) > 3, "batch_first": True}
    layer = kind(weights[0].shape[0], H, dtype=recurrent.dtype, **options)
    params = layer.parameters()
    for k, suffix in enumerate(("_l0", "_l0_reverse")[: len(weights) // size]):
        for n, expected in enumerate([(layer.input_size, gates * H), (H, gates * H)]):
            check_array(f"weights[{k * size + n}]", weights[k * size + n], expected, layer.dtype)
        kernel, recurrent = weights[k * size : k * size + 2]
        params["weight_ih" + suffix][...] = _swap(kernel.T, kind)
        params["weight_hh" + suffix][...] = _swap(recurrent.T, kind)
        if not bias:
            continue
        name, b = f"weights[{k * size + 2}]", weights[k * size + 2]
        if kind is LSTM:
            params["bias" + suffix][...] = check_array(name, b, (4 * H,), layer.dtype)
        elif isinstance(b, np.ndarray) and b.shape == (3 * H,):
            raise ValueError(f"{name}: shape {b.shape} is that of reset_after=False, another cell")
        else:
            b = _swap(check_array(name, b, (2, 3 * H), layer.dtype).T, kind)  # (3H, 2)
            params["bias" + suffix][...] = b[:, 0]
            params["bias" + suffix][: 2 * H] += b[: 2 * H, 1]
            params["bias_hn" + suffix][...] = b[2 * H :, 1]
    return layer


def to_keras(layer: LSTM | GRU) -> list[np.ndarray]:
    """Return the weights of a layer as a list for `set_weights` of a Keras layer.

    Raises
    ------
    TypeError
        If `layer` is no `LSTM` or `GRU`.
    ValueError
        If it has several layers or an option that Keras's layer lacks.
    """
    if type(layer) not in (LSTM, GRU):
        raise TypeError(f"layer: expected an LSTM or a GRU, got {type(layer).__name__}")
    # Activations and direction are arguments of Keras's layer, not weights.
    allowed = ("bias", "batch_first", "bidirectional", "reverse", "gate_activation")
    allowed = (*allowed, "cell_activation", "hidden_activation")
    check_lacking(layer, "Keras", allowed)
    kind, H, params = type(layer), layer.hidden_size, layer.parameters()
    weights = []
    for suffix in ("_l0", "_l0_reverse") if layer.bidirectional else ("_l0",):
        weights.append(_swap(params["weight_ih" + suffix], kind).T.copy())
        weights.append(_swap(params["weight_hh" + suffix], kind).T.copy())
        if layer.bias and kind is LSTM:
            weights.append(params["bias" + suffix].copy())
        elif layer.bias:
            b = np.zeros((3 * H, 2), layer.dtype)
            b[:, 0] = params["bias" + suffix]
            b[2 * H :, 1] = params["bias_hn" + suffix]
            weights.append(_swap(b, kind).T.copy())
    return weights


def _swap(rows: np.ndarray, kind) -> np.ndarray:
    """Exchange a GRU's r and z blocks of rows: its own inverse. An LSTM's order is ours."""
    if kind is LSTM:
        return rows
    first, second, third = np.split(rows, 3)
    return np.concatenate([second, first, third])
