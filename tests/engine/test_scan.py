"""The linear recurrence: the loop, the scan, and their way back."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lstm_lesson.engine.scan import HOW, linear_recurrence, linear_recurrence_backward

shapes = [st.integers(1, n) for n in (40, 3, 3)]


@given(*shapes, st.integers(0))
def test_both_ways_equal_the_recurrence_in_torch_and_its_gradients(T, B, H, seed):
    rng = np.random.default_rng(seed)
    a, b, d_h = rng.normal(size=(3, T, B, H))
    h0 = rng.normal(size=(B, H))
    tensors = [torch.tensor(each, requires_grad=True) for each in (a, b, h0)]
    states, h = [], tensors[2]
    for t in range(T):
        h = tensors[0][t] * h + tensors[1][t]
        states.append(h)
    states = torch.stack(states)
    states.backward(torch.tensor(d_h))
    for how in HOW:
        h = linear_recurrence(a, b, h0, how)
        ours = [h, *linear_recurrence_backward(d_h, h, a, h0, how)]
        for mine, theirs in zip(ours, (states, *(t.grad for t in tensors)), strict=True):
            theirs = theirs.detach().numpy()
            # A sum of up to 40 terms, in another order; with |a| > 1 some are large.
            np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-12 * np.abs(theirs).max())


@given(*shapes, st.integers(0))
def test_a_sequence_in_two_pieces_equals_one_pass(T, B, H, seed):
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(-1, 1, size=(2, T, B, H))
    h0, cut = rng.normal(size=(B, H)), rng.integers(1, T + 1)
    for how in HOW:
        first = linear_recurrence(a[:cut], b[:cut], h0, how)
        whole = linear_recurrence(a, b, h0, how)
        np.testing.assert_allclose(first, whole[:cut], atol=1e-14)
        if cut < T:
            rest = linear_recurrence(a[cut:], b[cut:], first[-1], how)
            np.testing.assert_allclose(rest, whole[cut:], atol=1e-14)


@pytest.mark.parametrize("how", HOW)
def test_it_keeps_its_inputs_and_its_dtype(how):
    a, b = np.full((2, 9, 1, 2), 0.5, np.float32)
    h0 = np.ones((1, 2), np.float32)
    h = linear_recurrence(a, b, h0, how)
    assert h.dtype == np.float32
    assert (a == 0.5).all() and (b == 0.5).all() and (h0 == 1).all()
    assert np.array_equal(h, np.ones_like(h))  # 0.5 * 1 + 0.5, exact in binary


def test_the_scan_rounds_as_little_as_the_loop():
    rng = np.random.default_rng(0)
    a, b = rng.uniform(0.9, 1, (1000, 1, 8)), rng.normal(size=(1000, 1, 8))
    exact = linear_recurrence(a, b, np.zeros((1, 8)))
    for how in HOW:
        arrays = (each.astype(np.float32) for each in (a, b, np.zeros((1, 8))))
        error = np.abs(linear_recurrence(*arrays, how) - exact).max() / np.abs(exact).max()
        assert error < 2e-6  # some twenty units in the last place of float32


def test_what_it_refuses():
    a, h0 = np.zeros((4, 2, 3)), np.zeros((2, 3))
    with pytest.raises(ValueError, match=r"how: expected one of \['loop', 'scan'\], got 'tree'"):
        linear_recurrence(a, a, h0, "tree")
    with pytest.raises(ValueError, match=r"b: expected shape \(4, 2, 3\), got \(3, 2, 3\)"):
        linear_recurrence(a, a[:3], h0)
    with pytest.raises(ValueError, match=r"h0: expected shape \(2, 3\), got \(1, 3\)"):
        linear_recurrence(a, a, h0[:1])
    with pytest.raises(TypeError, match="a: expected dtype float32 or float64, got int64"):
        linear_recurrence(a.astype(int), a, h0)
    with pytest.raises(ValueError, match=r"d_h: expected shape \(4, 2, 3\)"):
        linear_recurrence_backward(a[:2], a, a, h0)
