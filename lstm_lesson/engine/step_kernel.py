"""Any cell of `variants` over a segment of time: what `sequence` drives.

A cell knows one step; here are its matrix products and the loop. As `lstm_kernel`, it
takes an axis S of replicas before the last two of every array.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lstm_lesson.engine.matrices import all_rows, multiply_rows, turned
from lstm_lesson.engine.variants import GRUCell, LSTMCell, RNNCell


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
        return {k: (turned(p) if k in _VECTORS else p).copy() for k, p in params.items()}

    def unpack(self, grads):
        """Bring gradients into the shapes that `pack` was given."""
        return {k: turned(g) if k in _VECTORS else g for k, g in grads.items()}

    def record(self, n, state, input_size, keep=True) -> StepRecord:
        """Return room for `n` steps that start from `state`; kept or not, it takes the same."""
        record = StepRecord(np.empty(n + 1, object), np.empty(n, object))
        record.states[0] = state
        return record

    def forward(self, x, record, params) -> None:
        """Run the steps of one segment, x (n, B, D), and write them into `record`."""
        z_x = x @ turned(params["weight_ih"])  # (n, B, gates * H)
        if "bias" in params:
            z_x += params["bias"]
        weight_hh = turned(params["weight_hh"])
        state = record.states[0]
        for t, z_x_t in enumerate(z_x):
            state, cache = self.cell.forward(z_x_t, state[0] @ weight_hh, state, params)
            record.states[t + 1], record.caches[t] = state, cache

    def backward(self, d_output, d_state, record, x, params, ends, d_x):
        """Carry gradients back through a segment; see `lstm_lesson.engine.lstm_kernel`."""
        n = len(x)
        grads = {name: np.zeros_like(p) for name, p in params.items()}
        gates = params["weight_ih"].shape[-2]
        d_z_x = np.empty((*x.shape[:-1], gates), x.dtype)  # (n, B, gates * H)
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
        by_x, by_h = all_rows(d_z_x), all_rows(d_z_h)
        grads["weight_ih"] = turned(by_x) @ all_rows(x)
        grads["weight_hh"] = turned(by_h) @ all_rows(h_prev)
        if "bias" in params:
            grads["bias"] = by_x.sum(axis=-2, keepdims=True)
        multiply_rows(by_x, params["weight_ih"], d_x)
        return d_state, grads


# Parameters that come as columns, (K, 1), and meet arrays of (B, K) as rows.
_VECTORS = ("bias", "bias_hn", "peephole")
