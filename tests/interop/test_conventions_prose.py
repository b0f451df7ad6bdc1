"""What `chapters/conventions.md` says around its tables of libraries, and of this package."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from evidence import (
    ATOL,
    EVIDENCE,
    Evidence,
    Functions,
    hard_sigmoid_of_keras,
    option_case,
    reproduces,
    run_lstm,
)
from foreign import SIZES, kept, keras, keras_case, quiet

from lstm_lesson import GRU, LSTM, interop

pytestmark = quiet
ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "chapters" / "conventions.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("library", "order"), [("PyTorch", "rzn"), ("Keras", "zrn"), ("ONNX", "zrn")]
)
def test_the_second_bias_of_a_gru_is_the_one_that_reset_scales(library, order):
    for each in EVIDENCE[library]("GRU"):
        assert reproduces("GRU", order, each)
        assert not reproduces("GRU", order, each._replace(b=each.b[::-1]))


def test_which_activation_goes_where():
    case = kept()["keras"]["activations"]
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
    defaults = kept()["onnx"]["schema"]["HardSigmoid"]["attributes"]
    assert (defaults["alpha"], defaults["beta"]) == pytest.approx((0.2, 0.5))
    keras_gate = hard_sigmoid._replace(gate=hard_sigmoid_of_keras)
    assert not reproduces("LSTM", "iofg", evidence, functions=keras_gate)


def test_the_versions_are_those_that_ran():
    import onnxruntime

    found = re.search(r"Keras ([\d.]+) and\s+ONNX\s+Runtime ([\d.]+)", PAGE).groups()
    for version, module in zip(found, (keras(), onnxruntime), strict=True):
        assert module.__version__.startswith(f"{version}.")
    version = int(re.search(r"ONNX operators \(version\s(\d+)\)", PAGE)[1])
    assert {kept()["onnx"]["schema"][kind]["since_version"] for kind in ("LSTM", "GRU")} == {
        version
    }


def test_layout_1_becomes_batch_first_with_states_that_keep_their_shape():
    case = kept()["onnx"]["layout"]
    a = {k: v for k, v in case.items() if isinstance(v, np.ndarray)}
    layer = interop.from_onnx("LSTM", case["attributes"], a["W"], a["R"], a["B"])
    assert layer.batch_first
    initial = tuple(a[name].swapaxes(0, 1) for name in ("initial_h", "initial_c"))
    output, state, _ = layer.forward(a["X"], initial)
    np.testing.assert_allclose(output, a["Y"].reshape(output.shape), rtol=0, atol=ATOL)
    assert state.h.shape == tuple(SIZES[axis] for axis in "KBH")


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
    case = keras_case("BiLSTM")
    names = {"weights": case["weights"]}
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
