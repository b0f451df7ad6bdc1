"""The minimal GRU and LSTM, whose gates see the input alone (Feng et al. 2024); chapter 24.

Without h in the gates, a step is linear in h: ``h_t = a_t * h_{t-1} + b_t``. All a and b come from
one product over all steps, and the rest is the recurrence of `lstm_lesson.engine.scan`. The paper's
form in log space, which needs a positive candidate, is not used: it loses digits with length.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lstm_lesson.engine.activations import sigmoid, sigmoid_derivative, softplus
from lstm_lesson.engine.arguments import check_choice, check_flag, check_number
from lstm_lesson.engine.equations import split
from lstm_lesson.engine.layer import option
from lstm_lesson.engine.scan import HOW, linear_recurrence, linear_recurrence_backward
from lstm_lesson.engine.sequence import SequenceLayer, SequenceOptions, affine, affine_back


@dataclass(frozen=True, kw_only=True)
class MinLSTMOptions(SequenceOptions):
    """What a `MinLSTM` is built from."""

    how: str = option(
        "loop",
        lambda name, value: check_choice(name, value, HOW),
        'how the recurrence is run: "loop" or "scan", with the same result up to rounding',
    )


@dataclass(frozen=True, kw_only=True)
class MinGRUOptions(MinLSTMOptions):
    """What a `MinGRU` is built from."""

    signed: bool = option(
        False, check_flag, "whether a is 1 - 2z, in (-1, 1), instead of 1 - z, in (0, 1)"
    )


class _Minimal(SequenceLayer):
    """What both have in common; a subclass says what a and b are made of."""

    BLOCKS: int  # of H rows in the weight matrix

    def _shapes(self):
        rows = self.BLOCKS * self.hidden_size
        return {"weight_ih_l0": (rows, self.input_size), "bias_l0": (rows,)}

    def _steps(self, z):
        """Return a and b of every step from the pre-activations, and what the way back needs."""
        raise NotImplementedError

    def _steps_back(self, d_a, d_b, kept):
        """Return the gradient of the pre-activations from those of a and b."""
        raise NotImplementedError

    def _forward(self, x, state, inside, rng):
        p, (h0,) = self._params, state
        a, b, kept = self._steps(affine(x, p["weight_ih_l0"], p["bias_l0"]))
        h = linear_recurrence(a, b, h0, self.how)
        return h, (), (x, p["weight_ih_l0"].copy(), a, h, h0, kept)

    def _backward(self, d_output, d_rest, kept):
        x, weight, a, h, h0, kept = kept
        d_a, d_b, d_h0 = linear_recurrence_backward(d_output, h, a, h0, self.how)
        d_x, d_weight, d_bias = affine_back(self._steps_back(d_a, d_b, kept), x, weight)
        return d_x, (d_h0,), {"weight_ih_l0": d_weight, "bias_l0": d_bias}


class MinGRU(_Minimal):
    """The minimal gated recurrent unit: ``h_t = (1 - z_t) * h_{t-1} + z_t * g_t``.

    Parameters
    ----------
    OPTIONS
    forget_bias : the bias of z starts at minus this, so that a unit keeps more with a larger one.
    rng : a `numpy.random.Generator` or an integer seed.

    The gate is ``z = sigmoid(W_z x + b_z)`` and the candidate ``g = W_g x + b_g`` (Feng et al.
    2024, section 3.1). ``weight_ih_l0`` (2H, D) has the blocks z, g. The state is h, (1, B, H).
    With `signed`, h is multiplied by 1 - 2z, which can be negative, so that a step can turn the
    sign of the memory (Grazzi et al. 2025 extend the range in this way). With ``z = 1`` and
    ``g = c`` it maps h to c - h: a unit that does so for every 1 and keeps h for every 0 counts
    modulo two.
    """

    OPTIONS = MinGRUOptions
    BLOCKS = 2

    def __init__(self, input_size: int, hidden_size: int, *, forget_bias=1.0, rng=0, **options):
        super().__init__(input_size, hidden_size, rng=rng, **options)
        self._params["bias_l0"][: self.hidden_size] = -check_number("forget_bias", forget_bias)

    def _steps(self, z):
        z_z, g = split(z, 2)
        z = sigmoid(z_z)
        a = 1 - 2 * z if self.signed else 1 - z
        return a, z * g, (z, g)

    def _steps_back(self, d_a, d_b, kept):
        z, g = kept
        d_z = d_b * g - (2 if self.signed else 1) * d_a
        return np.concatenate([d_z * sigmoid_derivative(z), d_b * z], axis=-1)


class MinLSTM(_Minimal):
    """The minimal LSTM: ``h_t = f'_t * h_{t-1} + i'_t * g_t``, where f' and i' add up to one.

    Parameters
    ----------
    OPTIONS
    forget_bias : first bias of the forget gate.
    rng : a `numpy.random.Generator` or an integer seed.

    The gates ``i = sigmoid(W_i x + b_i)`` and ``f = sigmoid(W_f x + b_f)`` are divided by their
    sum, ``f' = f / (f + i)`` and ``i' = i / (f + i)``, and ``g = W_g x + b_g`` (Feng et al. 2024,
    section 3.2). Computed as ``f' = sigmoid(log f - log i)``, which can't become 0 / 0.
    ``weight_ih_l0`` (3H, D) has the blocks i, f, g. The state is h, (1, B, H).
    """

    OPTIONS = MinLSTMOptions
    BLOCKS = 3

    def __init__(self, input_size: int, hidden_size: int, *, forget_bias=1.0, rng=0, **options):
        super().__init__(input_size, hidden_size, rng=rng, **options)
        forget = slice(self.hidden_size, 2 * self.hidden_size)
        self._params["bias_l0"][forget] = check_number("forget_bias", forget_bias)

    def _steps(self, z):
        z_i, z_f, g = split(z, 3)
        f = sigmoid(softplus(-z_i) - softplus(-z_f))  # log sigmoid(z) = -softplus(-z)
        return f, (1 - f) * g, (z_i, z_f, g, f)

    def _steps_back(self, d_a, d_b, kept):
        z_i, z_f, g, f = kept
        d_log = (d_a - d_b * g) * sigmoid_derivative(f)  # of log f - log i
        d_z = [-d_log * sigmoid(-z_i), d_log * sigmoid(-z_f), d_b * (1 - f)]
        return np.concatenate(d_z, axis=-1)
