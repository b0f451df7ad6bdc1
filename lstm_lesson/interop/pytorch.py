"""Weights to and from PyTorch: layers, directions, projections, and the two biases.

PyTorch stores two biases a gate, ``bias_ih`` and ``bias_hh``, that are only ever added (but for the
GRU's candidate); here there is one. A transfer from PyTorch adds them; a transfer to PyTorch puts
all of it into ``bias_ih``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstm_lesson.engine.layers import GRU, LSTM, RNN
from lstm_lesson.engine.recurrent import RecurrentLayer
from lstm_lesson.interop.keras import check_lacking

if TYPE_CHECKING:
    import torch

_SHARED = ("num_layers", "bias", "batch_first", "bidirectional", "dropout")
_KINDS = {  # name in both libraries to our class and the options beyond the shared
    "LSTM": (LSTM, ("proj_size",)),
    "GRU": (GRU, ()),
    "RNN": (RNN, ("nonlinearity",)),
}


def from_torch(module: torch.nn.LSTM | torch.nn.GRU | torch.nn.RNN) -> RecurrentLayer:
    """Return a layer with the options and a copy of the weights of a PyTorch module.

    Raises TypeError if `module` is no `torch.nn.LSTM`, `torch.nn.GRU` or `torch.nn.RNN` of float32
    or float64. Introduced in chapter 9.
    """
    import torch

    kind = type(module).__name__
    if kind not in _KINDS or not isinstance(module, getattr(torch.nn, kind)):
        raise TypeError(f"module: expected a torch.nn.LSTM, GRU or RNN, got {kind}")
    layer_type, extra = _KINDS[kind]
    theirs = {name: p.detach().cpu() for name, p in module.named_parameters()}
    dtype = str(theirs["weight_ih_l0"].dtype).removeprefix("torch.")
    options = {name: getattr(module, name) for name in (*_SHARED, *extra)}
    if options["num_layers"] == 1:
        options["dropout"] = 0.0  # PyTorch warns and ignores it; there is nothing between layers
    layer = layer_type(module.input_size, module.hidden_size, dtype=dtype, **options)
    H = module.hidden_size
    for name, ours in layer.parameters().items():
        kind, suffix = name.split("_l", 1)
        if kind.startswith("weight"):
            ours[...] = theirs[name].numpy()
            continue
        b_ih, b_hh = (theirs[f"bias_{side}_l{suffix}"].numpy() for side in ("ih", "hh"))
        if kind == "bias_hn":
            ours[...] = b_hh[2 * H :]
        elif layer_type is GRU:
            ours[...] = np.concatenate([b_ih[: 2 * H] + b_hh[: 2 * H], b_ih[2 * H :]])
        else:
            ours[...] = b_ih + b_hh
    return layer


def to_torch(layer: RecurrentLayer) -> torch.nn.LSTM | torch.nn.GRU | torch.nn.RNN:
    """Return a PyTorch module with the options and a copy of the weights of a layer.

    Its ``bias_hh`` is zero (but for the GRU's candidate), so `from_torch` of it gives back the same
    numbers.

    Raises
    ------
    TypeError
        If `layer` is no layer of this package.
    ValueError
        If it has an option that PyTorch lacks.
    """
    import torch

    kind = type(layer).__name__
    if kind not in _KINDS or not isinstance(layer, RecurrentLayer):
        raise TypeError(f"layer: expected an lstm_lesson.LSTM, GRU or RNN, got {kind}")
    extra = _KINDS[kind][1]
    check_lacking(layer, "PyTorch", (*_SHARED, *extra))
    options = {name: getattr(layer, name) for name in (*_SHARED, *extra)}
    if options.get("nonlinearity", "tanh") not in ("tanh", "relu"):
        raise ValueError(f"nonlinearity: PyTorch has tanh and relu, got {layer.nonlinearity!r}")
    dtype = getattr(torch, layer.dtype.name)
    module = getattr(torch.nn, kind)(layer.input_size, layer.hidden_size, dtype=dtype, **options)
    params = layer.parameters()
    with torch.no_grad():
        for name, theirs in module.named_parameters():
            if name.startswith("bias_hh"):
                theirs.zero_()
                hidden = params.get(name.replace("bias_hh", "bias_hn"))
                if hidden is not None:
                    theirs[2 * layer.hidden_size :] = torch.from_numpy(hidden)
            else:
                theirs.copy_(torch.from_numpy(params[name.replace("bias_ih", "bias")]))
    return module
