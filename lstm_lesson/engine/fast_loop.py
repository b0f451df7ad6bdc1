"""The loop over time, compiled: `lstm_lesson.engine.equations` over numbers, for the plain cells.

Arrays of gates have the gate first, (gates, n, B * H): what one gate does at one step lies in one
piece, for a product of matrices to write and for one loop over the units of all sequences to read.
Each loop is given in `z` what the input adds to the pre-activations, and writes the gates over it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lstm_lesson.engine import equations
from lstm_lesson.engine.compiled import compiled, inlined

lstm, lstm_back = inlined(equations.lstm), inlined(equations.lstm_back)
gru, gru_back = inlined(equations.gru), inlined(equations.gru_back)
rnn, rnn_back = inlined(equations.rnn), inlined(equations.rnn_back)


# ---- Units side by side. A loop runs on whole vectors only over views that were taken before. ----


@inlined
def lstm_units(z, z_h, c_prev, c, h):
    i, f, g, o = z
    h_i, h_f, h_g, h_o = z_h
    for k in range(len(h)):
        i[k], f[k], g[k], o[k], c[k], h[k] = lstm(
            i[k] + h_i[k], f[k] + h_f[k], g[k] + h_g[k], o[k] + h_o[k], c_prev[k]
        )


@inlined
def lstm_units_back(d_output, d_h, d_c, z, c_prev, c, d_z):
    i, f, g, o = z
    d_i, d_f, d_g, d_o = d_z
    for k in range(len(d_h)):
        d_i[k], d_f[k], d_g[k], d_o[k], d_c[k] = lstm_back(
            d_h[k] + d_output[k], d_c[k], i[k], f[k], g[k], o[k], c[k], c_prev[k]
        )
        d_h[k] = 0


@inlined
def gru_units(z, z_h, h_prev, h):
    r, u, n, h_n = z  # h_n holds the bias of the candidate's recurrent half
    h_r, h_u, h_h = z_h
    for k in range(len(h)):
        h_n[k] += h_h[k]
        r[k], u[k], n[k], h[k] = gru(r[k] + h_r[k], u[k] + h_u[k], n[k], h_n[k], h_prev[k])


@inlined
def gru_units_back(d_output, d_h, z, h_prev, d_z):
    r, u, n, h_n = z
    d_r, d_u, d_n, d_h_n = d_z
    for k in range(len(d_h)):
        d_r[k], d_u[k], d_n[k], d_h_n[k], d_h[k] = gru_back(
            d_h[k] + d_output[k], r[k], u[k], n[k], h_n[k], h_prev[k]
        )


@inlined
def rnn_units(z, z_h, h):
    for k in range(len(h)):
        h[k] = rnn(z[k] + z_h[k])


@inlined
def rnn_units_back(d_output, d_h, h, d_z):
    for k in range(len(d_h)):
        d_z[k] = rnn_back(d_h[k] + d_output[k], h[k])
        d_h[k] = 0


@inlined
def three(a, t, s):
    return a[0, t, s], a[1, t, s], a[2, t, s]


@inlined
def four(a, t, s):
    return a[0, t, s], a[1, t, s], a[2, t, s], a[3, t, s]


@inlined
def add_product(d_h, d_z, weight_hh, product):
    """Add the way through one gate's pre-activations to `d_h`, (B, H)."""
    np.dot(d_z, weight_hh, product)
    total, part = d_h.reshape(-1), product.reshape(-1)
    for k in range(len(total)):
        total[k] += part[k]


# ---- Over time. While all sequences go on, their units are one span; after that a span each. ----


