"""The tables of `chapters/conventions.md` on further libraries, padding and clips."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from evidence import option_case, reproduces
from foreign import drawing, keras, onnx_case, quiet, run_node
from onnx.reference import ReferenceEvaluator
from test_layouts import CASES, READ, run_lstm

from lstm_lesson import LSTM
from lstm_lesson.interop import LAYOUTS, from_keras, to_layout

pytestmark = quiet
PAGE = (Path(__file__).parents[2] / "chapters" / "conventions.md").read_text(encoding="utf-8")
NAMES = {  # how the page calls the rows of `LAYOUTS`
    "TensorFlow 1 `BasicLSTMCell`, `LSTMCell`": "tensorflow1",
    "TensorFlow `LSTMBlockCell`, `BlockLSTM`": "tensorflow_block",
    "TensorFlow `BlockLSTMV2`": "tensorflow_block_v2",
    "TF.js `basicLSTMCell`": "tfjs",
    "Flax `LSTMCell`, `OptimizedLSTMCell`": "flax",
    "Equinox `LSTMCell`": "equinox",
    "MXNet Gluon `LSTMCell`": "mxnet",
    "OpenVINO `LSTMSequence`": "openvino",
    "Burn `Lstm`": "burn",
    "CoreML MIL `lstm`": "coreml",
    "WebNN `lstm`": "webnn",
}
OTHERS = {"tinygrad `LSTMCell`", "Candle `LSTM`", "cuDNN"}  # in PyTorch's order


def table(name: str) -> dict[str, dict[str, str]]:
    """Return the cells by heading, of each row of a table."""
    body = re.search(rf"^:name: {name}\n\n(.*?)^```", PAGE, re.M | re.S)[1]
    header, _, *rows = [
        [c.strip() for c in line.strip("|\n").split(" | ")] for line in body.splitlines()
    ]
    header = [cell.strip("| ") for cell in header]
    return {row[0].strip("| "): dict(zip(header[1:], row[1:], strict=True)) for row in rows}


LIBRARIES, STATES, CLIPS = (table(f"tab-{name}") for name in ("layouts", "states", "clip"))


def letters(cell):
    return re.sub("[jcz]", "g", cell.replace(", ", ""))


def test_each_library_of_the_converter_has_a_row():
    assert set(LIBRARIES) == set(NAMES) | OTHERS
    assert set(NAMES.values()) == set(LAYOUTS)


@pytest.mark.parametrize("row", LIBRARIES)
def test_a_row_says_what_the_converter_was_held_to(row):
    cells = LIBRARIES[row]
    if row in OTHERS:
        assert cells["gates"] == "i, f, g, o" and cells["biases"] == "two"
        ran = row.startswith("tinygrad")
        assert ran == (cells["known from"] == "run")
        return
    layout = LAYOUTS[NAMES[row]]["LSTM"]
    if "{}" not in layout.inputs:  # or the order is only that of the page
        assert letters(cells["gates"]) == layout.order
    assert sorted(letters(cells["gates"])) == sorted("ifgo")
    assert cells["biases"].split(",")[0] == {1: "one", 2: "two"}[len(layout.biases)]
    added = {1.0: "the code adds 1 to f", None: "`forgetBias` is added to f"}
    assert added.get(layout.forget_bias, "") in cells["biases"]
    assert ("added" in cells["biases"] or "adds" in cells["biases"]) == (layout.forget_bias != 0)
    assert (cells["known from"] == "run") == (NAMES[row] not in READ)
    if cells["known from"] == "run":
        used = {case["cell"] for case in CASES if case["library"] == NAMES[row]}
        assert set(re.findall(r"`(\w+)`", row)) <= used


@pytest.mark.parametrize("row", [row for row in LIBRARIES if row not in OTHERS])
def test_a_row_gives_the_shapes_that_the_converter_writes(row):
    D, H, K = 5, 3, 2
    layout = LAYOUTS[NAMES[row]]["LSTM"]
    told = {"bidirectional": True} if layout.directions else {}
    arrays = to_layout(NAMES[row], LSTM(D, H, **told), forget_bias=0.0)
    for name, shape in re.findall(r"`(\w+)` \$(\([^)]*\))\$", LIBRARIES[row]["matrices"]):
        sides = [re.sub(r"(\d)([A-Z])", r"\1 * \2", side) for side in shape.strip("()").split(",")]
        expected = tuple(eval(side, {"D": D, "H": H, "K": K}) for side in sides)
        found = [a for key, a in arrays.items() if key.split("/")[0] == name]
        assert found and found[0].shape == expected


def test_the_states_are_in_the_order_that_the_converter_says():
    for row, cells in STATES.items():
        name = row.split()[0].strip("`")
        rows = [key for key in NAMES if key.startswith(name)]
        if row in ("TensorFlow 1", "TensorFlow blocks"):
            rows = [key for key in rows if ("Block" in key) == (row != "TensorFlow 1")]
        for each in rows:
            assert cells["states"].replace(", ", "") == LAYOUTS[NAMES[each]]["LSTM"].state
        assert rows or name in ("PyTorch", "Keras", "ONNX", "tinygrad", "Candle", "cuDNN")


def test_padding_in_pytorch_is_zero_and_the_state_is_the_last_steps():
    assert STATES["PyTorch"]["where a sequence has ended"].startswith("packed: output 0, state of")
    module, x = torch.nn.LSTM(3, 2), torch.randn(4, 2, 3)
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, [4, 2])
    output, (h, _) = module(packed)
    output, _ = torch.nn.utils.rnn.pad_packed_sequence(output)
    assert not output[2:, 1].any()
    torch.testing.assert_close(h[0, 1], output[1, 1], rtol=0, atol=0)


def test_padding_in_keras_repeats_the_last_output():
    assert (
        "output and state of the last step, repeated"
        in STATES["Keras"]["where a sequence has ended"]
    )
    layer = keras().layers.LSTM(2, return_sequences=True, return_state=True)
    x = drawing("mask")(2, 4, 3)
    output, h, _ = (a.detach().numpy() for a in layer(x, mask=np.arange(4) < [[4], [2]]))
    np.testing.assert_array_equal(output[1, 2:], output[1, [1, 1]])
    np.testing.assert_array_equal(h[1], output[1, 1])
    ours, state, _ = from_keras(layer).forward(x, lengths=[4, 2])
    np.testing.assert_allclose(output[:, :2], ours[:, :2], rtol=0, atol=1e-6)
    np.testing.assert_allclose(h, state.h[0], rtol=0, atol=1e-6)
    assert not ours[1, 2:].any()


@pytest.mark.parametrize("name", ["LSTM lengths", "LSTM no steps", "GRU lengths", "RNN lengths"])
def test_padding_in_onnx_runtime_is_zero(name):
    case = onnx_case(name)
    for b, length in enumerate(case["sequence_lens"]):
        assert not case["Y"][length:, :, b].any()
        last = case["Y"][length - 1, 0, b] if length else 0.0
        np.testing.assert_array_equal(case["Y_h"][0, b], last + np.zeros_like(case["Y_h"][0, b]))


def test_padding_in_openvino_is_zero():
    (case,) = (c for c in CASES if c["library"] == "openvino" and c["told"])
    output, h = np.array(case["output"]), np.array(case["last"][0])
    for b, length in enumerate(case["lengths"]):
        assert not output[length:, b].any()
        np.testing.assert_array_equal(h[0, b], output[length - 1, b, :2])


# ---- Clips ----


def test_every_clip_of_the_converter_has_a_row():
    for row, library in NAMES.items():
        allows = LAYOUTS[library]["LSTM"].allows
        key = row if row in CLIPS else row.split()[0]
        key = "TensorFlow 1 `LSTMCell`" if library == "tensorflow1" else key
        for option, words in {"clip": "pre-activations", "cell_clip": "cell state"}.items():
            if option in allows:
                assert CLIPS[key]["what is bounded"].startswith(words)
                ran = any(option in case["told"] for case in CASES if case["library"] == library)
                assert ran == (CLIPS[key]["known from"] == "run")


def test_onnx_runtime_clips_what_its_row_says():
    assert CLIPS["ONNX Runtime"]["what is bounded"].startswith("pre-activations, in all three")
    attributes, _, evidence = option_case("LSTM clip")
    assert reproduces("LSTM", "iofg", evidence, clip=attributes["clip"])
    for kind in ("GRU", "RNN"):  # `test_onnx` holds the layers to them
        assert onnx_case(f"{kind} clip")["attributes"]["clip"] == 0.5


def test_the_reference_evaluator_of_onnx_ignores_clip():
    assert CLIPS["ONNX's reference evaluator"]["what is bounded"].startswith("nothing")
    case = onnx_case("LSTM clip")
    given = {k: case[k] for k in ("X", "W", "R", "B", "initial_h", "initial_c")}

    def evaluate(model, arrays):
        return ReferenceEvaluator(model).run(None, arrays)

    results = [
        run_node("LSTM", attributes, given, evaluate)["Y"]
        for attributes in (case["attributes"], {"hidden_size": 4})
    ]
    np.testing.assert_array_equal(*results)
    assert np.abs(results[0] - case["Y"]).max() > 0.01


def test_the_packages_two_clips_are_what_their_rows_say():
    rows = [line for line in PAGE.splitlines() if line.startswith("| this package | `")]
    assert ["`clip`" in rows[0], "pre-activations" in rows[0]] == [True, True]
    assert ["`cell_clip`" in rows[1], "cell state after each step" in rows[1]] == [True, True]
    layer = LSTM(3, 2, clip=0.4, dtype=np.float64, rng=1)
    x = np.random.default_rng(0).normal(size=(5, 2, 3))
    p = layer.parameters()
    W, U, b = (p[f"{name}_l0"] for name in ("weight_ih", "weight_hh", "bias"))
    zeros = [np.zeros((2, 2))] * 2
    expected, _ = run_lstm(x, zeros, W, U, b, "ifgo", clip=0.4)
    np.testing.assert_allclose(layer.forward(x)[0], expected, rtol=0, atol=1e-14)
    bounded = LSTM(3, 2, cell_clip=0.1, dtype=np.float64, rng=1)
    _, (_, c), _ = bounded.forward(3 * x)
    assert np.abs(c).max() == 0.1
