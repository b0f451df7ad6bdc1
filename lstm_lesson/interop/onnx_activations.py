"""Activations of the ONNX operators: their names with alpha and beta, to ours and back."""

from __future__ import annotations

import numpy as np

from lstm_lesson.engine.activations import WITH_NUMBERS, numbers_of
from lstm_lesson.engine.arguments import check_choice

_PLAIN = {  # ours to theirs
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "relu": "Relu",
    "softplus": "Softplus",
    "softsign": "Softsign",
}
_WITH_NUMBERS = {  # theirs have alpha, or alpha and beta, as many as ours have numbers
    "affine": "Affine",
    "elu": "Elu",
    "hard_sigmoid": "HardSigmoid",
    "leaky_relu": "LeakyRelu",
    "scaled_tanh": "ScaledTanh",
    "thresholded_relu": "ThresholdedRelu",
}
_SHORT = {  # ours that have a name without numbers
    "hard_sigmoid": ("hard_sigmoid", 0.2, 0.5),
    "hard_sigmoid_6": ("hard_sigmoid", 1 / 6, 0.5),
    "identity": ("affine", 1.0, 0.0),
}
# What the operators take where alpha or beta is left out. For the others the specification has the
# defaults of operators that don't exist or differ, and ONNX Runtime takes 0, which makes every
# output of Affine and ScaledTanh zero: those have to be given.
_DEFAULTS = {"HardSigmoid": (0.2, 0.5), "LeakyRelu": (0.01,), "Elu": (1.0,)}
NUMBERS = ("activation_alpha", "activation_beta")


def written(ours: list[str]) -> dict[str, list]:
    """Return the attributes that name activations: theirs, and lists of alpha and beta."""
    attributes = {"activations": []}
    for name in ours:
        kind, *numbers = _SHORT.get(name) or numbers_of(name)
        attributes["activations"].append(_PLAIN.get(kind) or _WITH_NUMBERS[kind])
        for which, number in zip(NUMBERS, numbers, strict=False):
            attributes.setdefault(which, []).append(number)
    return attributes


def read(attributes: dict, default: list[str], ways: int) -> list[str]:
    """Return our activations of one direction, as many as `default`; raise ValueError if none."""
    names = attributes.get("activations") or [_PLAIN[each] for each in default] * ways
    if len(names) != len(default) * ways:
        raise ValueError(f"activations: expected {len(default) * ways} names, got {names}")
    # Values are listed for those functions alone that take them, in the order of the functions.
    lists = [list(attributes.get(which, ())) for which in NUMBERS]
    ours = [_read(each, lists) for each in names]
    for which, left in zip(NUMBERS, lists, strict=True):
        if left:
            raise ValueError(f"{which}: expected no more values for {names}, got {left} at its end")
    if ours != ours[: len(default)] * ways:
        raise ValueError(f"activations: expected the same in both directions, got {names}")
    return ours[: len(default)]


def _read(function: str, lists: list[list[float]]) -> str:
    """Return our name of a function; alpha and beta, where it takes them, are taken off `lists`."""
    known = {each.lower(): each for each in (*_PLAIN.values(), *_WITH_NUMBERS.values())}
    function = known[check_choice("activations", str(function).lower(), known)]  # ignoring case
    for ours, theirs in _PLAIN.items():
        if theirs == function:
            return ours
    kind = next(ours for ours, theirs in _WITH_NUMBERS.items() if theirs == function)
    got = []
    for k, (which, values) in enumerate(zip(NUMBERS, lists, strict=True)):
        if k == WITH_NUMBERS[kind][1]:
            break
        if not values and function not in _DEFAULTS:
            raise ValueError(f"{which}: expected a value for {function}, which has no default")
        got.append(values.pop(0) if values else _DEFAULTS[function][k])
    for ours, (named, *numbers) in _SHORT.items():
        if named == kind and np.allclose(got, numbers, rtol=1e-6):  # models hold them in float32
            return ours
    return f"{kind}({', '.join(str(np.float32(each)) for each in got)})"
