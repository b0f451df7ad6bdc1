"""Products cut into blocks, and where matrices lie; what they compute is in test_sequence.py."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_lesson.engine import matrices


@given(rows=st.integers(1, 5000), each=st.integers(1, 10**6))
def test_blocks_are_equal_small_and_as_few_as_can_be(rows, each):
    count = matrices.blocks(rows, each)
    possible = [
        n
        for n in range(1, rows // matrices.BLOCK_ROWS + 1)
        if rows % n == 0 and rows // n * each <= matrices.SMALL_PRODUCT
    ]
    assert count == min(possible, default=1)


@pytest.mark.parametrize("S", [None, 3])
def test_all_columns_and_back(S):
    B = 2
    N = (B,) if S is None else (S, B)
    a = np.random.default_rng(0).normal(size=(4, 5, *N))  # (n, K, N)
    copy = matrices.all_columns("test", a)
    assert copy.shape == ((5, 4 * B) if S is None else (S, 5, 4 * B))
    np.testing.assert_array_equal(matrices.turned(copy), matrices.all_rows(matrices.to_rows(a)))
    np.testing.assert_array_equal(matrices.by_step(copy, 4), a)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arrays_start_on_a_line_of_the_cache_and_do_not_overlap(dtype):
    shapes = [(3, 5), (0, 2), (7,), (1, 1, 1), (64,)]
    arrays = matrices.aligned(shapes, np.dtype(dtype))
    for k, (a, shape) in enumerate(zip(arrays, shapes, strict=True)):
        assert (a.shape, a.dtype) == (shape, dtype)
        assert a.size == 0 or a.ctypes.data % 64 == 0
        a[...] = k
    assert all((a == k).all() for k, a in enumerate(arrays))


def test_scratch_is_used_again_by_one_thread_only():
    dtype = np.dtype(np.float32)
    first = matrices.scratch("test", (4, 8), dtype)
    assert np.shares_memory(first, matrices.scratch("test", (5,), dtype))
    assert not np.shares_memory(first, matrices.scratch("other", (5,), dtype))
    assert not np.shares_memory(first, matrices.scratch("test", (5,), np.dtype(np.float64)))
    elsewhere = []
    thread = threading.Thread(
        target=lambda: elsewhere.append(matrices.scratch("test", (5,), dtype))
    )
    thread.start()
    thread.join()
    assert not np.shares_memory(first, elsewhere[0])
