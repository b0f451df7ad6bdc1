"""Exponential gates, and how they are kept from overflowing (Beck et al. 2024); chapter 24.

An input gate that is an exponential can outweigh all that was stored before, which a sigmoid can't.
So that the memory c stays a mean, a normaliser n sums up the gates, and what is read is c / n.
Because exponentials overflow, both are kept divided by exp(m), where m is the largest exponent in
them: a fraction doesn't notice. The plain form stands beside the stabilised one, and tests hold the
two equal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lstm_lesson.engine.activations import sigmoid, softplus
from lstm_lesson.engine.arguments import check_choice, check_flag
from lstm_lesson.engine.layer import option
from lstm_lesson.engine.sequence import SequenceOptions


@dataclass(frozen=True, kw_only=True)
class XLSTMOptions(SequenceOptions):
    """What an `SLSTM` or an `MLSTM` is built from."""

    forget_gate: str = option(
        "sigmoid",
        lambda name, value: check_choice(name, value, ("sigmoid", "exp")),
        '"sigmoid" or "exp", the two that the paper allows',
    )
    stabilised: bool = option(
        True, check_flag, "whether memory and normaliser are kept divided by exp(m)"
    )


def exponential_gates(z_i, z_f, m_prev, forget_gate, stabilised, empty=False):
    """Return i and f, both divided by exp(m) so that neither overflows, and m.

    Parameters
    ----------
    z_i, z_f : pre-activations of the gates, of one shape; ``log i`` is z_i itself.
    m_prev : the exponent before the step, in that shape.
    forget_gate : "sigmoid" or "exp".
    stabilised : without it, nothing is divided, and m is 0.
    empty : where a memory holds nothing yet, so that its exponent starts anew.

    Beck et al. (2024), equations 15 to 17. The old memory has to be multiplied by
    ``f exp(m_prev)``, and is kept divided by ``exp(m)``; both are in what is returned as f.
    """
    log_f = z_f if forget_gate == "exp" else -softplus(-z_f)
    if not stabilised:
        return np.exp(z_i), np.exp(log_f), np.zeros_like(m_prev)
    carried = np.where(empty, z_i.dtype.type(-np.inf), log_f + m_prev)
    m = np.maximum(carried, z_i)
    return np.exp(z_i - m), np.exp(carried - m), m


def exponential_gates_back(d_i, d_f, d_m, i, f, z_i, z_f, m, forget_gate, stabilised):
    """Return ``d_z_i, d_z_f, d_m_prev`` from the gradients of what `exponential_gates` returned."""
    d_z_i, d_carried, d_m_prev = d_i * i, d_f * f, np.zeros_like(m)
    if stabilised:
        d_m = d_m - d_z_i - d_carried
        new = m == z_i  # m is one of the two, and passes its gradient there
        d_z_i = d_z_i + np.where(new, d_m, 0)
        d_carried = d_carried + np.where(new, 0, d_m)
        d_m_prev = d_carried
    # The derivative of log sigmoid(z) is sigmoid(-z).
    d_z_f = d_carried if forget_gate == "exp" else d_carried * sigmoid(-z_f)
    return d_z_i, d_z_f, d_m_prev


def going(inside, t, after, before):
    """Return the state after a step, or the one before where a sequence is over."""
    if inside is None or inside[t].all():
        return tuple(after)
    pairs = zip(after, before, strict=True)
    return tuple(np.where(inside[t].reshape(-1, *[1] * (a.ndim - 1)), a, b) for a, b in pairs)
