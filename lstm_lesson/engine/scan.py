"""One recurrence that many modern layers share, run one step after the other or by doubling.

``h_t = a_t * h_{t-1} + b_t``, element by element. If neither a nor b depends on h, then two steps
in a row are one step of the same kind, because ``a' (a h + b) + b' = (a' a) h + (a' b + b')``. So
steps can be joined in pairs, the pairs in pairs, and so on: a scan. On a machine that does all
joins of a round at once, T steps take about log2 T rounds. It is no gift: every round touches all
T steps, so that the scan does about log2 T times the work of the loop. On one processor core it is
the slower of the two as soon as a step has enough numbers to keep the core busy, as in training.
Where a step has only a few, it is the faster one, because the loop then takes its time for calls
and not for arithmetic. Chapter 24 measures both.
"""

from __future__ import annotations

import numpy as np

from lstm_lesson.engine.arguments import check_array, check_choice

HOW = ("loop", "scan")


def linear_recurrence(
    a: np.ndarray, b: np.ndarray, h0: np.ndarray, how: str = "loop"
) -> np.ndarray:
    """Return every state of ``h_t = a_t * h_{t-1} + b_t``.

    Parameters
    ----------
    a, b : (T, B, H), float32 or float64, T at least 1.
    h0 : (B, H), the state before the first step.
    how : "loop", one step after the other, or "scan", by doubling; equal up to rounding.

    Returns
    -------
    (T, B, H), the state after each step. Raises TypeError or ValueError for anything else.
    The scan is that of Hillis and Steele (1986); Blelloch (1990, section 1.4) gives the joining of
    steps. Introduced in chapter 24.
    """
    check_choice("how", how, HOW)
    check_array("a", a, ("T", "B", "H"))
    check_array("b", b, a.shape, a.dtype)
    check_array("h0", h0, a.shape[1:], a.dtype)
    return _loop(a, b, h0) if how == "loop" else _scan(a, b, h0)


def linear_recurrence_backward(
    d_h: np.ndarray, h: np.ndarray, a: np.ndarray, h0: np.ndarray, how: str = "loop"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the gradients of a, b and h0 from that of every state.

    Parameters
    ----------
    d_h : (T, B, H), gradient of the loss with respect to each h_t, without what comes through the
        states that follow it.
    h : (T, B, H), what `linear_recurrence` returned.
    a, h0, how : what it was given.

    Returns
    -------
    d_a, d_b (T, B, H) and d_h0 (B, H). The total derivative g of a state obeys
    ``g_t = a_{t+1} * g_{t+1} + d_h_t``: the same recurrence, run from the end.
    """
    check_array("d_h", d_h, h.shape, h.dtype)
    later = np.concatenate([a[1:], np.ones_like(a[:1])])  # a_{t+1}; there is none after the end
    g = linear_recurrence(later[::-1], d_h[::-1], np.zeros_like(h0), how)[::-1]
    before = np.concatenate([h0[None], h[:-1]])  # h_{t-1}
    return g * before, g, g[0] * a[0]


def _loop(a, b, h0):
    h = np.empty_like(b)
    state = h0
    for t in range(len(b)):
        state = a[t] * state + b[t]
        h[t] = state
    return h


def _scan(a, b, h0):
    a, b = a.copy(), b.copy()
    b[0] += a[0] * h0  # from here on, step 1 starts from zero
    reach = 1  # a[t], b[t] stand for the last `reach` steps up to t, joined into one
    while reach < len(b):
        # The right side is computed whole before anything is written.
        b[reach:] += a[reach:] * b[:-reach]
        a[reach:] = a[reach:] * a[:-reach]
        reach *= 2
    return b
