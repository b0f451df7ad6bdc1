"""What the layers that came after the LSTM share: checks, lengths, states, a file; chapter 24.

A layer here says in `_forward` and `_backward` what it computes over whole sequences, time first.
Everything around that is written once, below.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lstm_lesson.engine.arguments import (
    check_array,
    check_flag,
    check_lengths,
    check_rng,
    check_size,
)
from lstm_lesson.engine.initializers import xavier_uniform
from lstm_lesson.engine.layer import LayerGrads, LayerOverTime, Options, option


@dataclass(frozen=True, kw_only=True)
class SequenceOptions(Options):
    """What all of these layers are built from."""

    input_size: int = option(0, check_size, "D, features of the input")
    hidden_size: int = option(0, check_size, "H, features of the output")
    batch_first: bool = option(
        False, check_flag, "whether x and output are (B, T, ...); states keep their shape"
    )


class SequenceCache(NamedTuple):
    """What `SequenceLayer.forward` keeps for `backward`."""

    layer: str  # whose it is
    kept: object  # what `_forward` kept
    inside: np.ndarray | None  # (T, B, 1), False where there is padding
    last: np.ndarray  # (B,), the last step of each sequence
    shape: tuple[int, int, int]  # (T, B, H) of the output


class SequenceLayer(LayerOverTime):
    """Base of the layers of chapter 24; use one of them, or write your own.

    A subclass defines `_shapes()` and these two, in which a state is a tuple of arrays (B, n):

    ``_forward(x, state, inside, rng) -> (output, rest, kept)``
        From x (T, B, D), zero in padding, to the output (T, B, H), the parts of the last state
        after h, and anything that the way back needs. `inside` (T, B, 1) is False in padding, where
        the state has to stay as it is; it is None where there is none.
    ``_backward(d_output, d_rest, kept) -> (d_x, d_state, params)``
        From the gradients of both, to those of x, of every part of the first state, and of the
        parameters. What arrives at the last h has been added to d_output already.

    The first part of a state is h (1, B, H), the output at each sequence's last step.
    """

    OPTIONS = SequenceOptions
    SIZES = ("input_size", "hidden_size")

    def __init__(self, input_size: int, hidden_size: int, *, rng=0, **options):
        self._build({"input_size": input_size, "hidden_size": hidden_size, **options})
        self._params = self._draw(check_rng(rng))

    def _draw(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Return first values: matrices Xavier uniform in blocks of H rows, everything else 0."""
        drawn = {}
        for name, shape in self._shapes().items():
            drawn[name] = np.zeros(shape, self.dtype)
            if len(shape) == 2:
                for start in range(0, shape[0], self.hidden_size):
                    block = drawn[name][start : start + self.hidden_size]
                    block[:] = xavier_uniform(block.shape, rng, self.dtype)
        return drawn

    def _forward(self, x, state, inside, rng):
        raise NotImplementedError

    def _backward(self, d_output, d_rest, kept):
        raise NotImplementedError

    def forward(self, x: np.ndarray, state=None, lengths=None, *, keep: bool = True, rng=None):
        """Run the layer over a batch of sequences.

        Parameters
        ----------
        x : (T, B, D), or (B, T, D) if `batch_first`, of the layer's dtype, with T and B at least 1.
        state : the state before the first step, as `forward` returns it; zeros by default.
        lengths : B whole numbers from 1 to T, by default T; what follows those steps is padding,
            changes nothing and has zero output.
        keep : without it, keep nothing for `backward`, whose cache is then None.
        rng : generator or seed for dropout, where a layer has it.

        Returns
        -------
        output : (T, B, H), or (B, T, H) if `batch_first`.
        state : after each sequence's last step; its first part, h (1, B, H), is the output there.
        cache : what `backward` needs; None without `keep`.

        Raises TypeError or ValueError if an argument is not what is expected.
        """
        x = self._check_input(x)
        check_flag("keep", keep)
        T, B, _ = x.shape
        inside, last = None, np.full(B, T - 1)
        if lengths is not None:
            last = check_lengths("lengths", lengths, T, B) - 1
            inside = (np.arange(T)[:, None] <= last)[..., None]  # (T, B, 1)
            x = np.where(inside, x, x.dtype.type(0))
        first = tuple(part[0] for part in self._check_state("state", state, B))
        output, rest, kept = self._forward(
            x, first, inside, None if rng is None else check_rng(rng)
        )
        if inside is not None:
            output = np.where(inside, output, x.dtype.type(0))
        parts = (output[last, np.arange(B)], *rest)
        state = self._pack_state(tuple(part[None] for part in parts))
        cache = SequenceCache(self._id, kept, inside, last, output.shape) if keep else None
        return self._time_first(output), state, cache

    def backward(self, d_output: np.ndarray, cache: SequenceCache, d_state=None) -> LayerGrads:
        """Carry the gradient of a loss back through `forward`.

        Parameters
        ----------
        d_output : gradient with respect to `output`, in its shape.
        cache : what `forward` returned.
        d_state : gradient with respect to the final state, in its shape, beyond what reaches it
            through `output`; zeros by default.

        Returns
        -------
        `LayerGrads`: ``params`` (a dict under the names of `parameters`), ``x`` and ``state``.

        Raises TypeError or ValueError if an array is not what it is the gradient of.
        """
        self._check_cache(cache, SequenceCache)
        T, B, H = cache.shape
        check_array("d_output", d_output, (B, T, H) if self.batch_first else (T, B, H), self.dtype)
        d_last, *d_rest = (part[0] for part in self._check_state("d_state", d_state, B))
        d_output = self._time_first(d_output)
        if cache.inside is not None:
            d_output = np.where(cache.inside, d_output, d_output.dtype.type(0))
        d_output = d_output.copy()
        d_output[cache.last, np.arange(B)] += d_last
        d_x, d_state, params = self._backward(d_output, tuple(d_rest), cache.kept)
        if cache.inside is not None:
            d_x = np.where(cache.inside, d_x, d_x.dtype.type(0))
        params = {name: params[name] for name in self._params}
        state = self._pack_state(tuple(part[None] for part in d_state))
        return LayerGrads(params, self._time_first(d_x), state)


def affine(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Return ``x W.T + b`` for every step: (T, B, D) to (T, B, K)."""
    return x @ weight.T + bias


def affine_back(d_y: np.ndarray, x: np.ndarray, weight: np.ndarray):
    """Return the gradients of x, of the weight and of the bias from that of `affine`'s result."""
    rows = d_y.reshape(-1, d_y.shape[-1])
    return d_y @ weight, rows.T @ x.reshape(-1, x.shape[-1]), rows.sum(axis=0)
