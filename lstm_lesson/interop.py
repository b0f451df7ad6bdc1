"""Weights to and from other libraries.

PyTorch stores two biases a gate, ``bias_ih`` and ``bias_hh``, that are only ever added; here there
is one. A transfer from PyTorch adds them; a transfer to PyTorch puts all of it into ``bias_ih``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstm_lesson.layers import LSTM

if TYPE_CHECKING:
    import torch


def from_torch(module: torch.nn.LSTM) -> LSTM:
    """Return a layer with the options and a copy of the weights of a `torch.nn.LSTM`.

    Raises
    ------
    TypeError
        If `module` is no `torch.nn.LSTM`.
    ValueError
        If it uses an option that the layer does not have.

    Introduced in chapter 9.
    """
    import torch

    if not isinstance(module, torch.nn.LSTM):
        raise TypeError(f"module: expected a torch.nn.LSTM, got {type(module).__name__}")
    supported = {"num_layers": 1, "bias": True, "bidirectional": False, "proj_size": 0}
    for option, value in supported.items():
        if (given := getattr(module, option)) != value:
            raise ValueError(f"{option}: expected {value}, got {given}")
    arrays = {name: p.detach().cpu().numpy() for name, p in module.named_parameters()}
    layer = LSTM(
        module.input_size,
        module.hidden_size,
        batch_first=module.batch_first,
        dtype=arrays["weight_ih_l0"].dtype,
    )
    params = layer.parameters()
    params["weight_ih_l0"][:] = arrays["weight_ih_l0"]
    params["weight_hh_l0"][:] = arrays["weight_hh_l0"]
    params["bias_l0"][:] = arrays["bias_ih_l0"] + arrays["bias_hh_l0"]
    return layer


def to_torch(layer: LSTM) -> torch.nn.LSTM:
    """Return a `torch.nn.LSTM` with the options and a copy of the weights of a layer.

    Its ``bias_ih`` is the layer's bias and its ``bias_hh`` is zero, so `from_torch` of it gives
    back the same numbers. Raises TypeError if `layer` is no `LSTM`.
    """
    import torch

    if not isinstance(layer, LSTM):
        raise TypeError(f"layer: expected an lstm_lesson.LSTM, got {type(layer).__name__}")
    module = torch.nn.LSTM(
        layer.input_size,
        layer.hidden_size,
        batch_first=layer.batch_first,
        dtype=torch.float64 if layer.dtype == np.float64 else torch.float32,
    )
    params = layer.parameters()
    with torch.no_grad():
        module.weight_ih_l0.copy_(torch.from_numpy(params["weight_ih_l0"]))
        module.weight_hh_l0.copy_(torch.from_numpy(params["weight_hh_l0"]))
        module.bias_ih_l0.copy_(torch.from_numpy(params["bias_l0"]))
        module.bias_hh_l0.zero_()
    return module
