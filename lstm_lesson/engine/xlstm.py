"""The two cells of the xLSTM: exponential gates, and a matrix as memory (Beck et al. 2024).

Both are read through a normaliser, and both keep memory and normaliser divided by exp(m), as
`lstm_lesson.engine.exponential_gates` explains. The sLSTM has a number in each cell, and sees its
own output as the LSTM does. The mLSTM has a matrix, and sees the input alone. Chapter 24.

Our names are those of the LSTM: i, f, g, o; the paper calls the candidate z.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lstm_lesson.engine.activations import (
    sigmoid,
    sigmoid_derivative,
    tanh,
    tanh_derivative,
)
from lstm_lesson.engine.arguments import check_number, check_size
from lstm_lesson.engine.equations import split
from lstm_lesson.engine.exponential_gates import (
    XLSTMOptions,
    exponential_gates,
    exponential_gates_back,
    going,
)
from lstm_lesson.engine.initializers import orthogonal
from lstm_lesson.engine.layer import option
from lstm_lesson.engine.sequence import SequenceLayer, affine, affine_back


@dataclass(frozen=True, kw_only=True)
class MLSTMOptions(XLSTMOptions):
    """What an `MLSTM` is built from."""

    heads: int = option(1, check_size, "matrices of H / heads rows, each with gates of its own")

    def check_together(self) -> None:
        """Raise ValueError if the heads don't divide the hidden size."""
        if self.hidden_size % self.heads:
            raise ValueError(
                f"heads: expected a divisor of hidden_size {self.hidden_size}, got {self.heads}"
            )


class SLSTMState(NamedTuple):
    """What an `SLSTM` carries from one step to the next, (1, B, H) each."""

    h: np.ndarray  # hidden state
    c: np.ndarray  # cell state, divided by exp(m)
    n: np.ndarray  # normaliser, divided by exp(m); 0 where nothing has been stored yet
    m: np.ndarray  # the largest exponent in c and n; 0 in the plain form


class MLSTMState(NamedTuple):
    """What an `MLSTM` carries from one step to the next."""

    h: np.ndarray  # (1, B, H), hidden state, which the next step doesn't need
    c: np.ndarray  # (1, B, H * d), the d x d matrix of each head row by row, divided by exp(m)
    n: np.ndarray  # (1, B, H), normaliser, divided by exp(m)
    m: np.ndarray  # (1, B, heads), the largest exponent so far; 0 in the plain form


