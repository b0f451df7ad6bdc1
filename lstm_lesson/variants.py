"""Every other cell: RNN, GRU, and the LSTM with its options.

Each cell is two functions of what happens between the matrix products of a step: `forward` takes
what the input and what the hidden state contribute to the pre-activations, `backward` returns the
gradients of both. `lstm_lesson.kernels.StepKernel` adds the products and the loop. Arrays
are (..., B, K), whatever axes come first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lstm_lesson.activations import ACTIVATIONS, sigmoid, sigmoid_derivative, tanh, tanh_derivative


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


@dataclass(frozen=True)
class GRUCell:
    """The gated recurrent unit in PyTorch's form: the reset gate acts after the product.

    ``r = sigmoid(..)``, ``z = sigmoid(..)``, ``n = tanh(W x + b + r * (U h_prev + b_hn))``,
    ``h = (1 - z) * n + z * h_prev``; gates stacked r, z, n (Cho et al. 2014; chapter 11).
    """

    def forward(self, z_x, z_h, state, params):
        """Return the new state ``(h,)`` and the cache ``(r, z, n, recurrent, h_prev)``."""
        x_r, x_z, x_n = np.split(z_x, 3, axis=-1)
        h_r, h_z, h_n = np.split(z_h, 3, axis=-1)
        r = sigmoid(x_r + h_r)
        z = sigmoid(x_z + h_z)
        recurrent = h_n + params["bias_hn"] if "bias_hn" in params else h_n
        n = tanh(x_n + r * recurrent)
        (h_prev,) = state
        return ((1 - z) * n + z * h_prev,), (r, z, n, recurrent, h_prev)

    def backward(self, d_state, cache, params):
        """Return ``d_z_x, d_z_h``, the direct gradients of the old state, and of the extras."""
        (d_h,) = d_state
        r, z, n, recurrent, h_prev = cache
        d_n = d_h * (1 - z) * tanh_derivative(n)
        d_z = d_h * (h_prev - n) * sigmoid_derivative(z)
        d_r = d_n * recurrent * sigmoid_derivative(r)
        d_z_x = np.concatenate([d_r, d_z, d_n], axis=-1)
        d_z_h = np.concatenate([d_r, d_z, d_n * r], axis=-1)
        extras = {"bias_hn": (d_n * r).sum(axis=-2, keepdims=True)} if "bias_hn" in params else {}
        return d_z_x, d_z_h, (d_h * z,), extras


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
    """The LSTM cell with every option; with none it equals `lstm_lesson.cells.lstm_step`."""

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
        z_i, z_f, z_g, z_o = np.split(z, 4, axis=-1)  # views: what changes here changes z
        if "peephole" in params:
            p_i, p_f, p_o = np.split(params["peephole"], 3, axis=-1)
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
        c_prev, i, f, g, o, c, tanh_c, m, unclipped = parts
        d_h, d_c = d_state
        extras = {}
        d_m = d_h
        if "weight_hr" in params:
            d_m = d_h @ params["weight_hr"]
            extras["weight_hr"] = d_h.swapaxes(-1, -2) @ m
        open_i, open_f, open_g, open_o = np.split(unclipped, 4, axis=-1)
        d_z_o = d_m * tanh_c * slope(o) * open_o
        if "o" in self.remove_gates:
            d_z_o = np.zeros_like(d_z_o)
        d_c = d_c + d_m * o * ACTIVATIONS[self.hidden_activation][1](tanh_c)
        if "peephole" in params:
            p_i, p_f, p_o = np.split(params["peephole"], 3, axis=-1)
            d_c = d_c + d_z_o * p_o
        d_i, d_f = d_c * g, d_c * c_prev
        if self.couple_input_forget:
            d_i, d_f = d_i - d_f, np.zeros_like(d_f)
        d_z_i = np.zeros_like(d_i) if "i" in self.remove_gates else d_i * slope(i) * open_i
        d_z_f = np.zeros_like(d_f) if "f" in self.remove_gates else d_f * slope(f) * open_f
        d_z_g = d_c * i * ACTIVATIONS[self.cell_activation][1](g) * open_g
        d_c_prev = d_c * f
        if "peephole" in params:
            d_c_prev = d_c_prev + d_z_i * p_i + d_z_f * p_f
            by_gate = [d_z_i * c_prev, d_z_f * c_prev, d_z_o * c]
            extras["peephole"] = np.concatenate(by_gate, axis=-1).sum(axis=-2, keepdims=True)
        d_z = np.concatenate([d_z_i, d_z_f, d_z_g, d_z_o], axis=-1)
        return d_z, d_z, (np.zeros_like(d_h), d_c_prev), extras

    def _clip(self, z):
        return z if self.cell_clip is None else np.clip(z, -self.cell_clip, self.cell_clip)

    def _unclipped(self, z):
        # A factor of the gradient: clip is flat beyond its bound.
        return np.abs(z) <= (np.inf if self.cell_clip is None else self.cell_clip)
