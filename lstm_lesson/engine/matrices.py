"""Matrices of many steps: how they lie in memory, how they are multiplied, where they are kept.

A row is one sequence at one step, (n, N, K); a column is the same with the batch last, (n, K, N).
``N`` stands for the axis B, or for the axes S, B with replicas: independent networks of one size.
"""

from __future__ import annotations

import math
import threading

import numpy as np

SMALL_PRODUCT = 10**6  # multiplications up to which OpenBLAS doesn't copy its operands first
BLOCK_ROWS = 16  # the least that a product is cut into: what a vector register holds


def turned(a: np.ndarray) -> np.ndarray:
    """Swap the last two axes: the transpose of a matrix, or of one a replica."""
    return a.swapaxes(-1, -2)


def to_columns(rows: np.ndarray) -> np.ndarray:
    """Turn (n, N, K) into (n, K, N), in the same memory."""
    return rows.swapaxes(1, 2) if rows.ndim == 3 else rows.transpose(0, 3, 1, 2)


def to_rows(columns: np.ndarray) -> np.ndarray:
    """Turn (n, K, N) into (n, N, K), in the same memory."""
    return columns.swapaxes(1, 2) if columns.ndim == 3 else columns.transpose(0, 2, 3, 1)


def all_rows(rows: np.ndarray) -> np.ndarray:
    """Turn (n, B, K) into (n * B, K), and (n, S, B, K) into (S, n * B, K)."""
    return np.moveaxis(rows, 0, -3).reshape(*rows.shape[1:-2], -1, rows.shape[-1])


def all_columns(name: str, columns: np.ndarray) -> np.ndarray:
    """Copy (n, K, B) into (K, n * B), and (n, K, S, B) into (S, K, n * B): `scratch` of a name."""
    n, K, *lead, B = columns.shape
    copy = scratch(name, (*lead, K, n * B), columns.dtype)
    by_step(copy, n)[...] = columns
    return copy


def by_step(columns: np.ndarray, n: int) -> np.ndarray:
    """Turn (K, n * B) into (n, K, B), and (S, K, n * B) into (n, K, S, B), in the same memory."""
    columns = columns.reshape(*columns.shape[:-1], n, -1)
    return columns.swapaxes(0, 1) if columns.ndim == 3 else columns.transpose(2, 1, 0, 3)


def multiply_rows(rows: np.ndarray, weight: np.ndarray, out: np.ndarray) -> None:
    """Write `rows` @ `weight` into `out`, (n, N, K); rows are in the order of `all_rows`."""
    if out.ndim == 3:
        np.matmul(rows, weight, out=out.reshape(-1, out.shape[-1]))
    else:
        n, S, B, K = out.shape
        out[:] = (rows @ weight).reshape(S, n, B, K).swapaxes(0, 1)


def blocks(rows: int, each: int) -> int:
    """Return into how many blocks of rows to cut a product, of `each` multiplications a row.

    Several small products are quicker than one that is a little larger, up to 1.4 times.
    """
    if rows * each > SMALL_PRODUCT:
        for count in range(2, rows // BLOCK_ROWS + 1):
            if rows % count == 0 and rows // count * each <= SMALL_PRODUCT:
                return count
    return 1


def step_product(weight: np.ndarray, columns: np.ndarray, out: np.ndarray, by_columns=None):
    """Return a function and views of its arguments: ``function(weight, columns[t], out[t])``.

    It writes ``weight @ columns[t]`` into ``out[t]``; `columns` is (n, K, N), `out` (n, M, N).
    `by_columns` is the same weight, if there is one, column by column in memory: quicker unless
    the product is cut.
    """
    whole = weight if by_columns is None else by_columns
    if weight.ndim == 3:  # a product for each replica
        return np.matmul, whole, columns.swapaxes(1, 2), out.swapaxes(1, 2)
    M, K = weight.shape
    if (count := blocks(M, K * columns.shape[-1])) > 1:
        weight = weight.reshape(count, M // count, K)
        return np.matmul, weight, columns, out.reshape(len(out), count, M // count, -1)
    # `np.dot` is the quicker call, but copies a matrix that isn't in one piece.
    in_one_piece = whole.flags.c_contiguous or whole.flags.f_contiguous
    return np.dot if in_one_piece else np.matmul, whole, columns, out


def aligned(shapes, dtype: np.dtype) -> list[np.ndarray]:
    """Return arrays in one block of memory, each where a vector register of 64 bytes may start.

    Multiplying two such arrays takes half the time. One block: the larger a piece, the cheaper the
    system hands it out.
    """
    line = 64 // dtype.itemsize
    sizes = [math.prod(shape) for shape in shapes]
    block = np.empty(sum(sizes) + line * len(shapes), dtype)
    start = -block.__array_interface__["data"][0] % 64 // dtype.itemsize
    arrays = []
    for size, shape in zip(sizes, shapes, strict=True):
        arrays.append(block[start : start + size].reshape(shape))
        start += -(-size // line) * line
    return arrays


def scratch(name: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Return an array to work in, whose contents last until the next call for this name.

    Used again, for fresh memory costs more than what is computed in it.
    """
    size = math.prod(shape)
    held = vars(_held).get((name, dtype))
    if held is None or held.size < size:
        (held,) = aligned([(size,)], dtype)
        vars(_held)[name, dtype] = held
    return held[:size].reshape(shape)


_held = threading.local()  # each thread works in its own
