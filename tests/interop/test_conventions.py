"""What `chapters/conventions.md` states of PyTorch, Keras and ONNX, held against the real ones.

The tables are read from the page itself. PyTorch is asked directly; results of Keras and ONNX are
kept in ``tests/data``. An order of gates holds if it, and none other of all permutations, gives
the library's own output when a plain LSTM or GRU, written here, runs on the library's weights.
"""

import inspect
import json
import re
from itertools import permutations
from math import prod
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

from lstm_lesson import GRU, LSTM, interop

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "chapters" / "conventions.md").read_text(encoding="utf-8")
FOREIGN, KEPT = (
    json.loads((ROOT / "tests" / "data" / name).read_text(encoding="utf-8"))
    for name in ("foreign.json", "conventions.json")
)
LIBRARIES = ("PyTorch", "Keras", "ONNX")
ATOL = 1e-6  # Keras and ONNX Runtime computed in float32, a few roundings of 6e-8 each


def read_tables() -> dict[tuple[str, str], dict[str, str]]:
    """Return the cells by library, of each row of each table that has a name ``tab-conv-...``."""
    cells = {}
    for name, body in re.findall(r"^:name: tab-conv-(\w+)\n\n(.*?)^```", PAGE, re.M | re.S):
        lines = [[c.strip() for c in line.strip("|").split("|")] for line in body.splitlines()]
        header, _, *rows = lines
        assert header == ["", *LIBRARIES]
        for row, *texts in rows:
            assert (name, row) not in cells
            cells[name, row] = dict(zip(LIBRARIES, texts, strict=True))
    return cells


TABLES = read_tables()


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
    kept = KEPT["keras"]
    cases = [c for c in FOREIGN["keras"] if c["name"].endswith(kind)] + [kept[kind]]
    cases += [kept["BiLSTM"]] if kind == "LSTM" else []
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
    return {name: np.array(v) for name, v in case.items() if isinstance(v, list)}


def onnx_cases(kind):
    plain = {"direction", "hidden_size", "linear_before_reset"}
    cases = [c for c in FOREIGN["onnx"] if c["op_type"] == kind and set(c["attributes"]) <= plain]
    cases = [case for case in cases if "sequence_lens" not in case] + [KEPT["onnx"][kind]]
    for case in cases:
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


# ---- One check for each kind of cell: raises or returns False if the cell is wrong ----


def letters(cell: str) -> str:
    assert re.fullmatch(r"\w(?:, \w)+", cell), cell
    return cell.replace(", ", "")


def shapes(cell: str) -> list[tuple[str, str]]:
    """Return (name, shape) of ``\\`name\\` $(shape)$``, however often; the name may be empty."""
    assert re.fullmatch(r"(?:(?:`\w+` )?\$\([^)]*\)\$(?:, )?)+", cell), cell
    return re.findall(r"(?:`(\w+)` )?\$(\([^)]*\))\$", cell)


def size_of(shape: str, sizes: dict[str, int]) -> tuple[int, ...]:
    def factor(token):
        return int(token) if token.isdigit() else sizes[token]

    return tuple(
        prod(factor(token) for token in re.findall(r"\d+|[A-Z]", axis))
        for axis in shape.strip("()").split(",")
    )


def check_gates(kind, library, cell):
    candidate = {"PyTorch": "gn", "Keras": "ch", "ONNX": "ch"}[library][kind == "GRU"]
    ours = "n" if kind == "GRU" else "g"
    order = letters(cell).replace(candidate, ours)
    if library == "PyTorch":  # and the letters are those of its own documentation
        rows = re.search(r"\((W_i\w(?:\|W_i\w)+)\)", getattr(torch.nn, kind).__doc__)[1]
        assert rows.replace("W_i", "").replace("|", ", ") == cell
    evidence = list(EVIDENCE[library](kind))
    assert len(evidence) >= 3
    fits = [
        "".join(p)
        for p in permutations(sorted(order))
        if all(reproduces(kind, p, each) for each in evidence)
    ]
    return fits == [order] and sorted(order) == sorted({"LSTM": "ifgo", "GRU": "rzn"}[kind])


