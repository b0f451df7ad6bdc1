"""Keras and ONNX Runtime run here, on weights and inputs that are drawn from a case's name.

What they gave is compared with layers of this package, and with the plain cells of `evidence`. Both
are imported when a case is first run: a test that doesn't need them doesn't wait for them.
"""

import functools
import inspect
import os
import tempfile
import zlib

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

import lstm_lesson
from lstm_lesson.engine.activations import ACTIVATIONS
from lstm_lesson.interop import to_onnx

T, B, D, H = 5, 3, 2, 4
SIZES = {"T": 5, "B": 4, "D": 7, "H": 3, "K": 2}  # all differ: no two axes can be mistaken
KERAS_HOME = tempfile.TemporaryDirectory()  # or it writes a file into the user's home
# Keras asks NumPy for a tensor in a way that NumPy is about to change.
quiet = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:Warning")


def drawing(name):
    """Return a function that draws arrays of a shape, the same for the same name."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    return lambda *shape: rng.uniform(-1, 1, shape).astype(np.float32)


# ---- Keras ----


def keras():
    os.environ |= {"KERAS_BACKEND": "torch", "KERAS_HOME": KERAS_HOME.name}
    import keras

    return keras


GATES, TOLD = {"recurrent_activation": "hard_sigmoid"}, {"return_sequences": True}
PLAIN_LAYERS = {  # whose weights alone tell what they are, but for a GRU without bias
    "LSTM": lambda k: k.LSTM(H, **TOLD),
    "LSTM no bias": lambda k: k.LSTM(H, use_bias=False, **TOLD),
    "GRU": lambda k: k.GRU(H, **TOLD),
    "GRU no bias": lambda k: k.GRU(H, use_bias=False, **TOLD),
    "BiLSTM": lambda k: k.Bidirectional(k.LSTM(H, **TOLD)),
    "BiGRU": lambda k: k.Bidirectional(k.GRU(H, **TOLD)),
}
LAYERS = {  # whose arguments matter, to what `from_keras` has to be told with their weights
    "relu": (lambda k: k.LSTM(H, activation="relu", **GATES, **TOLD),
             {"activation": "relu", "recurrent_activation": "hard_sigmoid", "version": 3}),
    "softsign": (lambda k: k.LSTM(H, activation="softsign", recurrent_activation=None, **TOLD),
                 {"activation": "softsign", "recurrent_activation": None}),
    "elu": (lambda k: k.LSTM(H, activation="elu", recurrent_activation="softplus", **TOLD),
            {"activation": "elu", "recurrent_activation": "softplus"}),
    "leaky": (lambda k: k.LSTM(H, activation="leaky_relu", **TOLD),
              {"activation": "leaky_relu", "version": 3}),
    "linear": (lambda k: k.LSTM(H, activation=None, use_bias=False, **TOLD), {"activation": None}),
    "backwards": (lambda k: k.LSTM(H, go_backwards=True, **TOLD), {"go_backwards": True}),
    "both ways": (lambda k: k.Bidirectional(k.LSTM(H, **GATES, **TOLD)),
                  {"recurrent_activation": "hard_sigmoid", "version": 3}),
    "both ways, D = H": (lambda k: k.Bidirectional(k.LSTM(D, **TOLD)), {"bidirectional": True}),
    "cell": (lambda k: k.RNN(k.LSTMCell(H, activation="softsign"), **TOLD),
             {"activation": "softsign"}),
    "no forget bias": (lambda k: k.LSTM(H, unit_forget_bias=False, **TOLD), {}),
    "GRU backwards": (lambda k: k.GRU(H, go_backwards=True, **TOLD), {"go_backwards": True}),
    "GRU no bias": (lambda k: k.GRU(H, use_bias=False, **TOLD), {"reset_after": True}),
    "GRU both ways": (lambda k: k.Bidirectional(k.GRU(H, use_bias=False, **TOLD)),
                      {"reset_after": True, "bidirectional": True}),
    "GRU before": (lambda k: k.GRU(H, reset_after=False, **TOLD), {}),
    "GRU before, no bias": (lambda k: k.GRU(H, reset_after=False, use_bias=False, **TOLD),
                            {"reset_after": False}),
    "GRU before, both ways": (lambda k: k.Bidirectional(k.GRU(H, reset_after=False, **TOLD)), {}),
    "GRU relu": (lambda k: k.GRU(H, activation="relu", **GATES, **TOLD),
                 {"activation": "relu", "recurrent_activation": "hard_sigmoid", "version": 3}),
    "RNN": (lambda k: k.SimpleRNN(H, **TOLD), {}),
    "RNN backwards": (lambda k: k.SimpleRNN(H, activation="relu", use_bias=False,
                                            go_backwards=True, **TOLD),
                      {"activation": "relu", "go_backwards": True}),
    "RNN both ways": (lambda k: k.Bidirectional(k.SimpleRNN(H, activation="sigmoid", **TOLD)),
                      {"activation": "sigmoid"}),
}  # fmt: skip


@functools.cache
def keras_case(name):
    """Return one of the layers above with its weights, an input and Keras's output."""
    make = PLAIN_LAYERS[name] if name in PLAIN_LAYERS else LAYERS[name][0]
    return run_keras(name, make(keras().layers))


