"""A whole sequence through a cell, forward and back: time in segments, each through a loop.

Two loops compute the same numbers. The one below, over arrays, runs every cell everywhere; the one
of `lstm_lesson.engine.fast_loop` is compiled by Numba, where that is installed, for the cells
without options. A finished sequence carries its state and takes no gradient, so that padding
can't touch anything. Chapter 4.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np

# Steps in a segment: enough rows, sequences times steps, for a product of matrices, and as many
# numbers as stay in a processor's cache.
ROWS, NUMBERS = 2**9, 2**15


class Segment(NamedTuple):
    """Some consecutive steps, as `forward` keeps them for `backward`."""

    start: int  # the first of them
    x: np.ndarray | None  # their input beside a one, (n, B, D + 1)
    state: tuple | None  # before them, where the rest is computed again
    kept: object  # what the loop kept of each step


class Cache(NamedTuple):
    """What `forward` keeps for `backward`."""

    loop: object  # `ArrayLoop`, or the compiled one
    weights: object  # a copy of the parameters as the loop wants them
    x: np.ndarray  # input in the order it was run; looked at only when checkpointing
    length: int  # steps in a segment; the last may be shorter
    segments: list[Segment]
    lengths: np.ndarray | None  # steps of each sequence, (B,)
    reverse: bool  # whether time ran backwards


class Grads(NamedTuple):
    """Gradients of the loss through a sequence."""

    x: np.ndarray  # (T, B, D)
    state: tuple[np.ndarray, ...]  # of the initial state, (B, H) each
    params: dict[str, np.ndarray]  # under the names that `forward` was given


def forward(
    cell, x, state, params, *, lengths=None, reverse=False, checkpoint=False, keep=True, loop=None
) -> tuple[np.ndarray, tuple[np.ndarray, ...], Cache | None]:
    """Run a cell over a sequence.

    Parameters
    ----------
    cell : of `lstm_lesson.engine.equations`.
    x : (T, B, D), T at least 1.
    state : tuple of (B, H), the state before the first step, ``h`` first.
    params : dict of arrays: ``weight_ih`` (gates * H, D), ``weight_hh``, perhaps ``bias``
        (gates * H,), and what the cell knows beyond.
    lengths : (B,), steps of each sequence; what follows them is padding, which changes nothing and
        gives zero output. Where there are none, the last state is zero. By default all T.
    reverse : run each sequence from its last step to its first; output keeps the order of `x`.
    checkpoint : keep a state every ``sqrt(T)`` steps only, and compute the rest again in
        `backward`: memory grows like the square root of T, for one more forward pass. `x` is then
        read again, so it must stay as it is.
    keep : without it, keep nothing: quicker, and there is no way back.
    loop : which loop to run; by default the compiled one where it can run the cell.

    Returns
    -------
    output : (T, B, H), the hidden state after each step.
    state : tuple of (B, H), the state after the last step of each sequence.
    cache : `Cache`, for `backward`; None without `keep`.

    Shapes are the caller's to check: the layers do. What is returned is the caller's own.
    """
    T, B, H = len(x), *state[-1].shape
    loop = fastest(cell) if loop is None else loop
    weights = loop.pack(cell, params)
    x = in_order(x, lengths, reverse)
    count = math.isqrt(T) if checkpoint else T * B // max(ROWS, NUMBERS // H)
    length = -(-T // max(1, count))
    state = _not_empty(state, lengths)
    output = np.empty((T, *state[0].shape), x.dtype)
    segments = []
    for start in range(0, T, length):
        part, left = _beside_one(x[start : start + length]), _left(lengths, start)
        before = state
        output[start : start + length], state, kept = loop.forward(weights, part, before, left)
        if checkpoint:
            part, kept = None, None
        if keep:
            segments.append(Segment(start, part, before if checkpoint else None, kept))
    last = tuple(part.copy() for part in state)
    cache = Cache(loop, weights, x, length, segments, lengths, reverse) if keep else None
    return in_order(output, lengths, reverse), last, cache


def backward(d_output, d_state, cache: Cache, record: list | None = None) -> Grads:
    """Carry gradients back through `forward`: backpropagation through time.

    Parameters
    ----------
    d_output : (T, B, H), gradient of the loss with respect to each output.
    d_state : tuple of (B, H), with respect to the final state, beyond what reaches it through
        the last output.
    cache : what the forward pass returned.
    record : a list to which the array loop appends the total derivative of the state at each step,
        the last step first.

    Returns
    -------
    `Grads`, summed over all steps and the batch.
    """
    loop, weights, x, length, segments, lengths, reverse = cache
    d_output = in_order(d_output, lengths, reverse)
    d_state = tuple(part.copy() for part in d_state)
    d_x, total = np.empty(x.shape, x.dtype), None
    for start, part, before, kept in reversed(segments):
        steps, left = slice(start, start + length), _left(lengths, start)
        if before is not None:
            part = _beside_one(x[steps])
            _, _, kept = loop.forward(weights, part, before, left)
        more = {} if record is None else {"record": record}
        d_x[steps], d_state, grads = loop.backward(
            weights, d_output[steps], d_state, part, kept, left, **more
        )
        total = grads if total is None else {k: g + grads[k] for k, g in total.items()}
    d_state = _not_empty(d_state, lengths)
    return Grads(in_order(d_x, lengths, reverse), d_state, loop.unpack(weights, total))


class ArrayLoop:
    """The loop over time on arrays, for every cell: a plain one."""

    @staticmethod
    def pack(cell, params):
        """Return the cell and a copy of its parameters, the bias a last column of ``weight_ih``."""
        params = {name: p.copy() for name, p in params.items()}
        bias = params.get("bias", np.zeros_like(params["weight_ih"][:, 0]))
        return cell, params, np.column_stack([params["weight_ih"], bias])

    @staticmethod
    def forward(weights, x, state, left):
        """Run the steps of x, (n, B, D + 1); return output, state and what is kept.

        `left` is how many steps each sequence has left, (B,), or None where all have all.
        """
        cell, params, weight_x = weights
        z_x = x @ weight_x.T  # (n, B, gates * H)
        weight_hh = params["weight_hh"].T
        output, kept = [], []
        for t in range(len(x)):
            going = None if left is None else (t < left)[:, None]
            before = _where(going, state)
            after, more = cell.forward(z_x[t], before[0] @ weight_hh, before, params)
            state = _where(going, after, state)
            output.append(state[0])
            kept.append((before, after, more))
        return np.stack(output), state, kept

    @staticmethod
    def backward(weights, d_output, d_state, x, kept, left, record=None):
        """Return the gradients of x, of the state before, and of the parameters by name."""
        cell, params, weight_x = weights
        grads = {name: np.zeros_like(p) for name, p in params.items()}
        d_z_x = np.empty((*x.shape[:2], len(weight_x)), x.dtype)  # (n, B, gates * H)
        d_z_h = np.empty_like(d_z_x)
        for t in reversed(range(len(x))):
            going = None if left is None else (t < left)[:, None]
            _, _, more = kept[t]
            d_after = _where(going, (d_state[0] + d_output[t], *d_state[1:]))
            d_z_x[t], d_z_h[t], d_direct, extras = cell.backward(d_after, more, params)
            d_h = d_direct[0] + d_z_h[t] @ params["weight_hh"]
            d_state = _where(going, (d_h, *d_direct[1:]), d_state)
            for name, grad in extras.items():
                grads[name] += grad
            if record is not None:
                record.append(d_after)
        h_prev = np.stack([before[0] for before, *_ in kept])
        by_x, by_h = _rows(d_z_x), _rows(d_z_h)
        by_input = by_x.T @ _rows(x)
        grads["weight_ih"] = by_input[:, :-1]
        grads["weight_hh"] += by_h.T @ _rows(h_prev)
        if "bias" in params:
            grads["bias"] = by_input[:, -1]
        return d_z_x @ params["weight_ih"], d_state, grads

    @staticmethod
    def unpack(weights, grads):
        """Return the gradients of the parameters as `pack` was given them."""
        return {name: np.ascontiguousarray(grad) for name, grad in grads.items()}


def fastest(cell):
    """Return the compiled loop if it is there and runs this cell, else `ArrayLoop`."""
    compiled = _compiled()
    return compiled.LOOPS[cell] if compiled and cell in compiled.LOOPS else ArrayLoop


@functools.cache
def _compiled():
    """Return the module of compiled loops, imported when first needed; None without Numba."""
    try:
        import scipy  # noqa: F401 - Numba's products of matrices are SciPy's

        from lstm_lesson.engine import fast_loop
    except ImportError:
        return None
    return fast_loop


def in_order(x, lengths, reverse):
    """Zero the padding of (T, B, K), and turn sequences around if `reverse`: its own inverse."""
    if lengths is None:
        return x[::-1].copy() if reverse else x
    steps = np.arange(len(x))[:, None]  # (T, 1)
    inside = steps < lengths  # (T, B)
    if reverse:
        order = np.where(inside, lengths - 1 - steps, steps)
        x = np.take_along_axis(x, order[..., None], axis=0)
    return np.where(inside[..., None], x, x.dtype.type(0))


def _not_empty(state, lengths):
    """Return a copy of the parts of a state, zero for sequences that have no steps."""
    going = None if lengths is None else (lengths > 0)[:, None]
    return tuple(part.copy() for part in _where(going, state))


def _beside_one(x):
    """Return (n, B, D + 1): a copy of x with a one behind each row, which the bias multiplies."""
    n, B, D = x.shape
    beside = np.empty((n, B, D + 1), x.dtype)
    beside[..., :D], beside[..., D] = x, 1
    return beside


def _left(lengths, start):
    return None if lengths is None else lengths - start


def _where(going, state, otherwise=None):
    """Return the parts of a state where a sequence goes on, elsewhere the others or zeros."""
    if going is None:
        return tuple(state)
    others = (0,) * len(state) if otherwise is None else otherwise
    return tuple(
        np.where(going, a, a.dtype.type(0) if otherwise is None else b)
        for a, b in zip(state, others, strict=True)
    )


def _rows(a):
    return a.reshape(-1, a.shape[-1])
