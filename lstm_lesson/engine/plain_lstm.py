"""The plain LSTM as functions of arrays: one step, checked, and a whole sequence, fast.

Gates are stacked in the order i, f, g, o, as in PyTorch.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lstm_lesson.engine import loop
from lstm_lesson.engine.activations import tanh
from lstm_lesson.engine.arguments import check_array
from lstm_lesson.engine.equations import LSTMCell, LSTMState, lstm, lstm_back, split


class LSTMStepCache(NamedTuple):
    """What `lstm_step` keeps for `lstm_step_backward`; the gates are here to look at, too."""

    x: np.ndarray  # input, (B, D)
    h_prev: np.ndarray  # hidden state before the step, (B, H)
    c_prev: np.ndarray  # cell state before the step, (B, H)
    i: np.ndarray  # input gate, (B, H), in (0, 1)
    f: np.ndarray  # forget gate, (B, H), in (0, 1)
    g: np.ndarray  # candidate, (B, H), in (-1, 1)
    o: np.ndarray  # output gate, (B, H), in (0, 1)
    c: np.ndarray  # cell state after the step, (B, H)
    tanh_c: np.ndarray  # tanh of it, (B, H)


class LSTMStepGrads(NamedTuple):
    """Gradients of the loss through one step, named after what they are gradients of."""

    x: np.ndarray  # (B, D)
    h_prev: np.ndarray  # (B, H)
    c_prev: np.ndarray  # (B, H)
    weight_ih: np.ndarray  # (4H, D)
    weight_hh: np.ndarray  # (4H, H)
    bias: np.ndarray  # (4H,)


def lstm_step(
    x: np.ndarray,
    state: LSTMState,
    weight_ih: np.ndarray,
    weight_hh: np.ndarray,
    bias: np.ndarray,
) -> tuple[LSTMState, LSTMStepCache]:
    """Advance an LSTM by one time step.

    Parameters
    ----------
    x : (B, D), the input at this step.
    state : `LSTMState` of two (B, H), the state before the step.
    weight_ih : (4H, D), input weights, gates stacked i, f, g, o.
    weight_hh : (4H, H), recurrent weights.
    bias : (4H,).

    Returns
    -------
    state : `LSTMState` of two (B, H), the state after the step; its ``h`` is the output.
    cache : `LSTMStepCache`, every gate, and what the backward step needs.

    Raises
    ------
    TypeError, ValueError
        If an array has a dtype or a shape that does not fit the others.

    The cell of Hochreiter and Schmidhuber (1997) with the forget gate of Gers et al. (2000), as in
    `torch.nn.LSTMCell`. Built up in chapter 3.
    """
    check_array("x", x, ("B", "D"))
    B, D = x.shape
    h_prev, c_prev = state
    check_array("state.h", h_prev, (B, "H"), x.dtype)
    H = h_prev.shape[1]
    check_array("state.c", c_prev, (B, H), x.dtype)
    check_array("weight_ih", weight_ih, (4 * H, D), x.dtype)
    check_array("weight_hh", weight_hh, (4 * H, H), x.dtype)
    check_array("bias", bias, (4 * H,), x.dtype)

    z = x @ weight_ih.T + h_prev @ weight_hh.T + bias  # (B, 4H)
    i, f, g, o, c, h = lstm(*split(z, 4), c_prev)  # (B, H) each
    return LSTMState(h, c), LSTMStepCache(x, h_prev, c_prev, i, f, g, o, c, tanh(c))


def lstm_step_backward(
    d_state: LSTMState,
    cache: LSTMStepCache,
    weight_ih: np.ndarray,
    weight_hh: np.ndarray,
) -> LSTMStepGrads:
    """Carry a gradient back through one `lstm_step`.

    Parameters
    ----------
    d_state : `LSTMState` of two (B, H): the gradient of the loss with respect to the ``h`` and the
        ``c`` that the step returned. ``d_state.h`` is the total gradient (from this step's output
        and from the next step); ``d_state.c`` is what arrives through the next step's cell only.
    cache : what the forward step returned.
    weight_ih, weight_hh : (4H, D) and (4H, H), the weights of the forward step.

    Returns
    -------
    `LSTMStepGrads`. Over a sequence, add up the three parameter gradients of all its steps.

    Raises
    ------
    TypeError, ValueError
        If an array has a dtype or a shape that does not fit the cache. Derived in chapter 5.
    """
    x, h_prev, c_prev, i, f, g, o, c, _ = cache
    d_h, d_c = d_state
    check_array("d_state.h", d_h, c.shape, x.dtype)
    check_array("d_state.c", d_c, c.shape, x.dtype)

    *d_z, d_c_prev = lstm_back(d_h, d_c, i, f, g, o, c, c_prev)
    d_z = np.concatenate(d_z, axis=1)  # (B, 4H)
    return LSTMStepGrads(
        x=d_z @ weight_ih,
        h_prev=d_z @ weight_hh,
        c_prev=d_c_prev,
        weight_ih=d_z.T @ x,
        weight_hh=d_z.T @ h_prev,
        bias=d_z.sum(axis=0),
    )


class LSTMGrads(NamedTuple):
    """Gradients of the loss through a sequence, named after what they are gradients of."""

    x: np.ndarray  # (T, B, D)
    state: LSTMState  # of the initial state, two (B, H)
    weight_ih: np.ndarray  # (4H, D)
    weight_hh: np.ndarray  # (4H, H)
    bias: np.ndarray  # (4H,)


def lstm_forward(
    x: np.ndarray,
    state: LSTMState,
    weight_ih: np.ndarray,
    weight_hh: np.ndarray,
    bias: np.ndarray,
) -> tuple[np.ndarray, LSTMState, loop.Cache]:
    """Run a plain LSTM over a sequence.

    Parameters
    ----------
    x : (T, B, D), T at least 1.
    state : `LSTMState` of two (B, H), the state before the first step.
    weight_ih : (4H, D), gates stacked i, f, g, o.
    weight_hh : (4H, H).
    bias : (4H,).

    Returns
    -------
    output : (T, B, H), the hidden state after each step.
    state : `LSTMState` of two (B, H), the state after the last step.
    cache : `Cache`, for `lstm_backward`.

    Shapes are the caller's to check: `lstm_lesson.LSTM` does. Compared with the readable loop in
    chapter 5.
    """
    params = {"weight_ih": weight_ih, "weight_hh": weight_hh, "bias": bias}
    output, last, cache = loop.forward(LSTMCell(), x, state, params)
    return output, LSTMState(*last), cache


def lstm_backward(d_output: np.ndarray, d_state: LSTMState, cache: loop.Cache) -> LSTMGrads:
    """Carry gradients back through `lstm_forward`: backpropagation through time.

    Parameters
    ----------
    d_output : (T, B, H), gradient of the loss with respect to each output.
    d_state : `LSTMState` of two (B, H), with respect to the final state, beyond what reaches it
        through the last output.
    cache : what the forward pass returned.

    Returns
    -------
    `LSTMGrads`, summed over all steps and the batch.
    """
    d_x, d_start, params = loop.backward(d_output, d_state, cache)
    return LSTMGrads(d_x, LSTMState(*d_start), **params)
