"""The layer: against `torch.nn.LSTM` on random shapes, and how it meets bad input."""

import numpy as np
import pytest
import torch

from lstm_lesson import LSTM, Linear, LSTMState, gradcheck
from lstm_lesson.engine.loop import ArrayLoop
from lstm_lesson.inspect.gradcheck import relative_error
from lstm_lesson.interop import to_torch

EDGES = [(1, 3, 4, 5), (4, 1, 3, 5), (4, 3, 1, 5), (4, 3, 5, 1), (1, 1, 1, 1), (40, 2, 3, 8)]


def random_shapes(count, seed=0):
    rng = np.random.default_rng(seed)
    return [tuple(int(n) for n in rng.integers(1, high, 4)) for high in rng.integers(2, 24, count)]


@pytest.mark.parametrize(("T", "B", "D", "H"), EDGES + random_shapes(60))
@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [
        # Rounding alone: a few hundred roundings of 1.1e-16 or 6e-8 each.
        (np.float64, 1e-12),
        (np.float32, 1e-5),
    ],
)
def test_forward_and_every_gradient_equal_torch(T, B, D, H, dtype, tolerance):
    rng = np.random.default_rng([T, B, D, H])
    batch_first = bool(rng.integers(2))
    layer = LSTM(D, H, batch_first=batch_first, dtype=dtype, rng=rng)
    for p in layer.parameters().values():
        p[...] = rng.uniform(-1, 1, p.shape) / np.sqrt(H)  # as PyTorch draws them
    module = to_torch(layer)

    def draw(*shape):
        return rng.normal(size=shape).astype(dtype)

    lead = (B, T) if batch_first else (T, B)
    x, d_output = draw(*lead, D), draw(*lead, H)
    state = LSTMState(draw(1, B, H), draw(1, B, H))
    d_state = LSTMState(draw(1, B, H), draw(1, B, H))

    inputs = [torch.tensor(a, requires_grad=True) for a in (x, *state)]
    expected, (h_n, c_n) = module(inputs[0], tuple(inputs[1:]))
    arriving = [torch.tensor(a) for a in (d_output, *d_state)]
    torch.autograd.backward([expected, h_n, c_n], arriving)

    output, last, cache = layer.forward(x, state)
    grads = layer.backward(d_output, cache, d_state)
    pairs = {
        "output": (output, expected),
        "h_n": (last.h, h_n),
        "c_n": (last.c, c_n),
        "x": (grads.x, inputs[0].grad),
        "h_0": (grads.state.h, inputs[1].grad),
        "c_0": (grads.state.c, inputs[2].grad),
        "weight_ih": (grads.params["weight_ih_l0"], module.weight_ih_l0.grad),
        "weight_hh": (grads.params["weight_hh_l0"], module.weight_hh_l0.grad),
        "bias_ih": (grads.params["bias_l0"], module.bias_ih_l0.grad),
        "bias_hh": (grads.params["bias_l0"], module.bias_hh_l0.grad),
    }
    for name, (ours, theirs) in pairs.items():
        assert ours.dtype == dtype, name
        error = relative_error(ours, theirs.detach().numpy())
        assert error <= tolerance, f"{name}: {error:.1e}"


@pytest.mark.parametrize(("T", "B", "D", "H"), EDGES[:5] + random_shapes(6, seed=1))
def test_central_differences_agree(T, B, D, H):
    T, B, D, H = min(T, 6), min(B, 3), min(D, 4), min(H, 4)  # two forward passes an entry
    layer = LSTM(D, H, dtype=np.float64, rng=T)
    x = np.random.default_rng(H).normal(size=(T, B, D))
    table = gradcheck.check(layer, x, autograd=False)
    assert max(row.differences for row in table.rows) <= 1e-7


def test_default_state_is_zero_and_none_is_no_gradient():
    layer = LSTM(3, 4, rng=1)
    x = np.ones((5, 2, 3), np.float32)
    zeros = LSTMState(*np.zeros((2, 1, 2, 4), np.float32))
    output, _, cache = layer.forward(x)
    np.testing.assert_array_equal(output, layer.forward(x, zeros)[0])
    without = layer.backward(output, cache)
    given = layer.backward(output, cache, zeros)
    for name in without.params:
        np.testing.assert_array_equal(without.params[name], given.params[name])


def test_batch_first_swaps_x_and_output_alone():
    time_first, batch_first = LSTM(3, 4, rng=1), LSTM(3, 4, rng=1, batch_first=True)
    x = np.random.default_rng(0).normal(size=(5, 2, 3)).astype(np.float32)
    output, state, cache = time_first.forward(x)
    swapped, same_state, swapped_cache = batch_first.forward(x.swapaxes(0, 1))
    np.testing.assert_array_equal(swapped.swapaxes(0, 1), output)
    np.testing.assert_array_equal(same_state.c, state.c)
    grads = time_first.backward(output, cache)
    swapped_grads = batch_first.backward(swapped, swapped_cache)
    np.testing.assert_array_equal(swapped_grads.x.swapaxes(0, 1), grads.x)


def test_changing_what_came_out_does_not_change_the_gradient():
    layer = LSTM(3, 4, rng=1)
    x = np.ones((5, 2, 3), np.float32)
    output, state, cache = layer.forward(x)
    d_output = np.ones_like(output)
    expected = layer.backward(d_output, cache).params["weight_hh_l0"]
    for array in (output, *state, *layer.parameters().values()):
        array[...] = 7.0
    np.testing.assert_array_equal(layer.backward(d_output, cache).params["weight_hh_l0"], expected)