class SLSTM(SequenceLayer):
    """The sLSTM: an LSTM with an exponential input gate and a normaliser.

    Parameters
    ----------
    OPTIONS
    forget_bias : first bias of the forget gate.
    rng : a `numpy.random.Generator` or an integer seed.

    The equations are those of Beck et al. (2024), 8 to 17, with one head: pre-activations
    ``z = W x + U h + b`` for i, f, g, o; then ``i = exp(z_i)``, ``f = sigmoid(z_f)`` or
    ``exp(z_f)``, ``g = tanh(z_g)``, ``o = sigmoid(z_o)``, and::

        c_t = f * c_{t-1} + i * g,    n_t = f * n_{t-1} + i,    h_t = o * c_t / n_t

    Parameters are called and stacked as those of the `LSTM`. The state is an `SLSTMState`.
    """

    OPTIONS = XLSTMOptions
    STATE = SLSTMState

    def __init__(self, input_size: int, hidden_size: int, *, forget_bias=1.0, rng=0, **options):
        super().__init__(input_size, hidden_size, rng=rng, **options)
        forget = slice(self.hidden_size, 2 * self.hidden_size)
        self._params["bias_l0"][forget] = check_number("forget_bias", forget_bias)

    def _shapes(self):
        D, H = self.input_size, self.hidden_size
        return {"weight_ih_l0": (4 * H, D), "weight_hh_l0": (4 * H, H), "bias_l0": (4 * H,)}

    def _draw(self, rng):
        drawn = super()._draw(rng)
        H = self.hidden_size
        blocks = [orthogonal((H, H), rng, self.dtype) for _ in range(4)]
        return drawn | {"weight_hh_l0": np.concatenate(blocks)}

    def _state_sizes(self):
        return (self.hidden_size,) * 4

    def _forward(self, x, state, inside, rng):
        p = {name: value.copy() for name, value in self._params.items()}
        z_x = affine(x, p["weight_ih_l0"], p["bias_l0"])
        output, steps = np.empty((*x.shape[:2], self.hidden_size), x.dtype), []
        for t in range(len(x)):
            h, c_prev, n_prev, m_prev = before = state
            z_i, z_f, z_g, z_o = z = split(z_x[t] + h @ p["weight_hh_l0"].T, 4)
            i, f, m = exponential_gates(
                z_i, z_f, m_prev, self.forget_gate, self.stabilised, empty=n_prev == 0
            )
            g, o = tanh(z_g), sigmoid(z_o)
            c, n = f * c_prev + i * g, f * n_prev + i
            state = going(inside, t, (o * c / n, c, n, m), before)
            output[t] = state[0]
            steps.append((before, z, (i, f, g, o), (c, n, m)))
        return output, state[1:], (x, p, steps, inside)

    def _backward(self, d_output, d_rest, kept):
        x, p, steps, inside = kept
        d_z = np.empty((*x.shape[:2], 4 * self.hidden_size), x.dtype)
        d_state = (np.zeros_like(d_output[0]), *d_rest)
        for t in reversed(range(len(x))):
            (_, c_prev, n_prev, _), (z_i, z_f, _, _), (i, f, g, o), (c, n, m) = steps[t]
            d_h, d_c, d_n, d_m = d_state
            d_h = d_h + d_output[t]
            d_c = d_c + d_h * o / n
            d_n = d_n - d_h * o * c / n**2
            d_i, d_f = d_c * g + d_n, d_c * c_prev + d_n * n_prev
            d_z_i, d_z_f, d_m = exponential_gates_back(
                d_i, d_f, d_m, i, f, z_i, z_f, m, self.forget_gate, self.stabilised
            )
            d_z_g, d_z_o = d_c * i * tanh_derivative(g), d_h * c / n * sigmoid_derivative(o)
            here = np.concatenate([d_z_i, d_z_f, d_z_g, d_z_o], axis=-1)
            d_before = (here @ p["weight_hh_l0"], d_c * f, d_n * f, d_m)
            (d_z[t],) = going(inside, t, (here,), (np.zeros_like(here),))
            d_state = going(inside, t, d_before, d_state)
        h_prev = np.stack([before[0] for before, *_ in steps])
        d_x, d_weight, d_bias = affine_back(d_z, x, p["weight_ih_l0"])
        _, by_h, _ = affine_back(d_z, h_prev, p["weight_hh_l0"])
        return d_x, d_state, {
            "weight_ih_l0": d_weight, "weight_hh_l0": by_h, "bias_l0": d_bias
        }  # fmt: skip


