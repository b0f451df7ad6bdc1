"""Attention: every step looks at the steps before it and takes a weighted mean of what they hold.

Each step asks with a query, each step before it answers with a key, and the better the two fit, the
more of its value is taken. Nothing is carried from step to step. Introduced in chapter 24.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lstm_lesson.engine.arguments import check_choice, check_rng, check_size
from lstm_lesson.engine.layer import option
from lstm_lesson.engine.residual import Residual
from lstm_lesson.engine.sequence import SequenceLayer, SequenceOptions


def attend(q, k, v, *, causal: bool = False):
    """Return what each query takes from the values, and the cache.

    Parameters
    ----------
    q : (..., N, d), queries.
    k, v : (..., M, d), keys, and a value for each.
    causal : whether query t sees only the keys 0 to t, N and M being the steps of one sequence.

    Returns
    -------
    (..., N, d), for each query the mean of the values, weighted by a softmax over the keys of
    ``q k / sqrt(d)`` (Vaswani et al. 2017, equation 1), and what `attend_back` needs, the weights
    (..., N, M) first.
    """
    scores = q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1])  # (..., N, M)
    if causal:
        scores[..., ~np.tri(*scores.shape[-2:], dtype=bool)] = -np.inf  # what is still to come
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    return weights @ v, (weights, q, k, v)


def attend_back(d_taken, cache):
    """Return the gradients of ``q, k, v`` from that of what `attend` returned."""
    weights, q, k, v = cache
    d_weights = d_taken @ v.swapaxes(-1, -2)
    # A softmax passes on how far each derivative lies above their weighted mean.
    mean = (d_weights * weights).sum(axis=-1, keepdims=True)
    d_scores = weights * (d_weights - mean) / math.sqrt(q.shape[-1])
    d_v = weights.swapaxes(-1, -2) @ d_taken
    return d_scores @ k, d_scores.swapaxes(-1, -2) @ q, d_v


def to_heads(a: np.ndarray, heads: int) -> np.ndarray:
    """Return (B, heads, N, S / heads) of (B, N, S): each head has its own part of the features."""
    B, N, S = a.shape
    return a.reshape(B, N, heads, S // heads).swapaxes(1, 2)


def from_heads(a: np.ndarray) -> np.ndarray:
    """Return (B, N, S) of (B, heads, N, S / heads): `to_heads` undone."""
    B, heads, N, d = a.shape
    return a.swapaxes(1, 2).reshape(B, N, heads * d)


def sine_positions(T: int, S: int) -> np.ndarray:
    """Return (T, S): for each step sines and cosines of S / 2 wavelengths, from 2 pi up.

    Without them attention can't tell in which order the steps before it came (Vaswani et al. 2017,
    section 3.5).
    """
    angle = np.arange(T)[:, None] / 10000 ** (np.arange(0, S, 2) / S)
    return np.concatenate([np.sin(angle), np.cos(angle)], axis=-1)[:, :S]


def by_rows(d_y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return the gradient of W, where ``y = x W.T``, from that of y."""
    return d_y.reshape(-1, d_y.shape[-1]).T @ x.reshape(-1, x.shape[-1])


@dataclass(frozen=True, kw_only=True)
class AttentionOptions(SequenceOptions):
    """What a `SelfAttention` is built from."""

    heads: int = option(1, check_size, "how many look at once, each by H / heads features")
    positions: str = option(
        "none",
        lambda name, value: check_choice(name, value, ("none", "sine")),
        "whether each step is told its place by `sine_positions`, added to the input",
    )

    def check_together(self) -> None:
        """Raise ValueError if the features can't be shared out evenly."""
        if self.hidden_size % self.heads:
            raise ValueError(
                f"heads: expected a divisor of hidden_size, {self.hidden_size}, got {self.heads}"
            )


class SelfAttention(SequenceLayer):
    """A layer of causal self-attention, whose output at a step sees the input up to that step.

    Parameters
    ----------
    OPTIONS
    rng : as in `LSTM`. Weights are Xavier uniform, biases zero.

    Nothing is carried: the state is the last output, for a model to read, and one that is given
    changes nothing. Introduced in chapter 24.
    """

    OPTIONS = AttentionOptions

    def _shapes(self):
        D, H = self.input_size, self.hidden_size
        return {
            "weight_qkv": (3 * H, D), "bias_qkv": (3 * H,), "weight_out": (H, H), "bias_out": (H,),
        }  # fmt: skip

    def _forward(self, x, state, inside, rng):
        # What is padding comes after all that counts, so that nothing that counts sees it.
        if self.positions == "sine":
            x = x + sine_positions(len(x), x.shape[-1])[:, None].astype(self.dtype)
        p = self._params
        qkv = (x @ p["weight_qkv"].T + p["bias_qkv"]).swapaxes(0, 1)  # (B, T, 3 H)
        parts = [to_heads(part, self.heads) for part in np.split(qkv, 3, axis=-1)]
        taken, attended = attend(*parts, causal=True)
        taken = from_heads(taken)  # (B, T, H)
        output = (taken @ p["weight_out"].T + p["bias_out"]).swapaxes(0, 1)
        return output, (), (x, attended, taken)

    def _backward(self, d_output, d_rest, kept):
        x, attended, taken = kept
        p, d_out = self._params, d_output.swapaxes(0, 1)  # (B, T, H)
        d_taken = to_heads(d_out @ p["weight_out"], self.heads)
        d_qkv = [from_heads(d) for d in attend_back(d_taken, attended)]
        d_qkv = np.concatenate(d_qkv, axis=-1).swapaxes(0, 1)  # (T, B, 3 H)
        params = {
            "weight_qkv": by_rows(d_qkv, x),
            "bias_qkv": d_qkv.sum(axis=(0, 1)),
            "weight_out": by_rows(d_out, taken),
            "bias_out": d_out.sum(axis=(0, 1)),
        }
        return d_qkv @ p["weight_qkv"], (np.zeros_like(d_output[0]),), params


def transformer(
    input_size: int, hidden_size: int, *, blocks: int = 2, heads: int = 1, positions="none",
    dtype=np.float32, rng=0,
) -> Residual:  # fmt: skip
    """Return a small causal Transformer: attention in residual blocks, as `Residual` builds them.

    Parameters
    ----------
    input_size, hidden_size : D and H.
    blocks : how many layers of attention, each followed by a small network of its own.
    heads, positions : of the attention; the places are told to every layer.
    dtype, rng : as in `LSTM`.
    """
    rng = check_rng(rng)
    layers = [
        SelfAttention(
            hidden_size, hidden_size, heads=heads, positions=positions, dtype=dtype, rng=rng
        )
        for _ in range(check_size("blocks", blocks))
    ]
    return Residual(input_size, layers, rng=rng)
