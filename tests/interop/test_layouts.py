"""Layouts of further libraries, against what those gave, or against their documented formula."""

import importlib.util
import json
import sys
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from evidence import run_lstm

from lstm_lesson import GRU, LSTM, RNN, LSTMState
from lstm_lesson.interop import LAYOUTS, from_layout, from_torch, layouts, to_layout
from lstm_lesson.interop.layout_table import GATES

DATA = Path(__file__).parents[1] / "data"
CASES = json.loads((DATA / "layouts.json").read_text(encoding="utf-8"))
READ = {"burn", "coreml", "webnn"}  # the libraries that weren't run


def numbers(value):
    """Return lists of numbers in a case as arrays."""
    if isinstance(value, dict):
        return {name: numbers(each) for name, each in value.items()}
    if isinstance(value, list) and isinstance(value[0], int):
        return np.array(value)
    try:
        return np.array(value, np.float32) if isinstance(value, list) else value
    except ValueError:
        return [numbers(each) for each in value]


def read(case):
    given = numbers(case["arrays"]), case["kind"]
    if case["library"] == "tinygrad":  # which has PyTorch's names
        return from_torch(given[0])
    return from_layout(case["library"], *given, **case["told"])


def run(layer, case, states="hc"):
    """Return output and last states of a layer, states in the order of the library."""
    initial = [numbers(a) for a in case["initial"]]
    initial = [a if a.ndim == 3 else a[None] for a in initial]
    state = (
        LSTMState(*(initial[states.index(k)] for k in "hc")) if len(initial) == 2 else initial[0]
    )
    output, last, _ = layer.forward(numbers(case["x"]), state, case.get("lengths"))
    last = dict(zip("hc", last if isinstance(last, tuple) else (last,), strict=False))
    return output, [last[k] for k in states[: len(last)]]


def gives(layer, case, states) -> bool:
    """Compare with what the library gave, in float32: a few roundings of 6e-8 each."""
    try:
        output, last = run(layer, case, states)
    except ValueError:  # a state of another size
        return False
    expected = [numbers(a) for a in (case["output"], *case["last"])]
    return all(
        np.allclose(ours, theirs.reshape(ours.shape), rtol=0, atol=2e-6)
        for ours, theirs in zip([output, *last], expected, strict=True)
    )


def name_of(case):
    return f"{case['library']} {case['cell']} {case['told']}"


def state_of(case):
    kinds = LAYOUTS.get(case["library"])
    return kinds[case["kind"]].state if kinds else "hc"


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_a_layer_gives_what_the_library_gave(case):
    layer = read(case)
    assert gives(layer, case, state_of(case))
    if case["kind"] == "LSTM":
        assert not gives(layer, case, state_of(case)[::-1])


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_any_other_order_of_the_gates_gives_something_else(case, monkeypatch):
    if case["library"] not in LAYOUTS or case["kind"] == "RNN":
        pytest.skip("has one gate, or no layout of its own")
    layout = LAYOUTS[case["library"]][case["kind"]]
    if "{}" in layout.inputs:
        pytest.skip("has a matrix for each gate, by name")
    for order in permutations(layout.order):
        changed = layout._replace(order="".join(order))
        monkeypatch.setitem(layouts.LAYOUTS[case["library"]], case["kind"], changed)
        assert gives(read(case), case, layout.state) == (changed == layout)


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_what_is_written_is_what_the_library_has(case):
    if case["library"] not in LAYOUTS:
        pytest.skip("has no layout of its own")
    told = {k: v for k, v in case["told"].items() if k == "forget_bias"}
    written = to_layout(case["library"], read(case), **told)
    expected = numbers(case["arrays"])
    assert set(written) == set(expected)
    two = LAYOUTS[case["library"]][case["kind"]].biases[1:]  # of two biases only the sum is kept
    for name, a in expected.items():
        if not (two and "bias" in name):
            np.testing.assert_allclose(written[name], a, rtol=0, atol=1e-7)
    again = from_layout(case["library"], written, case["kind"], **case["told"])
    for name, p in read(case).parameters().items():
        np.testing.assert_allclose(again.parameters()[name], p, rtol=0, atol=1e-7)


def test_every_library_was_run_or_is_known_by_its_formula():
    assert set(LAYOUTS) == {case["library"] for case in CASES} - {"tinygrad"} | READ
    assert READ == {library for library, _ in FORMULAS}
    for library, kinds in LAYOUTS.items():
        found = {case["kind"] for case in CASES if case["library"] == library}
        found |= {kind for name, kind in FORMULAS if name == library}
        assert found == set(kinds)


# ---- The libraries that weren't run: their formulas, as documented, on drawn arrays ----