def test_dtypes_have_several_names():
    for dtype in (float, "float64", np.float64, np.dtype(np.float64)):
        assert LSTM(2, 3, dtype=dtype).dtype == np.float64


def test_counts_and_repr():
    assert LSTM(32, 64).num_parameters == 24_832
    assert repr(LSTM(2, 3)) == "LSTM(2, 3, dtype=float32): 72 parameters"
    assert "batch_first=True" in repr(LSTM(2, 3, batch_first=True))


def test_initial_values_follow_their_options():
    layer = LSTM(6, 5, forget_bias=2.0, weight_init="xavier_normal", dtype=np.float64)
    params = layer.parameters()
    np.testing.assert_array_equal(params["bias_l0"].reshape(4, 5)[1], 2.0)
    np.testing.assert_array_equal(params["bias_l0"].reshape(4, 5)[[0, 2, 3]], 0.0)
    for gate in params["weight_hh_l0"].reshape(4, 5, 5):
        np.testing.assert_allclose(gate @ gate.T, np.eye(5), rtol=0, atol=1e-14)
    same = LSTM(6, 5, forget_bias=2.0, weight_init="xavier_normal", dtype=np.float64)
    np.testing.assert_array_equal(same.parameters()["weight_ih_l0"], params["weight_ih_l0"])


STATE = LSTMState(np.zeros((1, 2, 4), np.float32), np.zeros((1, 2, 4), np.float32))


@pytest.mark.parametrize(
    ("x", "state", "error", "message"),
    [
        ([[1.0], [1.0, 2.0]], None, TypeError, r"x: expected a NumPy array of shape \(T, B, 3\)"),
        (np.zeros((5, 2, 3)), None, TypeError, "x: expected dtype float32, got float64"),
        (np.zeros((5, 2, 3), object), None, TypeError, "x: expected dtype float32, got object"),
        (
            np.ma.zeros((5, 2, 3), np.float32),
            None,
            TypeError,
            "x: expected an array without",
        ),
        (
            np.zeros((5, 3), np.float32),
            None,
            ValueError,
            r"expected shape \(T, B, 3\), got \(5, 3\)",
        ),
        (np.zeros((5, 2, 2), np.float32), None, ValueError, r"\(T, B, 3\), got \(5, 2, 2\)"),
        (np.zeros((0, 2, 3), np.float32), None, ValueError, "at least one step"),
        (np.zeros((5, 0, 3), np.float32), None, ValueError, "at least one step and one sequence"),
        (None, STATE.h, TypeError, r"state: expected LSTMState\(h, c\)"),
        (None, (STATE.h,), TypeError, r"state: expected LSTMState\(h, c\)"),
        (None, LSTMState(STATE.h[0], STATE.c), ValueError, r"state.h: expected shape \(1, 2, 4\)"),
        (None, LSTMState(STATE.h, STATE.c[:, :1]), ValueError, r"state.c: .* got \(1, 1, 4\)"),
        (None, LSTMState(STATE.h, STATE.c.astype(float)), TypeError, "state.c: .* float64"),
    ],
)
def test_forward_names_what_does_not_fit(x, state, error, message):
    x = np.zeros((5, 2, 3), np.float32) if x is None else x
    with pytest.raises(error, match=message):
        LSTM(3, 4).forward(x, state)


def test_backward_names_what_does_not_fit():
    layer = LSTM(3, 4)
    output, _, cache = layer.forward(np.zeros((5, 2, 3), np.float32))
    with pytest.raises(ValueError, match=r"d_output: expected shape \(5, 2, 4\), got \(2, 5, 4\)"):
        layer.backward(output.swapaxes(0, 1), cache)
    with pytest.raises(TypeError, match=r"cache: expected what forward with keep .*ndarray"):
        layer.backward(output, output)
    with pytest.raises(TypeError, match=r"d_state: expected LSTMState\(h, c\)"):
        layer.backward(output, cache, output[-1])
    with pytest.raises(TypeError, match="loop: expected lstm_lesson"):
        layer.forward(np.zeros((5, 2, 3), np.float32), loop="arrays")
    _, _, cache = layer.forward(np.zeros((5, 2, 3), np.float32))
    if cache.runs[0].loop is not ArrayLoop:
        with pytest.raises(ValueError, match="record: expected a cache of forward"):
            layer.backward(output, cache, record={})


def test_the_linear_head_names_what_does_not_fit():
    head, x = Linear(3, 2), np.zeros((5, 3), np.float32)
    for wrong in ([[1.0], [2.0, 3.0]], None):
        with pytest.raises(TypeError, match=r"x: expected a NumPy array of shape \(..., 3\)"):
            head.forward(wrong)
    with pytest.raises(TypeError, match="cache: expected a NumPy array"):
        head.backward(x[:, :2], None)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"input_size": 0}, ValueError, "input_size: expected at least 1, got 0"),
        ({"hidden_size": 2.0}, TypeError, "hidden_size: expected a whole number, got 2.0"),
        ({"batch_first": 1}, TypeError, "batch_first: expected True or False, got 1"),
        ({"dtype": np.float16}, TypeError, "dtype: expected float32 or float64, got float16"),
        ({"weight_init": "he"}, ValueError, r"weight_init: expected one of \['constant'.*'he'"),
        ({"recurrent_init": None}, ValueError, "recurrent_init: expected one of"),
        ({"rng": -1}, TypeError, "rng: expected a numpy Generator"),
    ],
)
def test_constructor_names_what_does_not_fit(arguments, error, message):
    with pytest.raises(error, match=message):
        LSTM(**({"input_size": 3, "hidden_size": 4} | arguments))
