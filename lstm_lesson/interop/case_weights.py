"""The weights of an LSTM from a reader's own file, for a JSON test case to be made of."""

from __future__ import annotations

import numpy as np
from safetensors import SafetensorError, safe_open

from lstm_lesson.engine import files
from lstm_lesson.engine.layers import LSTM
from lstm_lesson.interop.common import check_lacking, two_biases

WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
_KNOWN = (*WEIGHTS, "bias")  # of one layer: with "_l0" behind, as of a layer, or as of a cell
_CELLS = {1: "an RNN", 3: "a GRU"}


def read(path, prefix: str | None = None) -> dict[str, np.ndarray]:
    """Return the weights of the one LSTM in a file, of one layer and direction.

    Parameters
    ----------
    path : a safetensors file, also one that `LSTM.save` wrote, or a PyTorch file of a
        ``state_dict``. Names are PyTorch's, those of a layer (``weight_ih_l0``) or of a cell
        (``weight_ih``), behind any prefix (``encoder.lstm.weight_ih_l0``).
    prefix : what stands before the names of the one that is meant, where there are several.

    Returns
    -------
    dict of ``weight_ih`` (4H, D), ``weight_hh`` (4H, H), ``bias_ih`` and ``bias_hh`` (4H,), in
    float64. Of a single bias the second one is zeros, and both are where there is none.

    Raises ValueError that names the file and what is wrong, OSError if it can't be opened, and
    ImportError where PyTorch is needed and missing.
    """
    with open(path, "rb"):  # with the system's own words for what can't be opened
        pass
    if prefix is None and (own := _saved_here(path)) is not None:
        return own
    arrays = _tensors(path)
    found = _prefixes(arrays)
    if prefix is not None:
        if prefix not in found and (dotted := f"{prefix}.") in found:
            prefix = dotted
        found = [each for each in found if each == prefix]
    if not found:
        where = "" if prefix is None else f" behind {prefix!r}"
        names = ", ".join(sorted(arrays)[:8]) or "nothing"
        raise ValueError(f"{path}: no weight_ih_l0 and weight_hh_l0{where}; in it are {names}")
    if len(found) > 1:
        raise ValueError(f"{path}: several cells, name one with --prefix: {', '.join(found)}")
    own = {
        name.removeprefix(found[0]): a for name, a in arrays.items() if name.startswith(found[0])
    }
    return _checked(path, own)


def _saved_here(path) -> dict[str, np.ndarray] | None:
    """Return the weights of a layer that this package saved, None if the file is another's."""
    try:
        with safe_open(path, framework="numpy") as file:
            if files.KEY not in (file.metadata() or {}):
                return None
    except (SafetensorError, OSError):
        return None
    layer = LSTM.load(path)
    try:
        check_lacking(layer, "a test case", ("bias", "batch_first"))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    params = {name: a.astype(np.float64) for name, a in layer.parameters().items()}
    params.setdefault("bias_l0", np.zeros(len(params["weight_ih_l0"])))
    arrays = (params["weight_ih_l0"], params["weight_hh_l0"], *two_biases(params, "_l0"))
    return dict(zip(WEIGHTS, arrays, strict=True))


def _tensors(path) -> dict[str, np.ndarray]:
    """Return the arrays of a file of tensors, of any of PyTorch's dtypes, as float64."""
    import torch
    from safetensors.torch import load_file

    try:
        found = load_file(path)
    except (SafetensorError, OSError, KeyError, AttributeError):
        try:
            found = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # whatever a file that isn't PyTorch's may lead to
            raise ValueError(f"{path}: neither a safetensors file nor one of PyTorch") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path}: expected a state_dict, got {type(found).__name__}")
    floats = {k: a for k, a in found.items() if isinstance(k, str) and torch.is_tensor(a)}
    return {k: a.double().numpy() for k, a in floats.items() if a.is_floating_point()}


def _prefixes(arrays) -> list[str]:
    """Return what stands before each pair of weights."""
    return sorted(
        name.removesuffix(f"weight_ih{end}")
        for end in ("", "_l0")
        for name in arrays
        if name.endswith(f"weight_ih{end}")
        and name.removesuffix(f"weight_ih{end}") + f"weight_hh{end}" in arrays
    )


def _checked(path, arrays) -> dict[str, np.ndarray]:
    """Return the weights of a cell, without the suffix of a layer, with both biases."""
    end = "" if "weight_ih" in arrays else "_l0"
    for name in arrays:
        kind = next((k for k in ("weight", "bias", "peephole") if name.startswith(k)), None)
        if kind and name not in [known + end for known in _KNOWN]:
            raise ValueError(f"{path}: a test case is of one plain layer and direction; got {name}")
    found = {name: arrays[name + end] for name in _KNOWN if name + end in arrays}
    W, U = found["weight_ih"], found["weight_hh"]
    H = U.shape[-1] if U.ndim == 2 else 0
    rows = len(W) if W.ndim == 2 and W.size else 0
    if not H or rows != 4 * H or U.shape != (rows, H):
        kind = _CELLS.get(rows / H if H else 0)
        remark = f", which looks like {kind}" if kind and len(U) == rows else ""
        raise ValueError(
            f"{path}: expected weight_ih (4H, D) and weight_hh (4H, H), got {W.shape} and "
            f"{U.shape}{remark}"
        )
    found.setdefault("bias_ih", found.pop("bias", np.zeros(rows)))
    found.setdefault("bias_hh", np.zeros(rows))
    for name in ("bias_ih", "bias_hh"):
        if found[name].shape != (rows,):
            raise ValueError(f"{path}: {name}: expected ({rows},), got {found[name].shape}")
    for name in WEIGHTS:
        if not np.isfinite(found[name]).all():
            raise ValueError(f"{path}: {name}: has numbers that are not finite")
    return {name: found[name] for name in WEIGHTS}