def stored(kind, library):
    """Yield the arrays that a library stores, under its names, with the sizes of the layer."""
    if library == "PyTorch":
        for bidirectional in (False, True):
            *_, arrays, _, _, sizes = run_torch(kind, bidirectional=bidirectional, num_layers=1)
            yield arrays, sizes
    elif library == "Keras":
        names = [name.split("/")[-1] for name in KEPT["keras"]["names"][kind]]
        weights = map(np.array, KEPT["keras"][kind]["weights"])
        yield dict(zip(names, weights, strict=True)), KEPT["sizes"]
    else:
        yield arrays_of(KEPT["onnx"][kind]), KEPT["sizes"]
        one = next(c for c in FOREIGN["onnx"] if c["name"] == f"{kind} forward")
        sizes = {"T": 5, "B": 3, "D": 2, "H": 4, "K": 1}
        yield arrays_of(one), sizes


def check_stored(kind, library, cell):
    wanted = shapes(cell)
    assert all(name for name, _ in wanted)
    return all(
        arrays[name].shape == size_of(shape, sizes)
        for arrays, sizes in stored(kind, library)
        for name, shape in wanted
    )


def check_biases(kind, library, cell):
    arrays = next(stored(kind, library))[0]
    theirs = {"PyTorch": [n for n in arrays if "bias" in n and "reverse" not in n],
              "Keras": ["bias"], "ONNX": ["B"]}[library]  # fmt: skip
    return [name for name, _ in shapes(cell)] == theirs and check_stored(kind, library, cell)


def check_reset(library, cell):
    """By default the reset gate acts as stated, and the library's result is not the other's."""
    after = {"after": True, "before": False}[cell]
    if library == "ONNX":
        assert KEPT["onnx"]["schema"]["GRU"]["attributes"]["linear_before_reset"] == 0
        case = KEPT["onnx"]["GRU before"]
        assert "linear_before_reset" not in case["attributes"]
        evidence = list(onnx_directions(case["attributes"], arrays_of(case)))
    else:
        evidence = list(EVIDENCE[library]("GRU"))
    order = {"PyTorch": "rzn", "Keras": "zrn", "ONNX": "zrn"}[library]
    return all(reproduces("GRU", order, each, after=after) for each in evidence) and not any(
        reproduces("GRU", order, each, after=not after) for each in evidence
    )


def check_other_cell(library, cell):
    if cell == "none":
        return not any(re.search("reset", name) for name in parameters("GRU", library))
    name, value = re.match(r"`(\w+)=(\w+)`", cell).groups()
    default = parameters("GRU", library)[name]
    if library == "Keras":
        case = KEPT["keras"]["GRU before"]
        W, U, b = map(np.array, case["weights"])
        ((bias, shape),) = shapes(cell.split(", ", 1)[1])
        assert bias == "bias" and b.shape == size_of(shape, KEPT["sizes"])
        x, output = (np.array(case[k]).swapaxes(0, 1) for k in ("x", "output"))
        zeros = [np.zeros((x.shape[1], len(U)))]
        evidence = Evidence(x, zeros, W.T, U.T, [b, np.zeros_like(b)], output, [output[-1]])
        reproduced = reproduces("GRU", "zrn", evidence, after=False)
        return reproduced and (default, value) == (True, "False")
    assert all(a[name] == int(value) for a, _ in onnx_cases("GRU"))  # whose order was found above
    return default != int(value)


def parameters(kind, library):
    """Return the names that a library's layer takes, with defaults."""
    if library == "PyTorch":  # its signature is (*args, **kwargs): what a module remembers
        module = getattr(torch.nn, kind)(2, 3)
        inherited = set(vars(torch.nn.Module()))
        return {k: v for k, v in vars(module).items() if k not in inherited and k[0] != "_"}
    if library == "Keras":
        return KEPT["keras"]["parameters"][kind]
    schema = KEPT["onnx"]["schema"][kind]
    return schema["attributes"] | dict.fromkeys(schema["inputs"])


