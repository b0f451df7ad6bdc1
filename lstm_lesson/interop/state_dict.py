"""The weights of one recurrent module out of a PyTorch ``state_dict``, and what they tell of it."""

from __future__ import annotations

import re

import numpy as np

_NAME = re.compile(r"(weight_(?:ih|hh|hr)|bias_(?:ih|hh))(?:_l(\d+)(_reverse)?)?")
_KINDS = {4: "LSTM", 3: "GRU", 1: "RNN"}  # by the number of blocks in a matrix
# What normalisation, pruning and parametrizations keep instead of a weight.
_COMPUTED = re.compile(
    rf"(?:parametrizations\.)?(?:{_NAME.pattern})(?:_[gv]|_orig|_mask|\.original.*)"
)


def read_state_dict(state, prefix, nonlinearity, batch_first) -> tuple[str, dict, dict]:
    """Return the kind, our options and the tensors of the module under `prefix`, by their names.

    The names are those of a layer, ``weight_ih_l0``; those of a cell get their ``_l0``. Raises
    ValueError as `lstm_lesson.interop.from_torch` says.
    """
    places = sorted({key.removesuffix(n) for key in state for n in _hidden(key)})
    if prefix is None:
        if len(places) != 1:
            raise ValueError(
                f"prefix: expected one of {places} in the state_dict{_computed(state)}"
            )
        (prefix,) = places
    elif prefix not in places:
        raise ValueError(f"prefix: expected one of {places}, got {prefix!r}{_computed(state)}")
    found = {key.removeprefix(prefix): a for key, a in state.items() if key.startswith(prefix)}
    found = {name: a for name, a in found.items() if "." not in name or _COMPUTED.fullmatch(name)}
    if other := sorted(name for name in found if not _NAME.fullmatch(name)):
        raise ValueError(
            f"module: expected tensors of one plain module under {prefix!r}, got {other} as well; "
            f"pass the module itself"
        )
    tensors = {n if "_l" in n else f"{n}_l0": a for n, a in found.items()}
    parts = [_NAME.fullmatch(name).groups() for name in tensors]
    layers = 1 + max(int(n) for _, n, _ in parts)
    ways = ["", "_reverse"][: 1 + any(way for *_, way in parts)]
    stems = sorted({stem for stem, *_ in parts})
    expected = {f"{stem}_l{n}{way}" for stem in stems for n in range(layers) for way in ways}
    if missing := sorted(expected - set(tensors)):
        raise ValueError(f"module: expected {missing} under {prefix!r} as well")
    rows, size = np.shape(tensors["weight_hh_l0"])
    hidden = np.shape(tensors["weight_hr_l0"])[1] if "weight_hr" in stems else size
    kind = _KINDS.get(rows / hidden)
    if kind is None:
        raise ValueError(f"weight_hh_l0: expected 4H, 3H or H rows of H = {hidden}, got {rows}")
    options = {
        "input_size": np.shape(tensors["weight_ih_l0"])[1],
        "hidden_size": hidden,
        "num_layers": layers,
        "bias": "bias_ih" in stems,
        "bidirectional": len(ways) == 2,
        "batch_first": bool(batch_first),
    }
    if "weight_hr" in stems:
        options["proj_size"] = size
    if kind == "RNN":
        if nonlinearity is None:
            raise ValueError(
                "nonlinearity: the weights of an RNN don't tell; pass 'tanh' or 'relu'"
            )
        options["nonlinearity"] = nonlinearity
    elif nonlinearity is not None:
        raise ValueError(
            f"nonlinearity: an RNN alone has it, and these are the weights of a {kind}"
        )
    return kind, options, tensors


def _hidden(key: str) -> list[str]:
    """Return the name at the end of a key if it is that of a module's first recurrent weight."""
    return [n for n in ("weight_hh_l0", "weight_hh") if re.search(rf"(?:^|\.){n}$", key)][:1]


def _computed(state) -> str:
    """Return what to say if the weights of a module are computed from others, else nothing."""
    other = [key for key in state if re.search(rf"(?:^|\.){_COMPUTED.pattern}$", key)]
    return (
        f"; {other[0]!r} is what a weight is computed from: pass the module itself" if other else ""
    )
