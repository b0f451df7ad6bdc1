"""Operators of ONNX to layers and back, against results of ONNX Runtime."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lstm_lesson
from lstm_lesson import GRU, LSTM, RNN, LSTMState
from lstm_lesson.engine.activations import ACTIVATIONS
from lstm_lesson.interop import from_onnx, to_onnx

FOREIGN = json.loads(Path(__file__).parents[1].joinpath("data", "foreign.json").read_text())


def arrays_of(case):
    return {k: np.array(v, np.float32) for k, v in case.items() if isinstance(v, list)}


def assert_gives(layer, case):
    """Compare with what ONNX Runtime gave, in float32: a few roundings of 6e-8 each."""
    a = arrays_of(case)
    state = LSTMState(a["initial_h"], a["initial_c"]) if "initial_c" in a else a["initial_h"]
    output, last, _ = layer.forward(a["X"], state, case.get("sequence_lens"))
    T, B, _ = a["X"].shape
    expected = a["Y"].transpose(0, 2, 1, 3).reshape(T, B, -1)  # from (T, directions, B, H)
    np.testing.assert_allclose(output, expected, rtol=0, atol=1e-6)
    parts = last if isinstance(last, tuple) else (last,)
    for part, name in zip(parts, ("Y_h", "Y_c"), strict=False):
        np.testing.assert_allclose(part, a[name], rtol=0, atol=1e-6)


@pytest.mark.parametrize("case", FOREIGN["onnx"], ids=lambda case: case["name"])
def test_an_operator_gives_what_the_runtime_gave(case):
    a = arrays_of(case)
    layer = from_onnx(case["op_type"], case["attributes"], a["W"], a["R"], a["B"], a.get("P"))
    assert_gives(layer, case)


@pytest.mark.parametrize("case", FOREIGN["written"], ids=lambda c: f"{c['kind']} {c['options']}")
def test_the_runtime_gave_what_the_layer_gives_for_exactly_what_is_written(case):
    a = arrays_of(case)
    given = [a.get(name) for name in "WRBP"]
    layer = getattr(lstm_lesson, case["kind"])(3, 2, **case["options"])
    for name, p in from_onnx(case["kind"], case["attributes"], *given).parameters().items():
        layer.parameters()[name][...] = p
    assert_gives(layer, case)
    op_type, attributes, *arrays = to_onnx(layer)
    assert (op_type, attributes) == (case["kind"], case["attributes"])
    for ours, theirs in zip(arrays, given, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_every_activation_was_written_in_every_role_and_every_way():
    ways = ({}, {"reverse": True}, {"bidirectional": True})
    options = [case["options"] for case in FOREIGN["written"]]
    for role in ("gate_activation", "cell_activation", "hidden_activation", "nonlinearity"):
        for way in ways:
            found = {o[role] for o in options if role in o and way.items() <= o.items()}
            assert found == set(ACTIVATIONS)


@given(
    st.sampled_from([LSTM, GRU, RNN]), st.booleans(), st.booleans(),
    st.sampled_from([{}, {"reverse": True}, {"bidirectional": True}]),
    st.fixed_dictionaries(
        {"peephole": st.booleans(), "couple_input_forget": st.booleans()}
        | {"clip": st.sampled_from([None, 0.5])}
        | {"gate_activation": st.sampled_from(sorted(ACTIVATIONS))}
        | {"hidden_activation": st.sampled_from(sorted(ACTIVATIONS))}
    ),
    st.booleans(),
)  # fmt: skip
def test_onnx_round_trip_is_exact(kind, bias, batch_first, way, options, after):
    options = options if kind is LSTM else {"nonlinearity": options["gate_activation"]}
    options = way | ({"reset_after": after} if kind is GRU else options)
    layer = kind(3, 4, bias=bias, batch_first=batch_first, rng=1, **options)
    for p in layer.parameters().values():
        p[...] = np.random.default_rng(p.size).normal(size=p.shape)
    operator = to_onnx(layer)
    back = from_onnx(*operator)
    assert repr(back) == repr(layer)
    before = {name: p.copy() for name, p in layer.parameters().items()}
    for a in operator[2:]:
        if a is not None:
            a[...] = 7  # neither shares memory with it
    for each in (layer, back):
        for name, p in each.parameters().items():
            np.testing.assert_array_equal(p, before[name])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"op_type": "Lstm"}, ValueError, "op_type: expected one of"),
        ({"attributes": {"size": 3}}, ValueError, r"LSTM has no \['size'\]"),
        (
            {"attributes": {"linear_before_reset": 1}},
            ValueError,
            r"LSTM has no \['linear_before_reset'\]",
        ),
        ({"attributes": {"direction": "both"}}, ValueError, "direction: expected one of"),
        ({"attributes": {"hidden_size": 5}}, ValueError, "hidden_size: expected 4 as in R, got 5"),
        ({"attributes": {"activations": ["Tanh"]}}, ValueError, "activations: expected 3 names"),
        ({"attributes": {"activations": ["Elu"] * 3}}, ValueError, "activations: expected one of"),
        ({"R": np.zeros((1, 16, 5), np.float32)}, ValueError, r"R: expected shape \(1, 20, 5\)"),
        ({"W": np.zeros((2, 16, 3), np.float32)}, ValueError, r"W: expected shape \(1, 16, D\)"),
        ({"B": np.zeros((1, 16), np.float32)}, ValueError, r"B: expected shape \(1, 32\)"),
        ({"P": np.zeros((1, 16), np.float32)}, ValueError, r"P: expected shape \(1, 12\)"),
    ],
)
def test_an_operator_that_does_not_fit_is_named(change, error, message):
    operator = to_onnx(LSTM(3, 4))._asdict() | {"attributes": {}} | change
    with pytest.raises(error, match=message):
        from_onnx(**operator)


def activations(*names, **numbers):
    lists = {f"activation_{name}": values for name, values in numbers.items()}
    operator = to_onnx(LSTM(3, 4))
    return operator._replace(attributes={"activations": list(names), **lists})


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        (activations("hardsigmoid", "TANH", "Tanh"), ("hard_sigmoid", "tanh", "tanh")),
        (activations("HardSigmoid", "Tanh", "Tanh", alpha=[0.2]), ("hard_sigmoid", "tanh", "tanh")),
        (
            activations("HardSigmoid", "Softsign", "Affine", alpha=[1 / 6, 1], beta=[0.5, 0]),
            ("hard_sigmoid_6", "softsign", "identity"),
        ),
        (
            activations("Affine", "HardSigmoid", "Relu", alpha=[1, 0.16666667], beta=[0]),
            ("identity", "hard_sigmoid_6", "relu"),
        ),
        (
            activations(b"Sigmoid", b"Relu", b"Affine", alpha=(1.0,), beta=(0.0,)),
            ("sigmoid", "relu", "identity"),
        ),
    ],
)
def test_values_are_those_of_the_functions_that_take_them(operator, expected):
    layer = from_onnx(*operator)
    assert (layer.gate_activation, layer.cell_activation, layer.hidden_activation) == expected


@pytest.mark.parametrize(
    ("operator", "message"),
    [
        # ONNX Runtime takes alpha = 0 here, and then every output is zero.
        (activations("Sigmoid", "Tanh", "Affine"), "activation_alpha: .* Affine, which has no def"),
        (activations("Affine", "Tanh", "Tanh", alpha=[1]), "activation_beta: .* Affine, which has"),
        (activations("Sigmoid", "Tanh", "Affine", alpha=[2], beta=[0]), r"got \(2, 0\)"),
        (
            activations("HardSigmoid", "Tanh", "Tanh", alpha=[0.3], beta=[0.5]),
            r"expected \(0.2, 0.5\) or \(0.16666666666666666, 0.5\) for HardSigmoid",
        ),
        (activations("HardSigmoid", "Tanh", "Tanh", alpha=[0.1667]), r"got \(0.1667, 0.5\)"),
        (activations("HardSigmoid", "Tanh", "Tanh", alpha=[0.2, 1]), r"no more values .*\[1\]"),
        (activations("Sigmoid", "Tanh", "Tanh", beta=[0.5]), r"activation_beta: .*\[0.5\]"),
    ],
)
def test_values_that_do_not_fit_are_named(operator, message):
    with pytest.raises(ValueError, match=message):
        from_onnx(*operator)


def test_two_directions_and_a_gru_have_the_activations_that_the_layer_has():
    operator = to_onnx(LSTM(3, 4, bidirectional=True))
    names = ["Sigmoid", "Tanh", "Tanh", "Sigmoid", "Tanh", "Relu"]
    with pytest.raises(ValueError, match="activations: expected the same in both directions"):
        from_onnx(
            *operator._replace(attributes={"direction": "bidirectional", "activations": names})
        )
    operator = to_onnx(GRU(3, 4))
    attributes = operator.attributes | {"activations": ["Sigmoid", "Relu"]}
    with pytest.raises(ValueError, match=r"GRU has \['sigmoid', 'tanh'\] alone, got .*'Relu'"):
        from_onnx(*operator._replace(attributes=attributes))


def test_other_cells_are_refused_by_name():
    gru = to_onnx(GRU(3, 4))
    with pytest.raises(ValueError, match=r"ONNX has no cell_clip, got 1\.0"):
        to_onnx(LSTM(3, 4, cell_clip=1.0))
    with pytest.raises(ValueError, match="clip: the layer has it for the LSTM alone"):
        from_onnx(*gru._replace(attributes={"clip": 1.0, "linear_before_reset": 1}))
    with pytest.raises(ValueError, match="ONNX has no num_layers, got 2"):
        to_onnx(LSTM(3, 4, 2))
    with pytest.raises(TypeError, match="expected an LSTM, GRU or RNN, got dict"):
        to_onnx({})


# ---- Nodes and models: objects with the fields that the package onnx gives its own ----

FIELDS = {float: (1, "f"), int: (2, "i"), bytes: (3, "s")}
LISTS = {float: (6, "floats"), int: (7, "ints"), bytes: (8, "strings")}


def attribute(name, value):
    if isinstance(value, list):
        value = [v.encode() if isinstance(v, str) else v for v in value]
        number, field = LISTS[type(value[0])]
    else:
        value = value.encode() if isinstance(value, str) else value
        number, field = FIELDS[type(value)]
    return SimpleNamespace(name=name, type=number, **{field: value})


def node_of(operator, name="", inputs=("X", "W", "R", "B", "", "h", "c", "P")):
    attributes = [attribute(*pair) for pair in operator.attributes.items()]
    return SimpleNamespace(
        op_type=operator.op_type, name=name, input=inputs, output=[f"Y of {name}"],
        attribute=attributes,
    )  # fmt: skip


def model_of(*nodes, **stored):
    tensors = [SimpleNamespace(name=k, array=a, data_location=0) for k, a in stored.items()]
    constant = SimpleNamespace(name="value", t=tensors.pop(0))
    first = SimpleNamespace(op_type="Constant", attribute=[constant], output=[constant.t.name])
    return SimpleNamespace(graph=SimpleNamespace(node=[first, *nodes], initializer=tensors))


@pytest.fixture
def package(monkeypatch):
    """A stand-in for onnx, which reads the models that are put into it."""
    models = {}
    package = SimpleNamespace(
        models=models,
        load=models.__getitem__,
        load_from_string=models.__getitem__,
        numpy_helper=SimpleNamespace(to_array=lambda tensor: tensor.array),
    )
    monkeypatch.setitem(sys.modules, "onnx", package)
    return package


LAYER = LSTM(3, 4, bidirectional=True, peephole=True, gate_activation="identity", rng=1)
OPERATOR = to_onnx(LAYER)
STORED = {"W": OPERATOR.W, "R": OPERATOR.R, "B": OPERATOR.B, "P": OPERATOR.P}


def assert_same(layer, other):
    assert repr(layer) == repr(other)
    for name, p in layer.parameters().items():
        np.testing.assert_array_equal(other.parameters()[name], p)


def test_a_node_is_read_with_its_arrays_by_name():
    node = node_of(OPERATOR)
    assert node.attribute[1].s == b"bidirectional"
    assert_same(from_onnx(node, **STORED), LAYER)
    attributes = {a.name: getattr(a, (*vars(a),)[2]) for a in node.attribute}  # text as bytes
    assert_same(from_onnx("LSTM", attributes, **STORED), LAYER)


def test_a_model_is_read_from_a_path_bytes_or_itself(package, tmp_path):
    model = model_of(node_of(OPERATOR), **STORED)
    package.models |= {"model.onnx": model, tmp_path: model, b"the file": model}
    for source in ("model.onnx", tmp_path, b"the file", model):
        assert_same(from_onnx(source), LAYER)


def test_a_node_of_a_model_is_chosen_by_its_name_or_its_output(package):
    gru = to_onnx(GRU(3, 4, rng=2))
    nodes = node_of(OPERATOR, "first"), node_of(gru, "second", ("X", "W2", "R2", "B2"))
    model = model_of(*nodes, **STORED, W2=gru.W, R2=gru.R, B2=gru.B)
    for name in ("second", "Y of second"):
        assert_same(from_onnx(model, name=name), from_onnx(*gru))
    with pytest.raises(ValueError, match=r"several such nodes, .* of \['first', 'second'\]"):
        from_onnx(model)
    with pytest.raises(ValueError, match=r"expected one of \['first', 'second'\], got 'third'"):
        from_onnx(model, name="third")


@pytest.mark.parametrize(
    ("stored", "arguments", "error", "message"),
    [
        (STORED | {"R": None}, {}, ValueError, "R: 'R' isn't stored in the model"),
        (STORED | {"h": np.ones((2, 1, 4))}, {}, ValueError, "initial_h: stored in the model"),
        (STORED, {"W": OPERATOR.W}, ValueError, "W: arrays are in the model"),
        (STORED, {"attributes": {}}, ValueError, "attributes: they are in the node"),
    ],
)
def test_what_a_model_lacks_or_has_too_much_of_is_named(package, stored, arguments, error, message):
    stored = {name: a for name, a in stored.items() if a is not None}
    with pytest.raises(error, match=message):
        from_onnx(model_of(node_of(OPERATOR), **stored), **arguments)


def test_a_model_without_such_a_node_or_in_two_files_is_refused(package):
    with pytest.raises(ValueError, match="the model has no LSTM, GRU or RNN"):
        from_onnx(model_of(**STORED))
    assert_same(from_onnx(model_of(node_of(OPERATOR), **STORED, h=np.zeros((2, 1, 4)))), LAYER)
    model = model_of(node_of(OPERATOR), **STORED)
    model.graph.initializer[0].data_location = 1
    with pytest.raises(ValueError, match="'R' is kept in another file; pass the model's path"):
        from_onnx(model)
    with pytest.raises(TypeError, match="'RNN', a node or a model, got int"):
        from_onnx(3)
    for source in (node_of(OPERATOR), "LSTM"):
        with pytest.raises(ValueError, match="name: expected with a model alone"):
            from_onnx(source, name="first", **STORED)


def test_without_the_package_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)  # an import of it fails then
    with pytest.raises(ImportError, match="pip install onnx"):
        from_onnx("model.onnx")


def test_a_file_of_the_real_package_is_read(tmp_path):
    onnx = pytest.importorskip("onnx")
    node = onnx.helper.make_node(
        "LSTM", ["X", *"WRB", "", "", "", "P"], ["Y"], **OPERATOR.attributes
    )
    stored = [onnx.numpy_helper.from_array(a, name) for name, a in STORED.items()]
    ports = [[onnx.helper.make_tensor_value_info(n, 1, None)] for n in "XY"]
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "one", *ports, stored))
    onnx.save(model, tmp_path / "model.onnx")
    for source in (tmp_path / "model.onnx", model.SerializeToString(), model):
        assert_same(from_onnx(source), LAYER)
    assert_same(from_onnx(node, **STORED), LAYER)
