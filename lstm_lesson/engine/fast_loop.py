"""The loop over time, compiled: what `lstm_lesson.engine.loop` runs where Numba is installed.

Products of matrices over all steps are NumPy's; what happens step by step is in `compiled_cells`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lstm_lesson.engine import compiled_cells as run
from lstm_lesson.engine import equations


class Weights(NamedTuple):
    """Parameters of a cell, gate by gate, as its loop wants them."""

    x: np.ndarray  # (gates, D + 1, H), the bias in the last row
    h: np.ndarray  # (gates, H, H), by the unit before and the unit after
    h_back: np.ndarray  # (gates, H, H), the other way round
    rest: dict[str, np.ndarray]  # what has no place in these


class Kept(NamedTuple):
    """What the forward pass knows about n steps."""

    z: np.ndarray  # the gates, (gates, n, B, H)
    h: np.ndarray  # hidden state before each step and after the last, (n + 1, B, H)
    c: np.ndarray  # cell state likewise; of a cell that has none, the hidden state


@dataclass(frozen=True)
class CompiledLoop:
    """The compiled loop of one cell; the same methods as `lstm_lesson.engine.loop.ArrayLoop`."""

    steps: object  # of `compiled_cells`, over time and back
    steps_back: object
    blocks: int  # of rows in a weight matrix
    gates: int  # with the two halves of a GRU's candidate apart
    by_h: tuple[int, ...] | None = None  # those that U goes into, if not all

    def pack(self, cell, params) -> Weights:
        """Return a copy of the parameters, gate by gate."""
        W, U = params["weight_ih"], params["weight_hh"]
        bias = params.get("bias", np.zeros_like(W[:, 0]))
        W = np.column_stack([W, bias]).reshape(self.blocks, U.shape[1], -1)
        U = U.reshape(self.blocks, U.shape[1], -1)
        rest = {name: p.copy() for name, p in params.items() if not name.startswith("weight")}
        return Weights(W.swapaxes(1, 2), np.ascontiguousarray(U.swapaxes(1, 2)), U.copy(), rest)

    def forward(self, weights, x, state, left):
        """Run the steps of x, (n, B, D + 1); return output, state and what is kept."""
        n, B, _ = x.shape
        H = weights.h.shape[-1]
        z = np.empty((self.gates, n, B, H), x.dtype)
        np.matmul(_rows(x), weights.x, out=z[: len(weights.x)].reshape(-1, n * B, H))
        z[len(weights.x) :] = weights.rest.get("bias_hn", 0)
        record = [np.empty((n + 1, B, H), x.dtype) for _ in state]
        for part, first in zip(record, state, strict=True):
            part[0] = first
        kept = Kept(z, record[0], record[-1])
        z_h = np.empty((len(weights.h), B, H), x.dtype)
        self.steps(z, weights.h, kept.h, kept.c, z_h, *_ends(left, n))
        return kept.h[1:], tuple(part[-1].copy() for part in record), kept

    def backward(self, weights, d_output, d_state, x, kept, left):
        """Return the gradients of x, of the state before, and of the parameters gate by gate."""
        z, h, c = kept
        _, n, B, H = z.shape
        d_state = tuple(d.copy() for d in d_state)
        d_z, product = np.empty_like(z), np.empty((B, H), x.dtype)
        self.steps_back(
            np.ascontiguousarray(d_output), d_state[0], d_state[-1], z, weights.h_back, h, c, d_z,
            product, *_ends(left, n),
        )  # fmt: skip
        d_z = d_z.reshape(self.gates, n * B, H)
        d_x = d_z[: len(weights.x)]
        d_h = d_z if self.by_h is None else d_z[list(self.by_h)]
        grads = {"x": d_x.swapaxes(1, 2) @ _rows(x), "h": d_h.swapaxes(1, 2) @ _rows(h[:-1])}
        if "bias_hn" in weights.rest:
            grads["bias_hn"] = d_h[-1].sum(axis=0)
        d_x = (d_x @ weights.x[:, :-1].swapaxes(1, 2)).sum(axis=0)
        return d_x.reshape(n, B, -1), d_state, grads

    def unpack(self, weights, grads):
        """Return the gradients of the parameters as `pack` was given them."""
        by_x, by_h = grads.pop("x"), grads.pop("h")
        by_x = by_x.reshape(-1, by_x.shape[-1])
        grads |= {"weight_ih": by_x[:, :-1].copy(), "weight_hh": by_h.reshape(len(by_x), -1)}
        if "bias" in weights.rest:
            grads["bias"] = by_x[:, -1].copy()
        return grads


def _rows(a):
    return a.reshape(-1, a.shape[-1])


def _ends(left, n):
    """Return how many steps each sequence has left, and how many all of them have."""
    return (np.empty(0, np.int64), n) if left is None else (left, int(left.min()))


# glibc gives memory back to the system, and takes it again page by page, once more is free than
# twice its largest block so far. One block that is never touched makes that 32 MB: a step of a
# small network takes half the time.
np.empty(2**24, np.uint8)

LOOPS = {  # of the cells that are compiled
    equations.LSTMCell(): CompiledLoop(run.lstm_forward, run.lstm_backward, 4, 4),
    equations.GRUCell(): CompiledLoop(run.gru_forward, run.gru_backward, 3, 4, (0, 1, 3)),
    equations.RNNCell(): CompiledLoop(run.rnn_forward, run.rnn_backward, 1, 1),
    equations.RNNCell("relu"): CompiledLoop(run.relu_rnn_forward, run.relu_rnn_backward, 1, 1),
}
