"""The plain LSTM over a segment of time, fast: what `lstm_lesson.engine.sequence` drives.

Tests hold it equal to a loop over `lstm_lesson.engine.cells`. What makes it fast:

- One tanh serves all four gates, because ``sigmoid(z) = (1 + tanh(z / 2)) / 2``: the halves go
  into the weights before the loop.
- What a step multiplies with its weights, ``h_prev, x, 1``, lies in one column: one product does
  for everything, and one a segment gives the gradients of all weights.
- A step's gates and the cell it starts from lie in one block, in slots ``o, i, f, g, c_prev``. So
  the sigmoids are neighbours, and ``[i, f] * [g, c_prev]`` is one product, whose halves add up to
  the new cell.
- The batch is the last axis, so that a matrix product fills the slots as they lie, and every other
  operation runs over contiguous memory. Replicas, independent networks of one size run side by
  side, only make the batch wider, but for the products.
- Backward, all local derivatives of a segment are taken at once; a step is then five calls.

Replicas are an axis S before the last two: x is (n, S, B, D), weights are (S, 4H, D), the bias is
(S, 4H, 1). Below, ``N`` stands for B, or for S, B.
"""

from __future__ import annotations

import math
from itertools import repeat
from typing import NamedTuple

import numpy as np

from lstm_lesson.engine.matrices import (
    aligned,
    all_columns,
    all_rows,
    by_step,
    multiply_rows,
    scratch,
    step_product,
    to_columns,
    to_rows,
    turned,
)

CACHE_BYTES = 2**21  # weights up to this size stay in a processor's cache from step to step
# NumPy works on parts of an array, such as some slots of all steps, through a buffer, into which
# it copies as many parts as go in. Too small a buffer for two is as good as none, and quicker.
BUFFER_SIZE = 256


class LSTMRecord(NamedTuple):
    """What the forward pass knows about some consecutive steps."""

    columns: np.ndarray  # hidden state before each step, its input, and 1, (n + 1, H + D + 1, N)
    slots: np.ndarray  # o, i, f, g of each step and c before it, (n + 1, 5, H, N)
    tanh_c: np.ndarray  # tanh of the cell state after each step, (n, H, N)

    def part(self, start: int, stop: int) -> LSTMRecord:
        """Return the record of some of the steps, in the same memory."""
        columns, slots, tanh_c = self
        return LSTMRecord(columns[start : stop + 1], slots[start : stop + 1], tanh_c[start:stop])

    def output(self) -> np.ndarray:
        """Return the hidden state after each step, (n, N, H)."""
        return to_rows(self.columns[1:, : self.tanh_c.shape[1]])

    def state(self, t: int) -> tuple[np.ndarray, np.ndarray]:
        """Return ``(h, c)`` after `t` steps, (N, H) each."""
        h, c = self.columns[t, : self.tanh_c.shape[1]], self.slots[t, 4]
        return to_rows(h[None])[0], to_rows(c[None])[0]


class LSTMWeights(NamedTuple):
    """U, W and b side by side, gates in the order o, i, f, g, the sigmoids' halved."""

    rows: np.ndarray  # (4H, H + D + 1)
    columns: np.ndarray  # the same, column by column in memory; `rows` if the cache can't hold them


