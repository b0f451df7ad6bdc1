"""The layers: `RNN`, `GRU`, `LSTM`, and the linear head that reads them out.

What a layer computes at one step stands in `lstm_lesson.engine.equations`; its options stand here,
a line each, with their defaults and checks.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np

from lstm_lesson.engine.activations import check_activation
from lstm_lesson.engine.arguments import (
    check_array,
    check_choice,
    check_flag,
    check_number,
    check_rng,
    check_size,
)
from lstm_lesson.engine.equations import GRUCell, LSTMCell, LSTMState, RNNCell
from lstm_lesson.engine.initializers import xavier_uniform
from lstm_lesson.engine.layer import Layer, LayerGrads, Options, option
from lstm_lesson.engine.lstm_options import LSTMOptionsCell
from lstm_lesson.engine.recurrent import RecurrentLayer, RecurrentOptions


def _bound(name: str, value) -> float | None:
    return None if value is None else check_number(name, value, 0)


def _gates(name: str, value) -> tuple[str, ...]:
    if not isinstance(value, Iterable):
        raise TypeError(f"{name}: expected letters of 'ifo', got {value!r}")
    gates = tuple(check_choice(name, gate, "ifo") for gate in value)
    if len(set(gates)) != len(gates):
        raise ValueError(f"{name}: expected each gate once, got {gates}")
    return gates


@dataclass(frozen=True, kw_only=True)
class LSTMOptions(RecurrentOptions):
    """What an `LSTM` is built from."""

    proj_size: int = option(
        0,
        lambda name, value: check_size(name, value, least=0),
        "P, size that the hidden state is projected to, or 0 for none (Sak et al. 2014)",
    )
    clip: float | None = option(
        None, _bound, "bound of the pre-activations of gates and candidate, as in ONNX Runtime"
    )
    cell_clip: float | None = option(
        None, _bound, "bound of the cell state after each step, as in TensorFlow (Sak et al. 2014)"
    )
    couple_input_forget: bool = option(
        False, check_flag, "whether f = 1 - i; the forget gate's parameters then have no effect"
    )
    peephole: bool = option(
        False, check_flag, "whether gates see the cell state (Gers et al. 2002); starts at zero"
    )
    remove_gates: tuple[str, ...] = option((), _gates, 'letters of "i", "f", "o" held at 1')
    gate_activation: str = option(
        "sigmoid", check_activation, "of i, f, o: a name of `lstm_lesson.engine.activations`"
    )
    cell_activation: str = option("tanh", check_activation, "of the candidate")
    hidden_activation: str = option("tanh", check_activation, "of the cell state on its way out")

    def check_together(self) -> None:
        """Raise ValueError if one option contradicts another."""
        super().check_together()
        if self.proj_size >= self.hidden_size:
            raise ValueError(
                f"proj_size: expected less than hidden_size {self.hidden_size}, "
                f"got {self.proj_size}"
            )
        if self.couple_input_forget and set("if") & set(self.remove_gates):
            raise ValueError("remove_gates: i and f can't be removed and coupled at once")


class LSTM(RecurrentLayer):
    """A long short-term memory layer, equal to `torch.nn.LSTM` up to rounding.

    Parameters
    ----------
    OPTIONS
    weight_init, recurrent_init : names in `lstm_lesson.engine.initializers.INITIALIZERS`, or
        functions ``(shape, rng, dtype) -> array``, applied to each gate's matrix by itself.
    forget_bias : initial bias of the forget gate (Jozefowicz et al. 2015 recommend 1); the other
        biases start at zero.
    rng : a `numpy.random.Generator` or an integer seed.

    The state is an `LSTMState` of two arrays, (layers * directions, B, H); with a projection the
    last axis of ``h`` is P. Every option is an attribute.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind, out of range, or contradicts another.

    Introduced in chapter 3; its backward pass in chapter 5.
    """

    GATES = 4
    STATE = LSTMState
    OPTIONS = LSTMOptions

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        weight_init="xavier_uniform",
        recurrent_init="orthogonal",
        forget_bias: float = 1.0,
        rng=0,
        **options,
    ):
        init = {"weight_init": weight_init, "recurrent_init": recurrent_init, "rng": rng}
        super().__init__(input_size, hidden_size, num_layers, **init, **options)
        forget_bias = check_number("forget_bias", forget_bias)
        for name, p in self._params.items():
            if name.startswith("bias"):
                p[self.hidden_size : 2 * self.hidden_size] = forget_bias

    @property
    def _output_size(self):
        return self.proj_size or self.hidden_size

    def _extra_shapes(self):
        shapes = {}
        if self.proj_size:
            shapes["weight_hr"] = (self.proj_size, self.hidden_size)
        if self.peephole:
            shapes["peephole"] = (3 * self.hidden_size,)
        return shapes

    @functools.cached_property
    def cell(self):
        """Return the cell of `lstm_lesson.engine.equations` that the layer runs."""
        own = {f.name for f in fields(LSTMOptions)} - {f.name for f in fields(RecurrentOptions)}
        return LSTMOptionsCell(self.options) if own & self.given().keys() else LSTMCell()

    def _state_sizes(self):
        return (self._output_size, self.hidden_size)


@dataclass(frozen=True, kw_only=True)
class GRUOptions(RecurrentOptions):
    """What a `GRU` is built from."""

    reset_after: bool = option(
        True, check_flag, "whether r acts after the product with U, as in PyTorch, or before it"
    )
    clip: float | None = option(
        None, _bound, "bound of the pre-activations of gates and candidate, as in ONNX Runtime"
    )
    gate_activation: str = option(
        "sigmoid", check_activation, "of r, z: a name of `lstm_lesson.engine.activations`"
    )
    cell_activation: str = option("tanh", check_activation, "of the candidate")


class GRU(RecurrentLayer):
    """A layer of gated recurrent units, equal to `torch.nn.GRU` up to rounding.

    Parameters
    ----------
    OPTIONS
    weight_init, recurrent_init, rng : as in `LSTM`.

    Gates are stacked r, z, n. With `reset_after` the candidate's recurrent bias can't be merged
    with its input bias, for the reset gate comes between them; it is the parameter ``bias_hn``
    (H,). The state is one array (layers * directions, B, H). Introduced in chapter 11.
    """

    GATES = 3
    OPTIONS = GRUOptions

    def _extra_shapes(self):
        return {"bias_hn": (self.hidden_size,)} if self.bias and self.reset_after else {}

    @functools.cached_property
    def cell(self):
        """Return the cell of `lstm_lesson.engine.equations` that the layer runs."""
        return GRUCell(self.reset_after, self.clip, self.gate_activation, self.cell_activation)


@dataclass(frozen=True, kw_only=True)
class RNNOptions(RecurrentOptions):
    """What an `RNN` is built from."""

    nonlinearity: str = option(
        "tanh", check_activation, "a name of `lstm_lesson.engine.activations`"
    )
    clip: float | None = option(None, _bound, "bound of the pre-activation, as in ONNX Runtime")


class RNN(RecurrentLayer):
    """A layer of plain recurrent units, equal to `torch.nn.RNN` up to rounding.

    Parameters
    ----------
    OPTIONS
    weight_init, recurrent_init, rng : as in `LSTM`.

    The state is one array (layers * directions, B, H). Introduced in chapter 1.
    """

    GATES = 1
    OPTIONS = RNNOptions

    @functools.cached_property
    def cell(self):
        """Return the cell of `lstm_lesson.engine.equations` that the layer runs."""
        return RNNCell(self.nonlinearity, self.clip)


@dataclass(frozen=True, kw_only=True)
class LinearOptions(Options):
    """What a `Linear` is built from."""

    input_size: int = option(0, check_size, "size of the last axis of x")
    output_size: int = option(0, check_size, "size of the last axis of y")


class Linear(Layer):
    """A linear head, ``y = x W.T + b``, on the last axis of any array.

    Parameters
    ----------
    OPTIONS
    rng : as in `LSTM`. The weight is Xavier uniform, the bias zero.
    """

    SIZES = ("input_size", "output_size")
    OPTIONS = LinearOptions

    def __init__(self, input_size: int, output_size: int, *, rng=0, **options):
        self._build({"input_size": input_size, "output_size": output_size, **options})
        shapes = self._shapes()
        self._params = {
            "weight": xavier_uniform(shapes["weight"], check_rng(rng), self.dtype),
            "bias": np.zeros(shapes["bias"], self.dtype),
        }

    def _shapes(self):
        return {"weight": (self.output_size, self.input_size), "bias": (self.output_size,)}

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return ``y`` (..., output_size) of `x` (..., input_size), and the cache."""
        self._check("x", x, self.input_size)
        return x @ self._params["weight"].T + self._params["bias"], x

    def backward(self, d_y: np.ndarray, cache: np.ndarray) -> LayerGrads:
        """Return the gradients of the parameters and of `x` from that of `y`; state is None."""
        self._check("cache", cache, self.input_size)
        check_array("d_y", d_y, (*cache.shape[:-1], self.output_size), self.dtype)
        rows = d_y.reshape(-1, self.output_size)
        params = {
            "weight": rows.T @ cache.reshape(-1, self.input_size),
            "bias": rows.sum(axis=0),
        }
        return LayerGrads(params, d_y @ self._params["weight"], None)

    def _check(self, name, value, size):
        lead = value.shape[:-1] if isinstance(value, np.ndarray) else ("...",)
        check_array(name, value, (*lead, size), self.dtype)
