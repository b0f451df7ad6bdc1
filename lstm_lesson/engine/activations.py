"""Activation functions, and their derivatives written in terms of their outputs.

A backward pass has the output of an activation at hand, not its input, so each derivative takes
the output: for the sigmoid, ``s = sigmoid(z)`` gives ``ds/dz = s * (1 - s)``.

Together they are all that the ONNX operators name. Some have numbers, alpha and beta, and those
stand in the name: ``"leaky_relu(0.1)"``, ``"scaled_tanh(1.7, 0.67)"``.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np


def sigmoid(z: np.ndarray) -> np.ndarray:
    """Return the logistic sigmoid ``1 / (1 + exp(-z))``, elementwise, in (0, 1).

    Parameters
    ----------
    z : array of any shape, float32 or float64.

    Returns
    -------
    Array of the shape and dtype of `z`, exact to rounding: only the exponential of a negative
    number is taken, so nothing overflows however large `z` is. Introduced in chapter 3.
    """
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1.0, e) / (1.0 + e)


def sigmoid_derivative(s: np.ndarray) -> np.ndarray:
    """Return ``ds/dz`` where ``s = sigmoid(z)``: at most 1/4, at ``s = 1/2``."""
    return s * (1.0 - s)


def tanh(z: np.ndarray) -> np.ndarray:
    """Return the hyperbolic tangent of `z`, elementwise, in (-1, 1)."""
    return np.tanh(z)


def tanh_derivative(t: np.ndarray) -> np.ndarray:
    """Return ``dt/dz`` where ``t = tanh(z)``: at most 1, at ``t = 0``."""
    # (1 - t) is exact near t = 1, where 1 - t * t would lose digits to rounding t * t.
    return (1.0 - t) * (1.0 + t)


def relu(z: np.ndarray) -> np.ndarray:
    """Return ``max(z, 0)``, elementwise."""
    return np.maximum(z, 0)


def relu_derivative(r: np.ndarray) -> np.ndarray:
    """Return ``dr/dz`` where ``r = relu(z)``: 1 where `r` is positive, else 0."""
    return (r > 0).astype(r.dtype)


def hard_sigmoid(z: np.ndarray) -> np.ndarray:
    """Return ``0.2 z + 0.5`` clipped to [0, 1]: HardSigmoid with ONNX's defaults."""
    return np.clip(z * 0.2 + 0.5, 0, 1)


def hard_sigmoid_derivative(s: np.ndarray) -> np.ndarray:
    """Return ``ds/dz`` where ``s = hard_sigmoid(z)``: 0.2 inside (0, 1), else 0."""
    return ((s > 0) & (s < 1)) * s.dtype.type(0.2)


def hard_sigmoid_6(z: np.ndarray) -> np.ndarray:
    """Return ``z / 6 + 0.5`` clipped to [0, 1]: the hard sigmoid of Keras 3 and PyTorch."""
    return np.clip(z / 6 + 0.5, 0, 1)


def hard_sigmoid_6_derivative(s: np.ndarray) -> np.ndarray:
    """Return ``ds/dz`` where ``s = hard_sigmoid_6(z)``: 1/6 inside (0, 1), else 0."""
    return ((s > 0) & (s < 1)) * s.dtype.type(1 / 6)


def softsign(z: np.ndarray) -> np.ndarray:
    """Return ``z / (1 + |z|)``, elementwise, in (-1, 1)."""
    return z / (1 + np.abs(z))


def softsign_derivative(s: np.ndarray) -> np.ndarray:
    """Return ``ds/dz`` where ``s = softsign(z)``: at most 1, at ``s = 0``."""
    return np.square(1 - np.abs(s))


def softplus(z: np.ndarray) -> np.ndarray:
    """Return ``log(1 + exp(z))``, elementwise, which is positive."""
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def softplus_derivative(s: np.ndarray) -> np.ndarray:
    """Return ``ds/dz`` where ``s = softplus(z)``: in (0, 1)."""
    return -np.expm1(-s)


def identity(z: np.ndarray) -> np.ndarray:
    """Return `z` itself."""
    return z


def identity_derivative(z: np.ndarray) -> np.ndarray:
    """Return ones of the shape of `z`."""
    return np.ones_like(z)


class Activation(NamedTuple):
    """A function and its derivative in terms of its output."""

    function: object
    derivative: object


