"""Read a whole sequence and not its last state alone: a weighted sum over time, under a head.

A reading gives each step a weight, (T, B), that is zero on padding: the mean over time the same to
all steps of a sequence, attention more to those that fit a trained query. Introduced in chapter 21.
"""

from __future__ import annotations

import numpy as np

from lstm_lesson.engine.arguments import check_array, check_lengths
from lstm_lesson.training.models import Model, named


def mean_weights(h: np.ndarray, lengths=None) -> np.ndarray:
    """Return weights (T, B) by which the steps of each sequence count alike.

    Parameters
    ----------
    h : hidden states, (T, B, H).
    lengths : (B,), steps of each sequence, at least 1; by default all T.

    Raises TypeError or ValueError if an argument is not what is expected.
    """
    inside = _inside(h, lengths)
    return inside / inside.sum(axis=0, dtype=h.dtype)


def attention_weights(h: np.ndarray, query: np.ndarray, lengths=None) -> np.ndarray:
    """Return weights (T, B): for each sequence the softmax of ``h_t . query`` over its steps.

    `query` is (H,), of the dtype of `h`; the rest is as in `mean_weights`, which these weights are
    for a query of zeros.
    """
    inside = _inside(h, lengths)
    check_array("query", query, h.shape[2:], h.dtype)
    s = np.where(inside, h @ query, -np.inf)  # (T, B)
    a = np.exp(s - s.max(axis=0))  # exp(-inf) is 0
    return a / a.sum(axis=0)


def weighted_sum(h: np.ndarray, a: np.ndarray) -> np.ndarray:
    """Return ``r = sum_t a_t h_t``, (B, H), of `h` (T, B, H) and weights `a` (T, B)."""
    r = np.zeros_like(h[0])
    for a_t, h_t in zip(a, h, strict=True):
        r += a_t[:, None] * h_t
    return r


def mean_backward(d_r: np.ndarray, a: np.ndarray) -> np.ndarray:
    """Return the gradient of `h` (T, B, H) from that of ``r`` (B, H), for fixed weights `a`."""
    return a[..., None] * d_r


def attention_backward(
    d_r: np.ndarray, h: np.ndarray, query: np.ndarray, a: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the gradients of `h` and of the query, for weights `a` that depend on both."""
    d_a = (h * d_r).sum(axis=-1)  # (T, B)
    d_s = a * (d_a - (a * d_a).sum(axis=0))  # through the softmax over time
    d_h = a[..., None] * d_r + d_s[..., None] * query
    return d_h, np.einsum("tb,tbh->h", d_s, h)


class PooledModel(Model):
    """A recurrent layer and a linear head that reads its states as a weighted sum over time.

    `layer`, `head` and `loss` are as in `SequenceModel`, and a target is (N, ...). Without a query
    the weights are those of the mean; with one, (H * directions,), those of attention, and the
    query is trained. Padding has no weight if `lengths` are given.
    """

    def __init__(self, layer, head, loss, query: np.ndarray | None = None):
        super().__init__(loss, "last", layer.batch_first)
        self.layer, self.head, self.query = layer, head, query

    def parameters(self) -> dict[str, np.ndarray]:
        """Return the arrays of all parts, as ``layer.bias_l0``, ``query`` and ``head.weight``."""
        query = {} if self.query is None else {"query": self.query}
        layer, head = self.layer.parameters(), self.head.parameters()
        return named("layer", layer) | query | named("head", head)

    def weights(self, h: np.ndarray, lengths=None) -> np.ndarray:
        """Return the weights (T, B) of hidden states (T, B, H)."""
        if self.query is None:
            return mean_weights(h, lengths)
        return attention_weights(h, self.query, lengths)

    def forward(self, x: np.ndarray, lengths=None, rng=None):
        """Return predictions, and a function from their gradient to that of the parameters."""
        output, _, cache = self.layer.forward(x, None, lengths, rng=rng)
        h = output.swapaxes(0, 1) if self.layer.batch_first else output
        a = self.weights(h, lengths)
        y, head_cache = self.head.forward(weighted_sum(h, a))

        def backward(d_y):
            head, query = self.head.backward(d_y, head_cache), {}
            if self.query is None:
                d_h = mean_backward(head.x, a)
            else:
                d_h, query["query"] = attention_backward(head.x, h, self.query, a)
            d_output = d_h.swapaxes(0, 1) if self.layer.batch_first else d_h
            layer = self.layer.backward(d_output, cache)
            return named("layer", layer.params) | query | named("head", head.params)

        return y, backward


def _inside(h, lengths) -> np.ndarray:
    """Return which steps are of the sequences, (T, B) bools; raise if the arguments don't fit."""
    check_array("h", h, ("T", "B", "H"))
    T, B, _ = h.shape
    if lengths is None:
        return np.ones((T, B), bool)
    return np.arange(T)[:, None] < check_lengths("lengths", lengths, T, B)
