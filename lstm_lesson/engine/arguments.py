"""Checks at the public boundary: say what was expected, what came, and how to mend it."""

from __future__ import annotations

import math
import numbers

import numpy as np

FLOAT_TYPES = (np.dtype(np.float32), np.dtype(np.float64))


def check_array(name: str, value, shape: tuple, dtype=None) -> np.ndarray:
    """Return `value` unchanged if it is a float array of the given shape and dtype.

    Parameters
    ----------
    name : how the array is called in the error.
    value : what the caller passed.
    shape : one entry an axis, a size (int) or a letter for an axis of any size,
        for example ``("T", "B", 3)``.
    dtype : the dtype it must have; by default float32 or float64.

    Raises
    ------
    TypeError
        If `value` is no NumPy array or has another dtype. Nothing is converted silently: a float64
        input to a float32 layer is usually a mistake.
    ValueError
        If its shape does not fit.
    """
    if not isinstance(value, np.ndarray):
        wanted = np.dtype(dtype).name if dtype is not None else "float64"
        raise TypeError(
            f"{name}: expected a NumPy array of shape {_written(shape)}, got "
            f"{type(value).__name__}; "
            f"convert it with np.array({name}, dtype=np.{wanted}), every row of equal length"
        )
    if isinstance(value, np.ma.MaskedArray):  # NumPy would compute with what the mask hides
        raise TypeError(
            f"{name}: expected an array without a mask, got a masked one; fill it with "
            f"{name}.filled(0), and say by lengths or a mask of its own what counts"
        )
    allowed = FLOAT_TYPES if dtype is None else (np.dtype(dtype),)
    if value.dtype not in allowed:
        names = " or ".join(kind.name for kind in allowed)
        raise TypeError(
            f"{name}: expected dtype {names}, got {value.dtype}; "
            f"convert it with {name}.astype(np.{allowed[0].name})"
        )
    fits = value.ndim == len(shape) and all(
        have == want or isinstance(want, str) for have, want in zip(value.shape, shape, strict=True)
    )
    if not fits:
        raise ValueError(f"{name}: expected shape {_written(shape)}, got {value.shape}")
    return value


def _written(shape: tuple) -> str:
    return "(" + ", ".join(str(size) for size in shape) + ("," if len(shape) == 1 else "") + ")"


def check_size(name: str, value, least: int = 1) -> int:
    """Return `value` as an int if it is a whole number of at least `least`; raise otherwise."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name}: expected a whole number, got {value!r}")
    if value < least:
        raise ValueError(f"{name}: expected at least {least}, got {value}")
    return int(value)


def check_flag(name: str, value) -> bool:
    """Return `value` if it is True or False; raise TypeError otherwise."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name}: expected True or False, got {value!r}")
    return bool(value)


def check_choice(name: str, value, choices) -> str:
    """Return `value` if it is one of `choices`; raise ValueError naming them otherwise."""
    if not isinstance(value, str) or value not in [*choices]:  # "if" is in "ifo", but none of it
        raise ValueError(f"{name}: expected one of {sorted(choices)}, got {value!r}")
    return value


def check_rng(rng) -> np.random.Generator:
    """Return the generator itself, or a new one from an integer seed; raise TypeError otherwise."""
    if isinstance(rng, np.random.Generator):
        return rng
    if isinstance(rng, numbers.Integral) and not isinstance(rng, bool) and rng >= 0:
        return np.random.default_rng(int(rng))
    raise TypeError(f"rng: expected a numpy Generator or a non-negative integer seed, got {rng!r}")


def check_dtype(dtype) -> np.dtype:
    """Return float32 or float64 as a dtype; raise TypeError for anything else."""
    if dtype is float:
        return np.dtype(np.float64)
    # Not by np.dtype(dtype), which warns of some strings and takes others for anything.
    for kind in FLOAT_TYPES:
        same = isinstance(dtype, np.dtype) and dtype == kind
        if same or dtype is kind.type or (isinstance(dtype, str) and dtype == kind.name):
            return kind
    raise TypeError(f"dtype: expected float32 or float64, got {getattr(dtype, '__name__', dtype)}")


def check_number(name: str, value, low: float = -np.inf, high: float = np.inf) -> float:
    """Return `value` as a float if it is a finite number from `low` to `high`; raise otherwise."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name}: expected a number, got {value!r}")
    try:
        number = float(value)  # a whole number can be too large
    except OverflowError:
        number = math.inf
    if not (math.isfinite(number) and low <= number <= high):
        raise ValueError(f"{name}: expected a finite number from {low} to {high}, got {value}")
    return number


def check_lengths(name: str, value, T: int, B: int, least: int = 1) -> np.ndarray:
    """Return `value` as an array if it is B whole numbers from `least` to T; raise otherwise."""
    try:
        lengths = np.asarray(value)
    except ValueError as error:  # not as many in each row
        raise TypeError(f"{name}: expected whole numbers, got {value!r}") from error
    if lengths.dtype.kind not in "iu":
        raise TypeError(f"{name}: expected whole numbers, got {lengths.dtype}")
    if lengths.shape != (B,):
        raise ValueError(f"{name}: expected shape ({B},), one a sequence, got {lengths.shape}")
    if lengths.min() < least or lengths.max() > T:
        raise ValueError(f"{name}: expected {least} to {T}, got {lengths.min()} to {lengths.max()}")
    return lengths.astype(np.int64)
