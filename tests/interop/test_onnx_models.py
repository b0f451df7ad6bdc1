"""Whole ONNX models: those of exporters to layers, and those of layers to ONNX Runtime."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from foreign import run_model
from onnx import helper, numpy_helper

from lstm_lesson import GRU, LSTM, RNN
from lstm_lesson.experiments.gate_recurrence import GateRecurrentLSTM
from lstm_lesson.interop import from_onnx, to_onnx, to_onnx_model

LAYER = LSTM(3, 4, bidirectional=True, peephole=True, gate_activation="identity", rng=1)
OPERATOR = to_onnx(LAYER)
STORED = {"W": OPERATOR.W, "R": OPERATOR.R, "B": OPERATOR.B, "P": OPERATOR.P}
INPUTS = ("X", "W", "R", "B", "", "h", "c", "P")


def node_of(operator, name="", inputs=INPUTS):
    output = [f"Y of {name}"]
    return helper.make_node(operator.op_type, inputs, output, name=name, **operator.attributes)


def model_of(*nodes, inputs=("X", "h", "c"), **stored):
    tensors = [numpy_helper.from_array(a, name) for name, a in stored.items()]
    inputs = [helper.make_tensor_value_info(n, 1, None) for n in inputs if n not in stored]
    outputs = [helper.make_tensor_value_info(node.output[0], 1, None) for node in nodes[-1:]]
    return helper.make_model(
        helper.make_graph(nodes, "one", inputs, outputs, tensors),
        opset_imports=[helper.make_opsetid("", 17)],
    )


def assert_same(layer, other):
    assert repr(layer) == repr(other)
    for name, p in layer.parameters().items():
        np.testing.assert_array_equal(other.parameters()[name], p)


def test_a_node_is_read_with_its_arrays_by_name():
    node = node_of(OPERATOR)
    assert_same(from_onnx(node, **STORED), LAYER)
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    assert attributes["direction"] == b"bidirectional"
    assert_same(from_onnx("LSTM", attributes, **STORED), LAYER)


def test_a_model_is_read_from_a_path_bytes_or_itself(tmp_path):
    model = model_of(node_of(OPERATOR), **STORED)
    path, aside = tmp_path / "model.onnx", tmp_path / "aside.onnx"
    onnx.save(model, path)
    copy = onnx.load(path)  # which saving like this changes
    onnx.save(copy, aside, save_as_external_data=True, size_threshold=0)
    for source in (path, str(path), path.read_bytes(), bytearray(path.read_bytes()), model, aside):
        assert_same(from_onnx(source), LAYER)
    with pytest.raises(ValueError, match="'W' is kept in another file; pass the model's path"):
        from_onnx(aside.read_bytes())


def test_arrays_that_the_model_computes_of_its_own_are_computed():
    constant = helper.make_node("Constant", [], ["R"], value=numpy_helper.from_array(OPERATOR.R))
    halves = {"B1": OPERATOR.B[:, :16], "B2": OPERATOR.B[:, 16:]}
    joined = helper.make_node("Concat", ["B1", "B2"], ["B"], axis=1)
    stored = {"W": OPERATOR.W, "P": OPERATOR.P} | halves
    assert_same(from_onnx(model_of(constant, joined, node_of(OPERATOR), **stored)), LAYER)
    doubled = helper.make_node("Add", ["W1", "X"], ["W"])
    del stored["W"]
    with pytest.raises(ValueError, match="W: 'W' depends on an input of the model"):
        from_onnx(model_of(doubled, constant, joined, node_of(OPERATOR), W1=OPERATOR.W, **stored))


def test_a_node_of_a_model_is_chosen_by_its_name_or_its_output():
    gru = to_onnx(GRU(3, 4, rng=2))
    nodes = node_of(OPERATOR, "first"), node_of(gru, "second", ("X", "W2", "R2", "B2"))
    model = model_of(*nodes, **STORED, W2=gru.W, R2=gru.R, B2=gru.B)
    for name in ("second", "Y of second"):
        assert_same(from_onnx(model, name=name), from_onnx(*gru))
    with pytest.raises(
        ValueError,
        match=r"one of \['first', 'second'\]; they are no stack, for the input of 'second' doesn't",
    ):
        from_onnx(model)
    with pytest.raises(ValueError, match=r"expected one of \['first', 'second'\], got 'third'"):
        from_onnx(model, name="third")


@pytest.mark.parametrize(
    ("stored", "arguments", "error", "message"),
    [
        (STORED | {"R": None}, {}, ValueError, "R: 'R' depends on an input of the model"),
        (STORED | {"h": np.ones((2, 1, 4))}, {}, ValueError, "initial_h: stored in the model"),
        (STORED, {"W": OPERATOR.W}, ValueError, "W: arrays are in the model"),
        (STORED, {"attributes": {}}, ValueError, "attributes: they are in the node"),
    ],
)
def test_what_a_model_lacks_or_has_too_much_of_is_named(stored, arguments, error, message):
    stored = {name: a for name, a in stored.items() if a is not None}
    with pytest.raises(error, match=message):
        from_onnx(model_of(node_of(OPERATOR), **stored), **arguments)


def test_an_initial_state_of_zeros_is_taken_for_none_and_another_constant_refused():
    assert_same(from_onnx(model_of(node_of(OPERATOR), **STORED, h=np.zeros((2, 1, 4)))), LAYER)
    for value, op_type in [(0.0, "Expand"), (1.0, "Expand"), (2.0, "ConstantOfShape")]:
        given = {"number": np.float32(value), "sizes": np.array([2, 1, 4])}
        expand = helper.make_node("Expand", ["number", "shape"], ["h"])
        if op_type == "ConstantOfShape":
            tensor = numpy_helper.from_array(np.float32([value]))
            expand = helper.make_node(op_type, ["shape"], ["h"], value=tensor)
        shape = helper.make_node("Shape", ["X"], ["shape"])
        model = model_of(shape, expand, node_of(OPERATOR), **STORED, **given)
        if value:
            with pytest.raises(ValueError, match="initial_h: stored in the model"):
                from_onnx(model)
        else:
            assert_same(from_onnx(model), LAYER)


def test_a_model_without_such_a_node_is_refused():
    other = helper.make_node("Add", ["X", "X"], ["Y"])
    domain = node_of(OPERATOR)
    domain.domain = "com.example"
    for node in (other, domain):
        with pytest.raises(ValueError, match="the model has no LSTM, GRU or RNN"):
            from_onnx(model_of(node, **STORED))
    with pytest.raises(TypeError, match="'RNN', a node or a model, got int"):
        from_onnx(3)
    for source in (node_of(OPERATOR), "LSTM"):
        with pytest.raises(ValueError, match="name: expected with a model alone"):
            from_onnx(source, name="first", **STORED)


def test_without_the_package_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)  # an import of it fails then
    for call in (lambda: from_onnx("model.onnx"), lambda: to_onnx_model(LAYER)):
        with pytest.raises(ImportError, match="pip install onnx"):
            call()


# ---- Stacks, as exporters write them ----

EXPORTED = sorted((Path(__file__).parents[1] / "data" / "exported").glob("*.onnx"))


def test_there_are_models_of_three_exporters():
    assert {path.name.partition("_")[0] for path in EXPORTED} == {"torch", "torchscript", "keras"}


@pytest.mark.parametrize("path", EXPORTED, ids=lambda path: path.stem)
def test_a_stack_gives_what_the_exported_model_gives(path):
    layer, model = from_onnx(path), onnx.load(path)
    nodes = [n for n in model.graph.node if n.op_type in ("LSTM", "GRU", "RNN")]
    assert layer.num_layers == len(nodes) > 1
    batch_first = "both_ways" in path.stem or "keras" in path.stem
    x = np.random.default_rng(0).normal(size=(6, 2, 3)).astype(np.float32)
    given = np.ascontiguousarray(x.swapaxes(0, 1)) if batch_first else x
    expected = run_model(model, {model.graph.input[0].name: given})[0]
    output = layer.forward(x)[0]
    output = output.swapaxes(0, 1) if batch_first else output
    np.testing.assert_allclose(output, expected, rtol=0, atol=1e-6)


def between(*nodes, ways=1, x="Z", sizes=None, above=None, **stored):
    """Return a model of two nodes with others between them, which make `x` of ``Y of below``."""
    below = to_onnx(LSTM(3, 4, bidirectional=ways == 2, rng=1))
    above = above or to_onnx(LSTM(4 * ways, 4, bidirectional=ways == 2, rng=2))
    lists = {name: np.array(value) for name, value in stored.items()}
    arrays = {f"{name}{k}": a for k, op in enumerate((below, above)) for name, a in
              zip("WRB", op[2:], strict=False)}  # fmt: skip
    model = model_of(
        node_of(below, "below", ("X", "W0", "R0", "B0")), *nodes,
        node_of(above, "above", (x, "W1", "R1", "B1")), inputs=["X"], **lists, **arrays,
    )  # fmt: skip
    if sizes:
        model.graph.input[0].CopyFrom(helper.make_tensor_value_info("X", 1, sizes))
    return model


def move(op_type, inputs, output, **attributes):
    return helper.make_node(op_type, inputs, [output], **attributes)


Y = "Y of below"
GOOD = {
    "squeeze": between(move("Squeeze", [Y, "axes"], "Z"), axes=[1]),
    "dropout": between(move("Squeeze", [Y, "axes"], "a"), move("Dropout", ["a"], "Z"), axes=[-3]),
    "reshape": between(move("Reshape", [Y, "shape"], "Z"), sizes=[5, 2, 3], shape=[5, 2, 4]),
    "joined": between(
        move("Transpose", [Y], "a", perm=[0, 2, 1, 3]), move("Reshape", ["a", "shape"], "Z"),
        ways=2, shape=[0, 0, -1],
    ),
    "twice": between(
        move("Squeeze", [Y, "axes"], "a"), move("Transpose", ["a"], "b", perm=[1, 0, 2]),
        move("Identity", ["b"], "c"), move("Transpose", ["c"], "Z", perm=[1, 0, 2]), axes=[1],
    ),
    "in halves": between(
        move("Slice", [Y, "zero", "one", "one"], "a"), move("Squeeze", ["a", "one"], "b"),
        move("Slice", [Y, "one", "two", "one"], "c"), move("Squeeze", ["c", "one"], "d"),
        move("Concat", ["b", "d"], "Z", axis=-1), ways=2, zero=[0], one=[1], two=[2],
    ),
}  # fmt: skip
LATER, GRU_ABOVE = to_onnx(LSTM(4, 5)), to_onnx(GRU(4, 4))
BAD = {
    "comes through Relu": between(move("Relu", [Y], "Z")),
    "comes through a Squeeze of None": between(move("Squeeze", [Y], "Z")),
    r"comes through a Squeeze of \['T'\]": between(move("Squeeze", [Y, "axes"], "Z"), axes=[0]),
    r"comes through a Squeeze of \['K'\]": between(
        move("Squeeze", [Y, "axes"], "Z"), axes=[1], ways=2
    ),
    r"has axes \['B', 'T', 'H'\], expected \['T', 'B', 'H'\]": between(
        move("Squeeze", [Y, "axes"], "a"), move("Transpose", ["a"], "Z", perm=[1, 0, 2]), axes=[1]
    ),
    # Without a Transpose in front it mixes directions and sequences.
    r"has axes \['T', 'K', 'BH'\], expected \['T', 'B', 'KH'\]": between(
        move("Reshape", [Y, "shape"], "Z"), ways=2, sizes=[5, 2, 3], shape=[5, 2, 8]
    ),
    r"comes through a Reshape of .* to \[2, 5, 4\]": between(
        move("Reshape", [Y, "shape"], "Z"), sizes=[5, 2, 3], shape=[2, 5, 4]
    ),
    "comes through a Reshape of .* to what is computed": between(
        move("Shape", ["X"], "shape"), move("Reshape", [Y, "shape"], "Z")
    ),
    "comes through a Slice of something else": between(
        move("Slice", [Y, "zero", "one", "zero"], "Z"), zero=[0], one=[1]
    ),
    "comes through a Concat of something else": between(
        move("Squeeze", [Y, "axes"], "a"), move("Concat", ["a", "a"], "Z", axis=2), axes=[1]
    ),
    "doesn't come from the output of 'below'": between(move("Neg", ["X"], "a"), x="a"),
    "layer 1: expected hidden_size 4 for one stack, got 5": between(
        move("Squeeze", [Y, "axes"], "Z"), axes=[1], above=LATER
    ),
    "layer 1: expected layers of one kind to be one stack, got LSTM and GRU": between(
        move("Squeeze", [Y, "axes"], "Z"), axes=[1], above=GRU_ABOVE
    ),
}
BAD["doesn't come from the output of 'below'"].graph.node[1].op_type = "Identity"


@pytest.mark.parametrize("name", GOOD)
def test_what_only_rearranges_stands_between_layers_of_a_stack(name):
    model = GOOD[name]
    layer = from_onnx(model)
    assert layer.num_layers == 2
    x = np.random.default_rng(0).normal(size=(5, 2, 3)).astype(np.float32)
    y = run_model(model, {"X": x})[0]
    expected = y.transpose(0, 2, 1, 3).reshape(5, 2, -1)
    np.testing.assert_allclose(layer.forward(x)[0], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("reason", BAD)
def test_what_computes_something_between_layers_is_refused_by_name(reason):
    with pytest.raises(ValueError, match=reason):
        from_onnx(BAD[reason])
    assert from_onnx(BAD[reason], name="above").num_layers == 1


# ---- Layers to models that ONNX Runtime runs ----

WAYS = ({}, {"reverse": True}, {"bidirectional": True})
LAYERS = [
    (kind, {"num_layers": layers, "batch_first": batch_first} | way | options)
    for kind, options in (
        (LSTM, {"peephole": True, "clip": 2.0, "cell_activation": "elu(0.5)"}),
        (GRU, {"reset_after": False}),
        (RNN, {"bias": False}),
    )
    for layers, batch_first in ((1, False), (1, True), (3, True))
    for way in WAYS
]


@pytest.mark.parametrize(("kind", "options"), LAYERS, ids=str)
def test_the_runtime_runs_a_model_with_lengths_and_states(kind, options):
    layer, rng = kind(3, 4, **options), np.random.default_rng(1)
    for p in layer.parameters().values():
        p[...] = rng.uniform(-1, 1, p.shape)
    x = rng.normal(size=(3, 6, 3) if layer.batch_first else (6, 3, 3)).astype(np.float32)
    start = layer.forward(x)[1]
    parts = start if isinstance(start, tuple) else (start,)
    for with_lengths, with_state in ((False, False), (True, False), (False, True), (True, True)):
        model = to_onnx_model(layer, lengths=with_lengths, state=with_state)
        onnx.checker.check_model(model, full_check=True)
        lengths = [6, 0, 2] if with_lengths else None
        given = {"x": x}
        given |= {"lengths": np.array(lengths, np.int32)} if with_lengths else {}
        given |= dict(zip(("h_0", "c_0"), parts, strict=False)) if with_state else {}
        output, *last = run_model(model, given)
        expected, state, _ = layer.forward(x, start if with_state else None, lengths)
        np.testing.assert_allclose(output, expected, rtol=0, atol=3e-6)
        state = state if isinstance(state, tuple) else (state,)
        for theirs, ours in zip(last, state, strict=True):
            np.testing.assert_allclose(theirs, ours, rtol=0, atol=3e-6)
        back = from_onnx(model)
        assert back.options == replace(layer.options, batch_first=False)
        assert_same(back, from_onnx(model.SerializeToString()))
        for name, p in layer.parameters().items():
            np.testing.assert_array_equal(back.parameters()[name], p)


def test_a_model_leaves_out_dropout_and_what_the_operator_lacks_is_refused():
    layer = GRU(3, 4, 2, dropout=0.5)
    assert from_onnx(to_onnx_model(layer)).options == replace(layer.options, dropout=0.0)
    with pytest.raises(ValueError, match="ONNX has no proj_size, got 2"):
        to_onnx_model(LSTM(3, 4, 2, proj_size=2))
    for other in ({}, GateRecurrentLSTM(3, 4)):
        with pytest.raises(TypeError, match=r"expected an lstm_lesson\.LSTM, GRU or RNN, got"):
            to_onnx_model(other)
