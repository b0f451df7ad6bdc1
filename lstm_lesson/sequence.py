"""A whole sequence through an LSTM, forward and backward: the fast path.

The same numbers as a loop over `lstm_lesson.cells`, which tests hold it equal to, in an order that
suits a processor. What makes it fast:

- One tanh serves all four gates, because ``sigmoid(z) = (1 + tanh(z / 2)) / 2``: the halves go into
  the weights before the loop (`_pack`).
- A step's gates lie in one block, in slots ordered ``o, i, f, g, c_prev``. So the three sigmoids are
  neighbours, and ``[i, f] * [g, c_prev]`` is one product whose two halves add up to the new cell.
- Backward, all local derivatives of a segment are taken at once; a step is then five calls.
- Time is cut into segments whose arrays fit into the processor's cache. The input is projected, and
  the weight gradients are summed, in one matrix product a segment.

Every array may have an axis S of replicas, independent networks of one size, between time and
batch: x is (T, S, B, D) and weights are (S, 4H, D). Without it, S is 1 inside.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from lstm_lesson.cells import LSTMState

SEGMENT_ROWS = 512  # sequences times steps in a segment: enough for a product, few enough for cache


class LSTMSegment(NamedTuple):
    """What the forward pass knows about some consecutive steps."""

    h: np.ndarray  # hidden states, h[0] the one before the first step, (n + 1, S, B, H)
    slots: np.ndarray  # o, i, f, g of each step and c before it, (n + 1, 5, S, B, H)
    tanh_c: np.ndarray  # tanh of the cell state after each step, (n, S, B, H)


class LSTMCache(NamedTuple):
    """What `lstm_forward` keeps for `lstm_backward`."""

    x: np.ndarray  # input, (T, S, B, D)
    weights: tuple[np.ndarray, ...]  # as packed for the loop
    length: int  # steps in a segment; the last may be shorter
    starts: tuple[LSTMState, ...]  # state before each segment, when checkpointing
    segments: tuple[LSTMSegment, ...]  # every segment, when not
    replicas: bool  # whether the caller's arrays had the axis S


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
    *,
    checkpoint: bool = False,
) -> tuple[np.ndarray, LSTMState, LSTMCache]:
    """Run an LSTM over a sequence.

    Parameters
    ----------
    x : (T, B, D), T at least 1. Every array may have an axis S of replicas before its last two
        (for the bias, before its last).
    state : `LSTMState` of two (B, H), the state before the first step.
    weight_ih : (4H, D), gates stacked i, f, g, o.
    weight_hh : (4H, H).
    bias : (4H,).
    checkpoint : keep a state every ``sqrt(T)`` steps only, and compute the rest again in
        `lstm_backward`: memory grows like the square root of T, for one more forward pass.

    Returns
    -------
    output : (T, B, H), the hidden state after each step.
    state : `LSTMState` of two (B, H), the state after the last step.
    cache : `LSTMCache`, for `lstm_backward`.

    Shapes are the caller's to check: `lstm_lesson.LSTM` does. Compared with the readable loop in
    chapter 5.
    """
    if replicas := x.ndim == 4:
        h, c = state
    else:
        x, weight_ih, weight_hh, bias = x[:, None], weight_ih[None], weight_hh[None], bias[None]
        h, c = state.h[None], state.c[None]
    T, S, B, _ = x.shape
    H = weight_hh.shape[2]
    weights = (_pack(weight_ih), _pack(weight_hh), _pack(bias))
    length = min(T, max(-(-SEGMENT_ROWS // (S * B)), math.isqrt(T) if checkpoint else 1))
    output = np.empty((T, S, B, H), x.dtype)
    starts, segments = [], []
    for start in range(0, T, length):
        starts.append(LSTMState(h, c))
        segment = _forward_segment(x[start : start + length], starts[-1], weights)
        output[start : start + length] = segment.h[1:]
        # Copied, so that a kept state does not keep its segment.
        h, c = segment.h[-1].copy(), segment.slots[-1, 4].copy()
        if not checkpoint:
            segments.append(segment)
    starts = tuple(starts) if checkpoint else ()
    cache = LSTMCache(x, weights, length, starts, tuple(segments), replicas)
    if replicas:
        return output, LSTMState(h, c), cache
    return output[:, 0], LSTMState(h[0], c[0]), cache


def lstm_backward(d_output: np.ndarray, d_state: LSTMState, cache: LSTMCache) -> LSTMGrads:
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
    x, (weight_ih, weight_hh, _), length = cache.x, cache.weights, cache.length
    T, S, B, D = x.shape
    H = weight_hh.shape[2]
    if not cache.replicas:
        d_output, d_state = d_output[:, None], LSTMState(d_state.h[None], d_state.c[None])
    d_h, d_c = d_state.h.copy(), d_state.c.copy()
    d_x = np.empty(x.shape, x.dtype)
    d_weight_ih, d_weight_hh = np.zeros_like(weight_ih), np.zeros_like(weight_hh)
    d_bias = np.zeros((S, 4 * H), x.dtype)
    local = np.empty((length, 6, S, B, H), x.dtype)
    d_slots = np.empty((length, S, B, 6, H), x.dtype)
    for start in reversed(range(0, T, length)):
        stop = min(start + length, T)
        n = stop - start
        k = start // length
        if cache.segments:
            segment = cache.segments[k]
        else:
            segment = _forward_segment(x[start:stop], cache.starts[k], cache.weights)
        d_h, d_c = _backward_segment(
            d_output[start:stop], d_h, d_c, segment, weight_hh, local[:n], d_slots[:n]
        )
        d_z = _by_replica(d_slots[:n].reshape(n, S, B, 6 * H)[..., H : 5 * H])  # (S, n * B, 4H)
        d_x[start:stop] = (d_z @ weight_ih).reshape(S, n, B, D).swapaxes(0, 1)
        d_z_T = d_z.swapaxes(1, 2)
        d_weight_ih += d_z_T @ _by_replica(x[start:stop])
        d_weight_hh += d_z_T @ _by_replica(segment.h[:-1])
        d_bias += d_z.sum(axis=1)
    grads = (_unpack(d_weight_ih), _unpack(d_weight_hh), _unpack(d_bias))
    if cache.replicas:
        return LSTMGrads(d_x, LSTMState(d_h, d_c), *grads)
    return LSTMGrads(d_x[:, 0], LSTMState(d_h[0], d_c[0]), *(grad[0] for grad in grads))


def _forward_segment(x, state, weights) -> LSTMSegment:
    """Run the steps of one segment; `weights` as `_pack` leaves them."""
    weight_ih, weight_hh, bias = weights
    n, S, B, _ = x.shape
    H = weight_hh.shape[2]
    h = np.empty((n + 1, S, B, H), x.dtype)
    slots = np.empty((n + 1, 5, S, B, H), x.dtype)
    tanh_c = np.empty((n, S, B, H), x.dtype)
    h[0], slots[0, 4] = state
    projected = _by_replica(x) @ weight_ih.swapaxes(1, 2)  # (S, n * B, 4H)
    projected += bias[:, None]
    projected = projected.reshape(S, n, B, 4, H).transpose(1, 3, 0, 2, 4)  # (n, 4, S, B, H)
    weight_hh = np.ascontiguousarray(weight_hh.swapaxes(1, 2))  # (S, H, 4H): faster products
    recurrent = np.empty((S, B, 4 * H), x.dtype)
    recurrent_slots = recurrent.reshape(S, B, 4, H).transpose(2, 0, 1, 3)  # the same memory
    products = np.empty((2, S, B, H), x.dtype)
    half = x.dtype.type(0.5)
    steps = zip(
        projected,
        h[:-1],
        slots[:-1, :4],  # o, i, f, g
        slots[:-1, :3],  # o, i, f
        slots[:-1, 0],  # o
        slots[:-1, 1:3],  # i, f
        slots[:-1, 3:],  # g, c_prev
        slots[1:, 4],  # c
        tanh_c,
        h[1:],
        strict=True,
    )
    for from_x, h_prev, gates, sigmoids, o, i_f, g_c_prev, c, tanh_c_t, h_t in steps:
        np.matmul(h_prev, weight_hh, out=recurrent)
        np.add(from_x, recurrent_slots, out=gates)
        np.tanh(gates, out=gates)
        np.multiply(sigmoids, half, out=sigmoids)
        np.add(sigmoids, half, out=sigmoids)
        np.multiply(i_f, g_c_prev, out=products)
        np.add(products[0], products[1], out=c)  # c = i * g + f * c_prev
        np.tanh(c, out=tanh_c_t)
        np.multiply(o, tanh_c_t, out=h_t)
    return LSTMSegment(h, slots, tanh_c)


def _backward_segment(d_output, d_h, d_c, segment, weight_hh, local, d_slots):
    """Carry gradients back through a segment; fill `d_slots`, return the `d_h` and `d_c` before it.

    `local` is scratch. Both have six slots a step: the way from ``h`` into ``c``, then o, i, f, g,
    ``c_prev``. The first two are multiplied with ``d_h``, the other four with ``d_c``.
    """
    _, slots, tanh_c = segment
    n, S, B, _, H = d_slots.shape
    sigmoids, g = slots[:n, :3], slots[:n, 3]
    into_c, d_sigmoids, d_g, d_c_prev = local[:, 0], local[:, 1:4], local[:, 4], local[:, 5]
    # The sigmoid's derivative at the halved pre-activation is 2 s (1 - s).
    np.subtract(1, sigmoids, out=d_sigmoids)
    d_sigmoids *= sigmoids
    d_sigmoids *= 2
    d_sigmoids[:, 0] *= tanh_c
    d_sigmoids[:, 1:] *= slots[:n, 3:]
    np.multiply(g, g, out=d_g)
    np.subtract(1, d_g, out=d_g)
    d_g *= slots[:n, 1]
    d_c_prev[:] = slots[:n, 2]
    np.multiply(tanh_c, tanh_c, out=into_c)
    np.subtract(1, into_c, out=into_c)
    into_c *= slots[:n, 0]

    by_slot = d_slots.transpose(0, 3, 1, 2, 4)  # (n, 6, S, B, H), the same memory
    d_z = d_slots.reshape(n, S, B, 6 * H)[..., H : 5 * H]  # (n, S, B, 4H), likewise
    for t in reversed(range(n)):
        np.add(d_h, d_output[t], out=d_h)
        np.multiply(local[t, :2], d_h, out=by_slot[t, :2])
        d_c = d_c + by_slot[t, 0]
        np.multiply(local[t, 2:], d_c, out=by_slot[t, 2:])
        d_c = by_slot[t, 5]
        np.matmul(d_z[t], weight_hh, out=d_h)
    return d_h, d_c.copy()


def _by_replica(a: np.ndarray) -> np.ndarray:
    """Turn (n, S, B, K) into (S, n * B, K); no copy is made when S is 1."""
    n, S, B, K = a.shape
    return a.swapaxes(0, 1).reshape(S, n * B, K)


def _pack(weight: np.ndarray) -> np.ndarray:
    """Order the gates of (S, 4H, ...) as o, i, f, g, and halve those of the sigmoids."""
    i, f, g, o = np.split(weight, 4, axis=1)
    return np.concatenate([o * 0.5, i * 0.5, f * 0.5, g], axis=1)


def _unpack(grad: np.ndarray) -> np.ndarray:
    """Return the gradient with respect to a weight from that with respect to `_pack` of it."""
    o, i, f, g = np.split(grad, 4, axis=1)
    return np.concatenate([i * 0.5, f * 0.5, g, o * 0.5], axis=1)