def axes(library, batch_first):
    """Yield input, output, states and sizes of runs; nothing if the library has no such layout."""
    if library == "PyTorch":
        for options in ({}, {"bidirectional": True}, {"bidirectional": True, "num_layers": 3}):
            x, initial, _, output, last, sizes = run_torch(
                "LSTM", batch_first=batch_first, **options
            )
            yield x, output, initial + last, sizes
    elif library == "Keras":
        case = KEPT["keras"]["LSTM"]
        states = [np.array(a) for a in case["initial"] + case["last"]]
        yield np.array(case["x"]), np.array(case["output"]), states, KEPT["sizes"] | {"K": 1}
        case = KEPT["keras"]["BiLSTM"]
        yield np.array(case["x"]), np.array(case["output"]), states, KEPT["sizes"]
    else:
        case = KEPT["onnx"]["layout" if batch_first else "LSTM"]
        a = arrays_of(case)
        states = [a[k] for k in ("initial_h", "initial_c", "Y_h", "Y_c")]
        yield a["X"], a["Y"], states, KEPT["sizes"]


def check_axes(what, batch_first, library, cell):
    ((name, shape),) = shapes(cell)
    assert not name
    return all(
        array.shape == size_of(shape, sizes)
        for x, output, states, sizes in axes(library, batch_first)
        for array in {"input": [x], "output": [output], "state": states}[what]
    )


def check_states(library, cell):
    states = tuple(letters(cell))
    order = {"PyTorch": "ifgo", "Keras": "ifgo", "ONNX": "iofg"}[library]
    evidence = [each for each in EVIDENCE[library]("LSTM") if len(each.last) == 2]
    if library == "ONNX":
        schema = KEPT["onnx"]["schema"]["LSTM"]
        for ports, start in (("inputs", "initial_"), ("outputs", "Y_")):
            found = [p.removeprefix(start) for p in schema[ports] if p.startswith(start)]
            assert found == list(states)
    assert evidence
    return all(reproduces("LSTM", order, each, states) for each in evidence)


def check_batch_first(library, cell):
    if cell == "always":
        names = parameters("LSTM", library)
        return not any(re.search("batch_first|layout|major", name) for name in names)
    name, value = re.fullmatch(r"`(\w+)=(\w+)`", cell).groups()
    default = parameters("LSTM", library)[name]
    if library == "ONNX":
        case = KEPT["onnx"]["layout"]
        assert case["attributes"][name] == int(value)
        assert KEPT["onnx"]["ONNX Runtime on layout=1"].endswith("are not supported")
        # The evaluator of ONNX's reference ran it; the results are those of the gates stated.
        a = arrays_of(case)
        a |= {k: a[k].swapaxes(0, 1) for k in ("initial_h", "initial_c", "Y_h", "Y_c", "X")}
        a["Y"] = a["Y"].transpose(1, 2, 0, 3)  # (T, K, B, H)
        evidence = onnx_directions(case["attributes"], a)
        assert all(reproduces("LSTM", "iofg", each) for each in evidence)
        return default != int(value)
    return (default, value) == (False, "True")


def check_backward_weights(library, cell):
    """The place stated holds the weights that reproduce the second half of the output."""
    if library == "PyTorch":
        suffix = re.fullmatch(r"names end in `(\w+)`", cell)[1]
        *_, arrays, _, _, _ = run_torch("LSTM", bidirectional=True)
        forward = [name for name in arrays if not name.endswith(suffix)]
        return [n + suffix for n in forward] == [n for n in arrays if n.endswith(suffix)]
    # `keras_evidence` and `onnx_evidence` take them from there, and `check_gates` reproduces.
    if library == "Keras":
        names = [n.split("_")[0] for n in KEPT["keras"]["names of Bidirectional"]]
        assert names == ["forward"] * 3 + ["backward"] * 3
        return cell == "second half of the list"
    both = [a for d, a in onnx_cases("LSTM") if d.get("direction") == "bidirectional"]
    assert both and all(len(a["W"]) == 2 for a in both)
    return cell == "index 1 of axis 0"


def check_backward_alone(library, cell):
    names = parameters("LSTM", library)
    if cell == "none":
        return not any(re.search("backward|direction$|reverse", name) for name in names)
    name, value = re.fullmatch(r'`(\w+)="?(\w+)"?`', cell).groups()
    if library == "Keras":
        return names[name] is False and value == "True"
    assert name in names
    return any(attributes[name] == value for attributes, _ in onnx_cases("LSTM"))


