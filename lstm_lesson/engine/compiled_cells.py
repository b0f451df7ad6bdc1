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
relu_rnn, relu_rnn_back = inlined(equations.relu_rnn), inlined(equations.relu_rnn_back)


# ---- Units side by side, at step t of the span s. Views are taken before a loop, or it would not
# run on whole vectors; they are of arrays (gates, n, B * H), (n, B * H) and (B * H,). ----


@inlined
def lstm_units(t, s, z, z_h, h, c):
    i, f, g, o = four(z, t, s)
    h_i, h_f, h_g, h_o = four(z_h, 0, s)
    h, c_prev, c = h[t + 1, s], c[t, s], c[t + 1, s]
    for k in range(len(h)):
        i[k], f[k], g[k], o[k], c[k], h[k] = lstm(
            i[k] + h_i[k], f[k] + h_f[k], g[k] + h_g[k], o[k] + h_o[k], c_prev[k]
        )


@inlined
def lstm_units_back(t, s, d_output, d_h, d_c, z, h, c, d_z):
    i, f, g, o = four(z, t, s)
    d_i, d_f, d_g, d_o = four(d_z, t, s)
    d_output, d_h, d_c, c_prev, c = d_output[t, s], d_h[s], d_c[s], c[t, s], c[t + 1, s]
    for k in range(len(d_h)):
        d_i[k], d_f[k], d_g[k], d_o[k], d_c[k] = lstm_back(
            d_h[k] + d_output[k], d_c[k], i[k], f[k], g[k], o[k], c[k], c_prev[k]
        )
        d_h[k] = 0


@inlined
def gru_units(t, s, z, z_h, h, c):
    r, u, n, h_n = four(z, t, s)  # h_n holds the bias of the candidate's recurrent half
    h_r, h_u, h_h = z_h[0, 0, s], z_h[1, 0, s], z_h[2, 0, s]
    h_prev, h = h[t, s], h[t + 1, s]
    for k in range(len(h)):
        h_n[k] += h_h[k]
        r[k], u[k], n[k], h[k] = gru(r[k] + h_r[k], u[k] + h_u[k], n[k], h_n[k], h_prev[k])


@inlined
def gru_units_back(t, s, d_output, d_h, d_c, z, h, c, d_z):
    r, u, n, h_n = four(z, t, s)
    d_r, d_u, d_n, d_h_n = four(d_z, t, s)
    d_output, d_h, h_prev = d_output[t, s], d_h[s], h[t, s]
    for k in range(len(d_h)):
        d_r[k], d_u[k], d_n[k], d_h_n[k], d_h[k] = gru_back(
            d_h[k] + d_output[k], r[k], u[k], n[k], h_n[k], h_prev[k]
        )


@inlined
def rnn_units(t, s, z, z_h, h, c):
    z, z_h, h = z[0, t, s], z_h[0, 0, s], h[t + 1, s]
    for k in range(len(h)):
        h[k] = rnn(z[k] + z_h[k])


@inlined
def rnn_units_back(t, s, d_output, d_h, d_c, z, h, c, d_z):
    d_output, d_h, h, d_z = d_output[t, s], d_h[s], h[t + 1, s], d_z[0, t, s]
    for k in range(len(d_h)):
        d_z[k] = rnn_back(d_h[k] + d_output[k], h[k])
        d_h[k] = 0


@inlined
def relu_rnn_units(t, s, z, z_h, h, c):
    z, z_h, h = z[0, t, s], z_h[0, 0, s], h[t + 1, s]
    for k in range(len(h)):
        h[k] = relu_rnn(z[k] + z_h[k])


@inlined
def relu_rnn_units_back(t, s, d_output, d_h, d_c, z, h, c, d_z):
    d_output, d_h, h, d_z = d_output[t, s], d_h[s], h[t + 1, s], d_z[0, t, s]
    for k in range(len(d_h)):
        d_z[k] = relu_rnn_back(d_h[k] + d_output[k], h[k])
        d_h[k] = 0


@inlined
def four(a, t, s):
    return a[0, t, s], a[1, t, s], a[2, t, s], a[3, t, s]


# ---- Over time. While all sequences go on, their units are one span; after that a span each. ----


