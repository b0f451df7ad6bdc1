"""Every other cell: RNN, GRU, and the LSTM with its options.

Each cell is two functions of what happens between the matrix products of a step: `forward` takes
what the input and what the hidden state contribute to the pre-activations, `backward` returns the
gradients of both. `step_kernel.StepKernel` adds the products and the loop. Arrays
are (..., B, K), whatever axes come first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lstm_lesson.engine.activations import (
    ACTIVATIONS,
    sigmoid,
    sigmoid_derivative,
    tanh,
    tanh_derivative,
)


@dataclass(frozen=True)
class RNNCell:
    """The plain recurrent cell, ``h = activation(W x + U h_prev + b)`` (chapter 1)."""

    activation: str = "tanh"  # a name in `ACTIVATIONS`

    def forward(self, z_x, z_h, state, params):
        """Return the new state ``(h,)`` and the cache."""
        h = ACTIVATIONS[self.activation][0](z_x + z_h)
        return (h,), h

    def backward(self, d_state, h, params):
        """Return ``d_z_x, d_z_h``, the direct gradients of the old state, and of the extras."""
        d_z = d_state[0] * ACTIVATIONS[self.activation][1](h)
        return d_z, d_z, (np.zeros_like(d_z),), {}

    def values(self, state, h):
        """Return ``(h,)``, what `trace` shows."""
        return state

    def gradients(self, d_state, h, params):
        """Return the total derivative ``(d_h,)``."""
        return d_state


@dataclass(frozen=True)
class GRUCell:
    """The gated recurrent unit in PyTorch's form: the reset gate acts after the product.

    ``r = sigmoid(..)``, ``z = sigmoid(..)``, ``n = tanh(W x + b + r * (U h_prev + b_hn))``,
    ``h = (1 - z) * n + z * h_prev``; gates stacked r, z, n (Cho et al. 2014; chapter 11).
    """

    def forward(self, z_x, z_h, state, params):
        """Return the new state ``(h,)`` and the cache ``(r, z, n, recurrent, h_prev)``."""
        H = z_x.shape[-1] // 3
        r, z = _split(sigmoid(z_x[..., : 2 * H] + z_h[..., : 2 * H]), 2)
        x_n, h_n = z_x[..., 2 * H :], z_h[..., 2 * H :]
        recurrent = h_n + params["bias_hn"] if "bias_hn" in params else h_n
        n = tanh(x_n + r * recurrent)
        (h_prev,) = state
        return ((1 - z) * n + z * h_prev,), (r, z, n, recurrent, h_prev)

    def backward(self, d_state, cache, params):
        """Return ``d_z_x, d_z_h``, the direct gradients of the old state, and of the extras."""
        r, z, n, _, _ = cache
        d_r, d_z, d_n, d_h = self.gradients(d_state, cache, params)
        d_r = d_r * sigmoid_derivative(r)
        d_z = d_z * sigmoid_derivative(z)
        d_n = d_n * tanh_derivative(n)
        d_recurrent = d_n * r
        d_z_x = np.concatenate([d_r, d_z, d_n], axis=-1)
        d_z_h = np.concatenate([d_r, d_z, d_recurrent], axis=-1)
        extras = {}
        if "bias_hn" in params:
            extras["bias_hn"] = d_recurrent.sum(axis=-2, keepdims=True)
        return d_z_x, d_z_h, (d_h * z,), extras

    def values(self, state, cache):
        """Return ``(r, z, n, h)``, what `trace` shows."""
        return (*cache[:3], *state)

    def gradients(self, d_state, cache, params):
        """Return the total derivatives ``(d_r, d_z, d_n, d_h)``, (..., B, H) each."""
        (d_h,) = d_state
        _, z, n, recurrent, h_prev = cache
        d_n = d_h * (1 - z)
        return d_n * tanh_derivative(n) * recurrent, d_h * (h_prev - n), d_n, d_h


class LSTMParts(NamedTuple):
    """The gates and states of one step of an `LSTMCell`, each (..., B, H)."""

    c_prev: np.ndarray
    i: np.ndarray
    f: np.ndarray
    g: np.ndarray
    o: np.ndarray
    c: np.ndarray
    tanh_c: np.ndarray  # the hidden activation of c, whichever it is
    m: np.ndarray  # o * tanh_c: what is projected to h
    open: np.ndarray  # (..., B, 4H), False where a clipped pre-activation passes no gradient


@dataclass(frozen=True)
class LSTMCell:
    """The LSTM cell with every option; with none it equals `lstm_lesson.engine.cells.lstm_step`."""

    gate_activation: str = "sigmoid"
    cell_activation: str = "tanh"  # of the candidate
    hidden_activation: str = "tanh"  # of the cell state on its way out
    cell_clip: float | None = None  # bound of the four pre-activations, ONNX's clip
    couple_input_forget: bool = False  # f = 1 - i
    remove_gates: tuple[str, ...] = ()  # of "i", "f", "o": held at 1

    def forward(self, z_x, z_h, state, params):
        """Return the new state ``(h, c)`` and the cache, `LSTMParts`.

        ``params["peephole"]`` (..., 1, 3H), in the order i, f, o, adds the cell state to the gates'
        pre-activations, i and f before the step and o after it (Gers et al. 2002).
        ``params["weight_hr"]`` (..., P, H) projects the hidden state (Sak et al. 2014).
        """
        gate, _ = ACTIVATIONS[self.gate_activation]
        _, c_prev = state
        z = z_x + z_h
        z_i, z_f, z_g, z_o = _split(z, 4)  # views: what changes here changes z
        if "peephole" in params:
            p_i, p_f, p_o = _split(params["peephole"], 3)
            z_i += p_i * c_prev
            z_f += p_f * c_prev
        one = np.ones_like(c_prev)
        i = one if "i" in self.remove_gates else gate(self._clip(z_i))
        f = one if "f" in self.remove_gates else gate(self._clip(z_f))
        if self.couple_input_forget:
            f = 1 - i
        g = ACTIVATIONS[self.cell_activation][0](self._clip(z_g))
        c = f * c_prev + i * g
        if "peephole" in params:
            z_o += p_o * c
        o = one if "o" in self.remove_gates else gate(self._clip(z_o))
        tanh_c = ACTIVATIONS[self.hidden_activation][0](c)
        m = o * tanh_c
        h = m @ params["weight_hr"].swapaxes(-1, -2) if "weight_hr" in params else m
        return (h, c), LSTMParts(c_prev, i, f, g, o, c, tanh_c, m, self._unclipped(z))

    def backward(self, d_state, parts, params):
        """Return ``d_z_x, d_z_h``, the direct gradients of the old state, and of the extras."""
        _, slope = ACTIVATIONS[self.gate_activation]
        d_i, d_f, d_g, d_o, d_c, d_h = self.gradients(d_state, parts, params)
        c_prev, i, f, g, o, c, _, m, unclipped = parts
        d_z_i, d_z_f, d_z_o = d_i * slope(i), d_f * slope(f), d_o * slope(o)
        for name, d_z_gate in zip("ifo", (d_z_i, d_z_f, d_z_o), strict=True):
            if name in self.remove_gates:
                d_z_gate[...] = 0
        if self.couple_input_forget:
            d_z_f[...] = 0
        d_z_g = d_g * ACTIVATIONS[self.cell_activation][1](g)
        d_z = np.concatenate([d_z_i, d_z_f, d_z_g, d_z_o], axis=-1) * unclipped
        d_c_prev = d_c * f
        extras = {}
        if "weight_hr" in params:
            extras["weight_hr"] = d_h.swapaxes(-1, -2) @ m
        if "peephole" in params:
            d_z_i, d_z_f, _, d_z_o = _split(d_z, 4)
            p_i, p_f, _ = _split(params["peephole"], 3)
            d_c_prev = d_c_prev + d_z_i * p_i + d_z_f * p_f
            by_gate = [d_z_i * c_prev, d_z_f * c_prev, d_z_o * c]
            extras["peephole"] = np.concatenate(by_gate, axis=-1).sum(axis=-2, keepdims=True)
        return d_z, d_z, (np.zeros_like(d_h), d_c_prev), extras

    def values(self, state, parts):
        """Return ``(i, f, g, o, c, h)``, what `trace` shows."""
        return (*parts[1:6], state[0])

    def gradients(self, d_state, parts, params):
        """Return the total derivatives ``(d_i, d_f, d_g, d_o, d_c, d_h)``, (..., B, H) each.

        `d_state` is the total derivative of the new ``h``, and that of the new ``c`` through the
        next step alone. With coupled gates, ``d_i`` counts the way through ``f = 1 - i`` too.
        """
        c_prev, i, _, g, o, _, tanh_c, _, unclipped = parts
        d_h, d_c = d_state
        d_m = d_h @ params["weight_hr"] if "weight_hr" in params else d_h
        d_o = d_m * tanh_c
        d_c = d_c + d_m * o * ACTIVATIONS[self.hidden_activation][1](tanh_c)
        if "peephole" in params and "o" not in self.remove_gates:
            p_o = _split(params["peephole"], 3)[2]
            open_o = _split(unclipped, 4)[3]
            d_c = d_c + d_o * ACTIVATIONS[self.gate_activation][1](o) * open_o * p_o
        d_i, d_f = d_c * g, d_c * c_prev
        if self.couple_input_forget:
            d_i = d_i - d_f
        return d_i, d_f, d_c * i, d_o, d_c, d_h

    def _clip(self, z):
        return z if self.cell_clip is None else np.clip(z, -self.cell_clip, self.cell_clip)

    def _unclipped(self, z):
        # A factor of the gradient: clip is flat beyond its bound.
        return np.abs(z) <= (np.inf if self.cell_clip is None else self.cell_clip)


def _split(a: np.ndarray, parts: int) -> list[np.ndarray]:
    """Return equal parts of the last axis, as views; `np.split` takes ten times as long."""
    size = a.shape[-1] // parts
    return [a[..., k * size : (k + 1) * size] for k in range(parts)]
