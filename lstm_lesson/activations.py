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
