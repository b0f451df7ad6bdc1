"""The layers: `RNN`, `GRU`, `LSTM`, and the linear head that reads them out."""

from __future__ import annotations

import numpy as np

from lstm_lesson.engine.activations import ACTIVATIONS
from lstm_lesson.engine.arguments import (
    check_array,
    check_choice,
    check_dtype,
    check_flag,
    check_number,
    check_rng,
    check_size,
)
from lstm_lesson.engine.base import Layer, LayerGrads
from lstm_lesson.engine.cells import LSTMState
from lstm_lesson.engine.initializers import xavier_uniform
from lstm_lesson.engine.lstm_kernel import LSTMKernel
from lstm_lesson.engine.stack import Stack
from lstm_lesson.engine.variants import GRUCell, LSTMCell, RNNCell

_STACK_DEFAULTS = {
    "num_layers": 1,
    "bias": True,
    "batch_first": False,
    "bidirectional": False,
    "dropout": 0.0,
    "reverse": False,
}


class LSTM(Stack):
    """A long short-term memory layer, equal to `torch.nn.LSTM` up to rounding.

    Parameters
    ----------
    input_size : D, features of the input.
    hidden_size : H, units of each layer and direction.
    num_layers : layers, each fed by the output of the one below.
    bias : whether gates have a bias; one a gate, where PyTorch stores two that are added.
    batch_first : whether `x` and `output` are (B, T, ...) instead of (T, B, ...). States keep their
        shape.
    bidirectional : whether each layer also runs backwards in time, the two outputs side by side.
    proj_size : P, size that the hidden state is projected to, or 0 for none (Sak et al. 2014).
    dropout : share of the outputs of each layer but the last that is dropped, when `forward` is
        given a generator.
    reverse : whether to run backwards in time only.
    cell_clip : bound of the pre-activations of the gates and the candidate, ONNX's ``clip`` as ONNX
        Runtime reads it (the cell state itself is not clipped); None for none.
    couple_input_forget : whether ``f = 1 - i``; the forget gate's parameters then have no effect.
    peephole : whether the gates see the cell state (Gers et al. 2002); the weights start at zero.
    remove_gates : letters of "i", "f", "o" whose gate is held at 1.
    gate_activation, cell_activation, hidden_activation : names in
        `lstm_lesson.engine.activations.ACTIVATIONS`, of the three gates, the candidate and the cell
        state on its way out.
    weight_init, recurrent_init : names in `lstm_lesson.engine.initializers.INITIALIZERS`, or
        functions ``(shape, rng, dtype) -> array``, applied to each gate's matrix by itself.
    forget_bias : initial bias of the forget gate (Jozefowicz et al. 2015 recommend 1); the other
        biases start at zero.
    dtype : float32 or float64, of parameters, inputs and states alike.
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
    DEFAULTS = _STACK_DEFAULTS | {
        "proj_size": 0,
        "cell_clip": None,
        "couple_input_forget": False,
        "peephole": False,
        "remove_gates": (),
        "gate_activation": "sigmoid",
        "cell_activation": "tanh",
        "hidden_activation": "tanh",
    }

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        bias: bool = True,
        batch_first: bool = False,
        bidirectional: bool = False,
        proj_size: int = 0,
        dropout: float = 0.0,
        reverse: bool = False,
        cell_clip: float | None = None,
        couple_input_forget: bool = False,
        peephole: bool = False,
        remove_gates: tuple[str, ...] = (),
        gate_activation: str = "sigmoid",
        cell_activation: str = "tanh",
        hidden_activation: str = "tanh",
        weight_init="xavier_uniform",
        recurrent_init="orthogonal",
        forget_bias: float = 1.0,
        dtype=np.float32,
        rng=0,
    ):
        super().__init__(locals())
        forget_bias = check_number("forget_bias", forget_bias)
        for name, p in self._params.items():
            if name.startswith("bias"):
                p[self.hidden_size : 2 * self.hidden_size] = forget_bias

    def _set_options(self, options):
        super()._set_options(options)
        self.proj_size = check_size("proj_size", options["proj_size"], least=0)
        if self.proj_size >= self.hidden_size:
            raise ValueError(
                f"proj_size: expected less than hidden_size {self.hidden_size}, "
                f"got {self.proj_size}"
            )
        self.cell_clip = options["cell_clip"]
        if self.cell_clip is not None:
            self.cell_clip = check_number("cell_clip", self.cell_clip, 0)
        self.couple_input_forget = check_flag("couple_input_forget", options["couple_input_forget"])
        self.peephole = check_flag("peephole", options["peephole"])
        self.remove_gates = tuple(
            check_choice("remove_gates", g, "ifo") for g in options["remove_gates"]
        )
        if self.couple_input_forget and set("if") & set(self.remove_gates):
            raise ValueError("remove_gates: i and f can't be removed and coupled at once")
        for name in ("gate_activation", "cell_activation", "hidden_activation"):
            setattr(self, name, check_choice(name, options[name], ACTIVATIONS))

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

    def _cell(self):
        return LSTMCell(**{name: getattr(self, name) for name in LSTMCell.__dataclass_fields__})

    def _kernel(self):
        plain = self._cell() == LSTMCell() and self.bias
        return LSTMKernel() if plain and not self._extra_shapes() else super()._kernel()

    def _state_sizes(self):
        return (self._output_size, self.hidden_size)

    def _pack_state(self, parts):
        return self.STATE(*parts)

    def _unpack_state(self, name, state):
        parts = self.STATE._fields
        if not isinstance(state, tuple) or len(state) != len(parts):
            count = {2: "two", 3: "three"}[len(parts)]
            raise TypeError(
                f"{name}: expected {self.STATE.__name__}({', '.join(parts)}), "
                f"a tuple of {count} arrays, got {type(state).__name__}"
            )
        return {f"{name}.{part}": array for part, array in zip(parts, state, strict=True)}


class GRU(Stack):
    """A layer of gated recurrent units, equal to `torch.nn.GRU` up to rounding.

    Parameters are those of `LSTM` where the names are the same; gates are stacked r, z, n. The
    candidate's recurrent bias can't be merged with its input bias, for the reset gate comes between
    them; it is the parameter ``bias_hn`` (H,). The state is one array (layers * directions, B, H).
    Introduced in chapter 11.
    """

    GATES = 3
    DEFAULTS = _STACK_DEFAULTS

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        bias: bool = True,
        batch_first: bool = False,
        bidirectional: bool = False,
        dropout: float = 0.0,
        reverse: bool = False,
        weight_init="xavier_uniform",
        recurrent_init="orthogonal",
        dtype=np.float32,
        rng=0,
    ):
        super().__init__(locals())

    def _extra_shapes(self):
        return {"bias_hn": (self.hidden_size,)} if self.bias else {}

    def _cell(self):
        return GRUCell()


class RNN(Stack):
    """A layer of plain recurrent units, equal to `torch.nn.RNN` up to rounding.

    Parameters are those of `LSTM` where the names are the same; `nonlinearity` is a name in
    `lstm_lesson.engine.activations.ACTIVATIONS`. The state is one array
    (layers * directions, B, H).
    Introduced in chapter 1.
    """

    GATES = 1
    DEFAULTS = _STACK_DEFAULTS | {"nonlinearity": "tanh"}

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        bidirectional: bool = False,
        dropout: float = 0.0,
        reverse: bool = False,
        weight_init="xavier_uniform",
        recurrent_init="orthogonal",
        dtype=np.float32,
        rng=0,
    ):
        super().__init__(locals())

    def _set_options(self, options):
        super()._set_options(options)
        self.nonlinearity = check_choice("nonlinearity", options["nonlinearity"], ACTIVATIONS)

    def _cell(self):
        return RNNCell(self.nonlinearity)


class Linear(Layer):
    """A linear head, ``y = x W.T + b``, on the last axis of any array.

    Parameters
    ----------
    input_size, output_size : sizes of the last axis of `x` and of `y`.
    dtype, rng : as in `LSTM`. The weight is Xavier uniform, the bias zero.
    """

    SIZES = ("input_size", "output_size")
    DEFAULTS = {}  # noqa: RUF012

    def __init__(self, input_size: int, output_size: int, *, dtype=np.float32, rng=0):
        self._set_options({"input_size": input_size, "output_size": output_size, "dtype": dtype})
        shapes = self._shapes()
        self._params = {
            "weight": xavier_uniform(shapes["weight"], check_rng(rng), self.dtype),
            "bias": np.zeros(shapes["bias"], self.dtype),
        }

    def _set_options(self, options):
        self.input_size = check_size("input_size", options["input_size"])
        self.output_size = check_size("output_size", options["output_size"])
        self.dtype = check_dtype(options["dtype"])

    def _shapes(self):
        return {"weight": (self.output_size, self.input_size), "bias": (self.output_size,)}

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return ``y`` (..., output_size) of `x` (..., input_size), and the cache."""
        lead = np.shape(x)[:-1]
        check_array("x", x, (*lead, self.input_size), self.dtype)
        return x @ self._params["weight"].T + self._params["bias"], x

    def backward(self, d_y: np.ndarray, cache: np.ndarray) -> LayerGrads:
        """Return the gradients of the parameters and of `x` from that of `y`; state is None."""
        check_array("d_y", d_y, (*cache.shape[:-1], self.output_size), self.dtype)
        rows = d_y.reshape(-1, self.output_size)
        params = {
            "weight": rows.T @ cache.reshape(-1, self.input_size),
            "bias": rows.sum(axis=0),
        }
        return LayerGrads(params, d_y @ self._params["weight"], None)
