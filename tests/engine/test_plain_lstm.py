"""One step, against PyTorch's cell and against what its equations promise."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lstm_lesson import LSTMState
from lstm_lesson.engine.plain_lstm import lstm_step, lstm_step_backward

sizes = st.integers(1, 6)


def random_step(B, D, H, seed):
    rng = np.random.default_rng(seed)
    x, h, c = rng.normal(size=(B, D)), rng.normal(size=(B, H)), rng.normal(size=(B, H))
    weights = [rng.normal(size=shape) for shape in [(4 * H, D), (4 * H, H), (4 * H,)]]
    return x, LSTMState(h, c), weights


@given(sizes, sizes, sizes, st.integers(0, 2**32))
def test_step_and_its_backward_equal_torch(B, D, H, seed):
    x, state, weights = random_step(B, D, H, seed)
    rng = np.random.default_rng(seed)
    d_state = LSTMState(rng.normal(size=(B, H)), rng.normal(size=(B, H)))
    cell = torch.nn.LSTMCell(D, H, dtype=torch.float64)
    names = ["weight_ih", "weight_hh", "bias_ih"]
    cell.load_state_dict(
        {name: torch.tensor(w) for name, w in zip(names, weights, strict=True)}
        | {"bias_hh": torch.zeros(4 * H, dtype=torch.float64)}
    )
    inputs = [torch.tensor(a, requires_grad=True) for a in (x, *state)]
    expected = cell(inputs[0], tuple(inputs[1:]))
    torch.autograd.backward(expected, [torch.tensor(d) for d in d_state])

    new_state, cache = lstm_step(x, state, *weights)
    grads = lstm_step_backward(d_state, cache, *weights[:2])
    for ours, theirs in zip(new_state, expected, strict=True):
        np.testing.assert_allclose(ours, theirs.detach(), rtol=0, atol=1e-13)
    references = [*inputs, cell.weight_ih, cell.weight_hh, cell.bias_ih]
    for ours, tensor in zip(grads, references, strict=True):
        largest = tensor.grad.abs().max().item()
        np.testing.assert_allclose(ours, tensor.grad, rtol=0, atol=1e-12 * max(largest, 1e-300))


def test_open_forget_and_shut_input_gate_keep_the_cell_exactly():
    x, state, (weight_ih, weight_hh, _) = random_step(2, 3, 4, 0)
    bias = np.repeat([-1e4, 1e4, 0.0, 0.0], 4)  # i = 0, f = 1
    for _ in range(1000):
        new_state, cache = lstm_step(x, state, weight_ih, weight_hh, bias)
        np.testing.assert_array_equal(new_state.c, state.c)
        state = new_state
    # And the gradient comes back through the cell as it went in.
    d_state = LSTMState(np.zeros((2, 4)), np.ones((2, 4)))
    grads = lstm_step_backward(d_state, cache, weight_ih, weight_hh)
    np.testing.assert_array_equal(grads.c_prev, d_state.c)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"x": np.zeros(3)}, ValueError, r"x: expected shape \(B, D\), got \(3,\)"),
        ({"x": [[1.0, 2.0], [3.0]]}, TypeError, "x: expected a NumPy array .* got list"),
        ({"x": np.zeros((2, 3), int)}, TypeError, "x: expected dtype float32 or float64, got int"),
        ({"h": np.zeros((1, 4))}, ValueError, r"state.h: expected shape \(2, H\), got \(1, 4\)"),
        ({"c": np.zeros((2, 5))}, ValueError, r"state.c: expected shape \(2, 4\), got \(2, 5\)"),
        ({"weight_ih": np.zeros((16, 4))}, ValueError, r"weight_ih: expected shape \(16, 3\)"),
        ({"weight_hh": np.zeros((12, 4))}, ValueError, r"weight_hh: expected shape \(16, 4\)"),
        ({"bias": np.zeros(1)}, ValueError, r"bias: expected shape \(16,\), got \(1,\)"),
        (
            {"bias": np.zeros(16, np.float32)},
            TypeError,
            "bias: expected dtype float64, got float32",
        ),
    ],
)
def test_step_names_what_does_not_fit(change, error, message):
    x, state, weights = random_step(2, 3, 4, 0)
    names = ["weight_ih", "weight_hh", "bias"]
    arrays = {"x": x, **state._asdict(), **dict(zip(names, weights, strict=True)), **change}
    with pytest.raises(error, match=message):
        lstm_step(arrays["x"], LSTMState(arrays["h"], arrays["c"]), *(arrays[n] for n in names))


def test_backward_names_what_does_not_fit():
    x, state, weights = random_step(2, 3, 4, 0)
    _, cache = lstm_step(x, state, *weights)
    with pytest.raises(ValueError, match=r"d_state.c: expected shape \(2, 4\), got \(4,\)"):
        lstm_step_backward(LSTMState(np.zeros((2, 4)), np.zeros(4)), cache, *weights[:2])
