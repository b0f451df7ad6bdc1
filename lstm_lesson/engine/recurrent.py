"""Layers and directions of recurrent cells: parameters by name, states, dropout, shapes.

What `RNN`, `GRU` and `LSTM` of `lstm_lesson.engine.layers` have in common; they say which
parameters one layer has and which cell it runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lstm_lesson.engine import loop as over_time
from lstm_lesson.engine.arguments import (
    check_array,
    check_choice,
    check_flag,
    check_lengths,
    check_number,
    check_rng,
    check_size,
)
from lstm_lesson.engine.initializers import INITIALIZERS
from lstm_lesson.engine.layer import LayerGrads, LayerOverTime, Options, option


@dataclass(frozen=True, kw_only=True)
class RecurrentOptions(Options):
    """What all recurrent layers are built from."""

    input_size: int = option(0, check_size, "D, features of the input")
    hidden_size: int = option(0, check_size, "H, units of each layer and direction")
    num_layers: int = option(1, check_size, "layers, each fed by the output of the one below")
    bias: bool = option(
        True, check_flag, "whether gates have a bias; one a gate, where PyTorch adds up two"
    )
    batch_first: bool = option(
        False, check_flag, "whether x and output are (B, T, ...); states keep their shape"
    )
    bidirectional: bool = option(
        False, check_flag, "whether each layer also runs backwards, the two outputs side by side"
    )
    dropout: float = option(
        0.0,
        lambda name, value: check_number(name, value, 0, 1),
        "share of the outputs of each layer but the last dropped when `forward` gets a generator",
    )
    reverse: bool = option(False, check_flag, "whether to run backwards in time only")

    def check_together(self) -> None:
        """Raise ValueError if one option contradicts another."""
        if self.bidirectional and self.reverse:
            raise ValueError("reverse: a bidirectional layer runs both ways already")
        if self.dropout and self.num_layers == 1:
            raise ValueError("dropout: acts between layers, and num_layers is 1")


class RecurrentCache(NamedTuple):
    """What `RecurrentLayer.forward` keeps for `backward`."""

    layer: str  # whose it is
    runs: list[over_time.Cache]  # of each layer and direction, as states are ordered
    masks: list[np.ndarray | None]  # of dropout above each layer but the last
    shape: tuple[int, int]  # (T, B)


class RecurrentLayer(LayerOverTime):
    """Base of the recurrent layers; use `RNN`, `GRU` or `LSTM`.

    A subclass defines `GATES` (blocks in a weight matrix), `cell`, `_extra_shapes()` and the parts
    of its state, and may draw extra initial values.
    """

    GATES: int
    OPTIONS = RecurrentOptions
    SIZES = ("input_size", "hidden_size")

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, *,
        weight_init="xavier_uniform", recurrent_init="orthogonal", rng=0, **options,
    ):  # fmt: skip
        sizes = {"input_size": input_size, "hidden_size": hidden_size, "num_layers": num_layers}
        self._build(sizes | options)
        by_input = _initializer("weight_init", weight_init)
        draw = {"weight_ih": by_input, "weight_hr": by_input}
        draw["weight_hh"] = _initializer("recurrent_init", recurrent_init)
        rng = check_rng(rng)
        self._params = {}
        for name, shape in self._shapes().items():
            kind = name.split("_l")[0]
            if kind in draw:
                blocks = 1 if kind == "weight_hr" else self.GATES
                block = (shape[0] // blocks, shape[1])
                drawn = [draw[kind](block, rng, self.dtype) for _ in range(blocks)]
                for each in drawn:
                    check_array(f"a block of {name} as drawn", each, block, self.dtype)
                self._params[name] = np.concatenate(drawn)
            else:
                self._params[name] = np.zeros(shape, self.dtype)

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def _states(self) -> int:
        return self.num_layers * self._directions

    @property
    def _output_size(self) -> int:
        return self.hidden_size  # of one direction

    def _suffixes(self) -> list[tuple[int, str]]:
        """Return each run's layer and suffix of parameter names, in the order of states."""
        directions = ("", "_reverse")[: self._directions]
        return [
            (n, f"_l{n}{direction}") for n in range(self.num_layers) for direction in directions
        ]

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every parameter by name; allocates nothing."""
        rows = self.GATES * self.hidden_size
        shapes = {}
        for layer, suffix in self._suffixes():
            inputs = self._output_size * self._directions if layer else self.input_size
            shapes["weight_ih" + suffix] = (rows, inputs)
            shapes["weight_hh" + suffix] = (rows, self._output_size)
            if self.bias:
                shapes["bias" + suffix] = (rows,)
            for name, shape in self._extra_shapes().items():
                shapes[name + suffix] = shape
        return shapes

    def _extra_shapes(self) -> dict[str, tuple[int, ...]]:
        return {}

    @property
    def cell(self):
        """Return the cell, of `lstm_lesson.engine.equations`, that the layer runs."""
        raise NotImplementedError

    def forward(
        self, x: np.ndarray, state=None, lengths=None, *, checkpoint=False, keep=True, rng=None,
        loop=None,
    ):  # fmt: skip
        """Run the layer over a batch of sequences.

        Parameters
        ----------
        x : (T, B, D), or (B, T, D) if `batch_first`, of the layer's dtype, with T and B at least 1.
        state : the state before the first step, arrays (layers * directions, B, H), as `forward`
            returns it; zeros by default.
        lengths : B whole numbers from 0 to T, by default T; what follows those steps is padding,
            changes nothing and has zero output. Without steps the final state is zero, as in ORT.
        checkpoint : keep a state every ``sqrt(T)`` steps only and compute the rest again in
            `backward`, for which `x` must stay as it is: memory grows like the square root of T.
        keep : without it, keep nothing for `backward`, whose cache is then None: quicker.
        rng : generator or seed for dropout; without one nothing is dropped, as in evaluation.
        loop : `lstm_lesson.engine.loop.ArrayLoop`, to run the plain loop and not a compiled one.

        Returns
        -------
        output : (T, B, H * directions), or (B, T, H * directions) if `batch_first`: the hidden
            state of the last layer after each step.
        state : the state of every layer and direction after its last step, in the shape of `state`.
        cache : what `backward` needs; None without `keep`.

        Raises TypeError or ValueError if an argument is not what is expected.
        """
        x = self._check_input(x)
        T, B, _ = x.shape
        if lengths is not None:
            lengths = check_lengths("lengths", lengths, T, B, least=0)
        check_flag("checkpoint", checkpoint)
        check_flag("keep", keep)
        if loop not in (None, over_time.ArrayLoop):
            raise TypeError(f"loop: expected lstm_lesson.engine.loop.ArrayLoop, got {loop!r}")
        rng = None if rng is None else check_rng(rng)
        first = self._check_state("state", state, B)
        runs, masks, outputs, last = [], [], [], []
        for n, (_, suffix) in enumerate(self._suffixes()):
            if n and n % self._directions == 0:  # the layer below is complete
                x, outputs = np.concatenate(outputs, axis=-1), []
                masks.append(self._mask(x.shape, rng))
                x = x if masks[-1] is None else x * masks[-1]
            output, state, cache = over_time.forward(
                self.cell, x, tuple(part[n] for part in first), self._of_run(suffix),
                lengths=lengths, reverse=self.reverse or suffix.endswith("_reverse"),
                checkpoint=checkpoint, keep=keep, loop=loop,
            )  # fmt: skip
            outputs.append(output)
            last.append(state)
            runs.append(cache)
        output = outputs[0] if len(outputs) == 1 else np.concatenate(outputs, axis=-1)
        state = self._pack_state(_layer_by_layer(last))
        cache = RecurrentCache(self._id, runs, masks, (T, B)) if keep else None
        return self._time_first(output), state, cache

    def backward(
        self, d_output: np.ndarray, cache: RecurrentCache, d_state=None, *, record=None
    ) -> LayerGrads:
        """Carry the gradient of a loss back through `forward`.

        Parameters
        ----------
        d_output : gradient with respect to `output`, in its shape.
        cache : what `forward` returned.
        d_state : gradient with respect to the final state, in its shape, beyond what reaches it
            through `output`; zeros by default.
        record : a dict to which the array loop adds, under the number of each layer and direction,
            the total derivatives of its state at each step, the last step first.

        Returns
        -------
        `LayerGrads`: ``params`` (a dict under the names of `parameters`), ``x`` and ``state``.

        Raises
        ------
        TypeError, ValueError
            If an array has another shape or dtype than what it is the gradient of.
        """
        self._check_cache(cache, RecurrentCache)
        if record is not None and cache.runs[0].loop is not over_time.ArrayLoop:
            raise ValueError("record: expected a cache of forward(..., loop=ArrayLoop)")
        T, B = cache.shape
        shape = (B, T) if self.batch_first else (T, B)
        size, directions = self._output_size, self._directions
        check_array("d_output", d_output, (*shape, size * directions), self.dtype)
        d_x = self._time_first(d_output)
        d_last = self._check_state("d_state", d_state, B)
        params, d_first = {}, []
        for n, (layer, suffix) in reversed(list(enumerate(self._suffixes()))):
            direction = n % directions
            if direction == directions - 1:  # the layer above is complete
                d_outputs, d_x = d_x, None
                if layer < self.num_layers - 1 and cache.masks[layer] is not None:
                    d_outputs = d_outputs * cache.masks[layer]
            part = d_outputs[..., direction * size : (direction + 1) * size]
            seen = None if record is None else record.setdefault(n, [])
            grads = over_time.backward(part, tuple(d[n] for d in d_last), cache.runs[n], seen)
            d_x = grads.x if d_x is None else d_x + grads.x
            d_first.insert(0, grads.state)
            params |= {name + suffix: grad for name, grad in grads.params.items()}
        params = {name: params[name] for name in self._params}
        state = self._pack_state(_layer_by_layer(d_first))
        return LayerGrads(params, self._time_first(d_x), state)

    def _of_run(self, suffix: str) -> dict[str, np.ndarray]:
        """Return the parameters of one run by name without suffix."""
        names = ["weight_ih", "weight_hh", *(["bias"] if self.bias else []), *self._extra_shapes()]
        return {name: self._params[name + suffix] for name in names}

    def _mask(self, shape, rng) -> np.ndarray | None:
        """Return what dropout multiplies with: 0, or what keeps the mean."""
        if rng is None or not self.dropout:
            return None
        kept = rng.random(shape) >= self.dropout
        return (kept / max(1 - self.dropout, np.finfo(float).tiny)).astype(self.dtype)


def _layer_by_layer(states) -> tuple[np.ndarray, ...]:
    """Join states of every layer and direction: the parts of a state, (layers, B, H) each."""
    if len(states) == 1:  # a small net notices what `np.stack` takes
        return tuple(part[None] for part in states[0])
    return tuple(np.stack(parts) for parts in zip(*states, strict=True))


def _initializer(name: str, init):
    return init if callable(init) else INITIALIZERS[check_choice(name, init, INITIALIZERS)]
