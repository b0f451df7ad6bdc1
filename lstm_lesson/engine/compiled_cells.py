"""The loop over time, compiled: `lstm_lesson.engine.equations` over numbers, for the plain cells.

Arrays of gates have the gate first, (gates, n, B * H): what one gate does at one step lies in one
piece, for a product of matrices to write and for one loop over the units of all sequences to read.
Each loop is given in `z` what the input adds to the pre-activations, and writes the gates over it.
"""

from __future__ import annotations

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
        z.reshape(4, n, B * H),
        h.reshape(-1, B * H),
        z_h.reshape(3, 1, B * H),
    )
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