def check_backward_output(library, cell):
    """Index t of what comes out belongs to the input stated."""
    if library == "PyTorch":
        return cell == "none"
    if library == "ONNX":
        assert any(a["direction"] == "reverse" for a, _ in onnx_cases("LSTM"))
        return cell == "input t"  # `onnx_directions` turns both, and `check_gates` reproduces
    case = KEPT["keras"]["go_backwards"]
    W, U, b = map(np.array, case["weights"])
    x, output = (np.array(case[k]).swapaxes(0, 1) for k in ("x", "output"))
    zeros = [np.zeros((x.shape[1], len(U)))] * 2
    read = {"input T − 1 − t": output, "input t": output[::-1]}[cell]
    evidence = Evidence(x[::-1], zeros, W.T, U.T, [b], read, [read[-1]])
    return reproduces("LSTM", "ifgo", evidence)


def check_layers(library, cell):
    if cell == "more objects":
        return not any("layers" in name for name in parameters("LSTM", library))
    *_, arrays, _, _, _ = run_torch("LSTM", num_layers=3)
    ends = re.fullmatch(r"`(\w+)`, `(\w+)` in the names", cell).groups()
    stored = [name.removeprefix("weight_ih") for name in arrays if name.startswith("weight_ih")]
    return library == "PyTorch" and ["_l0", *ends] == stored


def lacks(library, cell, pattern) -> bool:
    """Say whether a cell is "none"; assert then that the library takes nothing of such a name."""
    takes = parameters("LSTM", library)
    if cell == "none":
        assert not [name for name in takes if re.search(pattern, name)]
        return True
    assert re.search(r"`(\w+)", cell)[1] in takes
    return False


def option_case(name):
    case = next(c for c in FOREIGN["onnx"] if c["name"] == name)
    a = arrays_of(case)
    return case["attributes"], a, next(iter(onnx_directions(case["attributes"], a)))


def check_peepholes(library, cell):
    if lacks(library, cell, "peep|^P$"):
        return True
    name, shape, order = re.fullmatch(r"`(\w)` \$(\([^)]*\))\$: (\w, \w, \w)", cell).groups()
    both = arrays_of(KEPT["onnx"]["LSTM"])
    assert both[name].shape == size_of(shape, KEPT["sizes"])
    cases = [option_case("LSTM peephole")[1:]]
    cases += [(both, each) for each in onnx_directions(KEPT["onnx"]["LSTM"]["attributes"], both)]
    fits = set(permutations("ifo"))
    for k, (a, evidence) in enumerate(cases):
        blocks = np.split(a["P"][max(k - 1, 0)], 3)
        fits = {
            p
            for p in fits
            if reproduces("LSTM", "iofg", evidence, peephole=dict(zip(p, blocks, strict=True)))
        }
    return fits == {tuple(letters(order))}


def check_clip(library, cell):
    if lacks(library, cell, "clip"):
        return True
    assert cell == "`clip`: four pre-activations"
    attributes, _, evidence = option_case("LSTM clip")
    assert not reproduces("LSTM", "iofg", evidence)
    return reproduces("LSTM", "iofg", evidence, clip=attributes["clip"])


def check_coupled(library, cell):
    if lacks(library, cell, "input_forget|coupl"):
        return True
    attributes, _, evidence = option_case("LSTM input_forget")
    name, value = re.fullmatch(r"`(\w+)=(\d)`: f = 1 − i", cell).groups()
    assert not reproduces("LSTM", "iofg", evidence)
    return attributes[name] == int(value) and reproduces("LSTM", "iofg", evidence, coupled=True)


def check_projection(library, cell):
    if lacks(library, cell, "proj"):
        return True
    option, name, shape = re.fullmatch(r"`(\w+)`: `(\w+)` \$(\([^)]*\))\$", cell).groups()
    x, (h, c), p, output, (h_n, c_n), sizes = run_torch("LSTM", **{option: 2})
    assert p[name].shape == size_of(shape, sizes)
    assert p["weight_hh_l0"].shape == size_of("(4H, P)", sizes)
    assert h_n.shape == size_of("(LK, B, P)", sizes)
    assert c_n.shape == size_of("(LK, B, H)", sizes)
    h, c = h[0], c[0]
    for x_t in x:  # h = W_hr m
        b = p["bias_ih_l0"] + p["bias_hh_l0"]
        (m,), (_, c) = run_lstm(x_t[None], (h, c), p["weight_ih_l0"], p["weight_hh_l0"], b, "ifgo")
        h = m @ p[name].T
    return np.allclose(h, output[-1]) and np.allclose(c, c_n[0])