@compiled
def lstm_forward(z, weight_hh, h, c, z_h, left, together):
    """Run n steps of B sequences, (4, n, B, H), from ``h[0]`` and ``c[0]``, (n + 1, B, H)."""
    _, n, B, H = z.shape
    z_flat, h_flat, c_flat = (
        z.reshape(4, n, B * H),
        h.reshape(n + 1, B * H),
        c.reshape(n + 1, B * H),
    )
    z_h_flat = z_h.reshape(4, 1, B * H)
    for t in range(n):
        for k in range(4):
            np.dot(h[t], weight_hh[k], z_h[k])
        spans = 1 if t < together else B
        for b in range(spans):
            s = slice(b * (B * H // spans), (b + 1) * (B * H // spans))
            if t < together or t < left[b]:
                lstm_units(
                    four(z_flat, t, s), four(z_h_flat, 0, s), c_flat[t, s], c_flat[t + 1, s],
                    h_flat[t + 1, s],
                )  # fmt: skip
            else:
                h_flat[t + 1, s], c_flat[t + 1, s] = h_flat[t, s], c_flat[t, s]


@compiled
def lstm_backward(d_output, d_h, d_c, z, weight_hh, h, c, d_z, product, left, together):
    """Take them back: write `d_z` and change `d_h`, `d_c`, (B, H), into those before the steps."""
    _, n, B, H = z.shape
    z_flat, d_flat, c_flat = z.reshape(4, n, B * H), d_z.reshape(4, n, B * H), c.reshape(-1, B * H)
    d_output, d_h_flat, d_c_flat = d_output.reshape(n, B * H), d_h.reshape(-1), d_c.reshape(-1)
    for t in range(n - 1, -1, -1):
        spans = 1 if t < together else B
        for b in range(spans):
            s = slice(b * (B * H // spans), (b + 1) * (B * H // spans))
            if t < together or t < left[b]:
                lstm_units_back(
                    d_output[t, s], d_h_flat[s], d_c_flat[s], four(z_flat, t, s), c_flat[t, s],
                    c_flat[t + 1, s], four(d_flat, t, s),
                )  # fmt: skip
            else:
                for k in range(4):
                    d_flat[k, t, s] = 0
        for k in range(4):
            add_product(d_h, d_z[k, t], weight_hh[k], product)


@compiled
def gru_forward(z, weight_hh, h, c, z_h, left, together):
    """Run n steps of B sequences, (4, n, B, H), from ``h[0]``; `c` is not used."""
    _, n, B, H = z.shape
    z_flat, h_flat, z_h_flat = (
        z.reshape(4, n, B * H), h.reshape(n + 1, B * H), z_h.reshape(4, 1, B * H)
    )  # fmt: skip
    for t in range(n):
        for k in range(3):
            np.dot(h[t], weight_hh[k], z_h[k])
        spans = 1 if t < together else B
        for b in range(spans):
            s = slice(b * (B * H // spans), (b + 1) * (B * H // spans))
            if t < together or t < left[b]:
                gru_units(four(z_flat, t, s), three(z_h_flat, 0, s), h_flat[t, s], h_flat[t + 1, s])
            else:
                h_flat[t + 1, s] = h_flat[t, s]


@compiled
def gru_backward(d_output, d_h, d_c, z, weight_hh, h, c, d_z, product, left, together):
    """Take them back; `d_z` has the candidate twice, by its input and by its recurrent half."""
    _, n, B, H = z.shape
    z_flat, d_flat, h_flat = z.reshape(4, n, B * H), d_z.reshape(4, n, B * H), h.reshape(-1, B * H)
    d_output, d_h_flat = d_output.reshape(n, B * H), d_h.reshape(-1)
    for t in range(n - 1, -1, -1):
        spans = 1 if t < together else B
        for b in range(spans):
            s = slice(b * (B * H // spans), (b + 1) * (B * H // spans))
            if t < together or t < left[b]:
                gru_units_back(
                    d_output[t, s], d_h_flat[s], four(z_flat, t, s), h_flat[t, s],
                    four(d_flat, t, s),
                )  # fmt: skip
            else:
                for k in range(4):
                    d_flat[k, t, s] = 0
        for k in range(3):
            add_product(d_h, d_z[k if k < 2 else 3, t], weight_hh[k], product)


@compiled
def rnn_forward(z, weight_hh, h, c, z_h, left, together):
    """Run n steps of B sequences, (1, n, B, H), from ``h[0]``; `c` is not used."""
    _, n, B, H = z.shape
    z_flat, h_flat, z_h_flat = z.reshape(n, B * H), h.reshape(n + 1, B * H), z_h.reshape(-1)
    for t in range(n):
        np.dot(h[t], weight_hh[0], z_h[0])
        spans = 1 if t < together else B
        for b in range(spans):
            s = slice(b * (B * H // spans), (b + 1) * (B * H // spans))
            if t < together or t < left[b]:
                rnn_units(z_flat[t, s], z_h_flat[s], h_flat[t + 1, s])
            else:
                h_flat[t + 1, s] = h_flat[t, s]


@compiled
def rnn_backward(d_output, d_h, d_c, z, weight_hh, h, c, d_z, product, left, together):
    """Take them back."""
    _, n, B, H = z.shape
    d_flat, h_flat = d_z.reshape(n, B * H), h.reshape(-1, B * H)
    d_output, d_h_flat = d_output.reshape(n, B * H), d_h.reshape(-1)
    for t in range(n - 1, -1, -1):
        spans = 1 if t < together else B
        for b in range(spans):
            s = slice(b * (B * H // spans), (b + 1) * (B * H // spans))
            if t < together or t < left[b]:
                rnn_units_back(d_output[t, s], d_h_flat[s], h_flat[t + 1, s], d_flat[t, s])
            else:
                d_flat[t, s] = 0
        add_product(d_h, d_z[0, t], weight_hh[0], product)


# ---- What `loop` calls ----


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

    gates: int  # blocks of rows in a weight matrix
    steps: object  # the two functions above
    steps_back: object
    states: int = 1  # parts of the state

    def pack(self, cell, params) -> Weights:
        """Return a copy of the parameters, gate by gate."""
        W, U = params["weight_ih"], params["weight_hh"]
        bias = params.get("bias", np.zeros_like(W[:, 0]))
        W = np.column_stack([W, bias]).reshape(self.gates, U.shape[1], -1)
        U = U.reshape(self.gates, U.shape[1], -1)
        rest = {name: p.copy() for name, p in params.items() if name in ("bias", "bias_hn")}
        return Weights(W.swapaxes(1, 2), np.ascontiguousarray(U.swapaxes(1, 2)), U.copy(), rest)

    def forward(self, weights, x, state, left):
        """Run the steps of x, (n, B, D + 1); return output, state and what is kept."""
        n, B, _ = x.shape
        gates, _, H = weights.x.shape
        z = np.empty((max(gates, 4) if gates == 3 else gates, n, B, H), x.dtype)
        for k in range(gates):
            np.dot(_rows(x), weights.x[k], out=_rows(z[k]))
        if gates == 3:
            z[3] = weights.rest.get("bias_hn", 0)
        record = [np.empty((n + 1, B, H), x.dtype) for _ in state]
        for part, first in zip(record, state, strict=True):
            part[0] = first
        kept = Kept(z, record[0], record[-1])
        self.steps(*kept[:1], weights.h, *kept[1:], np.empty_like(z[:, 0]), *_ends(left, n))
        return kept.h[1:], tuple(part[-1].copy() for part in record), kept

    def backward(self, weights, d_output, d_state, x, kept, left):
        """Return the gradients of x, of the state before, and of the parameters gate by gate."""
        z, h, c = kept
        _, n, B, H = z.shape
        d_state = tuple(np.ascontiguousarray(d).copy() for d in d_state)
        d_z = np.empty_like(z)
        self.steps_back(
            np.ascontiguousarray(d_output), d_state[0], d_state[-1], z, weights.h_back, h, c, d_z,
            np.empty((B, H), x.dtype), *_ends(left, n),
        )  # fmt: skip
        by_h = [d_z[k] for k in ((0, 1, 3) if self.gates == 3 else range(self.gates))]
        grads = {
            "x": np.stack([_rows(d_z[k]).T @ _rows(x) for k in range(self.gates)]),
            "h": np.stack([_rows(d).T @ _rows(h[:-1]) for d in by_h]),
        }
        if "bias_hn" in weights.rest:
            grads["bias_hn"] = _rows(d_z[3]).sum(axis=0)
        d_x = sum(_rows(d_z[k]) @ weights.x[k, :-1].T for k in range(self.gates))
        return d_x.reshape(n, B, -1), d_state, grads

    def unpack(self, weights, grads):
        """Return the gradients of the parameters as `pack` was given them."""
        by_input, by_hidden = (grads.pop(name) for name in "xh")
        by_input = by_input.reshape(-1, by_input.shape[-1])
        found = {
            "weight_ih": by_input[:, :-1].copy(),
            "weight_hh": by_hidden.reshape(len(by_input), -1),
        }
        if "bias" in weights.rest:
            found["bias"] = by_input[:, -1].copy()
        return found | grads


def _rows(a):
    return a.reshape(-1, a.shape[-1])


def _ends(left, n):
    """Return how many steps each sequence has left, and how many all of them have."""
    return (np.empty(0, np.int64), n) if left is None else (left, int(left.min()))


LOOPS = {  # of the cells that are compiled
    equations.LSTMCell(): CompiledLoop(4, lstm_forward, lstm_backward, states=2),
    equations.GRUCell(): CompiledLoop(3, gru_forward, gru_backward),
    equations.RNNCell(): CompiledLoop(1, rnn_forward, rnn_backward),
}