@inlined
def forward(units, z, weight_hh, h, c, z_h, left, together):
    """Run n steps of B sequences, (gates, n, B, H), from ``h[0]`` and ``c[0]``, (n + 1, B, H)."""
    gates, n, B, H = z.shape
    z_flat, z_h_flat = z.reshape(gates, n, B * H), z_h.reshape(len(z_h), 1, B * H)
    h_flat, c_flat = h.reshape(n + 1, B * H), c.reshape(n + 1, B * H)
    for t in range(n):
        for k in range(len(weight_hh)):
            np.dot(h[t], weight_hh[k], z_h[k])
        spans = 1 if t < together else B
        for b in range(spans):
            s = slice(b * (B * H // spans), (b + 1) * (B * H // spans))
            if t < together or t < left[b]:
                units(t, s, z_flat, z_h_flat, h_flat, c_flat)
            else:
                h_flat[t + 1, s], c_flat[t + 1, s] = h_flat[t, s], c_flat[t, s]


@inlined
def backward(units, d_output, d_h, d_c, z, weight_hh, h, c, d_z, product, left, together):
    """Take them back: write `d_z` and change `d_h`, `d_c`, (B, H), into those before the steps.

    A GRU's `d_z` has the candidate twice, by its input and, as the last, by its recurrent half.
    """
    gates, n, B, H = z.shape
    z_flat, d_z_flat = z.reshape(gates, n, B * H), d_z.reshape(gates, n, B * H)
    h_flat, c_flat = h.reshape(n + 1, B * H), c.reshape(n + 1, B * H)
    d_output, d_h_flat, d_c_flat = d_output.reshape(n, B * H), d_h.reshape(-1), d_c.reshape(-1)
    product_flat = product.reshape(-1)
    for t in range(n - 1, -1, -1):
        spans = 1 if t < together else B
        for b in range(spans):
            s = slice(b * (B * H // spans), (b + 1) * (B * H // spans))
            if t < together or t < left[b]:
                units(t, s, d_output, d_h_flat, d_c_flat, z_flat, h_flat, c_flat, d_z_flat)
            else:
                d_z_flat[:, t, s] = 0
        for k in range(len(weight_hh)):
            np.dot(d_z[k if k < len(weight_hh) - 1 else gates - 1, t], weight_hh[k], product)
            for unit in range(B * H):
                d_h_flat[unit] += product_flat[unit]


# ---- Of each cell, for Numba keeps on disk what has a name. One that has no cell state gets its
# hidden state for `c`, and doesn't look at it. ----


@compiled
def lstm_forward(z, weight_hh, h, c, z_h, left, together):
    forward(lstm_units, z, weight_hh, h, c, z_h, left, together)


@compiled
def lstm_backward(d_output, d_h, d_c, z, weight_hh, h, c, d_z, product, left, together):
    backward(lstm_units_back, d_output, d_h, d_c, z, weight_hh, h, c, d_z, product, left, together)


@compiled
def gru_forward(z, weight_hh, h, c, z_h, left, together):
    forward(gru_units, z, weight_hh, h, c, z_h, left, together)


@compiled
def gru_backward(d_output, d_h, d_c, z, weight_hh, h, c, d_z, product, left, together):
    backward(gru_units_back, d_output, d_h, d_c, z, weight_hh, h, c, d_z, product, left, together)


@compiled
def rnn_forward(z, weight_hh, h, c, z_h, left, together):
    forward(rnn_units, z, weight_hh, h, c, z_h, left, together)


@compiled
def rnn_backward(d_output, d_h, d_c, z, weight_hh, h, c, d_z, product, left, together):
    backward(rnn_units_back, d_output, d_h, d_c, z, weight_hh, h, c, d_z, product, left, together)


@compiled
def relu_rnn_forward(z, weight_hh, h, c, z_h, left, together):
    forward(relu_rnn_units, z, weight_hh, h, c, z_h, left, together)


@compiled
def relu_rnn_backward(d_output, d_h, d_c, z, weight_hh, h, c, d_z, product, left, together):
    backward(
        relu_rnn_units_back, d_output, d_h, d_c, z, weight_hh, h, c, d_z, product, left, together
    )
