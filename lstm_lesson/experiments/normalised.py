"""An LSTM whose gates and cell are normalised, over its units or over the batch; chapter 11.

    z = N(W x; gain_x) + N(U h_prev; gain_h) + offset_z
    h = o * tanh(N(c; gain_c) + offset_c)

N makes mean 0 and variance 1 and multiplies by a learned gain. Ba et al. (2016) take the mean over
the entries of each vector, Cooijmans et al. (2017) over the sequences of the batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lstm_lesson.engine.activations import sigmoid_derivative, tanh, tanh_derivative
from lstm_lesson.engine.equations import LSTMCell, lstm, lstm_back, split
from lstm_lesson.engine.layers import LSTM
from lstm_lesson.engine.residual import standardise, standardise_back


@dataclass(frozen=True)
class NormalisedCell(LSTMCell):
    """The LSTM cell of this module's equations."""

    axis: int  # along which the mean is taken: -1 for units, 0 for the sequences of the batch

    def forward(self, z_x, z_h, state, params):
        """Return the new state ``(h, c)`` and what is kept."""
        _, c_prev = state
        n_x, kept_x = standardise(z_x, self.axis)
        n_h, kept_h = standardise(z_h, self.axis)
        z = params["gain_x"] * n_x + params["gain_h"] * n_h + params["offset_z"]
        i, f, g, o, c, _ = lstm(*split(z, 4), c_prev)
        n_c, kept_c = standardise(c, self.axis)
        tanh_c = tanh(params["gain_c"] * n_c + params["offset_c"])
        return (o * tanh_c, c), (c_prev, i, f, g, o, c, tanh_c, kept_x, kept_h, kept_c)

    def backward(self, d_state, kept, params):
        """Return ``d_z_x, d_z_h``, the direct gradients of the old state, and of the extras."""
        d_h, d_c = d_state
        *before, tanh_c, kept_x, kept_h, kept_c = kept
        c_prev, i, f, g, o, c = before
        d_inside = d_h * o * tanh_derivative(tanh_c)
        d_c = d_c + standardise_back(d_inside * params["gain_c"], kept_c)
        d_i, d_f, d_g, _, d_c_prev = lstm_back(np.zeros_like(d_h), d_c, i, f, g, o, c, c_prev)
        d_z = np.concatenate([d_i, d_f, d_g, d_h * tanh_c * sigmoid_derivative(o)], axis=-1)
        extras = {
            "gain_x": (d_z * kept_x[0]).sum(axis=0),
            "gain_h": (d_z * kept_h[0]).sum(axis=0),
            "gain_c": (d_inside * kept_c[0]).sum(axis=0),
            "offset_z": d_z.sum(axis=0),
            "offset_c": d_inside.sum(axis=0),
        }
        d_z_x = standardise_back(d_z * params["gain_x"], kept_x)
        d_z_h = standardise_back(d_z * params["gain_h"], kept_h)
        return d_z_x, d_z_h, (np.zeros_like(c), d_c_prev), extras


class LayerNormLSTM(LSTM):
    """A layer of `NormalisedCell` with means over its units; arguments are those of `LSTM` named.

    Instead of a bias it has, for each layer, ``offset_z`` (4H,), whose part of the forget gate
    starts at `forget_bias`, ``offset_c`` (H,), and the gains ``gain_x``, ``gain_h`` (4H,) and
    ``gain_c`` (H,), which start at `GAIN`.
    """

    AXIS, GAIN = -1, 1.0

    def __init__(
        self, input_size, hidden_size, num_layers=1, *, forget_bias=1.0, dtype=np.float32, rng=0
    ):
        super().__init__(input_size, hidden_size, num_layers, bias=False, dtype=dtype, rng=rng)
        for name, p in self._params.items():
            if name.startswith("gain"):
                p[:] = self.GAIN
            elif name.startswith("offset_z"):
                p[hidden_size : 2 * hidden_size] = forget_bias

    def _extra_shapes(self):
        H = self.hidden_size
        wide = dict.fromkeys(("gain_x", "gain_h", "offset_z"), (4 * H,))
        return wide | dict.fromkeys(("gain_c", "offset_c"), (H,))

    @property
    def cell(self):
        """Return the cell that the layer runs."""
        return NormalisedCell(self.AXIS)


class BatchNormLSTM(LayerNormLSTM):
    """The same with means over the batch, of each step by itself, in training and in use.

    What a sequence gives depends on the others of its batch, so `forward` takes no lengths: padding
    would count. The gains start at 0.1, as Cooijmans et al. (2017) advise.
    """

    AXIS, GAIN = 0, 0.1

    def forward(self, x, state=None, lengths=None, **keywords):
        """Run the layer as `LSTM.forward` does; raise ValueError if there are lengths."""
        if lengths is not None:
            raise ValueError("lengths: expected None, for padding would count in a batch's means")
        return super().forward(x, state, **keywords)
