"""The cells of chapter 24 a second time: one sequence, one step at a time, from the papers.

Written with torch tensors so that autograd gives the gradients; nothing of `lstm_lesson` is used
but a layer's options and parameters. Sources: Feng et al. 2024 (minimal GRU and LSTM), Gu et al.
2022 and Gu and Dao 2024 (diagonal state spaces), Beck et al. 2024 (sLSTM, mLSTM).
"""

import numpy as np
import torch

from lstm_lesson import gradcheck

TOLERANCE = 1e-10  # as for the other layers: room for sums of a few hundred roundings


def min_gru_step(layer, p, x, state):
    H = layer.hidden_size
    z = torch.sigmoid(p["weight_ih_l0"][:H] @ x + p["bias_l0"][:H])
    g = p["weight_ih_l0"][H:] @ x + p["bias_l0"][H:]
    return ((1 - (2 if layer.signed else 1) * z) * state[0] + z * g,)


def min_lstm_step(layer, p, x, state):
    i, f, g = torch.chunk(p["weight_ih_l0"] @ x + p["bias_l0"], 3)
    i, f = torch.sigmoid(i), torch.sigmoid(f)
    return (f / (f + i) * state[0] + i / (f + i) * g,)


def state_space_step(layer, p, x, state):
    s = state[1].reshape(layer.hidden_size, layer.states)
    u = p["weight_ih_l0"] @ x + p["bias_l0"]
    if layer.selective:
        delta = torch.log1p(torch.exp(p["weight_delta"] @ x + p["bias_delta"]))
        B, C = ((p[f"weight_{n}"] @ x + p[f"bias_{n}"]).expand_as(s) for n in "BC")
    else:
        delta, B, C = torch.log1p(torch.exp(p["bias_delta"])), p["B"], p["C"]
    rows = []
    for channel in range(layer.hidden_size):  # a diagonal matrix A for each, as in equation 4
        A = torch.diag(-torch.exp(p["log_A"][channel]))
        there = torch.linalg.matrix_exp(delta[channel] * A)
        held = torch.linalg.solve(delta[channel] * A, there - torch.eye(layer.states).to(A))
        rows.append(there @ s[channel] + held @ (delta[channel] * B[channel]) * u[channel])
    s = torch.stack(rows)
    return (C * s).sum(1) + p["d"] * u, s.reshape(-1)


def exponential_gates(layer, z_i, z_f, m, empty=False):
    log_f = z_f if layer.forget_gate == "exp" else torch.log(torch.sigmoid(z_f))
    if not layer.stabilised:
        return torch.exp(z_i), torch.exp(log_f), m * 0
    new = z_i if empty else torch.maximum(log_f + m, z_i)
    return torch.exp(z_i - new), torch.exp(log_f + m - new), new


def slstm_step(layer, p, x, state):
    h, c, n, m = state
    z_i, z_f, z_g, z_o = torch.chunk(
        p["weight_ih_l0"] @ x + p["weight_hh_l0"] @ h + p["bias_l0"], 4
    )
    i, f, m = exponential_gates(layer, z_i, z_f, m, empty=bool((n == 0).all()))
    c, n = f * c + i * torch.tanh(z_g), f * n + i
    return torch.sigmoid(z_o) * c / n, c, n, m


def mlstm_step(layer, p, x, state):
    _, c, n, m = state
    N, d = layer.heads, layer.hidden_size // layer.heads
    q, k, v, o = torch.chunk(p["weight_ih_l0"] @ x + p["bias_l0"], 4)
    z_i, z_f = torch.chunk(p["weight_if_l0"] @ x + p["bias_if_l0"], 2)
    gates = [
        exponential_gates(layer, *each, empty=bool((mine == 0).all()))
        for *each, mine in zip(z_i, z_f, m, n.reshape(N, d), strict=True)
    ]
    i, f, m = (torch.stack(parts) for parts in zip(*gates, strict=True))
    hs, cs, ns = [], [], []
    for head in range(N):
        rows = slice(head * d, (head + 1) * d)
        key = k[rows] / d**0.5
        C = f[head] * c.reshape(N, d, d)[head] + i[head] * torch.outer(v[rows], key)
        sums = f[head] * n[rows] + i[head] * key
        size = torch.maximum(torch.abs(sums @ q[rows]), torch.exp(-m[head]))
        hs.append(torch.sigmoid(o[rows]) * (C @ q[rows]) / size)
        cs.append(C.reshape(-1))
        ns.append(sums)
    return torch.cat(hs), torch.cat(cs), torch.cat(ns), m


