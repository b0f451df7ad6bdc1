"""Activation functions, and their derivatives written in terms of their outputs.

A backward pass has the output of an activation at hand, not its input, so each derivative takes
the output: for the sigmoid, ``s = sigmoid(z)`` gives ``ds/dz = s * (1 - s)``.
"""

from __future__ import annotations

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


def identity(z: np.ndarray) -> np.ndarray:
    """Return `z` itself."""
    return z


def identity_derivative(z: np.ndarray) -> np.ndarray:
    """Return ones of the shape of `z`."""
    return np.ones_like(z)


# Name to (function, derivative in terms of the output).
ACTIVATIONS = {
    "sigmoid": (sigmoid, sigmoid_derivative),
    "tanh": (tanh, tanh_derivative),
    "relu": (relu, relu_derivative),
    "hard_sigmoid": (hard_sigmoid, hard_sigmoid_derivative),
    "hard_sigmoid_6": (hard_sigmoid_6, hard_sigmoid_6_derivative),
    "softsign": (softsign, softsign_derivative),
    "identity": (identity, identity_derivative),
}
