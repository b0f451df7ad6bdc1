"""Initial values of weight matrices, as functions ``(shape, rng, dtype) -> array``.

Weights are ``(fan_out, fan_in)``: a matrix ``W`` is used as ``x @ W.T``.
"""

from __future__ import annotations

import numpy as np

from lstm_lesson.engine.arguments import check_rng


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


def identity(shape: tuple[int, int], rng=0, dtype=np.float64) -> np.ndarray:
    """Return the identity matrix, with which an RNN with ReLU starts (Le et al. 2015).

    One that isn't square has ones on its diagonal; `rng` is there to be called like the others.
    """
    return np.eye(*shape, dtype=dtype)


def uniform(shape: tuple[int, ...], rng=0, dtype=np.float64, low=-0.1, high=0.1) -> np.ndarray:
    """Return an array drawn from ``U(low, high)``; raise ValueError unless ``low <= high``."""
    if not low <= high:
        raise ValueError(f"low, high: expected low <= high, got {low} and {high}")
    return check_rng(rng).uniform(low, high, shape).astype(dtype)


def constant(shape: tuple[int, ...], rng=0, dtype=np.float64, value=0.0) -> np.ndarray:
    """Return an array filled with `value`; `rng` is there to be called like the others."""
    return np.full(shape, value, dtype)


def chrono(hidden_size: int, longest_lag: float, rng=0, dtype=np.float64) -> np.ndarray:
    """Return LSTM biases for memories that last up to `longest_lag` steps.

    Parameters
    ----------
    hidden_size : H, units.
    longest_lag : steps, more than 2. A unit whose forget gate stays at ``sigmoid(b_f)`` forgets
        over ``1 + exp(b_f)`` steps, which the draw spreads evenly from 2 to `longest_lag`.
    rng : a generator or an integer seed.
    dtype : float32 or float64.

    Returns
    -------
    (4H,), stacked i, f, g, o: ``b_f = log(u)`` with u from ``U(1, longest_lag - 1)``,
    ``b_i = -b_f``, the others zero (Tallec and Ollivier 2018). Put it into a layer by
    ``layer.parameters()["bias_l0"][:] = chrono(...)``. Raises ValueError if the lag is too short.
    """
    if not longest_lag > 2:
        raise ValueError(f"longest_lag: expected more than 2 steps, got {longest_lag}")
    b_f = np.log(check_rng(rng).uniform(1, longest_lag - 1, hidden_size))
    zeros = np.zeros(hidden_size)
    return np.concatenate([-b_f, b_f, zeros, zeros]).astype(dtype)


INITIALIZERS = {
    "xavier_uniform": xavier_uniform,
    "xavier_normal": xavier_normal,
    "orthogonal": orthogonal,
    "identity": identity,
    "uniform": uniform,
    "constant": constant,
}
