"""A diagonal state-space layer: fixed, or selective as in Mamba; chapter 24.

It starts from a leaky integrator in continuous time, ``s'(t) = A s(t) + B u(t)``, with A < 0. If
the input stays at u for a time delta, then the exact solution at its end is a step of the
recurrence of `lstm_lesson.engine.scan`::

    s_t = exp(delta A) s_{t-1} + (exp(delta A) - 1) / A * B u_t

Each of H channels has N such integrators, and reads them out by C. A fixed layer (Gu et al. 2022)
has one delta, B and C for all steps. A selective layer computes them from the input, so that a
step can be skipped (delta near 0) or can overwrite what was there (delta large).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lstm_lesson.engine.activations import softplus, softplus_derivative
from lstm_lesson.engine.arguments import check_flag, check_size
from lstm_lesson.engine.layer import option
from lstm_lesson.engine.minimal import MinLSTMOptions
from lstm_lesson.engine.scan import linear_recurrence, linear_recurrence_backward
from lstm_lesson.engine.sequence import SequenceLayer, affine, affine_back

SLOWEST, FASTEST = 0.001, 0.1  # the range of delta that Gu et al. 2022 start from


@dataclass(frozen=True, kw_only=True)
class StateSpaceOptions(MinLSTMOptions):
    """What a `StateSpace` is built from."""

    states: int = option(4, check_size, "N, integrators of each channel")
    selective: bool = option(False, check_flag, "whether delta, B and C come from the input")


class StateSpaceState(NamedTuple):
    """What a `StateSpace` hands on."""

    h: np.ndarray  # (1, B, H), the last output, which the next step doesn't need
    s: np.ndarray  # (1, B, H * N), the integrators


class StateSpace(SequenceLayer):
    """A diagonal state-space layer: H channels of N leaky integrators each.

    Parameters
    ----------
    OPTIONS
    rng : a `numpy.random.Generator` or an integer seed.

    A product makes H channels of the input, ``u = W x + b`` (``weight_ih_l0``, ``bias_l0``). Then,
    for each channel, ``s_t = exp(delta A) s_{t-1} + (exp(delta A) - 1) / A * B u_t`` and
    ``y_t = C s_t + d u_t``, with ``A = -exp(log_A)`` (H, N) and a skip ``d`` (H,).

    A fixed layer has ``delta = softplus(bias_delta)`` (H,), ``B`` and ``C`` (H, N). A selective one
    has ``delta = softplus(W_delta x + b_delta)`` (H,), and one ``B = W_B x + b_B`` and one
    ``C = W_C x + b_C`` (N,) for all channels (Gu and Dao 2024, algorithm 2, with the zero-order
    hold of their equation 4). A starts at -1 to -N (S4D-Real of Gu et al. 2022), delta between
    0.001 and 0.1.

    The state is a `StateSpaceState`. With N = 1, A = -1, B = C = 1 and d = 0 a selective layer
    is a `lstm_lesson.engine.minimal.MinGRU` (Gu and Dao 2024, theorem 1).
    """

    OPTIONS = StateSpaceOptions
    STATE = StateSpaceState

    def _shapes(self):
        D, H, N = self.input_size, self.hidden_size, self.states
        shapes = {"weight_ih_l0": (H, D), "bias_l0": (H,), "log_A": (H, N), "d": (H,)}
        if self.selective:
            of_input = {"delta": H, "B": N, "C": N}
            shapes |= {f"weight_{name}": (rows, D) for name, rows in of_input.items()}
            return shapes | {f"bias_{name}": (rows,) for name, rows in of_input.items()}
        return shapes | {"bias_delta": (H,), "B": (H, N), "C": (H, N)}

    def _draw(self, rng):
        H, N = self.hidden_size, self.states
        drawn = super()._draw(rng)
        drawn["log_A"][:] = np.log(np.arange(1, N + 1))
        drawn["d"][:] = 1
        delta = np.exp(rng.uniform(np.log(SLOWEST), np.log(FASTEST), H))
        drawn["bias_delta"][:] = np.log(np.expm1(delta))  # of which softplus makes delta again
        B, C = (drawn[f"bias_{n}" if self.selective else n] for n in "BC")
        B[:], C[:] = 1, rng.normal(size=C.shape) / np.sqrt(N)
        return drawn

    def _state_sizes(self):
        return (self.hidden_size, self.hidden_size * self.states)

    def _of_input(self, x):
        """Return delta (T, B, H, 1), and B and C, (T, B, 1, N) or (1, 1, H, N)."""
        p = self._params
        if self.selective:
            delta = softplus(affine(x, p["weight_delta"], p["bias_delta"]))
            B, C = (affine(x, p[f"weight_{n}"], p[f"bias_{n}"])[:, :, None] for n in "BC")
        else:
            delta = np.broadcast_to(softplus(p["bias_delta"]), (*x.shape[:2], self.hidden_size))
            B, C = p["B"][None, None].copy(), p["C"][None, None].copy()
        return delta[..., None], B, C

    def _forward(self, x, state, inside, rng):
        p = {name: value.copy() for name, value in self._params.items()}
        H, N = self.hidden_size, self.states
        u = affine(x, p["weight_ih_l0"], p["bias_l0"])[..., None]  # (T, B, H, 1)
        delta, B, C = self._of_input(x)
        A = -np.exp(p["log_A"])  # (H, N)
        decay = np.exp(delta * A)  # (T, B, H, N)
        gain = np.expm1(delta * A) / A  # what remains of an input after a time delta
        a, b = decay, gain * B * u
        if inside is not None:  # a finished sequence carries its state
            a, b = np.where(inside[..., None], a, a.dtype.type(1)), b * inside[..., None]
        a, b = (part.reshape(*part.shape[:2], H * N) for part in (a, b))
        s = linear_recurrence(a, b, state[1], self.how)
        y = (C * s.reshape(decay.shape)).sum(axis=-1) + p["d"] * u[..., 0]
        return y, (s[-1],), (x, p, u, delta, B, C, A, decay, gain, a, s, state[1], inside)

    def _backward(self, d_output, d_rest, kept):
        x, p, u, delta, B, C, A, decay, gain, a, s, s0, inside = kept
        d_s = (d_output[..., None] * C).reshape(s.shape)
        d_s[-1] += d_rest[0]
        d_C = d_output[..., None] * s.reshape(decay.shape)
        d_a, d_b, d_s0 = linear_recurrence_backward(d_s, s, a, s0, self.how)
        d_a, d_b = d_a.reshape(decay.shape), d_b.reshape(decay.shape)
        if inside is not None:
            d_a, d_b = d_a * inside[..., None], d_b * inside[..., None]
        d_gain = d_b * B * u
        d_exponent = (d_a + d_gain / A) * decay  # of delta * A
        d_A = (d_exponent * delta - d_gain * gain / A).sum(axis=(0, 1))
        d_delta = (d_exponent * A).sum(axis=-1) * softplus_derivative(delta[..., 0])
        d_u = (d_b * gain * B).sum(axis=-1) + d_output * p["d"]
        d_B = d_b * gain * u
        params = {"log_A": d_A * A, "d": (d_output * u[..., 0]).sum(axis=(0, 1))}
        d_x, params["weight_ih_l0"], params["bias_l0"] = affine_back(d_u, x, p["weight_ih_l0"])
        if self.selective:
            by_name = {"delta": d_delta, "B": d_B.sum(axis=2), "C": d_C.sum(axis=2)}
            for name, d in by_name.items():
                more, params[f"weight_{name}"], params[f"bias_{name}"] = affine_back(
                    d, x, p[f"weight_{name}"]
                )
                d_x += more
        else:
            params["bias_delta"] = d_delta.sum(axis=(0, 1))
            params |= {"B": d_B.sum(axis=(0, 1)), "C": d_C.sum(axis=(0, 1))}
        return d_x, (np.zeros_like(d_output[0]), d_s0), params