def burn(a):
    """Four gates of two linear layers each, ``x W + b`` with W (D, H)."""
    gates = {"i": "input", "f": "forget", "g": "cell", "o": "output"}
    W, U, b = (
        np.concatenate([a[f"{gates[k]}_gate/{part}"] for k in "ifgo"], axis=-1)
        for part in ("input_transform/weight", "hidden_transform/weight", "input_transform/bias")
    )
    b = b + np.concatenate([a[f"{gates[k]}_gate/hidden_transform/bias"] for k in "ifgo"])
    return lambda x, state: run_lstm(x, state, W.T, U.T, b, "ifgo")


def coreml(a):
    """Rows input, forget, output, cell; peepholes of input, forget, output."""
    seen = dict(zip("ifo", np.split(a["peephole"], 3), strict=True))
    W, U, b = (a[name] for name in ("weight_ih", "weight_hh", "bias"))
    return lambda x, state: run_lstm(x, state, W, U, b, "ifog", peephole=seen)


def webnn(a):
    """Rows input, output, forget, cell; peepholes of input, output, forget."""
    seen = dict(zip("iof", np.split(a["peepholeWeight"][0], 3), strict=True))
    W, U, b = (a[name][0] for name in ("weight", "recurrentWeight", "bias"))
    b = b + a["recurrentBias"][0]
    return lambda x, state: run_lstm(x, state, W, U, b, "iofg", peephole=seen)


FORMULAS = {("burn", "LSTM"): burn, ("coreml", "LSTM"): coreml, ("webnn", "LSTM"): webnn}


@pytest.mark.parametrize(("library", "kind"), FORMULAS, ids=str)
def test_a_layer_computes_the_documented_formula(library, kind):
    T, B, D, H = 5, 4, 3, 2
    rng = np.random.default_rng(0)
    ours = {"LSTM": LSTM, "GRU": GRU, "RNN": RNN}[kind]
    peephole = {"peephole": True} if LAYOUTS[library][kind].peepholes else {}
    names = to_layout(library, ours(D, H, dtype=np.float64, **peephole))
    arrays = {name: rng.normal(size=a.shape) for name, a in names.items()}
    layer = from_layout(library, arrays, kind)
    x = rng.normal(size=(T, B, D))
    state = [rng.normal(size=(B, H)) for _ in range(2 if kind == "LSTM" else 1)]
    expected, last = FORMULAS[library, kind](arrays)(x, state)
    given = tuple(a[None] for a in state)
    output, found, _ = layer.forward(x, given if kind == "LSTM" else given[0])
    np.testing.assert_allclose(output, expected, rtol=0, atol=1e-13)
    parts = found if isinstance(found, tuple) else (found,)
    for part, theirs in zip(parts, last, strict=True):
        np.testing.assert_allclose(part[0], theirs, rtol=0, atol=1e-13)


# ---- Both ways ----

ROWS = [(library, kind) for library, kinds in LAYOUTS.items() for kind in kinds]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("library", "kind"), ROWS, ids=str)
def test_a_round_trip_is_exact_and_shares_no_memory(library, kind, bias):
    layout = LAYOUTS[library][kind]
    told = {"forget_bias": 0.0} if kind == "LSTM" else {}
    options = {"bias": bias, "dtype": np.float64, "rng": 1}
    options |= {"peephole": True} if layout.peepholes else {}
    options |= {"proj_size": 2} if layout.projection else {}
    options |= {"bidirectional": True} if layout.directions else {}
    layer = {"LSTM": LSTM, "GRU": GRU, "RNN": RNN}[kind](3, 4, **options)
    for p in layer.parameters().values():
        p[...] = np.random.default_rng(p.size).normal(size=p.shape)
    arrays = to_layout(library, layer, **told)
    nested = {}
    for name, a in arrays.items():
        *path, last = name.split("/")
        inner = nested
        for part in path:
            inner = inner.setdefault(part, {})
        inner[last] = a
    dotted = {name.replace("/", "."): a for name, a in arrays.items()}
    for given in (arrays, nested, dotted | {"absent": None}):
        back = from_layout(library, given, kind, **told)
        assert back.options == layer.options
        for name, p in layer.parameters().items():
            np.testing.assert_array_equal(back.parameters()[name], p)
    before = {name: p.copy() for name, p in layer.parameters().items()}
    for a in arrays.values():
        a[...] = 7
    for each in (layer, back):
        for name, p in each.parameters().items():
            np.testing.assert_array_equal(p, before[name])


def test_each_gate_has_a_place():
    for kinds in LAYOUTS.values():
        for kind, layout in kinds.items():
            assert sorted(layout.order) == sorted(GATES[kind])
            assert sorted(layout.state) == ["c", "h"] and sorted(layout.seen) == ["f", "i", "o"]


