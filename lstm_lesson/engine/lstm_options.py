"""The LSTM cell with every option of `lstm_lesson.LSTM`: clips, peepholes, a projection, and so on.

It has the methods that the cells of `lstm_lesson.engine.equations` have. Chapters 11 and 16.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lstm_lesson.engine.activations import activation
from lstm_lesson.engine.equations import clipped, open_to, split


class Parts(NamedTuple):
    """One step of an `LSTMOptionsCell`, each (B, H)."""

    c_prev: np.ndarray
    i: np.ndarray
    f: np.ndarray
    g: np.ndarray
    o: np.ndarray
    c: np.ndarray  # after `cell_clip`
    squashed: np.ndarray  # the hidden activation of c
    m: np.ndarray  # o * squashed: what is projected to h
    open_z: np.ndarray | bool  # (B, 4H), False where a clipped pre-activation passes no gradient
    open_c: np.ndarray | bool  # False where the clipped cell state passes none


@dataclass(frozen=True)
class LSTMOptionsCell:
    """The LSTM cell with every option of `lstm_lesson.LSTM`; with none it equals `LSTMCell`.

    ``params["peephole"]`` (3H,), in the order i, f, o, adds the cell state to the gates'
    pre-activations, i and f before the step and o after it (Gers et al. 2002).
    ``params["weight_hr"]`` (P, H) projects the hidden state (Sak et al. 2014).
    """

    options: object  # `lstm_lesson.engine.layers.LSTMOptions`

    def forward(self, z_x, z_h, state, params):
        """Return the new state ``(h, c)`` and what is kept, `Parts`."""
        c_prev = state[1]
        z = z_x + z_h
        z_i, z_f, z_g, z_o = split(z, 4)  # views: what is added to one is added to z
        if "peephole" in params:
            p_i, p_f, p_o = split(params["peephole"], 3)
            z_i += p_i * c_prev
            z_f += p_f * c_prev
        i = self._gate("i", z_i)
        f = 1 - i if self.options.couple_input_forget else self._gate("f", z_f)
        g = activation(self.options.cell_activation).function(clipped(z_g, self.options.clip))
        unclipped = f * c_prev + i * g
        c = clipped(unclipped, self.options.cell_clip)
        if "peephole" in params:
            z_o += p_o * c
        o = self._gate("o", z_o)
        squashed = activation(self.options.hidden_activation).function(c)
        m = o * squashed
        h = m @ params["weight_hr"].T if "weight_hr" in params else m
        open_z, open_c = open_to(z, self.options.clip), open_to(unclipped, self.options.cell_clip)
        return (h, c), Parts(c_prev, i, f, g, o, c, squashed, m, open_z, open_c)

    def backward(self, d_state, parts, params):
        slope = activation(self.options.gate_activation).derivative
        d_i, d_f, d_g, d_o, d_c, d_h = self.gradients(d_state, parts, params)
        d_sum = d_c * parts.open_c  # of f * c_prev + i * g
        d_z = {
            "i": d_i * slope(parts.i),
            "f": d_f * slope(parts.f),
            "g": d_g * activation(self.options.cell_activation).derivative(parts.g),
            "o": d_o * slope(parts.o),
        }
        coupled = ["f"] if self.options.couple_input_forget else []
        for gate in (*self.options.remove_gates, *coupled):
            d_z[gate] = np.zeros_like(d_z[gate])
        d_z = np.concatenate([d_z[gate] for gate in "ifgo"], axis=-1) * parts.open_z
        d_c_prev = d_sum * parts.f
        extras = {}
        if "weight_hr" in params:
            extras["weight_hr"] = d_h.T @ parts.m
        if "peephole" in params:
            d_z_i, d_z_f, _, d_z_o = split(d_z, 4)
            p_i, p_f, _ = split(params["peephole"], 3)
            d_c_prev = d_c_prev + d_z_i * p_i + d_z_f * p_f
            seen = [d_z_i * parts.c_prev, d_z_f * parts.c_prev, d_z_o * parts.c]
            extras["peephole"] = np.concatenate(seen, axis=-1).sum(axis=0)
        return d_z, d_z, (np.zeros_like(d_h), d_c_prev), extras

    def values(self, state, parts):
        return (*parts[1:6], state[0])

    def gradients(self, d_state, parts, params):
        # With coupled gates, d_i counts the way through f = 1 - i too.
        d_h, d_c = d_state
        d_m = d_h @ params["weight_hr"] if "weight_hr" in params else d_h
        d_o = d_m * parts.squashed
        d_c = d_c + d_m * parts.o * activation(self.options.hidden_activation).derivative(
            parts.squashed
        )
        if "peephole" in params and "o" not in self.options.remove_gates:
            p_o = split(params["peephole"], 3)[2]
            open_o = True if parts.open_z is True else split(parts.open_z, 4)[3]
            d_c = (
                d_c
                + d_o * activation(self.options.gate_activation).derivative(parts.o) * open_o * p_o
            )
        d_sum = d_c * parts.open_c
        d_i, d_f = d_sum * parts.g, d_sum * parts.c_prev
        if self.options.couple_input_forget:
            d_i = d_i - d_f
        return d_i, d_f, d_sum * parts.i, d_o, d_c, d_h

    def _gate(self, name, z):
        if name in self.options.remove_gates:
            return np.ones_like(z)
        return activation(self.options.gate_activation).function(clipped(z, self.options.clip))