def run_keras(name, layer, size=(B, T, D), state=0):
    """Run a layer on drawn weights, an input and as many drawn states."""
    draw = drawing(name)
    x = draw(*size)
    layer.build(x.shape)
    weights = [draw(*w.shape) for w in layer.get_weights()]
    layer.set_weights(weights)
    case = {"layer": layer, "weights": weights, "x": x}
    if not state:
        return case | {"output": layer(x).detach().numpy()}
    case["initial"] = [draw(size[0], layer.units) for _ in range(state)]
    tensors = [keras().ops.convert_to_tensor(a) for a in case["initial"]]
    output, *last = (a.detach().numpy() for a in layer(x, initial_state=tensors))
    return case | {"output": output, "last": last}


# ---- ONNX Runtime ----

OPERATORS = {  # name to operator, attributes, whether it has peepholes, and lengths
    **{f"{kind} {way}": (kind, {"direction": way} | after, False, None)
       for kind, after in {"LSTM": {}, "GRU": {"linear_before_reset": 1}, "RNN": {}}.items()
       for way in ("forward", "reverse", "bidirectional")},
    "RNN Relu": ("RNN", {"activations": ["Relu"]}, False, None),
    "RNN clip": ("RNN", {"clip": 0.5}, False, None),
    "RNN lengths": ("RNN", {"direction": "bidirectional"}, False, [2, 5, 1]),
    "GRU clip": ("GRU", {"clip": 0.5, "direction": "bidirectional"}, False, None),
    "GRU clip after": ("GRU", {"clip": 0.5, "linear_before_reset": 1}, False, None),
    "GRU activations": ("GRU", {"activations": ["HardSigmoid", "ScaledTanh"],
                                "activation_alpha": [0.3, 1.7], "activation_beta": [0.4, 0.6]},
                        False, None),
    "GRU lengths": ("GRU", {"direction": "bidirectional"}, False, [2, 0, 5]),
    "LSTM peephole": ("LSTM", {}, True, None),
    "LSTM input_forget": ("LSTM", {"input_forget": 1}, False, None),
    "LSTM clip": ("LSTM", {"clip": 0.5}, False, None),
    "LSTM clip peephole": ("LSTM", {"clip": 0.4}, True, None),
    "LSTM activations": ("LSTM", {"activations": ["HardSigmoid", "Relu", "Affine"],
                                  "activation_alpha": [0.2, 1.0], "activation_beta": [0.5, 0.0]},
                         False, None),
    "LSTM defaults": ("LSTM", {"activations": ["HardSigmoid", "LeakyRelu", "Elu"]}, False, None),
    "LSTM numbers": ("LSTM", {"activations": ["Sigmoid", "ThresholdedRelu", "ScaledTanh"],
                              "activation_alpha": [0.1, 1.5], "activation_beta": [0.7]},
                     False, None),
    "LSTM lengths": ("LSTM", {"direction": "bidirectional"}, False, [5, 2, 3]),
    "LSTM no steps": ("LSTM", {"direction": "bidirectional"}, False, [0, 2, 0]),
    "LSTM no steps backwards": ("LSTM", {"direction": "reverse"}, False, [0, 5, 1]),
}  # fmt: skip


