"""Run cells of other libraries, and write what went in and what came out into ``layouts.json``.

    python tests/data/make_layouts.py jax          needs flax and equinox
    python tests/data/make_layouts.py tensorflow   needs tensorflow-cpu and tf_keras
    python tests/data/make_layouts.py openvino     needs openvino
    python tests/data/make_layouts.py tinygrad     needs tinygrad
    python tests/data/make_layouts.py mxnet        needs mxnet and a NumPy before 1.24
    node tests/data/make_layouts.mjs               needs @tensorflow/tfjs, for the cell of TF.js

Each replaces its own cases and keeps the others'. They are too large to be run with the tests,
which read ``layouts.json`` beside this file; where a library is installed they run it again, too.
States are in the library's own order.
"""

import json
import os
import sys
import zlib
from pathlib import Path

import numpy as np

FILE = Path(__file__).with_name("layouts.json")
T, B, D, H = 4, 3, 5, 2


def drawing(name):
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    return lambda *shape: rng.uniform(-1, 1, shape).round(4).astype(np.float32)


def case(library, cell, kind, version, arrays, run, sizes=(H, H), **told):
    """Return a case: `run` takes the input of a step and the states, and returns output, states."""
    draw = drawing(f"{library} {cell} x")
    x, states = draw(T, B, D), [draw(B, size) for size in sizes]
    initial, outputs = list(states), []
    for step in x:
        output, states = run(step, states)
        outputs.append(np.asarray(output))
    return {
        "library": library, "cell": cell, "kind": kind, "version": version, "told": told,
        "arrays": arrays, "x": x, "initial": initial,
        "output": np.stack(outputs), "last": [np.asarray(a) for a in states],
    }  # fmt: skip


def by_jax():
    import equinox
    import flax
    import jax
    from flax import linen
    from flax.traverse_util import flatten_dict, unflatten_dict

    for cell, kind in (
        (linen.OptimizedLSTMCell(H), "LSTM"), (linen.LSTMCell(H), "LSTM"),
        (linen.GRUCell(H), "GRU"), (linen.SimpleCell(H), "RNN"),
    ):  # fmt: skip
        name = type(cell).__name__
        draw, key = drawing(name), jax.random.key(0)
        shapes = cell.init(key, cell.initialize_carry(key, (B, D)), np.zeros((B, D)))["params"]
        shapes = flatten_dict(shapes, sep="/")
        arrays = {n: draw(*a.shape) for n, a in sorted(shapes.items())}
        params = {"params": unflatten_dict(arrays, sep="/")}

        def run(x, states, cell=cell, params=params, kind=kind):
            carry = tuple(states) if kind == "LSTM" else states[0]
            carry, output = cell.apply(params, carry, x)
            return output, list(carry) if kind == "LSTM" else [carry]

        sizes = (H, H) if kind == "LSTM" else (H,)
        yield case("flax", name, kind, flax.__version__, arrays, run, sizes)
    for make, kind in ((equinox.nn.LSTMCell, "LSTM"), (equinox.nn.GRUCell, "GRU")):
        cell = make(D, H, key=jax.random.key(0))
        draw, names = drawing(make.__name__), ["weight_ih", "weight_hh", "bias"]
        names += ["bias_n"] if kind == "GRU" else []
        arrays = {n: draw(*getattr(cell, n).shape) for n in names}
        for n, a in arrays.items():
            cell = equinox.tree_at(lambda c, n=n: getattr(c, n), cell, a)

        def run(x, states, cell=cell, kind=kind):
            state = tuple(states) if kind == "LSTM" else states[0]
            state = jax.vmap(cell)(x, state)
            return (state[0], list(state)) if kind == "LSTM" else (state, [state])

        sizes = (H, H) if kind == "LSTM" else (H,)
        yield case("equinox", make.__name__, kind, equinox.__version__, arrays, run, sizes)


