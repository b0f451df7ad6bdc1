"""An LSTM whose gates also see the gates of the step before: full gate recurrence.

Greff et al. 2017 took this eighth variant from the cell of 1997, whose gates were connected so. No
library has it, and the book needs it for one experiment (chapter 16).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lstm_lesson.engine.activations import sigmoid_derivative
from lstm_lesson.engine.equations import LSTMCell
from lstm_lesson.engine.layers import LSTM


class GateRecurrentState(NamedTuple):
    """What the layer carries from one step to the next, (layers, B, ...)."""

    h: np.ndarray  # hidden state, (layers, B, H)
    c: np.ndarray  # cell state, same shape
    gates: np.ndarray  # i, f, o side by side, (layers, B, 3H)


@dataclass(frozen=True)
class GateRecurrentCell(LSTMCell):
    """The plain LSTM cell, with ``R [i, f, o]_prev`` added to the pre-activations of i, f, o.

    ``params["weight_gg"]`` is R, (3H, 3H). State and what is kept have a third and a second part,
    the gates: after the step and before it.
    """

    def forward(self, z_x, z_h, state, params):
        """Return the new state ``(h, c, gates)`` and what is kept, with the gates before."""
        h, c, before = state
        H = c.shape[-1]
        from_gates = before @ params["weight_gg"].T
        z = z_x + z_h
        z[:, : 2 * H] += from_gates[:, : 2 * H]
        z[:, 3 * H :] += from_gates[:, 2 * H :]
        (h, c), kept = super().forward(z, 0, (h, c), params)
        _, i, f, _, o, _ = kept
        return (h, c, np.concatenate([i, f, o], axis=-1)), (kept, before)

    def backward(self, d_state, kept, params):
        """Return ``d_z_x, d_z_h``, the direct gradients of the old state, and of the extras."""
        kept, before = kept
        c_prev, i, f, _, o, _ = kept
        d_h, d_c, d_gates = d_state
        d_z, _, d_direct, extras = super().backward((d_h, d_c), kept, params)
        H = c_prev.shape[-1]
        # What comes through the next step's gates reaches i, f, o beside the step's own ways.
        for gate, place, d in zip((i, f, o), (0, H, 3 * H), np.split(d_gates, 3, -1), strict=True):
            d_z[:, place : place + H] += d * sigmoid_derivative(gate)
        d_sum = np.concatenate([d_z[:, : 2 * H], d_z[:, 3 * H :]], axis=-1)  # of i, f, o
        extras["weight_gg"] = d_sum.T @ before
        return d_z, d_z, (*d_direct, d_sum @ params["weight_gg"]), extras


class GateRecurrentLSTM(LSTM):
    """A layer of `GateRecurrentCell`; arguments are those of `LSTM` that it names.

    Its extra parameter ``weight_gg_l0`` (3H, 3H), rows and columns i, f, o, starts at zero, as
    peepholes do: before training it is the plain LSTM. The gates before the first step are zero.
    """

    STATE = GateRecurrentState

    def __init__(
        self, input_size, hidden_size, num_layers=1, *, forget_bias=1.0, dtype=np.float32, rng=0
    ):
        super().__init__(
            input_size, hidden_size, num_layers, forget_bias=forget_bias, dtype=dtype, rng=rng
        )

    def _extra_shapes(self):
        return {"weight_gg": (3 * self.hidden_size, 3 * self.hidden_size)}

    @property
    def cell(self):
        """Return the cell that the layer runs."""
        return GateRecurrentCell()

    def _state_sizes(self):
        return (self.hidden_size, self.hidden_size, 3 * self.hidden_size)
