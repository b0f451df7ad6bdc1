"""Initial values of weight matrices, as functions ``(shape, rng, dtype) -> array``.

Weights are ``(fan_out, fan_in)``: a matrix ``W`` is used as ``x @ W.T``.
"""

from __future__ import annotations

import numpy as np

from lstm_lesson.validation import check_rng


def xavier_uniform(shape: tuple[int, int], rng=0, dtype=np.float64) -> np.ndarray:
    """Return a matrix drawn from ``U(-a, a)`` with ``a = sqrt(6 / (fan_in + fan_out))``.

    Parameters
    ----------
    shape : ``(fan_out, fan_in)``.
    rng : a generator or an integer seed.
    dtype : float32 or float64.

    Returns
    -------
    Array of `shape`, of variance ``2 / (fan_in + fan_out)`` (Glorot and Bengio 2010, equation 16).
    """
    fan_out, fan_in = shape
    bound = np.sqrt(6.0 / (fan_in + fan_out))
    return check_rng(rng).uniform(-bound, bound, shape).astype(dtype)


def xavier_normal(shape: tuple[int, int], rng=0, dtype=np.float64) -> np.ndarray:
    """Return a matrix drawn from ``N(0, 2 / (fan_in + fan_out))`` (Glorot and Bengio 2010)."""
    fan_out, fan_in = shape
    std = np.sqrt(2.0 / (fan_in + fan_out))
    return check_rng(rng).normal(0.0, std, shape).astype(dtype)


def orthogonal(shape: tuple[int, int], rng=0, dtype=np.float64) -> np.ndarray:
    """Return a matrix whose singular values are all one (Saxe et al. 2014).

    Parameters
    ----------
    shape : ``(rows, columns)``; the shorter side is orthonormal.
    rng : a generator or an integer seed.
    dtype : float32 or float64.

    Returns
    -------
    Array of `shape`, uniform over such matrices: the QR factors of a normal matrix, with the
    signs of R's diagonal moved into Q.
    """
    rows, columns = shape
    a = check_rng(rng).normal(size=(max(shape), min(shape)))
    q, r = np.linalg.qr(a)
    q = q * np.where(np.diag(r) < 0, -1.0, 1.0)
    return (q if rows >= columns else q.T).astype(dtype)


def uniform(shape: tuple[int, ...], rng=0, dtype=np.float64, low=-0.1, high=0.1) -> np.ndarray:
    """Return an array drawn from ``U(low, high)``; raise ValueError unless ``low <= high``."""
    if not low <= high:
        raise ValueError(f"low, high: expected low <= high, got {low} and {high}")
    return check_rng(rng).uniform(low, high, shape).astype(dtype)


INITIALIZERS = {
    "xavier_uniform": xavier_uniform,
    "xavier_normal": xavier_normal,
    "orthogonal": orthogonal,
    "uniform": uniform,
}