STEPS = {
    "MLSTM": mlstm_step,
    "MinGRU": min_gru_step,
    "MinLSTM": min_lstm_step,
    "SLSTM": slstm_step,
    "StateSpace": state_space_step,
}


def forward(layer, params, x, state, lengths):
    """Return the output (T, B, H) and the parts of the last state, (B, n) each."""
    step = STEPS[type(layer).__name__]
    T, B, _ = x.shape
    outputs, finals = [], []
    for b in range(B):
        last, hs = tuple(part[b] for part in state), []
        for t in range(lengths[b]):
            last = step(layer, params, x[t, b], last)
            hs.append(last[0])
        padding = [torch.zeros(layer.hidden_size, dtype=x.dtype)] * (T - len(hs))
        outputs.append(torch.stack(hs + padding))
        finals.append(last)
    return torch.stack(outputs, 1), [torch.stack(parts) for parts in zip(*finals, strict=True)]


def parts_of(state):
    return state if isinstance(state, tuple) else (state,)


def pack(state, parts):
    """Return the parts, (B, n) each, as a state like the one given."""
    parts = [part[None] for part in parts]
    return type(state)(*parts) if isinstance(state, tuple) else parts[0]


def shake(layer, rng, scale=0.5):
    """Write random numbers over the parameters of a layer."""
    for p in layer.parameters().values():
        p[...] = rng.normal(size=p.shape) * scale


def compare(layer, T, B, rng, *, ragged=False, draw_state=None):
    """Hold a float64 layer's output, last state and every gradient to the step above."""
    axes = (B, T) if layer.batch_first else (T, B)
    x = rng.normal(size=(*axes, layer.input_size))
    lengths = rng.integers(1, T + 1, B) if ragged else None
    _, like, _ = layer.forward(x, lengths=lengths)
    start = [rng.normal(size=part.shape[1:]) for part in parts_of(like)]
    start = start if draw_state is None else draw_state(start)
    d_last = [rng.normal(size=part.shape) for part in start]
    d_output = rng.normal(size=(*axes, layer.hidden_size))

    output, last, cache = layer.forward(x, pack(like, start), lengths)
    grads = layer.backward(d_output, cache, pack(like, d_last))
    ours = [output, *(part[0] for part in parts_of(last)), grads.x]
    ours += [part[0] for part in parts_of(grads.state)]
    names = ["output", *(f"last {k}" for k in range(len(start))), "x"]
    names += [f"first {k}" for k in range(len(start))]

    params = {n: torch.tensor(p, requires_grad=True) for n, p in layer.parameters().items()}
    tensors = [torch.tensor(a, requires_grad=True) for a in (x, *start)]
    swap = (lambda a: a.transpose(0, 1)) if layer.batch_first else (lambda a: a)
    steps = np.full(B, T) if lengths is None else lengths
    expected, state = forward(layer, params, swap(tensors[0]), tensors[1:], steps)
    expected = swap(expected)
    torch.autograd.backward([expected, *state], [torch.tensor(a) for a in (d_output, *d_last)])
    theirs = [expected, *state, *(t.grad for t in tensors)]
    for name, p in params.items():
        names.append(name)
        ours.append(grads.params[name])
        theirs.append(p.grad)
    for name, a, b in zip(names, ours, theirs, strict=True):
        # What nothing depends on has no gradient in torch, and zeros here.
        b = np.zeros_like(a) if b is None else b.detach().numpy()
        assert gradcheck.relative_error(a, b) <= TOLERANCE, (name, a, b)
