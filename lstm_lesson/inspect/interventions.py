"""Run an LSTM with some of its gates or states held at a value: what is lost shows what they do.

Introduced in chapter 13.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lstm_lesson.engine.arguments import check_array, check_choice, check_number, check_size
from lstm_lesson.engine.equations import LSTMState
from lstm_lesson.engine.layers import LSTM
from lstm_lesson.engine.plain_lstm import lstm_step
from lstm_lesson.inspect.tracing import LSTMTrace


class Hold(NamedTuple):
    """One quantity of one unit, and what to hold it at."""

    what: str  # "i", "f", "g", "o", "c" or "h"
    unit: int
    value: float
    start: int = 0  # the first step at which it is held
    stop: int | None = None  # the first at which it no longer is; None for never


def run(layer, x: np.ndarray, holds: Sequence[Hold] = ()) -> LSTMTrace:
    """Return what an `LSTM` does over a batch while some quantities are held.

    Whatever depends on a held quantity is computed from the value that it is held at: a held gate
    changes the cell state, a held cell state the hidden state, a held hidden state the next step.

    Parameters
    ----------
    layer : a plain `LSTM` of one layer.
    x : (T, B, D).
    holds : any number of `Hold`; of two that name the same quantity, the last counts.

    Raises
    ------
    TypeError, ValueError
        If the layer is another, or a hold names what there isn't.

    Introduced in chapter 13.
    """
    if not isinstance(layer, LSTM):
        raise TypeError(f"layer: expected an LSTM of this package, got {type(layer).__name__}")
    H, D = layer.hidden_size, layer.input_size
    if layer.given().keys() - {"dtype"}:
        raise ValueError(f"layer: expected a plain LSTM({D}, {H}), got {layer}")
    check_array("x", x, ("T", "B", D), layer.dtype)
    for what, unit, value, start, stop in holds:
        check_choice("hold.what", what, "ifgoch")
        check_number("hold.value", value)
        if check_size("hold.unit", unit, least=0) >= H:
            raise ValueError(f"hold.unit: expected less than hidden_size {H}, got {unit}")
        check_size("hold.start", start, least=0)
        check_size("hold.stop", start if stop is None else stop, least=start)
    params = [layer.parameters()[f"{name}_l0"] for name in ("weight_ih", "weight_hh", "bias")]
    state, steps = LSTMState(*np.zeros((2, x.shape[1], H), layer.dtype)), []
    for t, x_t in enumerate(x):
        held = [hold for hold in holds if hold.start <= t and (hold.stop is None or t < hold.stop)]

        def kept(name, values, held=held):
            for hold in held:
                if hold.what == name:
                    values[:, hold.unit] = hold.value
            return values

        _, cache = lstm_step(x_t, state, *params)
        i, f, g, o = (kept(name, getattr(cache, name).copy()) for name in "ifgo")
        c = kept("c", f * state.c + i * g)
        state = LSTMState(kept("h", o * np.tanh(c)), c)
        steps.append((i, f, g, o, c, state.h))
    return LSTMTrace(*(np.stack(column) for column in zip(*steps, strict=True)))