def test_a_forget_bias_of_the_code_is_in_the_layer():
    arrays = to_layout("tensorflow1", LSTM(3, 2, forget_bias=0.0), forget_bias=0.0)
    bias = from_layout("tensorflow1", arrays).parameters()["bias_l0"]
    np.testing.assert_array_equal(bias, [0, 0, 1, 1, 0, 0, 0, 0])
    del arrays["bias"]
    bias = from_layout("tensorflow1", arrays, forget_bias=0.5).parameters()["bias_l0"]
    np.testing.assert_array_equal(bias, [0, 0, 0.5, 0.5, 0, 0, 0, 0])


FLAX = to_layout("flax", LSTM(3, 2))
WEBNN = to_layout("webnn", LSTM(3, 2))


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (("jax", {}), {}, ValueError, "library: expected one of .*'flax'.*, got 'jax'"),
        (("burn", {}, "GRU"), {}, ValueError, r"kind: expected one of \['LSTM'\] for burn, got"),
        (("flax", [FLAX]), {}, TypeError, "arrays: expected a dict of arrays, got list"),
        (("flax", {}), {}, ValueError, r"arrays: expected 'ii/kernel', got \[\]"),
        (("flax", {"params": FLAX}), {}, ValueError, "arrays: expected 'ii/kernel', got"),
        (("flax", FLAX | {"ig/bias": np.ones(2)}), {}, ValueError, r"got \['ig/bias'\] as well"),
        (
            ("flax", {n: a for n, a in FLAX.items() if n != "hg/bias"}),
            {},
            ValueError,
            "arrays: expected 'hg/bias', got",
        ),
        (("flax", FLAX | {"hi/kernel": np.ones((3, 2), np.float32)}), {}, ValueError, "dimension"),
        (("webnn", WEBNN | {"bias": np.ones((1, 6), np.float32)}), {}, ValueError, "blocks of 'io"),
        (
            ("webnn", WEBNN | {"bias": np.ones((1, 4), np.float32)}),
            {},
            ValueError,
            "bias: expected",
        ),
        (("flax", FLAX), {"bias": False}, ValueError, "bias: the arrays tell"),
        (("flax", FLAX), {"forget_bias": "1"}, TypeError, "forget_bias: expected a number"),
        (("tfjs", {}), {}, ValueError, "forget_bias: an argument of the library's; pass it|arrays"),
    ],
)
def test_arrays_that_do_not_fit_are_named(arguments, options, error, message):
    with pytest.raises(error, match=message):
        from_layout(*arguments, **options)


def test_what_a_library_lacks_is_refused():
    for layer, message in [
        (LSTM(3, 2, 2), "flax has no num_layers, got 2"),
        (LSTM(3, 2, peephole=True), "flax has no peephole, got True"),
        (LSTM(3, 2, clip=1.0), r"flax has no clip, got 1\.0"),
        (LSTM(3, 2, bidirectional=True), "flax has no bidirectional, got True"),
    ]:
        with pytest.raises(ValueError, match=message):
            to_layout("flax", layer)
    with pytest.raises(TypeError, match=r"expected an lstm_lesson\.LSTM, GRU or RNN, got dict"):
        to_layout("flax", {})
    with pytest.raises(ValueError, match="forget_bias: the layer has no bias to take"):
        to_layout("tensorflow1", LSTM(3, 2, bias=False))
    with pytest.raises(ValueError, match="forget_bias: an LSTM alone has it"):
        to_layout("flax", GRU(3, 2), forget_bias=1.0)


# ---- The libraries themselves, where they are ----

NEEDED = {"jax": ("flax", "equinox"), "tensorflow": ("tensorflow", "tf_keras"),
          "openvino": ("openvino",), "tinygrad": ("tinygrad",), "mxnet": ("mxnet",)}  # fmt: skip


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("maker", NEEDED)
def test_an_installed_library_gives_again_what_is_kept(maker, monkeypatch):
    if not all(importlib.util.find_spec(name) for name in NEEDED[maker]):
        pytest.skip(f"needs {' and '.join(NEEDED[maker])}")
    monkeypatch.syspath_prepend(DATA)
    import make_layouts

    again = json.loads(
        json.dumps(list(make_layouts.MAKERS[maker]()), default=make_layouts.shortened)
    )
    assert again
    for case in again:
        kept = [c for c in CASES if name_of(c) == name_of(case) and c["arrays"] == case["arrays"]]
        assert len(kept) == 1
        for name in ("output", "last"):
            np.testing.assert_allclose(
                np.hstack([np.ravel(a) for a in case[name]]),
                np.hstack([np.ravel(a) for a in kept[0][name]]), rtol=0, atol=2e-6,
            )  # fmt: skip
    sys.modules.pop("make_layouts", None)
