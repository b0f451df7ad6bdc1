"""The checker: it passes what is right, and catches every wrong line."""

import inspect
import re
import textwrap

import numpy as np
import pytest

from lstm_lesson import LSTM, gradcheck
from lstm_lesson.engine import cells, lstm_kernel

LAYER = LSTM(3, 4, dtype=np.float64, rng=1)
X = np.random.default_rng(2).normal(size=(4, 2, 3))

# A line of the fast backward pass, and the same line wrong.
MUTANTS = [
    ("np.subtract(1, slots[:n, :3], out=d_sigmoids)", "d_sigmoids[:] = 1"),
    ("d_sigmoids *= 2", "pass"),
    ("d_o *= h", "d_o *= tanh_c"),
    ("d_i_f *= slots[:n, 1:3]", "pass"),
    ("d_i_f *= slots[:n, 3:]", "d_i_f *= slots[:n, 4:]"),
    ("np.multiply(g, g, out=d_g)", "d_g[:] = g"),
    ("np.subtract(1, d_g, out=d_g)", "d_g[:] = 1"),
    ("d_g *= i", "d_g *= f"),
    ("d_c_prev[:] = f", "d_c_prev[:] = 1"),
    ("np.multiply(h, tanh_c, out=into_c)", "into_c[:] = 0"),
    ("np.subtract(o, into_c, out=into_c)", "np.subtract(1, into_c, out=into_c)"),
    ("d_output_T[:] = to_columns(d_output)", "d_output_T[:] = 0"),
    ("d_h = to_columns(d_state[0][None]).copy()", "d_h = to_columns(d_state[0][None] * 0).copy()"),
    ("local[n:, 5] = to_columns(d_state[1][None])", "local[n:, 5] = 0"),
    ("add(d_h, d_output_t, d_h)", "d_h[...] = d_output_t"),
    ("multiply(by_h, d_h, by_h)", "by_h[...] = d_h"),
    ("add(d_c_next, from_h, d_c)", "d_c[...] = from_h"),
    ("multiply(by_c, d_c, by_c)", "by_c[...] = d_c"),
    ("product(weight_hh, d_z_t, d_h_out)", "d_h[...] = 0"),
    ('columns("d_z", d_z)', 'columns("d_z", 2 * d_z)'),
    ("all_rows(to_rows(columns[:-1]))", "all_rows(to_rows(columns[1:]))"),
    ("multiply_rows(turned(flat),", "multiply_rows(2 * turned(flat),"),
]


def mutated_backward(old, new):
    """Return `LSTMKernel.backward` with one piece of its source replaced."""
    source = textwrap.dedent(inspect.getsource(lstm_kernel.LSTMKernel.backward))
    assert source.count(old) == 1, f"{old!r} is there {source.count(old)} times"
    namespace = dict(vars(lstm_kernel))
    exec(source.replace(old, new), namespace)
    return namespace["backward"]


def test_a_right_backward_passes():
    table = gradcheck.check(LAYER, X)
    assert table.passed
    assert [row.tensor for row in table.rows][:4] == ["x", "h_0", "c_0", "weight_ih_l0"]
    assert "WRONG" not in str(table)
    assert str(table).count("< 1e-07") == str(table).count("< 1e-12") == 6


@pytest.mark.parametrize(("old", "new"), MUTANTS)
def test_a_mutated_line_is_caught(monkeypatch, old, new):
    monkeypatch.setattr(lstm_kernel.LSTMKernel, "backward", mutated_backward(old, new))
    table = gradcheck.check(LAYER, X, autograd=False)
    assert not table.passed
    assert max(row.differences for row in table.rows) > 1e-3
    assert "WRONG" in str(table)


def test_every_line_that_computes_is_mutated():
    lines = inspect.getsource(lstm_kernel.LSTMKernel.backward).splitlines()
    computing = [
        line.strip()
        for line in lines
        if re.search(r"out=|\*=|\b(add|multiply|product|multiply_rows|all_(columns|rows))\(", line)
    ]
    mutated = [old for old, _ in MUTANTS]
    assert [line for line in computing if not any(old in line for old in mutated)] == []
    assert len(computing) > 15


def test_both_references_are_independent_of_the_backward(monkeypatch):
    wrong = mutated_backward("d_g *= i", "d_g *= f")
    monkeypatch.setattr(lstm_kernel.LSTMKernel, "backward", wrong)
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
    state = cells.LSTMState(h, c)

    def loss():
        new, _ = cells.lstm_step(x, state, *weights)
        return float(np.sum(new.h * d_h) + np.sum(new.c * d_c))

    _, cache = cells.lstm_step(x, state, *weights)
    grads = cells.lstm_step_backward(cells.LSTMState(d_h, d_c), cache, *weights[:2])
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
