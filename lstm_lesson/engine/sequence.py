"""A whole sequence through a recurrent cell, forward and backward: the fast path.

The same numbers as a loop over `lstm_lesson.engine.cells`, which tests hold it equal to, in an
order that suits a processor. `forward` and `backward` cut time into segments whose arrays fit into
the processor's cache, and hand each to a kernel.

Every array may have an axis S of replicas, independent networks of one size run side by side,
before its last two: x is then (T, S, B, D) and weights are (S, 4H, D).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from lstm_lesson.engine.cells import LSTMState
from lstm_lesson.engine.lstm_kernel import LSTMKernel, LSTMRecord
from lstm_lesson.engine.step_kernel import StepKernel, StepRecord

# A segment has many rows, sequences times steps, for a product of matrices; and for small nets as
# many cells, rows times hidden units, as the cache holds with their derivatives.
SEGMENT_ROWS, SEGMENT_CELLS = 2**9, 2**16


class Cache(NamedTuple):
    """What `forward` keeps for `backward`."""

    kernel: LSTMKernel | StepKernel
    x: np.ndarray  # input in the order it was run, padding zeroed, (T, B, D)
    weights: object  # parameters as the kernel packed them
    length: int  # steps in a segment; the last may be shorter
    starts: tuple  # state before each segment, when checkpointing
    record: LSTMRecord | StepRecord | None  # of all steps, when not
    lengths: np.ndarray | None  # steps of each sequence, (B,)
    reverse: bool  # whether time ran backwards


class Grads(NamedTuple):
    """Gradients of the loss through a sequence."""

    x: np.ndarray  # (T, B, D)
    state: tuple[np.ndarray, ...]  # of the initial state, (B, H) each
    params: dict[str, np.ndarray]  # under the names that `forward` was given


def forward(
    kernel, x, state, params, *, lengths=None, reverse=False, checkpoint=False, keep=True
) -> tuple[np.ndarray, tuple[np.ndarray, ...], Cache | None]:
    """Run a kernel over a sequence.

    Parameters
    ----------
    kernel : an `LSTMKernel`, or the `StepKernel` of a cell.
    x : (T, B, D), T at least 1.
    state : tuple of (B, H), the state before the first step, ``h`` first.
    params : dict of arrays: ``weight_ih``, ``weight_hh`` and what the kernel knows beyond; vectors,
        such as ``bias``, as columns (gates * H, 1).
    lengths : (B,), steps of each sequence; what follows them is padding, which changes nothing and
        gives zero output. By default all T.
    reverse : run each sequence from its last step to its first; output keeps the order of `x`.
    checkpoint : keep a state every ``sqrt(T)`` steps only, and compute the rest again in
        `backward`: memory grows like the square root of T, for one more forward pass.
    keep : without it, keep nothing: quicker, and there is no way back.

    Returns
    -------
    output : (T, B, H), the hidden state after each step.
    state : tuple of (B, H), the state after the last step of each sequence.
    cache : `Cache`, for `backward`; None without `keep`.

    Shapes are the caller's to check: the layers do.
    """
    T, *N, H = len(x), *state[-1].shape
    x = in_order(x, lengths, reverse)
    weights = kernel.pack(params)
    if checkpoint:
        count = math.isqrt(T)
    else:
        count = round(T * math.prod(N) / max(SEGMENT_ROWS, SEGMENT_CELLS // H))
    length = -(-T // max(1, count))
    output = np.empty((T, *state[0].shape), x.dtype)
    ended = () if lengths is None else set(lengths)
    last = tuple(np.empty_like(part) for part in state) if ended else ()
    record = kernel.record(T, state, x.shape[-1]) if keep and not checkpoint else None
    starts = []
    for start in range(0, T, length):
        stop = min(start + length, T)
        if record is None:
            starts.append(tuple(part.copy() for part in state))
            segment = kernel.record(stop - start, state, x.shape[-1], keep=bool(ended))
        else:
            segment = record.part(start, stop)
        kernel.forward(x[start:stop], segment, weights)
        output[start:stop] = segment.output()
        state = segment.state(stop - start)
        for steps in ended:
            if start < steps <= stop:
                rows = lengths == steps
                for part, there in zip(last, segment.state(steps - start), strict=True):
                    part[..., rows, :] = there[..., rows, :]
    if lengths is None:
        last = tuple(part.copy() for part in state)
    cache = Cache(kernel, x, weights, length, tuple(starts), record, lengths, reverse)
    return in_order(output, lengths, reverse), last, cache if keep else None


def backward(d_output: np.ndarray, d_state: tuple[np.ndarray, ...], cache: Cache) -> Grads:
    """Carry gradients back through `forward`: backpropagation through time.

    Parameters
    ----------
    d_output : (T, B, H), gradient of the loss with respect to each output.
    d_state : tuple of (B, H), with respect to the final state, beyond what reaches it through
        the last output.
    cache : what the forward pass returned.

    Returns
    -------
    `Grads`, summed over all steps and the batch.
    """
    kernel, x, weights, length, starts, record, lengths, reverse = cache
    T = len(x)
    d_output = in_order(d_output, lengths, reverse)
    ends = {}
    if lengths is not None:
        # A sequence's final gradient arrives at its own last step.
        for steps in set(lengths):
            at_end = (lengths == steps)[:, None]
            ends[int(steps) - 1] = tuple(d * at_end for d in d_state)
        d_state = tuple(np.zeros_like(d) for d in d_state)
    d_x = np.empty(x.shape, x.dtype)
    d_weights = None
    for start in reversed(range(0, T, length)):
        stop = min(start + length, T)
        x_segment = x[start:stop]
        if record is not None:
            segment = record.part(start, stop)
        else:
            segment = kernel.record(stop - start, starts[start // length], x.shape[-1])
            kernel.forward(x_segment, segment, weights)
        within = {t - start: d for t, d in ends.items() if start <= t < stop}
        d_x_segment = d_x[start:stop]
        d_state, more = kernel.backward(
            d_output[start:stop], d_state, segment, x_segment, weights, within, d_x_segment
        )
        if d_weights is None:
            d_weights = more
        else:
            for name, grad in more.items():
                d_weights[name] += grad
    return Grads(in_order(d_x, lengths, reverse), d_state, kernel.unpack(d_weights))


def in_order(x, lengths, reverse):
    """Zero the padding of (T, B, K), and turn sequences around if `reverse`: its own inverse."""
    if lengths is None:
        return x[::-1] if reverse else x
    steps = np.arange(len(x))[:, None]  # (T, 1)
    inside = steps < lengths  # (T, B)
    if reverse:
        order = np.where(inside, lengths - 1 - steps, steps)
        x = np.take_along_axis(x, _beside(order, x), axis=0)
    return np.where(_beside(inside, x), x, x.dtype.type(0))


def _beside(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Give (T, B) the axes of `x`, (T, B, K) or (T, S, B, K)."""
    return a.reshape(len(a), *[1] * (x.ndim - 3), -1, 1)


