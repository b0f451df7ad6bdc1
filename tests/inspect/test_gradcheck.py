"""The checker: it passes what is right, and catches every wrong line."""

import inspect
import re
import textwrap

import numpy as np
import pytest

from lstm_lesson import LSTM, gradcheck
from lstm_lesson.engine import equations, loop, plain_lstm
from lstm_lesson.engine.loop import ArrayLoop

LAYER = LSTM(3, 4, dtype=np.float64, rng=1)
X = np.random.default_rng(2).normal(size=(4, 2, 3))

# A function of the backward pass, a line of it, and the same line wrong.
MUTANTS = [
    ("lstm_back", "tanh_c = tanh(c)", "tanh_c = c"),
    ("lstm_back", "d_c + d_h * o * tanh_derivative(tanh_c)", "d_h * o * tanh_derivative(tanh_c)"),
    ("lstm_back", "d_c + d_h * o * tanh_derivative(tanh_c)", "d_c + d_h * o"),
    ("lstm_back", "d_z_i = d_c * g * sigmoid_derivative(i)", "d_z_i = d_c * g"),
    ("lstm_back", "d_z_f = d_c * c_prev *", "d_z_f = d_c * c *"),
    ("lstm_back", "d_z_g = d_c * i * tanh_derivative(g)", "d_z_g = d_c * f * tanh_derivative(g)"),
    ("lstm_back", "d_z_o = d_h * tanh_c *", "d_z_o = d_h *"),
    ("lstm_back", "d_z_o, d_c * f", "d_z_o, d_c"),
    ("backward", "d_state[0] + d_output[t], *d_state[1:]", "d_output[t], *d_state[1:]"),
    ("backward", "d_state[0] + d_output[t], *d_state[1:]", "d_state[0], *d_state[1:]"),
    (
        "backward",
        "= cell.backward(d_after, more, params)",
        "= cell.backward(d_state, more, params)",
    ),
    ("backward", "d_direct[0] + d_z_h[t] @", "d_direct[0] + 2 * d_z_h[t] @"),
    ("backward", "(d_h, *d_direct[1:]), d_state", "(d_h, *d_state[1:]), d_state"),
    ("backward", "before[0] for before, *_ in kept", "after[0] for _, after, _ in kept"),
    ("backward", "by_input = by_x.T @ _rows(x)", "by_input = 2 * by_x.T @ _rows(x)"),
    ("backward", "+= by_h.T @ _rows(h_prev)", "+= by_h.T @ _rows(h_prev)[::-1]"),
    ("backward", "by_input[:, :-1]", "by_input[:, 1:]"),
    ("backward", "by_input[:, -1]", "by_input[:, 0]"),
    ("backward", "d_z_x @ params", "2 * d_z_x @ params"),
]
SOURCES = {"lstm_back": (equations, equations.lstm_back), "backward": (loop, ArrayLoop.backward)}


def mutate(monkeypatch, name, old, new):
    """Replace one piece of the source of a function."""
    module, function = SOURCES[name]
    source = textwrap.dedent(inspect.getsource(function)).replace("@staticmethod\n", "")
    assert source.count(old) == 1, f"{old!r} is there {source.count(old)} times"
    namespace = dict(vars(module))
    exec(source.replace(old, new), namespace)
    monkeypatch.setattr(loop, "_compiled", lambda: None)
    if name == "backward":
        monkeypatch.setattr(ArrayLoop, "backward", staticmethod(namespace[name]))
    else:
        monkeypatch.setattr(module, name, namespace[name])


def test_a_right_backward_passes():
    table = gradcheck.check(LAYER, X)
    assert table.passed
    assert [row.tensor for row in table.rows][:4] == ["x", "h_0", "c_0", "weight_ih_l0"]
    assert "WRONG" not in str(table)
    assert str(table).count("< 1e-07") == str(table).count("< 1e-12") == 6


@pytest.mark.parametrize(("name", "old", "new"), MUTANTS)
def test_a_mutated_line_is_caught(monkeypatch, name, old, new):
    mutate(monkeypatch, name, old, new)
    table = gradcheck.check(LAYER, X, autograd=False)
    assert not table.passed
    assert max(row.differences for row in table.rows) > 1e-3
    assert "WRONG" in str(table)


