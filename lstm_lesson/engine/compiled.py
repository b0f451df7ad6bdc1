"""Numba, set up so that what it compiles gives the same bits in every process.

`compiled` is a decorator: no fastmath, for that breaks the promise; kept on disk between processes
under a digest of the source, so that an edit of an equation can't leave an old one
running; not kept where no folder can be written. ``LSTM_LESSON_CACHE`` names another folder. The
activations get versions for numbers, built on one exponential that needs no call, so that LLVM can
run it on whole vectors.
"""

from __future__ import annotations

import hashlib
import math
import os
import tempfile
from pathlib import Path

import numpy as np
from llvmlite import ir
from numba import config, njit, types
from numba.extending import intrinsic, overload

from lstm_lesson.engine import activations

HERE = Path(__file__).parent
INLINE = {"forceinline": True, "error_model": "numpy"}  # a call would stop vectorisation


def _folder() -> str | None:
    """Return a folder for compiled code that can be written, or None."""
    digest = hashlib.sha256()
    for name in ("activations", "compiled", "compiled_cells", "equations"):
        digest.update((HERE / f"{name}.py").read_bytes())
    name = f"numba-{digest.hexdigest()[:16]}"
    places = os.environ.get("LSTM_LESSON_CACHE") or (HERE / "__pycache__", "~/.cache/lstm_lesson")
    for place in [places] if isinstance(places, str) else places:
        try:
            place = Path(place).expanduser()
            (place / name).mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=place / name):
                return str(place / name)
        except (OSError, RuntimeError):  # read only, full, or nobody's home
            continue
    return None


FOLDER = _folder()


def compiled(function):
    """Return the function compiled by Numba; arguments decide the types when it is first called."""
    before = config.CACHE_DIR
    config.CACHE_DIR = FOLDER or ""
    try:
        return njit(error_model="numpy", cache=FOLDER is not None)(function)
    finally:
        config.CACHE_DIR = before


def inlined(function):
    """Return the function compiled into whatever calls it."""
    return njit(**INLINE)(function)


@intrinsic
def _two_to_the(typingctx, t):
    """Return 2**k for a whole k in float t = k + 1.5 * 2**(bits of the fraction)."""
    bits, bias, fraction = (64, 1023, 52) if t == types.float64 else (32, 127, 23)
    real = ir.DoubleType() if bits == 64 else ir.FloatType()

    def generate(context, builder, signature, arguments):
        whole = ir.IntType(bits)
        k = builder.add(builder.bitcast(arguments[0], whole), whole(bias))
        return builder.bitcast(builder.shl(k, whole(fraction)), real)

    return t(t), generate


def _exponential(dtype, shift, ln2_high, ln2_low, terms):
    """Return a function of x to p, s with exp(x) = s + s p, p small and exact, s a power of two."""
    log2_e, shift, high, low = dtype(1 / math.log(2)), dtype(shift), dtype(ln2_high), dtype(ln2_low)
    half = dtype(0.5)
    c3, c4, c5, c6, c7 = (dtype(1 / math.factorial(n)) for n in range(3, 8))
    c8, c9, c10, c11, c12, c13 = (dtype(1 / math.factorial(n)) for n in range(8, 14))

    @inlined
    def few(r):  # Taylor's series of (exp(r) - 1 - r) / r**2
        return half + r * (c3 + r * (c4 + r * (c5 + r * (c6 + r * c7))))

    @inlined
    def many(r):
        tail = c8 + r * (c9 + r * (c10 + r * (c11 + r * (c12 + r * c13))))
        return half + r * (c3 + r * (c4 + r * (c5 + r * (c6 + r * (c7 + r * tail)))))

    series = few if terms == 7 else many

    @inlined
    def exponential(x):
        t = x * log2_e + shift  # adding so large a number rounds to a whole one
        k = t - shift
        r = (x - k * high) - k * low
        return r + r * r * series(r), _two_to_the(t)

    return exponential


_EXP64 = _exponential(
    np.float64, 1.5 * 2**52, 6.93147180369123816490e-01, 1.90821492927058770e-10, 13
)
_EXP32 = _exponential(np.float32, 1.5 * 2**23, 0.693359375, -2.12194440e-4, 7)


def _of_type(z, largest64, largest32):
    """Return the exponential, the largest argument and the ones and twos of a float type."""
    dtype, exponential, largest = (
        (np.float64, _EXP64, largest64) if z == types.float64 else (np.float32, _EXP32, largest32)
    )
    return exponential, dtype(largest), dtype(-largest), dtype(1), dtype(2)


# Comparisons with a NaN are false, so that a NaN stays one.
@overload(activations.sigmoid, jit_options=INLINE)
def _sigmoid(z):
    if not isinstance(z, types.Float):
        return None
    # As far down as this the power of two has no bits but zeros, so that sigmoid(-inf) is 0.
    exponential, most, least, one, _ = _of_type(z, 709.1, 88.1)

    def run(z):
        z = most if z > most else z
        z = least if z < least else z
        p, s = exponential(z)
        e = s + s * p
        return e / (one + e)

    return run


@overload(activations.tanh, jit_options=INLINE)
def _tanh(z):
    if not isinstance(z, types.Float):
        return None
    exponential, most, least, one, two = _of_type(z, 20, 10)

    def run(z):
        z = most if z > most else z
        z = least if z < least else z
        p, s = exponential(z + z)
        e = s * p + (s - one)  # exp(2 z) - 1, without losing the digits of a small z
        return e / (e + two)

    return run


@overload(activations.sigmoid_derivative, jit_options=INLINE)
def _sigmoid_derivative(s):
    _, _, _, one, _ = _of_type(s, 1, 1)
    return lambda s: s * (one - s)


@overload(activations.tanh_derivative, jit_options=INLINE)
def _tanh_derivative(t):
    _, _, _, one, _ = _of_type(t, 1, 1)
    return lambda t: (one - t) * (one + t)


@overload(activations.relu, jit_options=INLINE)
def _relu(z):
    _, _, _, one, _ = _of_type(z, 1, 1)
    zero = one - one
    return lambda z: zero if z < zero else z


@overload(activations.relu_derivative, jit_options=INLINE)
def _relu_derivative(r):
    _, _, _, one, _ = _of_type(r, 1, 1)
    zero = one - one
    return lambda r: one if r > zero else zero
