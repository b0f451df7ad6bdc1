"""Cells looped over a segment of time, with their matrix products: what `sequence` drives.

`LSTMKernel` is the plain LSTM, fast; `StepKernel` runs any cell of `lstm_lesson.variants`. Tests
hold both equal to a loop over `lstm_lesson.cells`. What makes `LSTMKernel` fast:

- One tanh serves all four gates, because ``sigmoid(z) = (1 + tanh(z / 2)) / 2``: the halves go
  into the weights before the loop.
- A step's gates and the cell it starts from lie in one block, in slots ``o, i, f, g, c_prev``. So
  the sigmoids are neighbours, and ``[i, f] * [g, c_prev]`` is one product, whose halves add up to
  the new cell.
- Inside the loop the batch is the last axis, so that a matrix product fills the slots as they lie,
  and every other operation runs over contiguous memory.
- Backward, all local derivatives of a segment are taken at once; a step is then five calls.
- Input, hidden state and bias share one matrix product a step, or the input is projected in one a
  segment, whichever reads less memory; the weight gradients are summed in one a segment.
- Scratch memory is used again, for fresh memory costs more than what is computed in it.

Every array may have an axis S of replicas, independent networks of one size run side by side,
before its last two: x is (n, S, B, D), weights are (S, 4H, D), the bias is (S, 4H, 1).
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from itertools import repeat
from typing import NamedTuple

import numpy as np

from lstm_lesson.variants import GRUCell, LSTMCell, RNNCell

CACHE_BYTES = 2**21  # weights up to this size stay in a processor's cache from step to step


class LSTMRecord(NamedTuple):
    """What the forward pass knows about some consecutive steps."""

    h: np.ndarray  # hidden states, h[0] the one before the first step, (n + 1, B, H)
    slots: np.ndarray  # o, i, f, g of each step and c before it, (n + 1, 5, H, B)
    tanh_c: np.ndarray  # tanh of the cell state after each step, (n, H, B)

    def part(self, start: int, stop: int) -> LSTMRecord:
        """Return the record of some of the steps, in the same memory."""
        h, slots, tanh_c = self
        return LSTMRecord(h[start : stop + 1], slots[start : stop + 1], tanh_c[start:stop])

    def output(self) -> np.ndarray:
        """Return the hidden state after each step, (n, B, H)."""
        return self.h[1:]

    def state(self, t: int) -> tuple[np.ndarray, np.ndarray]:
        """Return ``(h, c)`` after `t` steps, (B, H) each."""
        return self.h[t], _T(self.slots[t, ..., 4, :, :])


class LSTMWeights(NamedTuple):
    """The parameters of an LSTM as its loop wants them."""

    packed: (
        np.ndarray
    )  # U, W and b side by side, gates o, i, f, g, sigmoids halved, (4H, H + D + 1)
    weight_ih: np.ndarray  # as it is, (4H, D)


class LSTMKernel:
    """The plain LSTM: sigmoid gates, tanh, a bias, nothing else."""

    def pack(self, params):
        """Copy the parameters as the loop wants them: `LSTMWeights`."""
        parts = [params[name] for name in ("weight_hh", "weight_ih", "bias")]
        *lead, rows, H = parts[0].shape
        packed = np.empty((*lead, rows, sum(p.shape[-1] for p in parts)), parts[0].dtype)
        o, i_f, g = packed[..., :H, :], packed[..., H : 3 * H, :], packed[..., 3 * H :, :]
        np.concatenate([p[..., 3 * H :, :] for p in parts], axis=-1, out=o)
        np.concatenate([p[..., : 2 * H, :] for p in parts], axis=-1, out=i_f)
        np.concatenate([p[..., 2 * H : 3 * H, :] for p in parts], axis=-1, out=g)
        packed[..., : 3 * H, :] *= 0.5
        if packed.nbytes <= CACHE_BYTES:
            # Column by column in memory: products with few columns are faster so.
            packed = _T(np.ascontiguousarray(_T(packed)))
        return LSTMWeights(packed, params["weight_ih"].copy())

    def unpack(self, grads):
        """Return the gradients, which are those of the parameters as they were given."""
        return grads

    def record(self, n, state, keep=True) -> LSTMRecord:
        """Return room for `n` steps that start from `state`.

        Without `keep` every step writes its gates over those of the step before: enough for the
        output and the last state, and not for `backward`.
        """
        h, c = state
        *lead, B, H = h.shape
        kept = n if keep else 0
        shapes = [(n + 1, *lead, B, H), (kept + 1, *lead, 5, H, B), (max(kept, 1), *lead, H, B)]
        # One block: the larger a piece, the cheaper the system hands it out.
        ends = np.cumsum([math.prod(shape) for shape in shapes])
        parts = np.split(np.empty(ends[-1], h.dtype), ends[:-1])
        record = LSTMRecord(*(p.reshape(shape) for p, shape in zip(parts, shapes, strict=True)))
        if not keep:  # a step of no bytes through time
            h_rows, *once = record
            record = LSTMRecord(
                h_rows, *(_still(a[0], m) for a, m in zip(once, (n + 1, n), strict=True))
            )
        record.h[0], record.slots[0, ..., 4, :, :] = h, _T(c)
        return record

    def forward(self, x, record, weights) -> None:
        """Run the steps of one segment, x (n, B, D), and write them into `record`."""
        h_rows, slots, tanh_c = record
        n, *lead, B, D = x.shape
        H = tanh_c.shape[-2]
        packed, from_x = weights.packed, repeat(None)
        if fits := packed.nbytes <= CACHE_BYTES:
            # What a step reads, h_prev, x and 1, in one column: one product for everything.
            columns = _scratch("columns", (n + 1, *lead, H + D + 1, B), x.dtype)
            columns[:-1, ..., H:-1, :], columns[..., -1, :] = _T(x), 1
        else:
            # Weights too large to stay in the cache are read once a segment where that is enough.
            columns = _scratch("columns", (n + 1, *lead, H, B), x.dtype)
            packed, weight_ih, bias = np.split(packed, [H, H + D], axis=-1)
            projected = _scratch("projected", (*lead, 4 * H, n * B), x.dtype)
            np.matmul(weight_ih, _T(_by_replica(x)), out=projected)
            projected += bias
            from_x = np.moveaxis(projected.reshape(*lead, 4 * H, n, B), -2, 0)  # (n, 4H, B)
        columns[0, ..., :H, :] = _T(h_rows[0])
        # All four pre-activations in one matrix, in the memory of their slots.
        shape = (n, *lead, 4 * H, B)
        z_slots = np.lib.stride_tricks.as_strided(
            slots, shape, slots.strides[: len(lead) + 1] + slots.strides[-2:]
        )
        products = np.empty((*lead, 2, H, B), x.dtype)
        added, kept = products[..., 0, :, :], products[..., 1, :, :]
        half = np.array(0.5, x.dtype)
        # Locals, and the result as last argument: a call of a small net costs less than its name.
        multiply, add, tanh = np.multiply, np.add, np.tanh
        product = _product(packed)
        steps = zip(
            columns,
            z_slots,
            slots[:-1, ..., :3, :, :],  # o, i, f
            slots[:-1, ..., 1:3, :, :],  # i, f
            slots[:-1, ..., 3:, :, :],  # g, c_prev
            slots[:-1, ..., 0, :, :],  # o
            slots[1:, ..., 4, :, :],  # c
            tanh_c,
            columns[1:, ..., :H, :],
            from_x,
            strict=False,  # nothing reads the last column
        )
        for column, z, sigmoids, i_f, g_c_prev, o, c, tanh_c_t, h_t, from_x_t in steps:
            product(packed, column, z)
            if not fits:
                add(z, from_x_t, z)
            tanh(z, z)
            multiply(sigmoids, half, sigmoids)
            add(sigmoids, half, sigmoids)
            multiply(i_f, g_c_prev, products)
            add(added, kept, c)  # c = i * g + f * c_prev
            tanh(c, tanh_c_t)
            multiply(o, tanh_c_t, h_t)
        h_rows[1:] = _T(columns[1:, ..., :H, :])

    def backward(self, d_output, d_state, record, x, weights, ends):
        """Carry gradients back through a segment.

        `ends` maps a step to a tuple of gradients that arrive at the state after it. Returns the
        gradient of `x`, of the state before the segment, and of the packed parameters.
        """
        h, slots, tanh_c = record
        n, *lead, H, B = tanh_c.shape
        # Six slots a step: the way from h into c, o, i, f, g, c_prev. The first two are multiplied
        # with d_h, the last four with d_c.
        local = _scratch("local", (n, *lead, 6, H, B), x.dtype)
        d_slots = _scratch("d_slots", (n + 1, *lead, 6, H, B), x.dtype)
        slots, by_slot = np.moveaxis(slots[:n], -3, 0), np.moveaxis(local, -3, 0)
        sigmoids, g = slots[:3], slots[3]
        into_c, d_sigmoids, d_g, d_c_prev = by_slot[0], by_slot[1:4], by_slot[4], by_slot[5]
        # The sigmoid's derivative at the halved pre-activation is 2 s (1 - s).
        np.subtract(1, sigmoids, out=d_sigmoids)
        d_sigmoids *= sigmoids
        d_sigmoids *= 2
        d_sigmoids[0] *= tanh_c
        d_sigmoids[1:] *= slots[3:]
        np.multiply(g, g, out=d_g)
        np.subtract(1, d_g, out=d_g)
        d_g *= slots[1]
        d_c_prev[:] = slots[2]
        np.multiply(tanh_c, tanh_c, out=into_c)
        np.subtract(1, into_c, out=into_c)
        into_c *= slots[0]

        d_output_T = _scratch("d_output", tanh_c.shape, x.dtype)
        d_output_T[:] = _T(d_output)
        d_h = _T(d_state[0]).copy()
        d_c = np.empty_like(d_h)
        d_slots[n, ..., 5, :, :] = _T(d_state[1])
        # The same memory in other shapes: (1, H, B), and the pre-activations' part, (n, 4H, B).
        d_h_slot, d_c_slot = d_h[..., None, :, :], d_c[..., None, :, :]
        d_z = d_slots.reshape(n + 1, *lead, 6 * H, B)[:-1, ..., H : 5 * H, :]
        weight_hh = _T(weights.packed[..., :H])
        multiply, add = np.multiply, np.add
        product = _product(weight_hh)
        steps = zip(
            reversed(range(n)),
            d_output_T[::-1],
            local[::-1, ..., :2, :, :],
            local[::-1, ..., 2:, :, :],
            d_slots[-2::-1, ..., :2, :, :],
            d_slots[-2::-1, ..., 2:, :, :],
            d_slots[-2::-1, ..., 0, :, :],
            d_slots[::-1, ..., 5, :, :],
            d_z[::-1],
            strict=False,  # the first step's d_c_prev leaves the segment
        )
        for t, d_output_t, local_h, local_c, d_by_h, d_by_c, from_h, d_c_next, d_z_t in steps:
            if t in ends:
                d_h += _T(ends[t][0])
                d_c_next += _T(ends[t][1])
            add(d_h, d_output_t, d_h)
            multiply(local_h, d_h_slot, d_by_h)
            add(d_c_next, from_h, d_c)
            multiply(local_c, d_c_slot, d_by_c)
            product(weight_hh, d_z_t, d_h)

        # As the parameters have them: in their order, and the sigmoids' halved.
        d_z = np.moveaxis(d_z, 0, -2)  # (4H, n, B)
        flat = _scratch("d_z", d_z.shape, x.dtype)
        np.multiply(d_z[..., H : 3 * H, :, :], 0.5, out=flat[..., : 2 * H, :, :])
        flat[..., 2 * H : 3 * H, :, :] = d_z[..., 3 * H :, :, :]
        np.multiply(d_z[..., :H, :, :], 0.5, out=flat[..., 3 * H :, :, :])
        flat = flat.reshape(*lead, 4 * H, n * B)
        d_x = (_T(flat) @ weights.weight_ih).reshape(*lead, n, B, -1)
        d_weights = {
            "weight_ih": flat @ _by_replica(x),
            "weight_hh": flat @ _by_replica(h[:-1]),
            "bias": flat @ np.ones((n * B, 1), x.dtype),
        }
        d_c = d_slots[0, ..., 5, :, :].copy()
        return np.moveaxis(d_x, -3, 0), (_T(d_h), _T(d_c)), d_weights


class StepRecord(NamedTuple):
    """What the forward pass knows about some consecutive steps."""

    states: np.ndarray  # of objects: before the first step and after each, tuples of (B, H)
    caches: np.ndarray  # of objects: the cell's cache of each step

    def part(self, start: int, stop: int) -> StepRecord:
        """Return the record of some of the steps, in the same memory."""
        return StepRecord(self.states[start : stop + 1], self.caches[start:stop])

    def output(self) -> np.ndarray:
        """Return the hidden state after each step, (n, B, H)."""
        return np.stack([state[0] for state in self.states[1:]])

    def state(self, t: int) -> tuple[np.ndarray, ...]:
        """Return the state after `t` steps, (B, H) each."""
        return self.states[t]


@dataclass(frozen=True)
class StepKernel:
    """A cell, with its products and its loop over time: for every cell but the plain LSTM."""

    cell: RNNCell | GRUCell | LSTMCell

    def pack(self, params):
        """Copy the parameters, so that later changes don't reach the backward pass."""
        return {k: (_T(p) if k in _VECTORS else p).copy() for k, p in params.items()}

    def unpack(self, grads):
        """Bring gradients into the shapes that `pack` was given."""
        return {k: _T(g) if k in _VECTORS else g for k, g in grads.items()}

    def record(self, n, state, keep=True) -> StepRecord:
        """Return room for `n` steps that start from `state`; kept or not, it takes the same."""
        record = StepRecord(np.empty(n + 1, object), np.empty(n, object))
        record.states[0] = state
        return record

    def forward(self, x, record, params) -> None:
        """Run the steps of one segment, x (n, B, D), and write them into `record`."""
        z_x = x @ _T(params["weight_ih"])  # (n, B, gates * H)
        if "bias" in params:
            z_x += params["bias"]
        weight_hh = _T(params["weight_hh"])
        state = record.states[0]
        for t, z_x_t in enumerate(z_x):
            state, cache = self.cell.forward(z_x_t, state[0] @ weight_hh, state, params)
            record.states[t + 1], record.caches[t] = state, cache

    def backward(self, d_output, d_state, record, x, params, ends):
        """Carry gradients back through a segment; see `LSTMKernel.backward`."""
        n, *lead, B, _ = x.shape
        grads = {name: np.zeros_like(p) for name, p in params.items()}
        d_z_x = np.empty(
            (*x.shape[:-1], params["weight_ih"].shape[-2]), x.dtype
        )  # (n, B, gates * H)
        d_z_h = np.empty_like(d_z_x)
        for t in reversed(range(n)):
            if t in ends:
                d_state = tuple(d + end for d, end in zip(d_state, ends[t], strict=True))
            d_state = (d_state[0] + d_output[t], *d_state[1:])
            d_z_x[t], d_z_h[t], d_direct, extras = self.cell.backward(
                d_state, record.caches[t], params
            )
            d_state = (d_direct[0] + d_z_h[t] @ params["weight_hh"], *d_direct[1:])
            for name, grad in extras.items():
                grads[name] += grad
        h_prev = np.stack([state[0] for state in record.states[:-1]])
        by_x, by_h = _by_replica(d_z_x), _by_replica(d_z_h)
        grads["weight_ih"] = _T(by_x) @ _by_replica(x)
        grads["weight_hh"] = _T(by_h) @ _by_replica(h_prev)
        if "bias" in params:
            grads["bias"] = by_x.sum(axis=-2, keepdims=True)
        d_x = (by_x @ params["weight_ih"]).reshape(*lead, n, B, -1)
        return np.moveaxis(d_x, -3, 0), d_state, grads