def by_tensorflow():
    os.environ |= {"TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    import tensorflow as tf

    version, cells = tf.__version__, tf.compat.v1.nn.rnn_cell
    for name, make, options, told in (
        ("BasicLSTMCell", cells.BasicLSTMCell, {}, {}),
        ("BasicLSTMCell", cells.BasicLSTMCell, {"forget_bias": 0.3}, {"forget_bias": 0.3}),
        ("LSTMCell", cells.LSTMCell, {"use_peepholes": True}, {}),
        ("LSTMCell", cells.LSTMCell, {"num_proj": 1, "cell_clip": 0.4}, {"cell_clip": 0.4}),
        ("BasicRNNCell", cells.BasicRNNCell, {}, {}),
    ):
        cell = make(H, **options)
        cell.build(tf.TensorShape([None, D]))
        draw, arrays = drawing(f"{name} {options}"), {}
        for v in cell.variables:
            short = v.name.split("/", 1)[1].removesuffix(":0")
            arrays[short] = draw(*v.shape)
            v.assign(arrays[short])
        kind = "RNN" if "RNN" in name else "LSTM"

        def run(x, states, cell=cell, kind=kind):
            state = cells.LSTMStateTuple(*states) if kind == "LSTM" else states[0]
            output, state = cell(tf.constant(x), state)
            return output, list(state) if kind == "LSTM" else [state]

        sizes = (H, options.get("num_proj", H)) if kind == "LSTM" else (H,)
        yield case("tensorflow1", name, kind, version, arrays, run, sizes, **told)
    for name, library, options, told in (
        ("LSTMBlockCell", "tensorflow_block", {}, {"cell_clip": 3.0}),
        ("LSTMBlockCell", "tensorflow_block",
         {"cell_clip": 0.3, "use_peephole": True, "forget_bias": 0.2},
         {"cell_clip": 0.3, "forget_bias": 0.2}),
        ("BlockLSTM", "tensorflow_block", {"cell_clip": -1.0}, {}),
        ("BlockLSTMV2", "tensorflow_block_v2", {}, {}),
        ("BlockLSTMV2", "tensorflow_block_v2", {"cell_clip": 0.3, "use_peephole": True},
         {"cell_clip": 0.3}),
    ):  # fmt: skip
        draw = drawing(f"{name} {options}")
        arrays = {"w": draw(D + H, 4 * H), "b": draw(4 * H)}
        peepholes = {n: draw(H) for n in ("wci", "wcf", "wco")}
        arrays |= peepholes if options.get("use_peephole") else {}

        def run(x, states, name=name, arrays=arrays, options=options, peepholes=peepholes):
            given = {"cs_prev": states[0], "h_prev": states[1], **peepholes, **arrays, **options}
            if name == "LSTMBlockCell":
                result = tf.raw_ops.LSTMBlockCell(x=x, **given)
                return result.h, [result.cs, result.h]
            result = getattr(tf.raw_ops, name)(seq_len_max=1, x=x[None], **given)
            return result.h[0], [result.cs[0], result.h[0]]

        yield case(library, name, "LSTM", version, arrays, run, **told)


def by_openvino():
    import openvino
    from openvino import opset13 as ops

    for name, clip, ways in (("LSTMSequence", 0.0, 1), ("LSTMSequence", 0.5, 2)):
        draw = drawing(f"openvino {clip}")
        shapes = {"W": (ways, 4 * H, D), "R": (ways, 4 * H, H), "B": (ways, 4 * H)}
        arrays = {n: draw(*shape) for n, shape in shapes.items()}
        x, h, c = draw(B, T, D), draw(B, ways, H), draw(B, ways, H)
        lengths = np.full(B, T, np.int64) if ways == 1 else np.array([T, 1, 2], np.int64)
        given = [ops.constant(a) for a in (x, h, c, lengths, *arrays.values())]
        node = ops.lstm_sequence(*given, H, "forward" if ways == 1 else "bidirectional", clip=clip)
        model = openvino.compile_model(
            openvino.Model(node.outputs(), []), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
        )
        y, h_n, c_n = (np.array(a) for a in model([]).values())
        yield {
            "library": "openvino", "cell": name, "kind": "LSTM", "version": openvino.__version__,
            "told": {"clip": clip} if clip else {}, "arrays": arrays,
            "x": x.swapaxes(0, 1), "lengths": lengths,
            "initial": [a.swapaxes(0, 1) for a in (h, c)],
            "output": y.transpose(2, 0, 1, 3).reshape(T, B, -1),  # from (B, K, T, H)
            "last": [a.swapaxes(0, 1) for a in (h_n, c_n)],
        }  # fmt: skip


def by_mxnet():
    import mxnet
    from mxnet.gluon import rnn

    for make, kind in ((rnn.LSTMCell, "LSTM"), (rnn.GRUCell, "GRU"), (rnn.RNNCell, "RNN")):
        cell, draw, arrays = make(H, input_size=D), drawing(make.__name__), {}
        cell.initialize()
        for name in ("i2h_weight", "h2h_weight", "i2h_bias", "h2h_bias"):
            parameter = getattr(cell, name)
            arrays[name] = draw(*parameter.shape)
            parameter.set_data(mxnet.ndarray.array(arrays[name]))

        def run(x, states, cell=cell):
            output, states = cell(mxnet.ndarray.array(x), [mxnet.ndarray.array(a) for a in states])
            return output.asnumpy(), [a.asnumpy() for a in states]

        sizes = (H, H) if kind == "LSTM" else (H,)
        yield case("mxnet", make.__name__, kind, mxnet.__version__, arrays, run, sizes)


def by_tinygrad():
    from importlib.metadata import version

    os.environ.setdefault("DEV", "PYTHON")  # which needs no compiler
    from tinygrad import Tensor, nn

    cell = nn.LSTMCell(D, H)
    draw, names = drawing("tinygrad"), ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    arrays = {n: draw(*getattr(cell, n).shape) for n in names}
    for n, a in arrays.items():
        setattr(cell, n, Tensor(a))

    def run(x, states):
        h, c = cell(Tensor(x), tuple(Tensor(a) for a in states))
        return h.numpy(), [h.numpy(), c.numpy()]

    yield case("tinygrad", "LSTMCell", "LSTM", version("tinygrad"), arrays, run)


def shortened(value):
    """Return an array as nested lists, with the fewest digits that name each float32."""
    if not isinstance(value, np.ndarray) or value.dtype != np.float32:
        return value.tolist()
    return [float(str(a)) if a.ndim == 0 else shortened(a) for a in value]


def merge(cases):
    """Put cases into the file, in the place of those of the same libraries."""
    kept = json.loads(FILE.read_text()) if FILE.exists() else []
    cases = json.loads(json.dumps(list(cases), default=shortened))
    libraries = {each["library"] for each in cases}
    cases += [each for each in kept if each["library"] not in libraries]
    cases.sort(key=lambda each: (each["library"], each["cell"], json.dumps(each["told"])))
    lines = [json.dumps(each, separators=(",", ":")) for each in cases]
    FILE.write_text("[\n" + ",\n".join(lines) + "\n]\n")


MAKERS = {
    "jax": by_jax,
    "tensorflow": by_tensorflow,
    "openvino": by_openvino,
    "tinygrad": by_tinygrad,
    "mxnet": by_mxnet,
}

if __name__ == "__main__":
    merge(MAKERS[sys.argv[1]]())
