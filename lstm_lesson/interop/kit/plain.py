"""Recurrent layers once more, forward and backward, plainly: to be read, and to be broken.

Every option of the kit is here, a gate at a time. Each mistake of `interop.kit.mistakes` replaces
lines of this file. Of the engine it uses the activations alone.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from lstm_lesson.engine.activations import ACTIVATIONS

ORDER = {"LSTM": "ifgo", "GRU": "rzn", "RNN": "h"}


def solve(case, a):
    """Return output, final states and every gradient of a case, by the names of the kit.

    `case` is a `Case`, `a` the dict of arrays that a port is given. Pre-activations, gates and
    states at each step come along, as in `oracle.solve`.
    """
    x = time_first(case, a["x"])  # (T, B, D)
    T, B, _ = x.shape
    lengths = np.array(case.lengths or [T] * B)
    W = len(case.ways)
    S = case.layers * W
    h_0 = a.get("h_0", np.zeros((S, B, case.P or case.H)))
    c_0 = a.get("c_0", np.zeros((S, B, case.H)))
    found, tapes, h_n, c_n = {}, {}, np.zeros_like(h_0), np.zeros_like(c_0)
    for layer in range(case.layers):
        halves = []
        for way in range(W):
            n = layer * W + way
            p = parameters(case, a, case.suffixes[n])
            ordered = turn(x, lengths, backwards(case, way))
            tape, h, c = forward(case, p, ordered, h_0[n], c_0[n], lengths)
            tapes[n] = p, tape
            hs = np.stack([step.h for step in tape])
            h_n[n], c_n[n] = h, c
            hs = hs * inside(hs, lengths)
            halves.append(turn(hs, lengths, backwards(case, way)))
        x = np.concatenate(halves, axis=-1)
    found["output"] = time_first(case, x)
    d_h_n, d_c_n = a["d_h_n"], a.get("d_c_n", np.zeros_like(c_0))
    d_x = time_first(case, a["d_output"])
    d_h_0, d_c_0 = np.zeros_like(h_0), np.zeros_like(c_0)
    for layer in reversed(range(case.layers)):
        d_hs, d_x = d_x, 0
        for way in range(W):
            n = layer * W + way
            p, tape = tapes[n]
            size = d_hs.shape[-1] // W
            d_half = turn(d_hs[..., way * size : (way + 1) * size], lengths, backwards(case, way))
            d_half = d_half * inside(d_half, lengths)
            d = nothing(p)
            d_ordered, d_h, d_c = backward(case, p, tape, d_half, d_h_n[n], d_c_n[n], lengths, d)
            d_h_0[n], d_c_0[n] = d_h, d_c
            d_x = d_x + turn(d_ordered, lengths, backwards(case, way))
            found |= gradients(case, a, d, case.suffixes[n])
            found |= shown(case, tape, lengths, backwards(case, way), case.suffixes[n])
    found["grad_x"] = time_first(case, d_x)
    states = {"h_n": h_n, "c_n": c_n, "grad_h_0": d_h_0, "grad_c_0": d_c_0}
    return found | {k: v for k, v in states.items() if f"d_{k}" in a or k[5:] in a}


def time_first(case, x):
    return x.swapaxes(0, 1) if case.batch_first else x


def backwards(case, way):
    return case.direction == "reverse" or way == 1


def inside(x, lengths):
    return (np.arange(len(x))[:, None] < lengths)[..., None]  # (T, B, 1)


def turn(x, lengths, backwards):
    if not backwards:
        return x
    turned = np.zeros_like(x)
    for b, length in enumerate(lengths):
        turned[:length, b] = x[:length, b][::-1]
    return turned


def read(case, a, name):
    order = ORDER[case.cell]
    return dict(zip(order, np.split(a[name], len(order)), strict=True))


def parameters(case, a, suffix):
    none = dict.fromkeys(ORDER[case.cell], 0.0)
    p = SimpleNamespace(b_h=none, R=a.get("weight_hr" + suffix), b_x=none)
    p.W = read(case, a, "weight_ih" + suffix)
    p.U = read(case, a, "weight_hh" + suffix)
    if case.biases == 2:
        p.b_x = read(case, a, "bias_ih" + suffix)
        p.b_h = read(case, a, "bias_hh" + suffix)
    elif case.biases == 1:
        p.b_x = read(case, a, "bias" + suffix)
        p.b_h = none | {"n": a.get("bias_hn" + suffix, 0.0)}
    p.p = {}
    if case.peephole:
        p.p = dict(zip("ifo", np.split(a["peephole" + suffix], 3), strict=True))
    return p


def forward(case, p, x, h, c, lengths):
    step = {"LSTM": lstm, "GRU": gru, "RNN": rnn}[case.cell]
    tape = []
    for t in range(len(x)):
        s = step(case, p, x[t], h, c)
        going = (t < lengths)[:, None]
        h, c = np.where(going, s.h, h), np.where(going, s.c, c)
        tape.append(s)
    return tape, h, c


def lstm(case, p, x, h_prev, c_prev):
    s = SimpleNamespace(x=x, h_prev=h_prev, c_prev=c_prev)
    z = {k: x @ p.W[k].T + h_prev @ p.U[k].T + p.b_x[k] + p.b_h[k] for k in "ifgo"}
    if case.peephole:
        z["i"] = z["i"] + p.p["i"] * c_prev
        z["f"] = z["f"] + p.p["f"] * c_prev
    s.i = act(case, "gate", clipped(z["i"], case.clip))
    s.f = act(case, "gate", clipped(z["f"], case.clip))
    s.g = act(case, "cell", clipped(z["g"], case.clip))
    if case.coupled:
        s.f = 1 - s.i
    s.i, s.f = held(case, "i", s.i), held(case, "f", s.f)
    s.sum = s.f * c_prev + s.i * s.g
    s.c = clipped(s.sum, case.cell_clip)
    if case.peephole:
        z["o"] = z["o"] + p.p["o"] * s.c
    s.o = held(case, "o", act(case, "gate", clipped(z["o"], case.clip)))
    s.a = act(case, "hidden", s.c)
    s.m = s.o * s.a
    s.h = s.m @ p.R.T if case.P else s.m
    s.z = z
    return s


def gru(case, p, x, h_prev, c_prev):
    s = SimpleNamespace(x=x, h_prev=h_prev, c=c_prev)
    z = {k: x @ p.W[k].T + h_prev @ p.U[k].T + p.b_x[k] + p.b_h[k] for k in "rz"}
    s.r = act(case, "gate", z["r"])
    s.z_gate = act(case, "gate", z["z"])
    if case.reset_after:
        s.q = h_prev @ p.U["n"].T + p.b_h["n"]
        z["n"] = x @ p.W["n"].T + p.b_x["n"] + s.r * s.q
    else:
        s.q = s.r * h_prev
        z["n"] = x @ p.W["n"].T + p.b_x["n"] + s.q @ p.U["n"].T + p.b_h["n"]
    s.n = np.tanh(z["n"])
    s.h = (1 - s.z_gate) * s.n + s.z_gate * h_prev
    s.z = z
    return s


def rnn(case, p, x, h_prev, c_prev):
    s = SimpleNamespace(x=x, h_prev=h_prev, c=c_prev)
    s.z = {"h": x @ p.W["h"].T + h_prev @ p.U["h"].T + p.b_x["h"] + p.b_h["h"]}
    s.h = act(case, "state", s.z["h"])
    return s


def act(case, where, z):
    return ACTIVATIONS[case.activation(where)][0](z)


def slope(case, where, s):
    return ACTIVATIONS[case.activation(where)][1](s)


def held(case, gate, s):
    return np.ones_like(s) if gate in case.removed else s


def held_back(case, gate, d_z):
    return np.zeros_like(d_z) if gate in case.removed else d_z


def clipped(z, bound):
    return z if bound is None else np.clip(z, -bound, bound)


def passes(z, bound):
    return 1.0 if bound is None else np.abs(z) <= bound


def backward(case, p, tape, d_hs, d_h, d_c, lengths, d):
    back = {"LSTM": lstm_back, "GRU": gru_back, "RNN": rnn_back}[case.cell]
    T = len(tape)
    d_x = np.zeros((T, *tape[0].x.shape))
    for t in reversed(range(T)):
        going = (t < lengths)[:, None]
        d_h_t = np.where(going, d_h + d_hs[t], 0)
        d_c_t = np.where(going, d_c, 0)
        d_x[t], d_h_prev, d_c_prev = back(case, p, tape[t], d_h_t, d_c_t, d, t)
        d_h, d_c = np.where(going, d_h_prev, d_h), np.where(going, d_c_prev, d_c)
    return d_x, d_h, d_c


def lstm_back(case, p, s, d_h, d_c, d, t):
    d_m = d_h @ p.R if case.P else d_h
    if case.P:
        d.R += d_h.T @ s.m
    d_o = d_m * s.a
    d_z = {"o": d_o * slope(case, "gate", s.o) * passes(s.z["o"], case.clip)}
    d_z["o"] = held_back(case, "o", d_z["o"])
    d_c = d_c + d_m * s.o * slope(case, "hidden", s.a)
    if case.peephole:
        d_c = d_c + d_z["o"] * p.p["o"]
    d_c = d_c * passes(s.sum, case.cell_clip)
    d_i = d_c * s.g
    d_f = d_c * s.c_prev
    d_g = d_c * s.i
    if case.coupled:
        d_i, d_f = d_i - d_f, np.zeros_like(d_f)
    d_z["i"] = d_i * slope(case, "gate", s.i) * passes(s.z["i"], case.clip)
    d_z["f"] = d_f * slope(case, "gate", s.f) * passes(s.z["f"], case.clip)
    d_z["g"] = d_g * slope(case, "cell", s.g) * passes(s.z["g"], case.clip)
    d_z["i"], d_z["f"] = held_back(case, "i", d_z["i"]), held_back(case, "f", d_z["f"])
    d_c_prev = d_c * s.f
    if case.peephole:
        d_c_prev = d_c_prev + d_z["i"] * p.p["i"] + d_z["f"] * p.p["f"]
        d.p["i"] += (d_z["i"] * s.c_prev).sum(axis=0)
        d.p["f"] += (d_z["f"] * s.c_prev).sum(axis=0)
        d.p["o"] += (d_z["o"] * s.c).sum(axis=0)
    d_x, d_h_prev = through(p, s, d_z, d_z, d, t)
    return d_x, d_h_prev, d_c_prev


def gru_back(case, p, s, d_h, d_c, d, t):
    d_z_gate = d_h * (s.h_prev - s.n)
    d_n = d_h * (1 - s.z_gate)
    d_z = {"n": d_n * (1 - s.n**2)}
    d_q = d_z["n"] if case.reset_after else d_z["n"] @ p.U["n"]
    d_r = d_q * (s.q if case.reset_after else s.h_prev)
    d_z["r"] = d_r * s.r * (1 - s.r)
    d_z["z"] = d_z_gate * s.z_gate * (1 - s.z_gate)
    d_direct = d_h * s.z_gate
    if case.reset_after:
        d_x, d_h_prev = through(p, s, d_z, d_z | {"n": d_z["n"] * s.r}, d, t)
    else:
        d_x, d_h_prev = through(p, s, d_z, {"r": d_z["r"], "z": d_z["z"]}, d, t)
        d_h_prev = d_h_prev + d_q * s.r
        d.U["n"] += d_z["n"].T @ s.q
        d.b_h["n"] += d_z["n"].sum(axis=0)
    return d_x, d_h_prev + d_direct, d_c


def rnn_back(case, p, s, d_h, d_c, d, t):
    d_z = {"h": d_h * slope(case, "state", s.h)}
    return *through(p, s, d_z, d_z, d, t), d_c


def through(p, s, d_z, d_z_h, d, t):
    for k in d_z:
        d.W[k] += d_z[k].T @ s.x
        d.b_x[k] += d_z[k].sum(axis=0)
    for k in d_z_h:
        d.U[k] += d_z_h[k].T @ s.h_prev
        d.b_h[k] += d_z_h[k].sum(axis=0)
    d_x = sum(d_z[k] @ p.W[k] for k in d_z)
    d_h_prev = sum(d_z_h[k] @ p.U[k] for k in d_z_h)
    return d_x, d_h_prev


def nothing(p):
    def zeros(arrays):
        return {k: np.zeros_like(a) for k, a in arrays.items()}

    vectors = {k: a[:, 0] for k, a in p.W.items()}
    return SimpleNamespace(
        W=zeros(p.W), U=zeros(p.U), b_x=zeros(vectors), b_h=zeros(vectors),
        R=None if p.R is None else np.zeros_like(p.R), p=zeros(p.p),
    )  # fmt: skip


def gradients(case, a, d, suffix):
    blocks = {"weight_ih": d.W, "weight_hh": d.U, "bias_ih": d.b_x, "bias_hh": d.b_h}
    found = {k: np.concatenate([b[gate] for gate in ORDER[case.cell]]) for k, b in blocks.items()}
    found |= {"bias": found["bias_ih"], "bias_hn": d.b_h.get("n"), "weight_hr": d.R}
    if case.peephole:
        found["peephole"] = np.concatenate([d.p[k] for k in "ifo"])
    return {f"grad_{k}{suffix}": v for k, v in found.items() if k + suffix in a}


def shown(case, tape, lengths, backwards, suffix):
    letters = {"LSTM": "ifgoch", "GRU": "rznh", "RNN": "h"}[case.cell]
    columns = {k: [getattr(s, "z_gate" if k == "z" else k) for s in tape] for k in letters}
    columns |= {f"z_{k}": [s.z[k] for s in tape] for k in tape[0].z}
    stacked = {k + suffix: np.stack(column) for k, column in columns.items()}
    return {k: turn(v * inside(v, lengths), lengths, backwards) for k, v in stacked.items()}