# Parameters that come as columns, (K, 1), and meet arrays of (B, K) as rows.
_VECTORS = ("bias", "bias_hn", "peephole")


def _T(a: np.ndarray) -> np.ndarray:
    """Swap the last two axes."""
    return a.swapaxes(-1, -2)


def _still(a: np.ndarray, n: int) -> np.ndarray:
    """Return `a` as if `n` of it lay one after the other, all in the same memory."""
    return np.lib.stride_tricks.as_strided(a, (n, *a.shape), (0, *a.strides))


def _product(weight: np.ndarray):
    """Return the quicker matrix product: `np.dot`, unless it would copy the weight each time."""
    in_one_piece = weight.ndim == 2 and (weight.flags.c_contiguous or weight.flags.f_contiguous)
    return np.dot if in_one_piece else np.matmul


def _scratch(name: str, shape: tuple[int, ...], dtype) -> np.ndarray:
    """Return an array to work in, whose contents last until the next call for this name."""
    size = math.prod(shape)
    held = vars(_held).setdefault((name, dtype), np.empty(0, dtype))
    if held.size < size:
        held = vars(_held)[name, dtype] = np.empty(size, dtype)
    return held[:size].reshape(shape)


_held = threading.local()  # each thread works in its own


def _by_replica(x: np.ndarray) -> np.ndarray:
    """Turn (n, B, K) into (n * B, K), and (n, S, B, K) into (S, n * B, K)."""
    return np.moveaxis(x, 0, -3).reshape(*x.shape[1:-2], -1, x.shape[-1])
