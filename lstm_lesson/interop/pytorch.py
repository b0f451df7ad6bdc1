"""Weights to and from PyTorch: layers, directions, projections, and the two biases.

PyTorch stores two biases a gate, ``bias_ih`` and ``bias_hh``, that are only ever added (but for the
GRU's candidate); here there is one. A transfer from PyTorch adds them; a transfer to PyTorch puts
all of it into ``bias_ih``.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from lstm_lesson.engine.arguments import check_array
from lstm_lesson.engine.layers import GRU, LSTM, RNN
from lstm_lesson.engine.recurrent import RecurrentLayer
from lstm_lesson.interop.common import check_lacking, kind_of, set_biases, two_biases
from lstm_lesson.interop.state_dict import read_state_dict

if TYPE_CHECKING:
    import torch

_SHARED = ("num_layers", "bias", "batch_first", "bidirectional", "dropout")
_KINDS = {  # name in both libraries to our class and the options beyond the shared
    "LSTM": (LSTM, ("proj_size",)),
    "GRU": (GRU, ()),
    "RNN": (RNN, ("nonlinearity",)),
}


def from_torch(
    module: torch.nn.Module | dict,
    *,
    prefix: str | None = None,
    nonlinearity: str | None = None,
    batch_first: bool | None = None,
) -> RecurrentLayer:
    """Return a layer with the options and a copy of the weights of a PyTorch module.

    Parameters
    ----------
    module : a `torch.nn.LSTM`, `GRU` or `RNN`, or the cell of one, for example a
        `torch.nn.LSTMCell`, which becomes a layer that takes its steps. A subclass is read as its
        base is, unless it has a ``forward`` of its own. Weights that PyTorch computes from others
        (weight normalisation, pruning, parametrizations) are those of evaluation. Or a
        ``state_dict`` that has such a module's tensors or arrays, perhaps among others.
    prefix : in a ``state_dict``, what stands before the names, ``"encoder.lstm."`` for example;
        needed if it holds more than one such module.
    nonlinearity, batch_first : of a ``state_dict``, which doesn't tell; ``"tanh"`` or ``"relu"`` is
        needed for an RNN, and `batch_first` is False unless told. It has no dropout.

    Weights in half precision, float16 or bfloat16, become float32, with a warning.

    Raises
    ------
    TypeError
        If `module` is none of these, or of another dtype.
    ValueError
        If a ``state_dict`` doesn't hold one whole module, holds one whose weights are computed from
        others, or if what is told belongs to the module.

    Introduced in chapter 9.
    """
    told = {"prefix": prefix, "nonlinearity": nonlinearity, "batch_first": batch_first}
    if isinstance(module, Mapping):
        kind, options, theirs = read_state_dict(module, **told)
    elif given := [name for name, value in told.items() if value is not None]:
        raise ValueError(f"{', '.join(given)}: expected with a state_dict alone")
    else:
        kind, options, theirs = _read(module)
    theirs = {name: a.detach().cpu() if hasattr(a, "detach") else a for name, a in theirs.items()}
    kinds = {str(a.dtype).removeprefix("torch.") for a in theirs.values()}
    dtype = next(iter(kinds))
    if kinds <= {"float16", "bfloat16"}:
        dtype = "float32"
        message = f"module: its weights, {' and '.join(sorted(kinds))}, were converted to float32"
        warnings.warn(message, stacklevel=2)
    elif kinds not in ({"float32"}, {"float64"}):
        got = " and ".join(sorted(kinds))
        raise TypeError(f"module: expected dtype float32, float64, float16 or bfloat16, got {got}")
    arrays = {
        name: np.asarray(a.double() if hasattr(a, "double") else a, dtype)
        for name, a in theirs.items()
    }
    layer = _KINDS[kind][0](**options, dtype=dtype)
    params = layer.parameters()
    for name, ours in params.items():
        if name.startswith("weight"):
            ours[...] = check_array(name, arrays[name], ours.shape)
        elif name.startswith("bias_l"):
            suffix = name.removeprefix("bias")
            sides = {side: f"bias_{side}{suffix}" for side in ("ih", "hh")}
            shape = (layer.GATES * layer.hidden_size,)
            set_biases(params, suffix, *(check_array(n, arrays[n], shape) for n in sides.values()))
    return layer


def _read(module) -> tuple[str, dict, dict]:
    """Return the kind, our options and the weights of a module."""
    kind, cell = _kind_of(module)
    extra = _KINDS[kind][1]
    names = ("bias", *extra) if cell else (*_SHARED, *extra)
    options = {name: getattr(module, name) for name in names if hasattr(module, name)}
    if options.get("num_layers") == 1:
        options["dropout"] = 0.0  # PyTorch warns and ignores it; there is nothing between layers
    sizes = {"input_size": module.input_size, "hidden_size": module.hidden_size}
    return kind, sizes | options, _weights_of(module, cell)


def _kind_of(module) -> tuple[str, bool]:
    """Return the name of a module's kind, and whether the module is a cell."""
    import torch

    for kind in _KINDS:
        for cell, name in ((False, kind), (True, f"{kind}Cell")):
            base = getattr(torch.nn, name)
            if not isinstance(module, base):
                continue
            if type(module).forward is not base.forward:
                raise TypeError(
                    f"module: {type(module).__name__} has a forward of its own, so that its "
                    f"weights don't say what it computes; copy them into a torch.nn.{name}"
                )
            return kind, cell
    got = type(module).__name__
    raise TypeError(f"module: expected a torch.nn.LSTM, GRU or RNN, or a cell of one, got {got}")


def _weights_of(module, cell: bool) -> dict[str, torch.Tensor]:
    """Return what a module's forward reads in evaluation, under the names of a layer's weights."""
    modes = [(each, each.training) for each in module.modules()]
    module.eval()
    try:
        for hook in module._forward_pre_hooks.values():
            # Pruning and the older normalisations compute their weight right before a forward.
            if any(kind.__module__.startswith("torch.nn.utils.") for kind in type(hook).mro()):
                hook(module, None)
        if cell:
            biases = ("bias_ih", "bias_hh") if module.bias else ()
            names = {name: f"{name}_l0" for name in ("weight_ih", "weight_hh", *biases)}
        else:
            names = {name: name for name in module._flat_weights_names}
        # By getattr, for a weight that is computed is an attribute, but no parameter.
        return {ours: getattr(module, name).detach() for name, ours in names.items()}
    finally:
        for each, mode in modes:
            each.training = mode


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

    kind = kind_of(layer)
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
            if name.startswith("weight"):
                ours = params[name]
            else:
                _, side, suffix = name.split("_", 2)
                ours = two_biases(params, f"_{suffix}")[("ih", "hh").index(side)]
            theirs.copy_(torch.from_numpy(ours))
    return module
