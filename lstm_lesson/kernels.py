"""Cells looped over a segment of time, with their matrix products: what `sequence` drives.

`LSTMKernel` is the plain LSTM, fast; `StepKernel` runs any cell of `lstm_lesson.variants`. Tests
hold both equal to a loop over `lstm_lesson.cells`. What makes `LSTMKernel` fast:

- One tanh serves all four gates, because ``sigmoid(z) = (1 + tanh(z / 2)) / 2``: the halves go
  into the weights before the loop (`_pack`).
- A step's gates lie in one block, in slots ordered ``o, i, f, g, c_prev``. So the three sigmoids
  are neighbours, and ``[i, f] * [g, c_prev]`` is one product whose halves add up to the new cell.
- Backward, all local derivatives of a segment are taken at once; a step is then five calls.
- The input is projected, and the weight gradients are summed, in one matrix product a segment.

Every array has an axis S of replicas before its batch: x is (n, S, B, D), weights are (S, 4H, D).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lstm_lesson.variants import GRUCell, LSTMCell, RNNCell


class LSTMSegment(NamedTuple):
    """What the forward pass knows about some consecutive steps."""

    h: np.ndarray  # hidden states, h[0] the one before the first step, (n + 1, S, B, H)
    slots: np.ndarray  # o, i, f, g of each step and c before it, (n + 1, 5, S, B, H)
    tanh_c: np.ndarray  # tanh of the cell state after each step, (n, S, B, H)

    def output(self) -> np.ndarray:
        """Return the hidden state after each step, (n, S, B, H)."""
        return self.h[1:]

    def state(self, t: int) -> tuple[np.ndarray, np.ndarray]:
        """Return ``(h, c)`` after `t` steps, (S, B, H) each."""
        return self.h[t], self.slots[t, 4]


class LSTMKernel:
    """The plain LSTM: sigmoid gates, tanh, a bias, nothing else."""

    def pack(self, params):
        """Order gates as the slots have them, and halve the sigmoids' weights."""
        return {name: _pack(p) for name, p in params.items()}

    def unpack(self, grads):
        """Return the gradients of the parameters from those of `pack` of them."""
        return {name: _unpack(grad) for name, grad in grads.items()}

    def forward(self, x, state, weights) -> LSTMSegment:
        """Run the steps of one segment, x (n, S, B, D), `weights` as `pack` leaves them."""
        weight_ih, weight_hh, bias = weights["weight_ih"], weights["weight_hh"], weights["bias"]
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

    def backward(self, d_output, d_state, segment, x, weights, ends, scratch):
        """Carry gradients back through a segment.

        `ends` maps a step to a tuple of gradients that arrive at the state after it; `scratch` is a
        dict that lives as long as the backward pass, for arrays to use again. Returns the gradient
        of `x`, of the state before the segment, and of the packed parameters.
        """
        h, slots, tanh_c = segment
        n, S, B, H = tanh_c.shape
        weight_hh = weights["weight_hh"]
        # Six slots a step: the way from h into c, then o, i, f, g, c_prev. The first two are
        # multiplied with d_h, the other four with d_c.
        if len(scratch.get("local", ())) < n:
            scratch["local"] = np.empty((n, 6, S, B, H), x.dtype)
            scratch["d_slots"] = np.empty((n, S, B, 6, H), x.dtype)
        local, d_slots = scratch["local"][:n], scratch["d_slots"][:n]
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
        d_h, d_c = d_state[0].copy(), d_state[1].copy()
        for t in reversed(range(n)):
            if t in ends:
                d_h += ends[t][0]
                d_c += ends[t][1]
            np.add(d_h, d_output[t], out=d_h)
            np.multiply(local[t, :2], d_h, out=by_slot[t, :2])
            d_c = d_c + by_slot[t, 0]
            np.multiply(local[t, 2:], d_c, out=by_slot[t, 2:])
            d_c = by_slot[t, 5]
            np.matmul(d_z[t], weight_hh, out=d_h)

        d_z = _by_replica(d_z)  # (S, n * B, 4H)
        d_x = (d_z @ weights["weight_ih"]).reshape(S, n, B, -1).swapaxes(0, 1)
        d_z_T = d_z.swapaxes(1, 2)
        d_weights = {
            "weight_ih": d_z_T @ _by_replica(x),
            "weight_hh": d_z_T @ _by_replica(h[:-1]),
            "bias": d_z.sum(axis=1),
        }
        return d_x, (d_h, d_c.copy()), d_weights


class StepSegment(NamedTuple):
    """What the forward pass knows about some consecutive steps."""

    states: list[tuple[np.ndarray, ...]]  # before the first step and after each, (S, B, H) each
    caches: list  # the cell's cache of each step

    def output(self) -> np.ndarray:
        """Return the hidden state after each step, (n, S, B, H)."""
        return np.stack([state[0] for state in self.states[1:]])

    def state(self, t: int) -> tuple[np.ndarray, ...]:
        """Return the state after `t` steps, (S, B, H) each."""
        return self.states[t]


@dataclass(frozen=True)
class StepKernel:
    """A cell, with its products and its loop over time: for every cell but the plain LSTM."""

    cell: RNNCell | GRUCell | LSTMCell

    def pack(self, params):
        """Copy the parameters, so that later changes don't reach the backward pass."""
        # A vector of parameters, (S, K), meets arrays of (S, B, K).
        return {k: p[:, None].copy() if p.ndim == 2 else p.copy() for k, p in params.items()}

    def unpack(self, grads):
        """Bring gradients into the shapes that `pack` was given."""
        vectors = ("bias", "bias_hn", "peephole")
        return {k: g[:, 0] if k in vectors else g for k, g in grads.items()}

    def forward(self, x, state, params) -> StepSegment:
        """Run the steps of one segment, x (n, S, B, D)."""
        z_x = x @ params["weight_ih"].swapaxes(1, 2)  # (n, S, B, gates * H)
        if "bias" in params:
            z_x += params["bias"]
        weight_hh = params["weight_hh"].swapaxes(1, 2)
        segment = StepSegment([state], [])
        for z_x_t in z_x:
            state, cache = self.cell.forward(z_x_t, state[0] @ weight_hh, state, params)
            segment.states.append(state)
            segment.caches.append(cache)
        return segment

    def backward(self, d_output, d_state, segment, x, params, ends, scratch):
        """Carry gradients back through a segment; see `LSTMKernel.backward`."""
        n = len(x)
        d_x = np.empty_like(x)
        grads = {name: np.zeros_like(p) for name, p in params.items()}
        for t in reversed(range(n)):
            if t in ends:
                d_state = tuple(d + end for d, end in zip(d_state, ends[t], strict=True))
            d_state = (d_state[0] + d_output[t], *d_state[1:])
            d_z_x, d_z_h, d_state, extras = self.cell.backward(d_state, segment.caches[t], params)
            d_x[t] = d_z_x @ params["weight_ih"]
            d_h = d_state[0] + d_z_h @ params["weight_hh"]
            d_state = (d_h, *d_state[1:])
            extras["weight_ih"] = d_z_x.swapaxes(1, 2) @ x[t]
            extras["weight_hh"] = d_z_h.swapaxes(1, 2) @ segment.states[t][0]
            if "bias" in params:
                extras["bias"] = d_z_x.sum(axis=1, keepdims=True)
            for name, grad in extras.items():
                grads[name] += grad
        return d_x, d_state, grads


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
