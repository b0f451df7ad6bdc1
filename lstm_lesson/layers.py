"""Recurrent layers: parameters and shapes, thin over `lstm_lesson.sequence`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lstm_lesson.cells import LSTMState
from lstm_lesson.initializers import INITIALIZERS
from lstm_lesson.sequence import LSTMCache, lstm_backward, lstm_forward
from lstm_lesson.validation import (
    check_array,
    check_choice,
    check_flag,
    check_rng,
    check_size,
)


class LayerGrads(NamedTuple):
    """Gradients of the loss, as `LSTM.backward` returns them."""

    params: dict[str, np.ndarray]  # under the names and shapes of `parameters()`
    x: np.ndarray  # of the input, in the input's shape
    state: LSTMState  # of the initial state, two (1, B, H)


class LSTM:
    """A long short-term memory layer, equal to `torch.nn.LSTM` up to rounding.

    Parameters
    ----------
    input_size : D, features of the input.
    hidden_size : H, units.
    batch_first : whether `x` and `output` are (B, T, D) and (B, T, H) instead of (T, B, D) and
        (T, B, H). States keep their shape.
    weight_init, recurrent_init : names of `lstm_lesson.initializers.INITIALIZERS`, applied to each
        gate's matrix by itself.
    forget_bias : initial bias of the forget gate (Jozefowicz et al. 2015 recommend 1); the other
        biases start at zero.
    dtype : float32 or float64, of parameters, inputs and states alike.
    rng : a `numpy.random.Generator` or an integer seed.

    Attributes
    ----------
    input_size, hidden_size, batch_first, dtype : as given.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of range.

    Introduced in chapter 3; its backward pass in chapter 5.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        batch_first: bool = False,
        weight_init: str = "xavier_uniform",
        recurrent_init: str = "orthogonal",
        forget_bias: float = 1.0,
        dtype=np.float32,
        rng=0,
    ):
        self.input_size = D = check_size("input_size", input_size)
        self.hidden_size = H = check_size("hidden_size", hidden_size)
        self.batch_first = check_flag("batch_first", batch_first)
        self.dtype = np.dtype(dtype)
        if self.dtype not in (np.float32, np.float64):
            raise TypeError(f"dtype: expected float32 or float64, got {self.dtype}")
        draw_ih = INITIALIZERS[check_choice("weight_init", weight_init, INITIALIZERS)]
        draw_hh = INITIALIZERS[check_choice("recurrent_init", recurrent_init, INITIALIZERS)]
        rng = check_rng(rng)
        bias = np.zeros(4 * H, self.dtype)
        bias[H : 2 * H] = forget_bias
        self._params = {
            "weight_ih_l0": np.concatenate([draw_ih((H, D), rng, self.dtype) for _ in range(4)]),
            "weight_hh_l0": np.concatenate([draw_hh((H, H), rng, self.dtype) for _ in range(4)]),
            "bias_l0": bias,
        }

    def __repr__(self) -> str:
        options = ", batch_first=True" if self.batch_first else ""
        return (
            f"LSTM({self.input_size}, {self.hidden_size}{options}, dtype={self.dtype}): "
            f"{self.num_parameters:,} parameters"
        )

    def parameters(self) -> dict[str, np.ndarray]:
        """Return the layer's own arrays by name; writing into one changes the layer.

        ``weight_ih_l0`` (4H, D), ``weight_hh_l0`` (4H, H) and ``bias_l0`` (4H,), the gates stacked
        i, f, g, o.
        """
        return dict(self._params)

    @property
    def num_parameters(self) -> int:
        """How many numbers the layer stores: ``4H (D + H + 1)``."""
        return sum(p.size for p in self._params.values())

    def forward(
        self, x: np.ndarray, state: LSTMState | None = None
    ) -> tuple[np.ndarray, LSTMState, LSTMCache]:
        """Run the layer over a sequence.

        Parameters
        ----------
        x : (T, B, D), or (B, T, D) if `batch_first`, of the layer's dtype, with T and B at least 1.
        state : `LSTMState` of two (1, B, H), the state before the first step; zeros by default.

        Returns
        -------
        output : (T, B, H), or (B, T, H) if `batch_first`: the hidden state after each step.
        state : `LSTMState` of two (1, B, H), the state after the last step.
        cache : what `backward` needs.

        Raises
        ------
        TypeError, ValueError
            If `x` or `state` is not an array of the shape and dtype expected.
        """
        axes = ("B", "T") if self.batch_first else ("T", "B")
        check_array("x", x, (*axes, self.input_size), self.dtype)
        if 0 in x.shape:
            raise ValueError(
                f"x: expected at least one step and one sequence, got {axes} = {x.shape[:2]}"
            )
        x = self._time_first(x)
        h_0, c_0 = self._check_state("state", state, x.shape[1])
        output, (h_n, c_n), cache = lstm_forward(
            x,
            LSTMState(h_0[0], c_0[0]),
            self._params["weight_ih_l0"],
            self._params["weight_hh_l0"],
            self._params["bias_l0"],
        )
        return self._time_first(output), LSTMState(h_n[None], c_n[None]), cache

    def backward(
        self, d_output: np.ndarray, cache: LSTMCache, d_state: LSTMState | None = None
    ) -> LayerGrads:
        """Carry the gradient of a loss back through `forward`.

        Parameters
        ----------
        d_output : gradient with respect to `output`, in its shape.
        cache : what `forward` returned.
        d_state : `LSTMState` of two (1, B, H), gradient with respect to the final state beyond what
            reaches it through `output`; zeros by default.

        Returns
        -------
        `LayerGrads`: ``params`` (a dict under the names of `parameters`), ``x`` and ``state``.

        Raises
        ------
        TypeError, ValueError
            If an array has another shape or dtype than what it is the gradient of.
        """
        if not isinstance(cache, LSTMCache):
            raise TypeError(f"cache: expected what forward returned, got {type(cache).__name__}")
        T, _, B, _ = cache.x.shape
        shape = (B, T) if self.batch_first else (T, B)
        check_array("d_output", d_output, (*shape, self.hidden_size), self.dtype)
        d_h, d_c = self._check_state("d_state", d_state, B)
        grads = lstm_backward(self._time_first(d_output), LSTMState(d_h[0], d_c[0]), cache)
        params = {
            "weight_ih_l0": grads.weight_ih,
            "weight_hh_l0": grads.weight_hh,
            "bias_l0": grads.bias,
        }
        d_h_0, d_c_0 = grads.state
        return LayerGrads(params, self._time_first(grads.x), LSTMState(d_h_0[None], d_c_0[None]))

    def _time_first(self, x: np.ndarray) -> np.ndarray:
        """Swap the first two axes if the layer is `batch_first`: its own inverse."""
        return x.swapaxes(0, 1) if self.batch_first else x

    def _check_state(self, name: str, state, B: int) -> LSTMState:
        shape = (1, B, self.hidden_size)
        if state is None:
            return LSTMState(np.zeros(shape, self.dtype), np.zeros(shape, self.dtype))
        if not isinstance(state, tuple) or len(state) != 2:
            raise TypeError(
                f"{name}: expected LSTMState(h, c), two arrays of shape {shape}, "
                f"got {type(state).__name__}"
            )
        check_array(f"{name}.h", state[0], shape, self.dtype)
        check_array(f"{name}.c", state[1], shape, self.dtype)
        return LSTMState(*state)