def check_activations(library, cell):
    if lacks(library, cell, "activation"):
        return True
    names = re.findall(r"`(\w+)`", cell)
    takes = parameters("LSTM", library)
    wanted = {name for name in takes if name.endswith(("activation", "activations"))}
    return set(names) == wanted


def check_forget_bias(library, cell):
    if library == "PyTorch":
        torch.manual_seed(0)
        bias = torch.nn.LSTM(3, 50).bias_ih_l0.detach().numpy()[50:100]
        return cell == "random" and np.ptp(bias) > 0.1
    if library == "Keras":
        assert KEPT["keras"]["parameters"]["LSTM"]["unit_forget_bias"] is True
        i, f, c, o = np.split(np.array(KEPT["keras"]["bias of a new LSTM"]), 4)
        return cell == "1" and np.all(f == 1) and not np.any([i, c, o])
    return lacks(library, cell, "init(?!ial_)|forget_bias")


def on(check, *arguments):
    return lambda library, cell: check(*arguments, library, cell)


CHECKS = {}
for kind in ("LSTM", "GRU"):
    for row, check in {
        "gates": check_gates, "input weights": check_stored,
        "recurrent weights": check_stored, "biases": check_biases,
    }.items():  # fmt: skip
        CHECKS[kind.lower(), row] = on(check, kind)
CHECKS |= {("gru", "reset, by default"): check_reset, ("gru", "the other cell"): check_other_cell}
for row, what in {"input": "input", "output": "output", "each state": "state"}.items():
    CHECKS["axes", row] = on(check_axes, what, False)
    CHECKS["axes", f"{row}, batch first"] = on(check_axes, what, True)
CHECKS |= {
    ("axes", "states"): check_states,
    ("axes", "batch first"): check_batch_first,
    ("axes", "backward weights"): check_backward_weights,
    ("axes", "backward alone"): check_backward_alone,
    ("axes", "its output at index t"): check_backward_output,
    ("axes", "more layers"): check_layers,
    ("options", "peepholes"): check_peepholes,
    ("options", "clip"): check_clip,
    ("options", "coupled gates"): check_coupled,
    ("options", "projection"): check_projection,
    ("options", "activations"): check_activations,
    ("options", "forget bias of a new layer"): check_forget_bias,
}
CELLS = [(place, library) for place in TABLES for library in LIBRARIES]


def holds(place, library, cell) -> bool:
    """Say whether a cell is right; one that a check can't even read is wrong."""
    try:
        return bool(CHECKS[place](library, cell))
    except (AssertionError, AttributeError, IndexError, KeyError, TypeError, ValueError):
        return False


def test_every_row_of_the_page_has_a_check_and_every_check_a_row():
    assert len(TABLES) > 20
    assert set(TABLES) == set(CHECKS)


@pytest.mark.parametrize(("place", "library"), CELLS, ids=str)
def test_what_the_page_states_is_what_the_library_does(place, library):
    assert CHECKS[place](library, TABLES[place][library])


# ---- Each cell, made wrong ----


def wrong_cells(place, library):
    """Yield cells that state something else: those of the other libraries, and changed ones."""
    right = TABLES[place][library]
    yield from (cell for other, cell in TABLES[place].items() if other != library)
    if re.fullmatch(r"\w(?:, \w)+", right):
        yield from (", ".join(p) for p in permutations(right.split(", ")))
    for name, shape in re.findall(r"(?:`(\w+)` )?\$(\([^)]*\))\$", right):
        sides = shape.strip("()").split(", ")
        others = [", ".join(p) for p in permutations(sides)]
        others += [shape.strip("()").replace(side, f"2{side}") for side in sides]
        yield from (right.replace(shape, f"({other})") for other in others)
        if name:
            yield right.replace(name, name + "s")
    yield from ("", "none", "always", right.replace("1", "0"), right.replace("True", "False"))


def meaning(place, cell):
    return cell.replace("c", "g") if place == ("lstm", "gates") else cell


@pytest.mark.parametrize(("place", "library"), CELLS, ids=str)
def test_any_other_cell_fails(place, library):
    right = meaning(place, TABLES[place][library])
    wrong = {cell for cell in wrong_cells(place, library) if meaning(place, cell) != right}
    assert wrong
    assert [cell for cell in wrong if holds(place, library, cell)] == []


