"""The fast path, held equal to the readable one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_lesson import LSTMState
from lstm_lesson.engine import lstm_kernel, matrices, sequence
from lstm_lesson.engine.cells import lstm_step, lstm_step_backward
from lstm_lesson.engine.sequence import lstm_backward, lstm_forward


def random_problem(T, B, D, H, seed, replicas=()):
    rng = np.random.default_rng(seed)
    shapes = [(T, *replicas, B, D)] + [(*replicas, B, H)] * 4 + [(T, *replicas, B, H)]
    x, h, c, d_h, d_c, d_output = (rng.normal(size=shape) for shape in shapes)
    weights = [rng.normal(size=(*replicas, *w)) for w in [(4 * H, D), (4 * H, H), (4 * H,)]]
    return x, LSTMState(h, c), weights, d_output, LSTMState(d_h, d_c)


def by_steps(x, state, weights, d_output, d_state):
    """The same through `cells`, step by step."""
    caches, output = [], []
    for x_t in x:
        state, cache = lstm_step(x_t, state, *weights)
        caches.append(cache)
        output.append(state.h)
    d_x = np.empty_like(x)
    d_weights = [np.zeros_like(w) for w in weights]
    for t in reversed(range(len(x))):
        d_state = LSTMState(d_state.h + d_output[t], d_state.c)
        grads = lstm_step_backward(d_state, caches[t], *weights[:2])
        d_x[t] = grads.x
        d_state = LSTMState(grads.h_prev, grads.c_prev)
        for total, step in zip(d_weights, grads[3:], strict=True):
            total += step
    return np.array(output), state, [d_x, *d_state, *d_weights]


def assert_close(ours, reference, tolerance=1e-12):
    for a, b in zip(ours, reference, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * np.abs(b).max())


@pytest.mark.parametrize("small", [0, 16, 10**6])  # what counts as a small product
@pytest.mark.parametrize("cache_bytes", [0, lstm_kernel.CACHE_BYTES])
@pytest.mark.parametrize("rows", [1, 7, 512])  # segments of one step, of a few, of all
@given(
    T=st.integers(1, 12),
    B=st.integers(1, 4),
    D=st.integers(1, 5),
    H=st.integers(1, 5),
    seed=st.integers(0, 2**32),
)
def test_fast_path_equals_cells(rows, cache_bytes, small, T, B, D, H, seed):
    problem = random_problem(T, B, D, H, seed)
    x, state, weights, d_output, d_state = problem
    expected_output, expected_state, expected_grads = by_steps(*problem)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sequence, "SEGMENT_ROWS", rows)
        patch.setattr(sequence, "SEGMENT_CELLS", 0)
        patch.setattr(lstm_kernel, "CACHE_BYTES", cache_bytes)
        patch.setattr(matrices, "BLOCK_ROWS", 1)
        patch.setattr(matrices, "SMALL_PRODUCT", small)
        output, last, cache = lstm_forward(x, state, *weights)
        grads = lstm_backward(d_output, d_state, cache)
    assert_close([output, *last], [expected_output, *expected_state])
    assert_close([grads.x, *grads.state, *grads[2:]], expected_grads)


@pytest.mark.parametrize("cache_bytes", [0, lstm_kernel.CACHE_BYTES])
@given(T=st.integers(1, 6), S=st.integers(1, 4), seed=st.integers(0, 2**32))
def test_replicas_equal_separate_networks(cache_bytes, T, S, seed):
    x, state, weights, d_output, d_state = random_problem(T, 3, 2, 4, seed, replicas=(S,))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lstm_kernel, "CACHE_BYTES", cache_bytes)
        output, last, cache = lstm_forward(x, state, *weights)
        grads = lstm_backward(d_output, d_state, cache)
    for s in range(S):
        one, one_last, one_cache = lstm_forward(
            x[:, s], LSTMState(state.h[s], state.c[s]), *(w[s] for w in weights)
        )
        one_grads = lstm_backward(d_output[:, s], LSTMState(d_state.h[s], d_state.c[s]), one_cache)
        assert_close([output[:, s], last.h[s], last.c[s]], [one, *one_last])
        ours = [grads.x[:, s], grads.state.h[s], grads.state.c[s], *(g[s] for g in grads[2:])]
        assert_close(ours, [one_grads.x, *one_grads.state, *one_grads[2:]])


@given(first=st.integers(1, 8), second=st.integers(1, 8), seed=st.integers(0, 2**32))
def test_two_halves_with_the_state_carried_equal_one_pass(first, second, seed):
    problem = random_problem(first + second, 2, 3, 4, seed)
    x, state, weights, d_output, d_state = problem
    whole, last, cache = lstm_forward(x, state, *weights)
    grads = lstm_backward(d_output, d_state, cache)
    output_1, middle, cache_1 = lstm_forward(x[:first], state, *weights)
    output_2, end, cache_2 = lstm_forward(x[first:], middle, *weights)
    grads_2 = lstm_backward(d_output[first:], d_state, cache_2)
    grads_1 = lstm_backward(d_output[:first], grads_2.state, cache_1)
    assert_close([np.concatenate([output_1, output_2]), *end], [whole, *last])
    sums = [a + b for a, b in zip(grads_1[2:], grads_2[2:], strict=True)]
    assert_close([*grads_1.state, *sums], [*grads.state, *grads[2:]])


def test_backward_twice_gives_the_same_and_changes_nothing():
    x, state, weights, d_output, d_state = random_problem(5, 2, 3, 4, 0)
    arrays = [x, *state, *weights, d_output, *d_state]
    before = [a.copy() for a in arrays]
    _, _, cache = lstm_forward(x, state, *weights)
    first = lstm_backward(d_output, d_state, cache)
    second = lstm_backward(d_output, d_state, cache)
    for a, b in zip([first.x, *first[2:]], [second.x, *second[2:]], strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("replicas", [(), (2,)])
def test_what_is_returned_is_the_callers_own(replicas):
    x, state, weights, d_output, d_state = random_problem(5, 2, 3, 4, 0, replicas)
    output, last, cache = lstm_forward(x, state, *weights)
    grads = lstm_backward(d_output, d_state, cache)
    returned = [output, *last, grads.x, *grads.state, *grads[2:]]
    assert all(a.flags.c_contiguous and a.flags.writeable for a in returned)
    first = [a.copy() for a in returned]
    other = random_problem(5, 2, 3, 4, 1, replicas)
    lstm_backward(*other[3:], lstm_forward(*other[:2], *other[2])[2])  # in the same scratch memory
    assert all(np.array_equal(a, b) for a, b in zip(returned, first, strict=True))
    for a in (*returned, *weights):
        a[...] = np.nan
    again = lstm_backward(d_output, d_state, cache)
    for a, b in zip([again.x, *again.state, *again[2:]], first[3:], strict=True):
        np.testing.assert_array_equal(a, b)


def test_settings_of_numpy_are_kept_to_and_left_alone():
    x, state, weights, d_output, d_state = random_problem(5, 2, 3, 4, 0)
    errors = np.geterr()
    with np.errstate():
        np.setbufsize(4096)  # what nothing else asks for
        cache = lstm_forward(x, state, *weights)[2]
        lstm_backward(d_output, d_state, cache)
        assert (np.getbufsize(), np.geterr()) == (4096, errors)
    huge = np.full_like(d_output, 1.7e308)
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        lstm_backward(huge, LSTMState(huge[0], huge[0]), cache)
