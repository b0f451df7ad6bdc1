"""What PyTorch, Keras and ONNX were given and gave, and plain cells that can give the same.

All three run here, the last two through `foreign`. An order of gates holds if
it, and none other of all permutations, gives a library's own output when a plain LSTM or GRU runs
on the library's weights. The plain cells are NumPy: what they are compared with may be PyTorch.
"""

from typing import NamedTuple

import numpy as np
import torch
from foreign import OPERATORS, PLAIN_LAYERS, kept, keras_case, onnx_case

ATOL = 1e-6  # Keras and ONNX Runtime computed in float32, a few roundings of 6e-8 each


# ---- Plain cells: arrays of one direction, in the order of time ----


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def hard_sigmoid_of_keras(z):
    return np.clip(z / 6 + 0.5, 0, 1)


class Functions(NamedTuple):
    gate: object = sigmoid
    candidate: object = np.tanh
    hidden: object = np.tanh


PLAIN = Functions()


def run_lstm(x, state, W, U, b, order, peephole=None, clip=np.inf, coupled=False, functions=PLAIN):
    h, c = state
    gate, candidate, hidden = functions
    output = []
    for x_t in x:
        z = dict(zip(order, np.split(x_t @ W.T + h @ U.T + b, 4, axis=1), strict=True))
        p = peephole or dict.fromkeys("ifo", 0.0)
        i, f = (gate(np.clip(z[k] + p[k] * c, -clip, clip)) for k in "if")
        if coupled:
            f = 1 - i
        c = f * c + i * candidate(np.clip(z["g"], -clip, clip))
        h = gate(np.clip(z["o"] + p["o"] * c, -clip, clip)) * hidden(c)
        output.append(h)
    return np.stack(output), [h, c]


def run_gru(x, state, W, U, b, order, after=True):
    (h,) = state
    rows = dict(zip(order, np.split(np.arange(len(W)), 3), strict=True))
    b_w, b_u = b
    output = []
    for x_t in x:
        w = {k: x_t @ W[at].T + b_w[at] for k, at in rows.items()}
        u = {k: h @ U[at].T + b_u[at] for k, at in rows.items()}
        r, z = sigmoid(w["r"] + u["r"]), sigmoid(w["z"] + u["z"])
        last = rows["n"]
        inner = r * u["n"] if after else (r * h) @ U[last].T + b_u[last]
        h = (1 - z) * np.tanh(w["n"] + inner) + z * h
        output.append(h)
    return np.stack(output), [h]


# ---- Evidence: what each library was given, and gave ----


class Evidence(NamedTuple):
    """One direction of one run; weights transposed and split as the page says, gates as stored."""

    x: np.ndarray  # (T, B, D), in the order in which the cell reads it
    initial: list[np.ndarray]  # (B, H) each
    W: np.ndarray  # (gates * H, D)
    U: np.ndarray  # (gates * H, H)
    b: list[np.ndarray]  # of W and of U, (gates * H) each
    output: np.ndarray  # (T, B, H)
    last: list[np.ndarray]  # (B, H) each


def run_torch(kind, **options):
    T, B, D, H = 5, 4, 7, 3
    torch.manual_seed(1)
    module = getattr(torch.nn, kind)(D, H, dtype=torch.float64, **options)
    K = 2 if module.bidirectional else 1
    x = torch.randn((B, T, D) if module.batch_first else (T, B, D), dtype=torch.float64)
    R = getattr(module, "proj_size", 0) or H
    h, c = (torch.randn(module.num_layers * K, B, size, dtype=torch.float64) for size in (R, H))
    with torch.no_grad():
        output, last = module(x, (h, c) if kind == "LSTM" else h)
    last = list(last) if kind == "LSTM" else [last]
    arrays = {name: p.detach().numpy() for name, p in module.named_parameters()}
    sizes = {"T": T, "B": B, "D": D, "H": H, "K": K, "L": module.num_layers}
    sizes["P"] = getattr(module, "proj_size", 0)
    initial = [a.numpy() for a in (h, c)[: len(last)]]
    return x.numpy(), initial, arrays, output.numpy(), [a.numpy() for a in last], sizes