class LSTMKernel:
    """The plain LSTM: sigmoid gates, tanh, a bias, nothing else."""

    def pack(self, params):
        """Copy the parameters as the loop wants them: `LSTMWeights`."""
        parts = [params[name] for name in ("weight_hh", "weight_ih", "bias")]
        *lead, gates, H = parts[0].shape
        K, dtype = sum(p.shape[-1] for p in parts), parts[0].dtype
        fits = math.prod(lead) * gates * K * dtype.itemsize <= CACHE_BYTES
        shapes = [(*lead, gates, K), (*lead, K, gates)]
        rows, *columns = aligned(shapes if fits else shapes[:1], dtype)
        np.concatenate([p[..., 3 * H :, :] for p in parts], axis=-1, out=rows[..., :H, :])
        np.concatenate([p[..., : 3 * H, :] for p in parts], axis=-1, out=rows[..., H:, :])
        rows[..., : 3 * H, :] *= 0.5
        for copy in columns:
            copy[...] = turned(rows)
        return LSTMWeights(rows, turned(copy) if fits else rows)

    def unpack(self, grads):
        """Return the gradients of the parameters as `pack` was given them."""
        (packed,) = grads.values()
        H = packed.shape[-2] // 4
        packed[..., : 3 * H, :] *= 0.5
        o, i_f_g = packed[..., :H, :], packed[..., H:, :]
        columns = {"weight_ih": slice(H, -1), "weight_hh": slice(H), "bias": slice(-1, None)}
        return {
            name: np.concatenate([i_f_g[..., these], o[..., these]], axis=-2)
            for name, these in columns.items()
        }

    def record(self, n, state, input_size, keep=True) -> LSTMRecord:
        """Return room for `n` steps that start from `state`.

        Without `keep` every step writes its gates over those of the step before: enough for the
        output and the last state, and not for `backward`.
        """
        *N, H = state[0].shape
        kept = n if keep else 0
        shapes = [(n + 1, H + input_size + 1, *N), (kept + 1, 5, H, *N), (max(kept, 1), H, *N)]
        columns, slots, tanh_c = aligned(shapes, state[0].dtype)
        if not keep:  # a step of no bytes through time
            slots, tanh_c = _still(slots[0], n + 1), _still(tanh_c[0], n)
        columns[:1, :H], slots[:1, 4] = (to_columns(part[None]) for part in state)
        return LSTMRecord(columns, slots, tanh_c)

    @np.errstate()  # gives the buffer its size back
    def forward(self, x, record, weights) -> None:
        """Run the steps of one segment, x (n, N, D), and write them into `record`."""
        np.setbufsize(BUFFER_SIZE)
        columns, slots, tanh_c = record
        n, H, *N = tanh_c.shape
        columns[:-1, H:-1], columns[:-1, -1] = to_columns(x), 1
        z_slots = slots[:-1, :4].reshape(n, 4 * H, *N)  # in the memory of the slots
        from_x = repeat(None)
        if fits := weights.columns is not weights.rows:
            how = step_product(weights.rows, columns[:-1], z_slots, weights.columns)
        else:
            # Weights too large to stay in the cache are read once a segment where that is enough.
            inputs = all_columns("columns", columns[:-1, H:])  # (D + 1, n * B)
            projected = scratch("projected", (*N[:-1], 4 * H, inputs.shape[-1]), x.dtype)
            np.matmul(weights.rows[..., H:], inputs, out=projected)
            from_x = by_step(projected, n)
            how = step_product(weights.rows[..., :H], columns[:-1, :H], z_slots)
        product, weight, read, z_of_product = how
        products = scratch("products", (2, H, *N), x.dtype)
        added, kept = products
        half = np.array(0.5, x.dtype)
        # Locals, and the result as last argument: a call of a small net costs less than its name.
        multiply, add, tanh = np.multiply, np.add, np.tanh
        steps = zip(
            read,
            z_of_product,
            z_slots,
            slots[:-1, :3],  # o, i, f
            slots[:-1, 1:3],  # i, f
            slots[:-1, 3:],  # g, c_prev
            slots[:-1, 0],  # o
            slots[1:, 4],  # c
            tanh_c,
            columns[1:, :H],
            from_x,
            strict=False,  # what repeats has no end
        )
        for column, z_out, z, sigmoids, i_f, g_c_prev, o, c, tanh_c_t, h_t, from_x_t in steps:
            product(weight, column, z_out)
            if not fits:
                add(z, from_x_t, z)
            tanh(z, z)
            multiply(sigmoids, half, sigmoids)
            add(sigmoids, half, sigmoids)
            multiply(i_f, g_c_prev, products)
            add(added, kept, c)  # c = i * g + f * c_prev
            tanh(c, tanh_c_t)
            multiply(o, tanh_c_t, h_t)

    @np.errstate()
    def backward(self, d_output, d_state, record, x, weights, ends, d_x):
        """Carry gradients back through a segment, and write that of `x` into `d_x`.

        `ends` maps a step to a tuple of gradients that arrive at the state after it. Returns the
        gradients of the state before the segment, and of the packed parameters.
        """
        np.setbufsize(BUFFER_SIZE)
        columns, slots, tanh_c = record
        n, H, *N = tanh_c.shape
        # Six slots a step: the way from h into c, o, i, f, g, c_prev. First the local derivatives;
        # then, step by step, times d_h the first two, and times d_c the others.
        local = scratch("local", (n + 1, 6, H, *N), x.dtype)
        o, i, f, g = slots[:n, :4].swapaxes(0, 1)
        into_c, d_o = local[:n, :2].swapaxes(0, 1)
        d_g, d_c_prev = local[:n, 4:].swapaxes(0, 1)
        h = columns[1:, :H]
        # The sigmoid's derivative at the halved pre-activation is 2 s (1 - s).
        d_sigmoids, d_i_f = local[:n, 1:4], local[:n, 2:4]
        np.subtract(1, slots[:n, :3], out=d_sigmoids)
        d_sigmoids *= 2
        d_o *= h  # o * tanh(c)
        d_i_f *= slots[:n, 1:3]
        d_i_f *= slots[:n, 3:]
        np.multiply(g, g, out=d_g)
        np.subtract(1, d_g, out=d_g)
        d_g *= i
        d_c_prev[:] = f
        np.multiply(h, tanh_c, out=into_c)
        np.subtract(o, into_c, out=into_c)

        d_output_T = scratch("d_output", tanh_c.shape, x.dtype)
        d_output_T[:] = to_columns(d_output)
        d_h = to_columns(d_state[0][None]).copy()
        d_c = np.empty_like(d_h[0])
        local[n:, 5] = to_columns(d_state[1][None])
        d_z = local[:n, 1:5].reshape(n, 4 * H, *N)
        weight_hh = turned(weights.columns[..., :H])
        product, weight_hh, d_z_read, d_h_out = step_product(weight_hh, d_z, d_h)
        (d_h,), (d_h_out,) = d_h, d_h_out
        multiply, add = np.multiply, np.add
        steps = zip(
            reversed(range(n)),
            d_output_T[::-1],
            local[-2::-1, :2],
            local[-2::-1, 2:],
            local[-2::-1, 0],
            local[::-1, 5],
            d_z_read[::-1],
            strict=False,  # the first step's d_c_prev leaves the segment
        )
        for t, d_output_t, by_h, by_c, from_h, d_c_next, d_z_t in steps:
            if t in ends:
                d_h += to_columns(ends[t][0][None])[0]
                d_c_next += to_columns(ends[t][1][None])[0]
            add(d_h, d_output_t, d_h)
            multiply(by_h, d_h, by_h)
            add(d_c_next, from_h, d_c)
            multiply(by_c, d_c, by_c)
            product(weight_hh, d_z_t, d_h_out)

        flat = all_columns("d_z", d_z)  # (4H, n * B)
        d_packed = flat @ all_rows(to_rows(columns[:-1]))
        multiply_rows(turned(flat), weights.rows[..., H:-1], d_x)
        d_first = tuple(to_rows(d[None])[0].copy() for d in (d_h, local[0, 5]))
        return d_first, {"packed": d_packed}


def _still(a: np.ndarray, n: int) -> np.ndarray:
    """Return `a` as if `n` of it lay one after the other, all in the same memory."""
    return np.lib.stride_tricks.as_strided(a, (n, *a.shape), (0, *a.strides))
