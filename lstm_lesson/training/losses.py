"""Losses and their gradients, as functions ``(y, target, mask) -> (value, gradient)``.

A mask is an array of bools over the leading axes of `target`; what is False in it counts neither in
the mean nor in the gradient, whatever it holds. Introduced in chapter 8.
"""

from __future__ import annotations

import numpy as np

from lstm_lesson.engine.arguments import check_array


def mean_squared_error(y: np.ndarray, target: np.ndarray, mask=None) -> tuple[float, np.ndarray]:
    """Return the mean of ``(y - target)**2`` over all entries that count, and its gradient.

    Parameters
    ----------
    y : predictions, float32 or float64 of any shape.
    target : what they should be, of the shape and dtype of `y`.
    mask : bools in the shape of the leading axes of `y`, (T, B) for example; by default all count.

    Returns
    -------
    value : in squared units of `y`.
    gradient : of the value with respect to `y`, in its shape and dtype.

    Raises TypeError or ValueError if an array has another shape or dtype, or nothing counts.
    """
    check_array("y", y, np.shape(y))
    check_array("target", target, y.shape, y.dtype)
    counts = _check_mask(mask, y.shape)
    difference = y[counts] - target[counts]  # (N, ...)
    gradient = np.zeros_like(y)
    gradient[counts] = difference * (2 / difference.size)
    return float(np.mean(difference * difference)), gradient


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Return the logarithms of ``softmax(logits)``, (..., V), over the last axis."""
    z = logits - logits.max(axis=-1, keepdims=True)  # so that exp can't overflow
    return z - np.log(np.exp(z).sum(axis=-1, keepdims=True))


def softmax_cross_entropy(
    logits: np.ndarray, target: np.ndarray, mask=None
) -> tuple[float, np.ndarray]:
    """Return the mean of ``-log(softmax(logits)[target])`` over what counts, and its gradient.

    Parameters
    ----------
    logits : (..., V), float32 or float64.
    target : (...), whole numbers from 0 to V - 1; any whole number where the mask is False.
    mask : bools in the shape of the leading axes of `target`; by default all count.

    Returns
    -------
    value : in nats.
    gradient : of the value with respect to `logits`, in its shape and dtype.

    Raises TypeError or ValueError if an array has another shape or dtype, a target that counts is
    out of range, or nothing counts.
    """
    check_array("logits", logits, (*np.shape(logits)[:-1], "V"))
    *lead, V = logits.shape
    target = np.asarray(target)
    if target.dtype.kind not in "iu":
        raise TypeError(f"target: expected whole numbers, the classes, got {target.dtype}")
    if target.shape != tuple(lead):
        raise ValueError(f"target: expected shape {tuple(lead)}, got {target.shape}")
    counts = _check_mask(mask, target.shape)
    classes = target[counts][..., None]
    if np.any((classes < 0) | (classes >= V)):
        raise ValueError(
            f"target: expected 0 to {V - 1}, got {classes.min()} to {classes.max()}; "
            "mask what has no class"
        )
    log_p = log_softmax(logits[counts])
    d_z = np.exp(log_p)
    np.put_along_axis(d_z, classes, np.take_along_axis(d_z, classes, -1) - 1, -1)
    gradient = np.zeros_like(logits)
    gradient[counts] = d_z / classes.size
    return float(-np.mean(np.take_along_axis(log_p, classes, -1))), gradient


def _check_mask(mask, shape: tuple[int, ...]):
    """Return an index of what counts; raise unless it fits and counts something."""
    kind = getattr(mask, "dtype", type(mask).__name__)
    if mask is not None and kind != np.dtype(bool):
        raise TypeError(f"mask: expected an array of bools, got {kind}")
    if mask is not None and mask.shape != shape[: mask.ndim]:
        raise ValueError(f"mask: expected the leading axes of {shape}, got {mask.shape}")
    if 0 in shape or (mask is not None and not mask.any()):
        raise ValueError("mask: expected something to count, got nothing, whose mean is undefined")
    return ... if mask is None else mask
