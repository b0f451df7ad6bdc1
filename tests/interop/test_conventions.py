"""The tables of `chapters/conventions.md`: every cell is what the library does, any other fails.

The cells are read from the page itself, and checked against `evidence`.
"""

import inspect
import re
from itertools import permutations
from math import prod
from pathlib import Path

import numpy as np
import pytest
import torch
from evidence import (
    EVIDENCE,
    Evidence,
    arrays_of,
    onnx_cases,
    onnx_directions,
    option_case,
    reproduces,
    run_lstm,
    run_torch,
)
from foreign import SIZES, kept, onnx_case, quiet

from lstm_lesson import LSTM, interop

pytestmark = quiet
ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "chapters" / "conventions.md").read_text(encoding="utf-8")
LIBRARIES = ("PyTorch", "Keras", "ONNX")


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
        names = [name.split("/")[-1] for name in kept()["keras"]["names"][kind]]
        weights = map(np.array, kept()["keras"][kind]["weights"])
        yield dict(zip(names, weights, strict=True)), SIZES
    else:
        yield arrays_of(kept()["onnx"][kind]), SIZES
        sizes = {"T": 5, "B": 3, "D": 2, "H": 4, "K": 1}
        yield arrays_of(onnx_case(f"{kind} forward")), sizes


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
        assert kept()["onnx"]["schema"]["GRU"]["attributes"]["linear_before_reset"] == 0
        case = kept()["onnx"]["GRU before"]
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
        case = kept()["keras"]["GRU before"]
        W, U, b = map(np.array, case["weights"])
        ((bias, shape),) = shapes(cell.split(", ", 1)[1])
        assert bias == "bias" and b.shape == size_of(shape, SIZES)
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
        return kept()["keras"]["parameters"][kind]
    schema = kept()["onnx"]["schema"][kind]
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
        case = kept()["keras"]["LSTM"]
        states = [np.array(a) for a in case["initial"] + case["last"]]
        yield np.array(case["x"]), np.array(case["output"]), states, SIZES | {"K": 1}
        case = kept()["keras"]["BiLSTM"]
        yield np.array(case["x"]), np.array(case["output"]), states, SIZES
    else:
        case = kept()["onnx"]["layout" if batch_first else "LSTM"]
        a = arrays_of(case)
        states = [a[k] for k in ("initial_h", "initial_c", "Y_h", "Y_c")]
        yield a["X"], a["Y"], states, SIZES


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
        schema = kept()["onnx"]["schema"]["LSTM"]
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
        case = kept()["onnx"]["layout"]
        assert case["attributes"][name] == int(value)
        assert "are not supported" in case["ONNX Runtime"]
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
        names = [n.split("_")[0] for n in kept()["keras"]["names of Bidirectional"]]
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
    case = kept()["keras"]["go_backwards"]
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


def check_peepholes(library, cell):
    if lacks(library, cell, "peep|^P$"):
        return True
    name, shape, order = re.fullmatch(r"`(\w)` \$(\([^)]*\))\$: (\w, \w, \w)", cell).groups()
    both = arrays_of(kept()["onnx"]["LSTM"])
    assert both[name].shape == size_of(shape, SIZES)
    cases = [option_case("LSTM peephole")[1:]]
    cases += [(both, each) for each in onnx_directions(kept()["onnx"]["LSTM"]["attributes"], both)]
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
        assert kept()["keras"]["parameters"]["LSTM"]["unit_forget_bias"] is True
        i, f, c, o = np.split(np.array(kept()["keras"]["bias of a new LSTM"]), 4)
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


# ---- The calls of this package ----


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