# ---- The prose ----


@pytest.mark.parametrize(
    ("library", "order"), [("PyTorch", "rzn"), ("Keras", "zrn"), ("ONNX", "zrn")]
)
def test_the_second_bias_of_a_gru_is_the_one_that_reset_scales(library, order):
    for each in EVIDENCE[library]("GRU"):
        assert reproduces("GRU", order, each)
        assert not reproduces("GRU", order, each._replace(b=each.b[::-1]))


def test_which_activation_goes_where():
    case = KEPT["keras"]["activations"]
    W, U, b = map(np.array, case["weights"])
    x, output = (np.array(case[k]).swapaxes(0, 1) for k in ("x", "output"))
    zeros = [np.zeros((x.shape[1], len(U)))] * 2
    evidence = Evidence(x, zeros, W.T, U.T, [b], output, [output[-1]])

    def relu(z):
        return np.maximum(z, 0)

    # recurrent_activation is the gates', and activation is both others'.
    both = Functions(hard_sigmoid_of_keras, relu, relu)
    assert reproduces("LSTM", "ifgo", evidence, functions=both)
    assert not reproduces("LSTM", "ifgo", evidence, functions=both._replace(hidden=np.tanh))
    attributes, _, evidence = option_case("LSTM activations")
    assert attributes["activations"] == ["HardSigmoid", "Relu", "Affine"]
    hard_sigmoid = Functions(lambda z: np.clip(0.2 * z + 0.5, 0, 1), relu, lambda z: z)
    assert reproduces("LSTM", "iofg", evidence, functions=hard_sigmoid)
    defaults = KEPT["onnx"]["schema"]["HardSigmoid"]["attributes"]
    assert (defaults["alpha"], defaults["beta"]) == pytest.approx((0.2, 0.5))
    keras_gate = hard_sigmoid._replace(gate=hard_sigmoid_of_keras)
    assert not reproduces("LSTM", "iofg", evidence, functions=keras_gate)


def test_the_versions_are_those_that_ran():
    keras, runtime = re.search(r"Keras ([\d.]+) and ONNX Runtime ([\d.]+) are kept", PAGE).groups()
    for document in (FOREIGN, KEPT):
        assert document["made_with"]["keras"].startswith(f"{keras}.")
        assert document["made_with"]["onnxruntime"].startswith(f"{runtime}.")
    version = int(re.search(r"ONNX operators \(version\s(\d+)\)", PAGE)[1])
    assert {KEPT["onnx"]["schema"][kind]["since_version"] for kind in ("LSTM", "GRU")} == {version}


CALLS = re.findall(r"^\| (\w+) \| `(\w+)(\(.*?\))` \| `(\w+)(\(.*?\))` \|$", PAGE, re.M)


def test_the_calls_are_those_of_the_package():
    assert [library for library, *_ in CALLS] == list(LIBRARIES)
    for _, *calls in CALLS:
        for name, arguments in zip(calls[::2], calls[1::2], strict=True):
            parameters = inspect.signature(getattr(interop, name)).parameters.values()
            names = [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY]
            assert f"({', '.join(names)})" == arguments


OPTIONS = {
    "peepholes": {"peephole": True}, "clip": {"clip": 1.0},
    "coupled gates": {"couple_input_forget": True}, "projection": {"proj_size": 2},
}  # fmt: skip


@pytest.mark.parametrize("row", OPTIONS)
def test_a_call_refuses_what_the_page_says_is_lacking(row):
    for library, _, _, call, _ in CALLS:
        layer = LSTM(3, 4, **OPTIONS[row])
        if TABLES["options", row][library] == "none":
            with pytest.raises(ValueError, match=f"{library} has no"):
                getattr(interop, call)(layer)
        else:
            getattr(interop, call)(layer)