class MLSTM(SequenceLayer):
    """The mLSTM: an outer product is stored at each step, and a query reads the sum.

    Parameters
    ----------
    OPTIONS
    forget_bias : first bias of the forget gates.
    rng : a `numpy.random.Generator` or an integer seed.

    The equations are those of Beck et al. (2024), 19 to 27. From the input come an output gate o
    (H,) and, for each head, a query q, a key k and a value v of d = H / heads numbers, and one
    number each for i and f. With the key, and unlike in the paper also its bias, divided by
    ``sqrt(d)``::

        C_t = f C_{t-1} + i v k^T,    n_t = f n_{t-1} + i k,    h_t = o * C_t q / max(|n_t . q|, 1)

    Where C and n are divided by exp(m), the 1 becomes exp(-m), as in the authors' code. No step
    needs the h before it. ``weight_ih_l0`` (4H, D) has the blocks q, k, v, o, and ``weight_if_l0``
    (2 * heads, D) the blocks i, f; biases are named alike. The state is an `MLSTMState`.
    """

    OPTIONS = MLSTMOptions
    STATE = MLSTMState

    def __init__(self, input_size: int, hidden_size: int, *, forget_bias=1.0, rng=0, **options):
        super().__init__(input_size, hidden_size, rng=rng, **options)
        self._params["bias_if_l0"][self.heads :] = check_number("forget_bias", forget_bias)

    def _shapes(self):
        D, H, N = self.input_size, self.hidden_size, self.heads
        return {
            "weight_ih_l0": (4 * H, D), "bias_l0": (4 * H,),
            "weight_if_l0": (2 * N, D), "bias_if_l0": (2 * N,),
        }  # fmt: skip

    def _state_sizes(self):
        return (self.hidden_size, self.hidden_size**2 // self.heads, self.hidden_size, self.heads)

    def _in_heads(self, a):
        """Return (..., H) as (..., N, d)."""
        return a.reshape(*a.shape[:-1], self.heads, -1)

    def _forward(self, x, state, inside, rng):
        p = {name: value.copy() for name, value in self._params.items()}
        parts = split(affine(x, p["weight_ih_l0"], p["bias_l0"]), 4)  # (T, B, H) each
        q, k, v, z_o = map(self._in_heads, parts)  # (T, B, N, d)
        k, o = k / np.sqrt(k.dtype.type(k.shape[-1])), sigmoid(z_o)
        z_i, z_f = split(affine(x, p["weight_if_l0"], p["bias_if_l0"]), 2)  # (T, B, N)
        _, C, n, m = state
        n = self._in_heads(n)
        C = C.reshape(*n.shape, -1)  # (B, N, d, d), by value and key
        output, steps = np.empty_like(o), []
        for t in range(len(x)):
            before = C, n, m
            i, f, m = exponential_gates(
                z_i[t], z_f[t], m, self.forget_gate, self.stabilised, empty=~n.any(axis=-1)
            )
            C = f[..., None, None] * C + i[..., None, None] * v[t][..., None] * k[t][..., None, :]
            n = f[..., None] * n + i[..., None] * k[t]
            after = C, n, m
            read = (C @ q[t][..., None])[..., 0]
            sums = (n * q[t]).sum(axis=-1)  # n . q, (B, N)
            read /= np.maximum(np.abs(sums), _floor(m))[..., None]
            output[t] = o[t] * read
            steps.append((before, after, i, f, read, sums))
            C, n, m = going(inside, t, after, before)
        B = x.shape[1]
        kept = (x, p, q, k, v, o, z_i, z_f, steps, inside)
        return output.reshape(*x.shape[:2], -1), (C.reshape(B, -1), n.reshape(B, -1), m), kept

    def _backward(self, d_output, d_rest, kept):
        x, p, q, k, v, o, z_i, z_f, steps, inside = kept
        d_output = self._in_heads(d_output)
        d_q, d_k, d_v, d_o = (np.empty_like(q) for _ in range(4))
        d_z_i, d_z_f = np.empty_like(z_i), np.empty_like(z_i)
        d_n = self._in_heads(d_rest[1])
        d_C, d_m = d_rest[0].reshape(*d_n.shape, -1), d_rest[2]
        for t in reversed(range(len(x))):
            (C_prev, n_prev, _), (C, n, m), i, f, read, sums = steps[t]
            later = d_C, d_n, d_m
            floor = _floor(m)
            size = np.maximum(np.abs(sums), floor)
            d_read, d_o[t] = d_output[t] * o[t], d_output[t] * read
            along = (d_read * read).sum(axis=-1)
            by_sum = np.abs(sums) > floor  # else by exp(-m), whose derivative is its negative
            d_sums = np.where(by_sum, -along * np.sign(sums) / size, 0)[..., None]
            d_m = d_m + np.where(by_sum, 0, along)
            d_read = d_read / size[..., None]
            d_C = d_C + d_read[..., None] * q[t][..., None, :]
            d_n = d_n + d_sums * q[t]
            d_q[t] = (d_read[..., None, :] @ C)[..., 0, :] + d_sums * n
            by_key = (d_C @ k[t][..., None])[..., 0]  # of i * v
            by_value = (v[t][..., None, :] @ d_C)[..., 0, :] + d_n  # of i * k
            d_v[t], d_k[t] = i[..., None] * by_key, i[..., None] * by_value
            d_i = (v[t] * by_key + d_n * k[t]).sum(axis=-1)
            d_f = (d_C * C_prev).sum(axis=(-2, -1)) + (d_n * n_prev).sum(axis=-1)
            d_z_i[t], d_z_f[t], d_m = exponential_gates_back(
                d_i, d_f, d_m, i, f, z_i[t], z_f[t], m, self.forget_gate, self.stabilised
            )
            before = d_C * f[..., None, None], d_n * f[..., None], d_m
            d_C, d_n, d_m = going(inside, t, before, later)
        d_k /= np.sqrt(k.dtype.type(k.shape[-1]))
        d_z = [d_q, d_k, d_v, d_o * sigmoid_derivative(o)]
        d_z = np.concatenate([d.reshape(*x.shape[:2], -1) for d in d_z], axis=-1)
        d_if = np.concatenate([d_z_i, d_z_f], axis=-1)
        if inside is not None:
            d_z, d_if = d_z * inside, d_if * inside
        params = {}
        d_x, params["weight_ih_l0"], params["bias_l0"] = affine_back(d_z, x, p["weight_ih_l0"])
        more, params["weight_if_l0"], params["bias_if_l0"] = affine_back(d_if, x, p["weight_if_l0"])
        B = x.shape[1]
        d_state = (np.zeros((*d_C.shape[:1], self.hidden_size), x.dtype), d_C, d_n, d_m)
        return d_x + more, tuple(d.reshape(B, -1) for d in d_state), params


def _floor(m):
    """Return exp(-m), the least that an mLSTM divides by; float32 ends at exp(88)."""
    return np.exp(np.minimum(-m, 80))
