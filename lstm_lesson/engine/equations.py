"""The equations of each cell, one unit at one step, forward and back: written here, run from here.

The functions at the top take numbers or arrays alike. On arrays they run in the plain loop of
`lstm_lesson.engine.loop`; Numba compiles the very same functions into `engine.compiled_cells`.
Pre-activations are called ``z_i``: what a gate is before its sigmoid. A function that ends in
``_back`` takes the derivative of the loss with respect to what its twin returned, and returns it
with respect to what that was given.

Below them stand the cells: what a layer hands to the loop. A cell splits pre-activations into
gates and keeps what its way back needs. The LSTM with options is in `engine.lstm_options`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lstm_lesson.engine.activations import (
    activation,
    relu,
    relu_derivative,
    sigmoid,
    sigmoid_derivative,
    tanh,
    tanh_derivative,
)


class LSTMState(NamedTuple):
    """What an LSTM carries from one step to the next."""

    h: np.ndarray  # hidden state, (B, H) in a cell, (layers * directions, B, H) in a layer
    c: np.ndarray  # cell state, same shape


# ---- The long short-term memory, chapters 3 and 5 ----


def lstm(z_i, z_f, z_g, z_o, c_prev):
    """Return the gates i, f, g, o and the new c, h."""
    i, f = sigmoid(z_i), sigmoid(z_f)
    g, o = tanh(z_g), sigmoid(z_o)
    c = f * c_prev + i * g
    return i, f, g, o, c, o * tanh(c)


def lstm_back(d_h, d_c, i, f, g, o, c, c_prev):
    """Return d_z_i, d_z_f, d_z_g, d_z_o, d_c_prev."""
    tanh_c = tanh(c)
    # d_c came from the next step; add what h brings.
    d_c = d_c + d_h * o * tanh_derivative(tanh_c)
    d_z_i = d_c * g * sigmoid_derivative(i)
    d_z_f = d_c * c_prev * sigmoid_derivative(f)
    d_z_g = d_c * i * tanh_derivative(g)
    d_z_o = d_h * tanh_c * sigmoid_derivative(o)
    return d_z_i, d_z_f, d_z_g, d_z_o, d_c * f


# ---- The gated recurrent unit, chapter 11 ----


def gru(z_r, z_z, x_n, h_n, h_prev):
    """Return the gates r, z, the candidate n and the new state h.

    ``x_n`` is what the input adds to the candidate, ``h_n`` what the hidden state does, before it
    is reset (Cho et al. 2014, in PyTorch's form).
    """
    r, z = sigmoid(z_r), sigmoid(z_z)
    n = tanh(x_n + r * h_n)
    return r, z, n, n + z * (h_prev - n)  # (1 - z) * n + z * h_prev


def gru_back(d_h, r, z, n, h_n, h_prev):
    """Return ``d_z_r, d_z_z, d_x_n, d_h_n``, and the part of ``d_h_prev`` that passes z."""
    d_z_z = d_h * (h_prev - n) * sigmoid_derivative(z)
    d_x_n = (d_h - d_h * z) * tanh_derivative(n)
    d_z_r = d_x_n * h_n * sigmoid_derivative(r)
    return d_z_r, d_z_z, d_x_n, d_x_n * r, d_h * z


# ---- The plain recurrent cell, chapter 1 ----


def rnn(z):
    """Return the new state h."""
    return tanh(z)


def rnn_back(d_h, h):
    """Return ``d_z``."""
    return d_h * tanh_derivative(h)


def relu_rnn(z):
    """Return the new state h of a cell with ReLU (Le et al. 2015)."""
    return relu(z)


def relu_rnn_back(d_h, h):
    """Return ``d_z``."""
    return d_h * relu_derivative(h)


# ---- The cells ----
#
# forward(z_x, z_h, state, params): what the input and what the hidden state add to the
#     pre-activations, (B, gates * H) each; the state before, (B, H) each; returns the new state and
#     what is kept for the way back.
# backward(d_state, kept, params): returns d_z_x and d_z_h, the derivatives of the state before that
#     don't go through z_h, and those of the parameters that only this cell has.
# values(state, kept), gradients(d_state, kept, params): what `lstm_lesson.trace` shows, i, f, g, o,
#     c, h or r, z, n, h, and the total derivatives of it, (B, H) each.


@dataclass(frozen=True)
class RNNCell:
    """The plain recurrent cell, ``h = activation(W x + U h_prev + b)``."""

    nonlinearity: str = "tanh"  # a name of `lstm_lesson.engine.activations`
    clip: float | None = None  # bound of the pre-activation

    def forward(self, z_x, z_h, state, params):
        """Return the new state ``(h,)`` and what is kept, h and where the clip let z through."""
        z = z_x + z_h
        h = activation(self.nonlinearity).function(clipped(z, self.clip))
        return (h,), (h, open_to(z, self.clip))

    def backward(self, d_state, kept, params):
        h, open_z = kept
        d_z = d_state[0] * activation(self.nonlinearity).derivative(h) * open_z
        return d_z, d_z, (np.zeros_like(d_z),), {}

    def values(self, state, kept):
        return state

    def gradients(self, d_state, kept, params):
        return d_state


@dataclass(frozen=True)
class GRUCell:
    """The gated recurrent unit, gates stacked r, z, n.

    With `reset_after`, PyTorch's form, the reset gate acts on ``U h_prev + b_hn``; without it, the
    form of Cho et al. and of ONNX's default, on ``h_prev`` before the product with U.
    """

    reset_after: bool = True
    clip: float | None = None  # bound of the pre-activations of r, z and n
    gate_activation: str = "sigmoid"  # of r, z: a name of `lstm_lesson.engine.activations`
    cell_activation: str = "tanh"  # of the candidate

    @property
    def _plain(self):
        """Whether it is the cell of `gru`, without options."""
        activations = (self.gate_activation, self.cell_activation)
        return self.reset_after and self.clip is None and activations == ("sigmoid", "tanh")

    def forward(self, z_x, z_h, state, params):
        """Return the new state ``(h,)`` and what is kept.

        That is ``(r, z, n, h_n, h_prev)``, and where the clip let z_r, z_z, z_n through.
        """
        (h_prev,) = state
        (x_r, x_z, x_n), (h_r, h_z, h_n) = split(z_x, 3), split(z_h, 3)
        if "bias_hn" in params:
            h_n = h_n + params["bias_hn"]
        if self._plain:
            r, z, n, h = gru(x_r + h_r, x_z + h_z, x_n, h_n, h_prev)
            return (h,), (r, z, n, h_n, h_prev, (True, True, True))
        gate, inner = activation(self.gate_activation), activation(self.cell_activation)
        z_r, z_z = x_r + h_r, x_z + h_z
        r, z = (gate.function(clipped(each, self.clip)) for each in (z_r, z_z))
        if self.reset_after:
            z_n = x_n + r * h_n
        else:
            z_n = x_n + (r * h_prev) @ split(params["weight_hh"].T, 3)[2]
        n = inner.function(clipped(z_n, self.clip))
        open_z = tuple(open_to(each, self.clip) for each in (z_r, z_z, z_n))
        return (n + z * (h_prev - n),), (r, z, n, h_n, h_prev, open_z)

    def backward(self, d_state, kept, params):
        r, z, n, h_n, h_prev, open_z = kept
        extras = {}
        if self._plain:
            *d_z_x, d_h_n, d_direct = gru_back(*d_state, r, z, n, h_n, h_prev)
        else:
            slope = activation(self.gate_activation).derivative
            d_r, d_z, d_n, d_h = self.gradients(d_state, kept, params)
            d_x_n = self._through_n(d_n, kept)
            d_z_x = [d_r * slope(r) * open_z[0], d_z * slope(z) * open_z[1], d_x_n]
            d_direct, d_h_n = d_h * z, d_x_n * r
        if not self.reset_after:
            last = slice(2 * n.shape[-1], None)
            d_direct = d_direct + r * (d_x_n @ params["weight_hh"][last])
            extras["weight_hh"] = np.zeros_like(params["weight_hh"])
            extras["weight_hh"][last] = d_x_n.T @ (r * h_prev)
            d_h_n = np.zeros_like(n)
        elif "bias_hn" in params:
            extras["bias_hn"] = d_h_n.sum(axis=0)
        d_z_h = [*d_z_x[:2], d_h_n]
        return *(np.concatenate(d, axis=-1) for d in (d_z_x, d_z_h)), (d_direct,), extras

    def values(self, state, kept):
        return (*kept[:3], *state)

    def gradients(self, d_state, kept, params):
        _, z, n, h_n, h_prev, _ = kept
        (d_h,) = d_state
        d_n = d_h - d_h * z
        d_x_n = self._through_n(d_n, kept)
        if self.reset_after:
            d_r = d_x_n * h_n
        else:
            d_r = (d_x_n @ params["weight_hh"][2 * n.shape[-1] :]) * h_prev
        return d_r, d_h * (h_prev - n), d_n, d_h

    def _through_n(self, d_n, kept):
        _, _, n, _, _, open_z = kept
        return d_n * activation(self.cell_activation).derivative(n) * open_z[2]


@dataclass(frozen=True)
class LSTMCell:
    """The LSTM cell of `lstm`, without options."""

    def forward(self, z_x, z_h, state, params):
        """Return the new state ``(h, c)`` and what is kept, ``(c_prev, i, f, g, o, c)``."""
        _, c_prev = state
        i, f, g, o, c, h = lstm(*split(z_x + z_h, 4), c_prev)
        return (h, c), (c_prev, i, f, g, o, c)

    def backward(self, d_state, kept, params):
        c_prev, *gates, c = kept
        *d_z, d_c_prev = lstm_back(*d_state, *gates, c, c_prev)
        d_z = np.concatenate(d_z, axis=-1)
        return d_z, d_z, (np.zeros_like(c), d_c_prev), {}

    def values(self, state, kept):
        return (*kept[1:], state[0])

    def gradients(self, d_state, kept, params):
        c_prev, i, _, g, o, c = kept
        d_h, d_c = d_state
        d_c = d_c + d_h * o * tanh_derivative(tanh(c))
        return d_c * g, d_c * c_prev, d_c * i, d_h * tanh(c), d_c, d_h


def split(a: np.ndarray, parts: int) -> list[np.ndarray]:
    """Return equal parts of the last axis, as views; `np.split` takes ten times as long."""
    size = a.shape[-1] // parts
    return [a[..., k * size : (k + 1) * size] for k in range(parts)]


def clipped(a: np.ndarray, bound: float | None) -> np.ndarray:
    """Return `a` within ``-bound`` and ``bound``; `a` itself without a bound."""
    return a if bound is None else np.clip(a, -bound, bound)


def open_to(a: np.ndarray, bound: float | None) -> np.ndarray | bool:
    """Return where `clipped` passes a gradient: a factor of it, False beyond the bound."""
    return True if bound is None else np.abs(a) <= bound
