"""Recurrent layers a second time, plainly: one sequence, one step at a time, from the equations.

Written with torch tensors only so that autograd gives the gradients; no `torch.nn` layer is used,
and nothing of `lstm_lesson` but a layer's options and parameters. Sources: Hochreiter and
Schmidhuber 1997 and Gers et al. 2000 (the cell), Gers et al. 2002 (peepholes), Sak et al. 2014
(projection), Greff et al. 2017 (coupled gates, removed gates, full gate recurrence), the ONNX
operator specification (clip, as ONNX Runtime reads it; the GRU's two resets), Cho et al. 2014 as
PyTorch documents it (GRU).
"""

import torch

ACTIVATIONS = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": lambda z: z * (z > 0),
    "hard_sigmoid": lambda z: torch.clamp(0.2 * z + 0.5, 0, 1),
    "hard_sigmoid_6": lambda z: torch.clamp(z / 6 + 0.5, 0, 1),
    "softsign": torch.nn.functional.softsign,
    "softplus": torch.nn.functional.softplus,
    "identity": lambda z: z,
}
WITH_NUMBERS = {
    "affine": lambda z, alpha, beta: alpha * z + beta,
    "elu": lambda z, alpha: z * (z >= 0) + alpha * torch.expm1(z.clamp(max=0)),
    "hard_sigmoid": lambda z, alpha, beta: torch.clamp(alpha * z + beta, 0, 1),
    "leaky_relu": lambda z, alpha: z * (z >= 0) + alpha * z * (z < 0),
    "scaled_tanh": lambda z, alpha, beta: alpha * torch.tanh(beta * z),
    "thresholded_relu": lambda z, alpha: z * (z > alpha),
}


def activation(name):
    kind, _, rest = name.partition("(")
    if not rest:
        return ACTIVATIONS[name]
    numbers = [float(each) for each in rest[:-1].split(",")]
    return lambda z: WITH_NUMBERS[kind](z, *numbers)


def clip(z, bound):
    return z if bound is None else torch.clamp(z, -bound, bound)


def lstm_step(layer, p, x, state):
    h, c = state
    H = layer.hidden_size

    def pre(gate):
        rows = slice(gate * H, (gate + 1) * H)
        z = p["weight_ih"][rows] @ x + p["weight_hh"][rows] @ h
        return z + p["bias"][rows] if layer.bias else z

    def peephole(k, cell):
        return p["peephole"][k * H : (k + 1) * H] * cell if layer.peephole else 0

    def sigma(z):
        return activation(layer.gate_activation)(clip(z, layer.clip))

    one = torch.ones(H, dtype=x.dtype)
    i = one if "i" in layer.remove_gates else sigma(pre(0) + peephole(0, c))
    f = one if "f" in layer.remove_gates else sigma(pre(1) + peephole(1, c))
    if layer.couple_input_forget:
        f = 1 - i
    g = activation(layer.cell_activation)(clip(pre(2), layer.clip))
    c = clip(f * c + i * g, layer.cell_clip)
    o = one if "o" in layer.remove_gates else sigma(pre(3) + peephole(2, c))
    h = o * activation(layer.hidden_activation)(c)
    return (p["weight_hr"] @ h if layer.proj_size else h), c


def gru_step(layer, p, x, state):
    (h,) = state
    H = layer.hidden_size
    blocks = [slice(k * H, (k + 1) * H) for k in range(3)]
    w = [p["weight_ih"][rows] @ x for rows in blocks]
    u = [p["weight_hh"][rows] @ h for rows in blocks]
    if layer.bias:
        w = [a + p["bias"][rows] for a, rows in zip(w, blocks, strict=True)]
    if layer.bias and layer.reset_after:
        u[2] = u[2] + p["bias_hn"]
    sigma, g = activation(layer.gate_activation), activation(layer.cell_activation)
    r, z = sigma(clip(w[0] + u[0], layer.clip)), sigma(clip(w[1] + u[1], layer.clip))
    before = p["weight_hh"][blocks[2]] @ (r * h)
    n = g(clip(w[2] + (r * u[2] if layer.reset_after else before), layer.clip))
    return ((1 - z) * n + z * h,)


def rnn_step(layer, p, x, state):
    z = p["weight_ih"] @ x + p["weight_hh"] @ state[0]
    z = z + p["bias"] if layer.bias else z
    return (activation(layer.nonlinearity)(clip(z, layer.clip)),)


def gate_recurrent_step(layer, p, x, state):
    h, c, gates = state
    blocks = [slice(k * layer.hidden_size, (k + 1) * layer.hidden_size) for k in range(4)]
    z = [p["weight_ih"][rows] @ x + p["weight_hh"][rows] @ h + p["bias"][rows] for rows in blocks]
    for row, k in enumerate((0, 1, 3)):  # i, f, o, each of which sees all three
        for column in range(3):
            z[k] = z[k] + p["weight_gg"][blocks[row], blocks[column]] @ gates[blocks[column]]
    i, f, o = (torch.sigmoid(z[k]) for k in (0, 1, 3))
    c = f * c + i * torch.tanh(z[2])
    return o * torch.tanh(c), c, torch.cat([i, f, o])


STEPS = {
    "LSTM": lstm_step,
    "GateRecurrentLSTM": gate_recurrent_step,
    "GRU": gru_step,
    "RNN": rnn_step,
}


def forward(layer, params, x, state, lengths):
    """Return the output (T, B, ...) and the final states of `x` (T, B, D), all torch tensors."""
    step = STEPS[type(layer).__name__]
    ways = 2 if layer.bidirectional else 1
    T, B, _ = x.shape
    outputs, finals = [], []
    for b in range(B):
        steps = [x[t, b] for t in range(lengths[b])]
        final = []
        for n in range(layer.num_layers):
            halves = []
            for way in range(ways):
                suffix = f"_l{n}" + ("_reverse" if way else "")
                end = len(suffix)
                p = {name[:-end]: v for name, v in params.items() if name.endswith(suffix)}
                s = tuple(part[n * ways + way, b] for part in state)
                order = range(len(steps))
                half = [None] * len(steps)
                for t in reversed(order) if way or layer.reverse else order:
                    s = step(layer, p, steps[t], s)
                    half[t] = s[0]
                halves.append(half)
                final.append(s)
            steps = [torch.cat(parts) for parts in zip(*halves, strict=True)]
        wide = ways * (getattr(layer, "proj_size", 0) or layer.hidden_size)
        padding = [torch.zeros(wide, dtype=x.dtype)] * (T - len(steps))
        outputs.append(torch.stack(steps + padding))
        finals.append([torch.stack(parts) for parts in zip(*final, strict=True)])
    return torch.stack(outputs, 1), [torch.stack(f, 1) for f in zip(*finals, strict=True)]