@pytest.mark.parametrize("name", SOURCES)
def test_every_line_that_computes_is_mutated(name):
    lines = inspect.getsource(SOURCES[name][1]).splitlines()
    lines = [line.split("  #")[0].strip() for line in lines]
    computing = [line for line in lines if re.search(r" [*@] |\+= by|by_input\[", line)]
    mutated = [old for function, old, _ in MUTANTS if function == name]
    assert [line for line in computing if not any(old in line for old in mutated)] == []
    assert len(computing) > 5


def test_both_references_are_independent_of_the_backward(monkeypatch):
    mutate(monkeypatch, "lstm_back", "d_z_g = d_c * i *", "d_z_g = d_c * f *")
    for row in gradcheck.check(LAYER, X).rows:
        if not row.passed:
            assert row.differences == pytest.approx(row.autograd, rel=1e-4)


def test_numerical_gradient_of_a_known_function():
    a = np.random.default_rng(0).normal(size=(3, 2))
    before = a.copy()
    gradient = gradcheck.numerical_gradient(lambda: float(np.sum(a**3)), a)
    np.testing.assert_allclose(gradient, 3 * a**2, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(a, before)


def test_numerical_gradient_refuses_what_is_too_coarse():
    with pytest.raises(TypeError, match="expected a float64 array, got float32"):
        gradcheck.numerical_gradient(lambda: 0.0, np.zeros(3, np.float32))
    with pytest.raises(TypeError, match="expected a float64 array, got list"):
        gradcheck.numerical_gradient(lambda: 0.0, [1.0])
    with pytest.raises(TypeError, match="expected dtype float64, got float32"):
        gradcheck.check(LSTM(3, 4), X.astype(np.float32))


def test_relative_error():
    assert gradcheck.relative_error(np.array([1.0, 2.0]), np.array([1.0, 4.0])) == 0.5
    assert gradcheck.relative_error(np.zeros(2), np.zeros(2)) == 0.0
    assert gradcheck.relative_error(np.ones(2), np.zeros(2)) == np.inf
    with pytest.raises(ValueError, match=r"expected equal, got \(2,\) and \(2, 1\)"):
        gradcheck.relative_error(np.ones(2), np.ones((2, 1)))


def test_a_nan_fails():
    good = {"a": np.ones(2)}
    table = gradcheck.compare({"a": np.array([1.0, np.nan])}, good, good)
    assert not table.passed
    assert "nan" in str(table)


def test_compare_needs_the_same_names():
    with pytest.raises(ValueError, match=r"differ in \['b'\]"):
        gradcheck.compare({"a": np.ones(2), "b": np.ones(2)}, {"a": np.ones(2)})


def test_cells_and_checker_agree_on_one_step():
    rng = np.random.default_rng(0)
    x, h, c, d_h, d_c = (rng.normal(size=(2, 3)) for _ in range(5))
    weights = [rng.normal(size=shape) for shape in [(12, 3), (12, 3), (12,)]]
    state = equations.LSTMState(h, c)

    def loss():
        new, _ = plain_lstm.lstm_step(x, state, *weights)
        return float(np.sum(new.h * d_h) + np.sum(new.c * d_c))

    _, cache = plain_lstm.lstm_step(x, state, *weights)
    grads = plain_lstm.lstm_step_backward(equations.LSTMState(d_h, d_c), cache, *weights[:2])
    tensors = dict(zip(grads._fields, [x, h, c, *weights], strict=True))
    numeric = {n: gradcheck.numerical_gradient(loss, t) for n, t in tensors.items()}
    assert gradcheck.compare(grads._asdict(), numeric).passed


@pytest.mark.parametrize("option", [{"peephole": True}, {"reverse": True}])
def test_an_option_that_pytorch_lacks_is_checked_by_differences_alone(option):
    layer = LSTM(2, 3, dtype=np.float64, **option)
    x = np.ones((2, 1, 2))
    with pytest.raises(ValueError, match=r"PyTorch has no \w+, got True; .* autograd=False"):
        gradcheck.check(layer, x)
    assert gradcheck.check(layer, x, autograd=False).passed