ACTIVATIONS = {  # by name
    "sigmoid": Activation(sigmoid, sigmoid_derivative),
    "tanh": Activation(tanh, tanh_derivative),
    "relu": Activation(relu, relu_derivative),
    "hard_sigmoid": Activation(hard_sigmoid, hard_sigmoid_derivative),
    "hard_sigmoid_6": Activation(hard_sigmoid_6, hard_sigmoid_6_derivative),
    "softplus": Activation(softplus, softplus_derivative),
    "softsign": Activation(softsign, softsign_derivative),
    "identity": Activation(identity, identity_derivative),
}


# ---- With numbers in their names: each returns the activation of alpha, or of alpha and beta ----


def _affine(alpha, beta):
    return Activation(lambda z: alpha * z + beta, lambda s: np.full_like(s, alpha))


def _elu(alpha):
    # exp of a negative number alone, so that nothing overflows. Where alpha is 0 the output is -0
    # below zero: its sign tells what its value doesn't.
    return Activation(
        lambda z: np.where(z >= 0, z, alpha * np.expm1(np.minimum(z, 0))),
        lambda s: np.where(np.signbit(s), s + s.dtype.type(alpha), s.dtype.type(1)),
    )


def _hard_sigmoid(alpha, beta):
    return Activation(
        lambda z: np.clip(alpha * z + beta, 0, 1),
        lambda s: ((s > 0) & (s < 1)) * s.dtype.type(alpha),
    )


def _leaky_relu(alpha):
    return Activation(
        lambda z: np.where(z >= 0, z, alpha * z),
        lambda s: np.where(np.signbit(s), s.dtype.type(alpha), s.dtype.type(1)),
    )


def _scaled_tanh(alpha, beta):
    return Activation(
        lambda z: alpha * np.tanh(beta * z), lambda s: beta * (alpha - s * s / (alpha or 1))
    )


def _thresholded_relu(alpha):
    return Activation(lambda z: np.where(z > alpha, z, 0), lambda s: (s != 0).astype(s.dtype))


WITH_NUMBERS = {  # name to what makes the activation, and to how many numbers it takes
    "affine": (_affine, 2),
    "elu": (_elu, 1),
    "hard_sigmoid": (_hard_sigmoid, 2),
    "leaky_relu": (_leaky_relu, 1),
    "scaled_tanh": (_scaled_tanh, 2),
    "thresholded_relu": (_thresholded_relu, 1),
}


def check_activation(name: str, value) -> str:
    """Return the name of an activation, its numbers as Python writes floats.

    Raises
    ------
    TypeError, ValueError
        If it isn't in `ACTIVATIONS`, nor a name of `WITH_NUMBERS` with as many finite numbers as
        that takes; or if alpha of elu or leaky_relu is negative, whose output wouldn't tell then
        on which side of zero its input was.
    """
    if not isinstance(value, str):
        raise TypeError(f"{name}: expected the name of an activation, got {value!r}")
    if value in ACTIVATIONS:
        return value
    kind, numbers = _parsed(value)
    if kind is None:
        known = [
            *sorted(ACTIVATIONS),
            *(
                f"{each}({', '.join(('alpha', 'beta')[:n])})"
                for each, (_, n) in WITH_NUMBERS.items()
            ),
        ]
        raise ValueError(f"{name}: expected one of {known}, got {value!r}")
    if kind in ("elu", "leaky_relu") and numbers[0] < 0:
        raise ValueError(f"{name}: expected alpha of at least 0 for {kind}, got {value!r}")
    return f"{kind}({', '.join(map(repr, numbers))})"


@functools.cache
def activation(name: str) -> Activation:
    """Return the activation of a name that `check_activation` returned."""
    if name in ACTIVATIONS:
        return ACTIVATIONS[name]
    kind, numbers = _parsed(name)
    return WITH_NUMBERS[kind][0](*numbers)


def numbers_of(name: str) -> tuple:
    """Return the name before the bracket and the numbers, if any, of `check_activation`'s name."""
    kind, numbers = (name, []) if name in ACTIVATIONS else _parsed(name)
    return kind, *numbers


def _parsed(text: str) -> tuple[str | None, list[float]]:
    """Return the name and the numbers of ``name(number, ...)``, or None if it is none."""
    kind, bracket, rest = text.partition("(")
    if kind not in WITH_NUMBERS or not bracket or not rest.endswith(")"):
        return None, []
    try:
        numbers = [float(each) for each in rest[:-1].split(",")]
    except ValueError:
        return None, []
    right = len(numbers) == WITH_NUMBERS[kind][1] and all(map(math.isfinite, numbers))
    return (kind, numbers) if right else (None, [])