class LSTMGrads(NamedTuple):
    """Gradients of the loss through a sequence, named after what they are gradients of."""

    x: np.ndarray  # (T, B, D)
    state: LSTMState  # of the initial state, two (B, H)
    weight_ih: np.ndarray  # (4H, D)
    weight_hh: np.ndarray  # (4H, H)
    bias: np.ndarray  # (4H,)


def lstm_forward(
    x: np.ndarray,
    state: LSTMState,
    weight_ih: np.ndarray,
    weight_hh: np.ndarray,
    bias: np.ndarray,
) -> tuple[np.ndarray, LSTMState, Cache]:
    """Run a plain LSTM over a sequence.

    Parameters
    ----------
    x : (T, B, D), T at least 1. Every array may have an axis S of replicas before its last two
        (for the bias, before its last).
    state : `LSTMState` of two (B, H), the state before the first step.
    weight_ih : (4H, D), gates stacked i, f, g, o.
    weight_hh : (4H, H).
    bias : (4H,).

    Returns
    -------
    output : (T, B, H), the hidden state after each step.
    state : `LSTMState` of two (B, H), the state after the last step.
    cache : `Cache`, for `lstm_backward`.

    Shapes are the caller's to check: `lstm_lesson.LSTM` does. Compared with the readable loop in
    chapter 5.
    """
    params = {"weight_ih": weight_ih, "weight_hh": weight_hh, "bias": bias[..., None]}
    output, last, cache = forward(LSTMKernel(), x, state, params)
    return output, LSTMState(*last), cache


def lstm_backward(d_output: np.ndarray, d_state: LSTMState, cache: Cache) -> LSTMGrads:
    """Carry gradients back through `lstm_forward`: backpropagation through time.

    Parameters
    ----------
    d_output : (T, B, H), gradient of the loss with respect to each output.
    d_state : `LSTMState` of two (B, H), with respect to the final state, beyond what reaches it
        through the last output.
    cache : what the forward pass returned.

    Returns
    -------
    `LSTMGrads`, summed over all steps and the batch. With replicas, every array has the axis S.
    """
    d_x, d_start, params = backward(d_output, d_state, cache)
    params["bias"] = params["bias"][..., 0]
    return LSTMGrads(d_x, LSTMState(*d_start), **params)
