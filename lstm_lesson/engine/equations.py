"""The equations of each cell, one unit at one step, forward and back: written here, run from here.

The functions at the top take numbers or arrays alike. On arrays they run in the plain loop of
`lstm_lesson.engine.loop`; Numba compiles the very same functions into `engine.fast_loop`.
Pre-activations are called ``z_i``: what a gate is before its sigmoid. A function that ends in
``_back`` takes the derivative of the loss with respect to what its twin returned, and returns it
with respect to what that was given.

Below them stand the cells: what a layer hands to the loop. A cell splits pre-activations into
gates, knows the options, and keeps what its way back needs.
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


class LSTMState(NamedTuple):
    """What an LSTM carries from one step to the next."""

    h: np.ndarray  # hidden state, (B, H) in a cell, (layers * directions, B, H) in a layer
    c: np.ndarray  # cell state, same shape


# ---- The long short-term memory, chapters 3 and 5 ----


def lstm(z_i, z_f, z_g, z_o, c_prev):
    """Return the gates i, f, g, o and the new states c, h."""
    i, f, g, o = sigmoid(z_i), sigmoid(z_f), tanh(z_g), sigmoid(z_o)
    c = f * c_prev + i * g
    return i, f, g, o, c, o * tanh(c)


def lstm_back(d_h, d_c, i, f, g, o, c, c_prev):
    """Return ``d_z_i, d_z_f, d_z_g, d_z_o, d_c_prev``; `d_c` came from the next step alone."""
    tanh_c = tanh(c)
    d_c = d_c + d_h * o * tanh_derivative(tanh_c)  # both ways out of the cell
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


# ---- The cells ----
#
# forward(z_x, z_h, state, params): what the input and what the hidden state add to the
#     pre-activations, (B, gates * H) each; the state before, (B, H) each; returns the new state and
#     what is kept for the way back.
# backward(d_state, kept, params): returns d_z_x and d_z_h, the derivatives of the state before that
#     don't go through z_h, and those of the parameters that only this cell has.
# values(state, kept), gradients(d_state, kept, params): what `lstm_lesson.trace` shows, and the
#     total derivatives of it.


@dataclass(frozen=True)
class RNNCell:
    """The plain recurrent cell, ``h = activation(W x + U h_prev + b)``."""

    nonlinearity: str = "tanh"  # a name in `ACTIVATIONS`

    def forward(self, z_x, z_h, state, params):
        """Return the new state ``(h,)``, which is also kept."""
        h = ACTIVATIONS[self.nonlinearity][0](z_x + z_h)
        return (h,), h

    def backward(self, d_state, h, params):
        """Return what the comment above says."""
        d_z = d_state[0] * ACTIVATIONS[self.nonlinearity][1](h)
        return d_z, d_z, (np.zeros_like(d_z),), {}

    def values(self, state, h):
        """Return ``(h,)``."""
        return state

    def gradients(self, d_state, h, params):
        """Return ``(d_h,)``."""
        return d_state


@dataclass(frozen=True)
class GRUCell:
    """The gated recurrent unit, gates stacked r, z, n.

    With `reset_after`, PyTorch's form, the reset gate acts on ``U h_prev + b_hn``; without it, the
    form of Cho et al. and of ONNX's default, on ``h_prev`` before the product with U.
    """

    reset_after: bool = True

    def forward(self, z_x, z_h, state, params):
        """Return the new state ``(h,)`` and what is kept, ``(r, z, n, h_n, h_prev)``."""
        (h_prev,) = state
        (x_r, x_z, x_n), (h_r, h_z, h_n) = split(z_x, 3), split(z_h, 3)
        if not self.reset_after:
            r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
            n = tanh(x_n + (r * h_prev) @ split(params["weight_hh"].T, 3)[2])
            return (n + z * (h_prev - n),), (r, z, n, None, h_prev)
        if "bias_hn" in params:
            h_n = h_n + params["bias_hn"]
        r, z, n, h = gru(x_r + h_r, x_z + h_z, x_n, h_n, h_prev)
        return (h,), (r, z, n, h_n, h_prev)

    def backward(self, d_state, kept, params):
        """Return what the comment above says."""
        r, z, n, h_n, h_prev = kept
        (d_h,) = d_state
        if not self.reset_after:
            d_r, d_z, d_n, _ = self.gradients(d_state, kept, params)
            d_x_n = d_n * tanh_derivative(n)
            U_n = params["weight_hh"][-h_prev.shape[-1] :]
            d_z_r, d_z_z = d_r * sigmoid_derivative(r), d_z * sigmoid_derivative(z)
            d_z_h = np.concatenate([d_z_r, d_z_z, np.zeros_like(d_x_n)], axis=-1)
            d_U = np.zeros_like(params["weight_hh"])
            d_U[-h_prev.shape[-1] :] = d_x_n.T @ (r * h_prev)
            d_direct = d_h * z + (d_x_n @ U_n) * r
            d_z_x = np.concatenate([d_z_r, d_z_z, d_x_n], axis=-1)
            return d_z_x, d_z_h, (d_direct,), {"weight_hh": d_U}
        d_z_r, d_z_z, d_x_n, d_h_n, d_direct = gru_back(d_h, r, z, n, h_n, h_prev)
        extras = {"bias_hn": d_h_n.sum(axis=0)} if "bias_hn" in params else {}
        d_z_x = np.concatenate([d_z_r, d_z_z, d_x_n], axis=-1)
        return d_z_x, np.concatenate([d_z_r, d_z_z, d_h_n], axis=-1), (d_direct,), extras

    def values(self, state, kept):
        """Return ``(r, z, n, h)``."""
        return (*kept[:3], *state)

    def gradients(self, d_state, kept, params):
        """Return ``(d_r, d_z, d_n, d_h)``, (B, H) each."""
        _, z, n, h_n, h_prev = kept
        (d_h,) = d_state
        d_n = d_h - d_h * z
        d_x_n = d_n * tanh_derivative(n)
        if self.reset_after:
            d_r = d_x_n * h_n
        else:
            d_r = (d_x_n @ params["weight_hh"][-n.shape[-1] :]) * h_prev
        return d_r, d_h * (h_prev - n), d_n, d_h


@dataclass(frozen=True)
class LSTMCell:
    """The LSTM cell of `lstm`, without options."""

    def forward(self, z_x, z_h, state, params):
        """Return the new state ``(h, c)`` and what is kept, ``(c_prev, i, f, g, o, c)``."""
        _, c_prev = state
        i, f, g, o, c, h = lstm(*split(z_x + z_h, 4), c_prev)
        return (h, c), (c_prev, i, f, g, o, c)

    def backward(self, d_state, kept, params):
        """Return what the comment above says."""
        c_prev, *gates, c = kept
        *d_z, d_c_prev = lstm_back(*d_state, *gates, c, c_prev)
        d_z = np.concatenate(d_z, axis=-1)
        return d_z, d_z, (np.zeros_like(c), d_c_prev), {}

    def values(self, state, kept):
        """Return ``(i, f, g, o, c, h)``."""
        return (*kept[1:], state[0])

    def gradients(self, d_state, kept, params):
        """Return ``(d_i, d_f, d_g, d_o, d_c, d_h)``, (B, H) each."""
        c_prev, i, _, g, o, c = kept
        d_h, d_c = d_state
        d_c = d_c + d_h * o * tanh_derivative(tanh(c))
        return d_c * g, d_c * c_prev, d_c * i, d_h * tanh(c), d_c, d_h


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
        g = ACTIVATIONS[self.options.cell_activation][0](_clipped(z_g, self.options.clip))
        unclipped = f * c_prev + i * g
        c = _clipped(unclipped, self.options.cell_clip)
        if "peephole" in params:
            z_o += p_o * c
        o = self._gate("o", z_o)
        squashed = ACTIVATIONS[self.options.hidden_activation][0](c)
        m = o * squashed
        h = m @ params["weight_hr"].T if "weight_hr" in params else m
        open_z, open_c = _open(z, self.options.clip), _open(unclipped, self.options.cell_clip)
        return (h, c), Parts(c_prev, i, f, g, o, c, squashed, m, open_z, open_c)

    def backward(self, d_state, parts, params):
        """Return what the comment above says."""
        slope = ACTIVATIONS[self.options.gate_activation][1]
        d_i, d_f, d_g, d_o, d_c, d_h = self.gradients(d_state, parts, params)
        d_sum = d_c * parts.open_c  # of f * c_prev + i * g
        d_z = {
            "i": d_i * slope(parts.i),
            "f": d_f * slope(parts.f),
            "g": d_g * ACTIVATIONS[self.options.cell_activation][1](parts.g),
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
        """Return ``(i, f, g, o, c, h)``."""
        return (*parts[1:6], state[0])

    def gradients(self, d_state, parts, params):
        """Return ``(d_i, d_f, d_g, d_o, d_c, d_h)``, (B, H) each.

        With coupled gates, ``d_i`` counts the way through ``f = 1 - i`` too.
        """
        d_h, d_c = d_state
        d_m = d_h @ params["weight_hr"] if "weight_hr" in params else d_h
        d_o = d_m * parts.squashed
        d_c = d_c + d_m * parts.o * ACTIVATIONS[self.options.hidden_activation][1](parts.squashed)
        if "peephole" in params and "o" not in self.options.remove_gates:
            p_o = split(params["peephole"], 3)[2]
            open_o = True if parts.open_z is True else split(parts.open_z, 4)[3]
            d_c = d_c + d_o * ACTIVATIONS[self.options.gate_activation][1](parts.o) * open_o * p_o
        d_sum = d_c * parts.open_c
        d_i, d_f = d_sum * parts.g, d_sum * parts.c_prev
        if self.options.couple_input_forget:
            d_i = d_i - d_f
        return d_i, d_f, d_sum * parts.i, d_o, d_c, d_h

    def _gate(self, name, z):
        if name in self.options.remove_gates:
            return np.ones_like(z)
        return ACTIVATIONS[self.options.gate_activation][0](_clipped(z, self.options.clip))


def split(a: np.ndarray, parts: int) -> list[np.ndarray]:
    """Return equal parts of the last axis, as views; `np.split` takes ten times as long."""
    size = a.shape[-1] // parts
    return [a[..., k * size : (k + 1) * size] for k in range(parts)]


def _clipped(a, bound):
    return a if bound is None else np.clip(a, -bound, bound)


def _open(a, bound):
    # A factor of the gradient: what is clipped stands still beyond its bound.
    return True if bound is None else np.abs(a) <= bound