@functools.cache
def onnx_case(name):
    """Return what an operator above was given, and what ONNX Runtime gave."""
    return run_onnx(name, *OPERATORS[name])


def run_onnx(name, op_type, attributes, peephole=False, lengths=None, sizes=(T, B, D, H)):
    T, B, D, H = sizes
    draw = drawing(name)
    ways = 2 if attributes.get("direction") == "bidirectional" else 1
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[op_type]
    arrays = {
        "X": draw(T, B, D),
        "W": draw(ways, gates * H, D),
        "R": draw(ways, gates * H, H),
        "B": draw(ways, 2 * gates * H),
    }
    if lengths is not None:
        arrays["sequence_lens"] = np.array(lengths, np.int32)
    arrays["initial_h"] = draw(ways, B, H)
    if op_type == "LSTM":
        arrays["initial_c"] = draw(ways, B, H)
    if peephole:
        arrays["P"] = draw(ways, 3 * H)
    attributes = {**attributes, "hidden_size": H}
    case = {"name": name, "op_type": op_type, "attributes": attributes, **arrays}
    return case | run_node(op_type, attributes, arrays)


def run_node(op_type, attributes, arrays, evaluate=None):
    """Run a model of one operator on arrays under the names of its inputs; return its outputs."""
    order = ["X", "W", "R", "B", "sequence_lens", "initial_h"]
    order += ["initial_c", "P"] if op_type == "LSTM" else []
    outputs = ["Y", "Y_h", "Y_c"] if op_type == "LSTM" else ["Y", "Y_h"]
    inputs = [k if k in arrays else "" for k in order]
    node = helper.make_node(op_type, inputs, outputs, **attributes)
    ways, H = arrays["R"].shape[0], arrays["R"].shape[2]
    first, second, _ = arrays["X"].shape  # T and B, or with layout=1 B and T
    both = [second, ways] if attributes.get("layout") else [ways, second]
    batch = [first, ways] if attributes.get("layout") else [ways, second]
    shapes = {"Y": [first, *both, H], "Y_h": [*batch, H], "Y_c": [*batch, H]}
    kinds = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.int32): TensorProto.INT32}
    graph = helper.make_graph(
        [node],
        "one operator",
        [helper.make_tensor_value_info(k, kinds[a.dtype], a.shape) for k, a in arrays.items()],
        [helper.make_tensor_value_info(k, TensorProto.FLOAT, shapes[k]) for k in outputs],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    onnx.checker.check_model(model)
    return dict(zip(outputs, (evaluate or run_model)(model, arrays), strict=True))


def run_model(model, arrays):
    """Return the outputs of a model in ONNX Runtime, on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    return onnxruntime.InferenceSession(model.SerializeToString(), options).run(None, arrays)


def written():
    """Return layers for `to_onnx`: every activation in every role, every way."""
    numbers = ["elu(0.5)", "leaky_relu(0.1)", "scaled_tanh(1.7, 0.67)", "thresholded_relu(0.2)"]
    names = [*sorted(ACTIVATIONS), "affine(0.7, 0.1)", "hard_sigmoid(0.3, 0.4)", *numbers]
    roles = ("gate_activation", "cell_activation", "hidden_activation")
    for way in ({}, {"reverse": True}, {"bidirectional": True}):
        for k, name in enumerate(names):
            turned = names[k:] + names[:k]
            yield "LSTM", dict(zip(roles, turned, strict=False)) | way
            yield "GRU", dict(zip(roles[:2], turned, strict=False)) | {"clip": 2.0} | way
            yield "RNN", {"nonlinearity": name} | way
        yield "RNN", {"clip": 0.5} | way
        yield "LSTM", {"peephole": True, "clip": 0.5} | way
        yield "LSTM", {"couple_input_forget": True, "bias": False} | way
        for after in (True, False):
            yield "GRU", {"reset_after": after, "clip": 0.5} | way
            yield "GRU", {"reset_after": after, "bias": False} | way


def run_written(kind, options):
    """Run what `to_onnx` writes of a layer; return the layer, what it wrote and what came out."""
    T, B, D, H = 4, 2, 3, 2
    draw = drawing(f"{kind} {options}")
    layer = getattr(lstm_lesson, kind)(D, H, **options)
    for p in layer.parameters().values():
        p[...] = draw(*p.shape)
    op_type, attributes, *arrays = to_onnx(layer)
    given = {name: a for name, a in zip("WRBP", arrays, strict=True) if a is not None}
    ways = len(given["W"])
    given = {"X": draw(T, B, D), **given, "initial_h": draw(ways, B, H)}
    if op_type == "LSTM":
        given["initial_c"] = draw(ways, B, H)
    return layer, given | run_node(op_type, attributes, given)


# ---- What `chapters/conventions.md` states, at sizes that all differ ----


@functools.cache
def kept():
    """Return signatures, defaults and runs of Keras and of ONNX."""
    layers, k = keras().layers, SIZES
    size = (k["B"], k["T"], k["D"])
    sizes = tuple(k[name] for name in "TBDH")

    def sequences(name, make, **options):
        return run_keras(name, make(k["H"], return_sequences=True, **options), size)

    def with_state(make, states):
        layer = make(k["H"], return_sequences=True, return_state=True)
        return run_keras(make.__name__, layer, size, states)

    def names(layer):
        layer.build(size)
        return [w.path.split("/", 1)[1] for w in layer.weights]

    fresh = layers.LSTM(k["H"])
    fresh.build(size)
    both = {"direction": "bidirectional"}
    twice = layers.Bidirectional(layers.LSTM(k["H"], return_sequences=True))
    return {
        "keras": {
            "parameters": {c.__name__: defaults(c) for c in (layers.LSTM, layers.GRU)},
            "names": {c.__name__: names(c(k["H"])) for c in (layers.LSTM, layers.GRU)},
            "names of Bidirectional": names(layers.Bidirectional(layers.LSTM(k["H"]))),
            "bias of a new LSTM": fresh.get_weights()[2],
            "LSTM": with_state(layers.LSTM, 2),
            "BiLSTM": run_keras("both", twice, size),
            "GRU": sequences("GRU", layers.GRU),
            "GRU before": sequences("GRU before", layers.GRU, reset_after=False),
            "go_backwards": sequences("backwards", layers.LSTM, go_backwards=True),
            "activations": sequences("relu", layers.LSTM, activation="relu", **GATES),
        },
        "onnx": {
            "schema": {each: schema(each) for each in ("LSTM", "GRU", "HardSigmoid")},
            "LSTM": run_onnx("LSTM", "LSTM", both, True, sizes=sizes),
            "GRU": run_onnx("GRU", "GRU", {**both, "linear_before_reset": 1}, sizes=sizes),
            "GRU before": run_onnx("GRU before", "GRU", both, sizes=sizes),
            "layout": run_layout(),
        },
    }


def defaults(layer):
    parameters = inspect.signature(layer).parameters.values()
    return {p.name: None if p.default is p.empty else p.default for p in parameters}


def schema(op_type):
    found = onnx.defs.get_schema(op_type)
    attributes = {}
    for name, a in found.attributes.items():
        value = helper.get_attribute_value(a.default_value) if a.default_value.type else None
        attributes[name] = value.decode() if isinstance(value, bytes) else value
    return {
        "since_version": found.since_version,
        "inputs": [i.name for i in found.inputs],
        "outputs": [o.name for o in found.outputs],
        "attributes": attributes,
    }


def run_layout():
    """Run LSTM with layout=1 in ONNX's reference evaluator; ONNX Runtime refuses it on a CPU."""
    draw, k = drawing("layout"), SIZES
    arrays = {
        "X": draw(k["B"], k["T"], k["D"]),
        "W": draw(k["K"], 4 * k["H"], k["D"]),
        "R": draw(k["K"], 4 * k["H"], k["H"]),
        "B": draw(k["K"], 8 * k["H"]),
        "initial_h": draw(k["B"], k["K"], k["H"]),
        "initial_c": draw(k["B"], k["K"], k["H"]),
    }
    attributes = {"direction": "bidirectional", "layout": 1, "hidden_size": k["H"]}
    try:
        run_node("LSTM", attributes, arrays)
        refusal = None
    except Exception as error:
        refusal = str(error)
    results = run_node(
        "LSTM", attributes, arrays, lambda m, given: ReferenceEvaluator(m).run(None, given)
    )
    return {"attributes": attributes, "ONNX Runtime": refusal, **arrays, **results}