def test_the_other_gru_is_read():
    case = KEPT["keras"]["GRU before"]
    layer = interop.from_keras([np.array(w, np.float32) for w in case["weights"]])
    x, expected = (np.array(case[name], np.float32) for name in ("x", "output"))
    np.testing.assert_allclose(layer.forward(x)[0], expected, rtol=0, atol=ATOL)
    case = KEPT["onnx"]["GRU before"]
    a = {k: np.array(v, np.float32) for k, v in case.items() if isinstance(v, list)}
    layer = interop.from_onnx("GRU", case["attributes"], a["W"], a["R"], a["B"])
    output = layer.forward(a["X"], a["initial_h"])[0]
    expected = a["Y"].transpose(0, 2, 1, 3).reshape(output.shape)
    np.testing.assert_allclose(output, expected, rtol=0, atol=ATOL)
    for each in (GRU(3, 4, reset_after=False), layer):
        with pytest.raises(ValueError, match="PyTorch has no reset_after"):
            interop.to_torch(each)


def test_layout_1_becomes_batch_first_with_states_that_keep_their_shape():
    case = KEPT["onnx"]["layout"]
    a = {k: np.array(v, np.float32) for k, v in case.items() if isinstance(v, list)}
    layer = interop.from_onnx("LSTM", case["attributes"], a["W"], a["R"], a["B"])
    assert layer.batch_first
    initial = tuple(a[name].swapaxes(0, 1) for name in ("initial_h", "initial_c"))
    output, state, _ = layer.forward(a["X"], initial)
    np.testing.assert_allclose(output, a["Y"].reshape(output.shape), rtol=0, atol=ATOL)
    assert state.h.shape == size_of("(K, B, H)", KEPT["sizes"])


def test_the_package_stores_what_the_page_says():
    lstm, gru = LSTM(7, 3, dtype=np.float64), GRU(7, 3, dtype=np.float64)
    theirs = torch.nn.LSTM(7, 3)
    for name in ("weight_ih_l0", "weight_hh_l0"):
        assert lstm.parameters()[name].shape == getattr(theirs, name).shape
    assert lstm.parameters()["bias_l0"].shape == (12,)
    assert gru.parameters()["bias_hn_l0"].shape == (3,)
    peepholes = LSTM(7, 3, peephole=True, dtype=np.float64)
    params = peepholes.parameters()
    for p in params.values():
        p[...] = np.random.default_rng(p.size).normal(size=p.shape)
    x = np.random.default_rng(0).normal(size=(5, 2, 7))
    zeros = [np.zeros((2, 3))] * 2
    blocks = dict(zip("ifo", np.split(params["peephole_l0"], 3), strict=True))
    W, U, b = (params[f"{name}_l0"] for name in ("weight_ih", "weight_hh", "bias"))
    ours, _ = run_lstm(x, zeros, W, U, b, "ifgo", peephole=blocks)
    np.testing.assert_allclose(peepholes.forward(x)[0], ours, rtol=0, atol=1e-12)


def test_the_example_runs_from_keras_to_pytorch_and_back():
    code = re.search(r"^```python\n(.*?)^```", PAGE, re.M | re.S)[1]
    case = next(c for c in FOREIGN["keras"] if c["name"] == "BiLSTM")
    names = {"weights": [np.array(w, np.float32) for w in case["weights"]]}
    exec(code, names)
    with torch.no_grad():
        output, _ = names["module"](torch.tensor(case["x"]))
    np.testing.assert_allclose(output, case["output"], rtol=0, atol=ATOL)
    for ours, theirs in zip(names["again"], names["weights"], strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_weight_decay_acts_once_on_the_sum_of_two_biases_and_the_data_twice():
    def moved(decay, frozen=False):
        torch.manual_seed(0)
        module = torch.nn.LSTM(3, 2, dtype=torch.float64)
        module.bias_hh_l0.requires_grad_(not frozen)
        before = (module.bias_ih_l0 + module.bias_hh_l0).detach()
        trained = [p for p in module.parameters() if p.requires_grad]
        optimiser = torch.optim.SGD(trained, lr=0.1, weight_decay=decay)
        module(torch.ones(5, 2, 3, dtype=torch.float64))[0].square().sum().backward()
        gradient = module.bias_ih_l0.grad.clone()
        optimiser.step()
        return (module.bias_ih_l0 + module.bias_hh_l0).detach() - before, before, gradient

    step, b, gradient = moved(decay=0.5)
    torch.testing.assert_close(step, -0.1 * (2 * gradient + 0.5 * b), rtol=0, atol=1e-15)
    step, _, gradient = moved(decay=0.0, frozen=True)
    torch.testing.assert_close(step, -0.1 * gradient, rtol=0, atol=1e-15)