def torch_evidence(kind):
    for bidirectional in (False, True):
        options = {"bidirectional": bidirectional}
        x, initial, p, output, last, sizes = run_torch(kind, **options)
        for k, suffix in enumerate(("_l0", "_l0_reverse")[: sizes["K"]]):
            W, U, *b = (
                p[f"{name}{suffix}"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            step, H = (-1 if k else 1), sizes["H"]
            out = output[::step, :, k * H : (k + 1) * H]
            states = [[a[k] for a in arrays] for arrays in (initial, last)]
            yield Evidence(x[::step], states[0], W, U, b, out, states[1])


def keras_evidence(kind):
    runs = kept()["keras"]
    cases = [keras_case(name) for name in PLAIN_LAYERS if name.endswith(kind)] + [runs[kind]]
    cases += [runs["BiLSTM"]] if kind == "LSTM" else []
    for case in cases:
        weights = [np.array(w) for w in case["weights"]]
        x, output = (np.array(case[name]).swapaxes(0, 1) for name in ("x", "output"))
        H = weights[1].shape[0]
        for k in range(len(weights) // 3):
            W, U, b = weights[3 * k : 3 * k + 3]
            b = list(b) if kind == "GRU" else [b, np.zeros_like(b)]
            zeros = [np.zeros((x.shape[1], H))] * (2 if kind == "LSTM" else 1)
            initial = [np.array(a) for a in case["initial"]] if "initial" in case else zeros
            step = -1 if k else 1
            out = output[::step, :, k * H : (k + 1) * H]
            last = [np.array(a) for a in case["last"]] if "last" in case else [out[-1]]
            yield Evidence(x[::step], initial, W.T, U.T, b, out, last)


def arrays_of(case):
    return {name: v for name, v in case.items() if isinstance(v, np.ndarray)}


def onnx_cases(kind):
    plain = {"direction", "hidden_size", "linear_before_reset"}
    names = [
        name
        for name, (op_type, attributes, _, lengths) in OPERATORS.items()
        if op_type == kind and set(attributes) <= plain and lengths is None
    ]
    for case in [*map(onnx_case, names), kept()["onnx"][kind]]:
        yield case["attributes"], arrays_of(case)


def onnx_evidence(kind):
    for attributes, a in onnx_cases(kind):
        if "P" not in a:
            yield from onnx_directions(attributes, a)


def onnx_directions(attributes, a):
    for k in range(len(a["W"])):
        step = -1 if k or attributes.get("direction") == "reverse" else 1
        initial, last = (
            [a[name][k] for name in names if name in a]
            for names in (("initial_h", "initial_c"), ("Y_h", "Y_c"))
        )
        b = np.split(a["B"][k], 2)
        x, output = a["X"][::step], a["Y"][::step, k]
        yield Evidence(x, initial, a["W"][k], a["R"][k], b, output, last)


def option_case(name):
    case = onnx_case(name)
    a = arrays_of(case)
    return case["attributes"], a, next(iter(onnx_directions(case["attributes"], a)))


EVIDENCE = {"PyTorch": torch_evidence, "Keras": keras_evidence, "ONNX": onnx_evidence}


def reproduces(kind, order, evidence, states=("h", "c"), **options) -> bool:
    """Say whether an order of the gates gives the library's output and last states."""
    x, initial, W, U, b, output, last = evidence
    initial = [initial[states.index(k)] for k in "hc"[: len(initial)]]
    if kind == "LSTM":
        ours, state = run_lstm(x, initial, W, U, sum(b), order, **options)
    else:
        ours, state = run_gru(x, initial, W, U, b, order, **options)
    state = [state["hc".index(k)] for k in states[: len(last)]]
    pairs = zip([ours, *state], [output, *last], strict=False)
    return all(np.allclose(a, b, rtol=0, atol=ATOL) for a, b in pairs)
